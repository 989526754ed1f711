package main

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// toldWriter is where help goes. It keeps the first error: that nothing could be written is no mistake on the command line.
type toldWriter struct {
	io.Writer
	err error
}

// Write writes, and notes what failed.
func (w *toldWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// emptyOption refuses an empty argument where that would mean as much as none: it is what a variable leaves that is not set.
func emptyOption(c *kong.Context) error {
	for _, p := range c.Path {
		f := p.Flag
		if f == nil || !f.Tag.Has("given") || f.Target.Kind() != reflect.String || f.Target.String() != "" {
			continue
		}
		return usageError{fmt.Sprintf("--%s is empty; leave it out, or see whether a variable is not set", f.Name)}
	}
	return nil
}

// parseMistake says what is wrong with the syntax of a command line, and what to do next.
func parseMistake(err error, args []string) string {
	text := strings.Replace(err.Error(), `must be one of "",`, "must be one of ", 1)
	if strings.HasPrefix(text, "unknown flag -") && slices.ContainsFunc(args, regexp.MustCompile(`^-[0-9.]`).MatchString) {
		return "what begins with - is taken for an option; write -- in front of keys, values and numbers that do"
	}
	help := "tinykv --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		if n := parse.Context.Selected(); n != nil {
			help = n.FullPath() + " --help"
		}
	}
	return text + "; run " + help
}

// distinct returns the lines of a text, each once: a failure shows in all that had to do with it.
func distinct(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// maxTold is how long a message may be: an argument in it may be a megabyte.
const maxTold = 1 << 10

// shortened cuts what is too long out of the middle of a message, the end of which tells what to do.
func shortened(text string) string {
	if len(text) <= maxTold {
		return text
	}
	head, tail := text[:maxTold/2], text[len(text)-maxTold/2:]
	for !utf8.ValidString(head) && len(head) > maxTold/2-utf8.UTFMax {
		head = head[:len(head)-1]
	}
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return head + " … " + tail
}
