package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/peterh/liner"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
)

type shellCommand struct {
	Create  bool   `help:"Make the store if it is not there."`
	History string `env:"TINYKV_HISTORY" placeholder:"FILE" help:"Where lines are kept; no: nowhere. Default: tinykv/history among the files of your settings."`
}

// speaker carries out lines: a session here, or one in a server.
type speaker interface {
	Do(ctx context.Context, line string) shell.Result
	Complete(line string) []string
	Prompt() string
	Close()
}

// maxLine bounds a line that does not come from a terminal.
const maxLine = 16 << 20

// Run carries out lines until their end. Without a terminal it goes on behind a line that failed, and its exit code is that of the
// last such line.
func (c *shellCommand) Run(e *environment) error {
	return e.at(&tinykv.Options{ErrorIfMissing: !c.Create}, func(at site) error {
		s, err := at.speaker()
		if err != nil {
			return err
		}
		defer s.Close()
		if isTerminal(e.in) && isTerminal(os.Stdout) {
			return c.converse(e, s)
		}
		return c.read(e, s)
	})
}

// read takes lines from a file or a pipe.
func (c *shellCommand) read(e *environment, s speaker) (failed error) {
	lines := bufio.NewScanner(e.input())
	lines.Buffer(nil, maxLine)
	text, begun, isOpen := "", 1, false // the line at hand, where it begins, and whether the last one left a transaction open
	for n := 1; lines.Scan(); n++ {
		next := lines.Text()
		if n == 1 {
			next = strings.TrimPrefix(next, byteOrderMark)
		}
		if text += next; shell.Unfinished(text) && len(text) < maxLine {
			text += "\n"
			continue
		}
		r := s.Do(e.ctx, text)
		text, begun, isOpen = "", n+1, r.Transaction
		if err := e.answer(r); err != nil {
			failed = err
		}
		if r.Quit || e.ctx.Err() != nil {
			return e.abandoned(isOpen, failed)
		}
	}
	if err := lines.Err(); err != nil {
		return e.abandoned(isOpen, errors.Join(failed, err))
	}
	if text != "" {
		e.say("tinykv: line %d: the quote is not closed; nothing from that line on was carried out", begun)
		failed = quietError{shell.Mistake("a quote is not closed")}
	}
	return e.abandoned(isOpen, failed)
}

// abandoned tells of a transaction that ends with the session: whoever wrote in it may believe that it took effect.
func (e *environment) abandoned(isOpen bool, failed error) error {
	if !isOpen {
		return failed
	}
	e.say("tinykv: the transaction was still open, so that nothing of it took effect; commit ends it")
	return errors.Join(failed, quietError{shell.Mistake("a transaction was left open")})
}

// answer writes the result of a line, at once, and returns why it failed, which is then told.
func (e *environment) answer(r shell.Result) error {
	e.printf("%s", r.Out)
	if err := e.out.Flush(); err != nil || r.Err == "" {
		return err
	}
	e.say("tinykv: %s", r.Err)
	return quietError{r.Cause}
}

// converse takes lines from somebody at a terminal, to whom mistakes are no failure.
func (c *shellCommand) converse(e *environment, s speaker) error {
	l := liner.NewLiner()
	defer l.Close()
	l.SetCtrlCAborts(true)
	l.SetTabCompletionStyle(liner.TabPrints)
	l.SetCompleter(func(line string) []string { return completions(s.Complete(line)) })
	history := c.history()
	loadHistory(l, history)
	e.say("help lists the words, Tab completes, Ctrl-D leaves")
	isOpen := false
	defer func() { _ = e.abandoned(isOpen, nil) }() // at a terminal that is no failure, as mistakes are none
	for {
		text, err := prompt(l, s.Prompt())
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			continue
		case errors.Is(err, io.EOF):
			e.printf("\n")
			return saveHistory(l, history)
		case err != nil:
			return err
		case strings.TrimSpace(text) == "":
			continue
		}
		l.AppendHistory(strings.ReplaceAll(text, "\n", `\n`))
		r := interruptible(text, s)
		isOpen = r.Transaction
		err = e.answer(r)
		if r.Quit {
			return errors.Join(err, saveHistory(l, history))
		}
		var quiet quietError
		if err != nil && !errors.As(err, &quiet) {
			return err
		}
	}
}

// completions puts a space behind the one that there is: the next word may follow.
func completions(all []string) []string {
	if len(all) == 1 {
		all[0] += " "
	}
	return all
}

// prompt reads a line, and further ones as long as quotes are open.
func prompt(l *liner.State, p string) (string, error) {
	text, err := l.Prompt(p)
	for err == nil && shell.Unfinished(text) {
		var more string
		more, err = l.Prompt(strings.Repeat(" ", max(0, len(p)-4)) + "... ")
		text += "\n" + more
	}
	return text, err
}

// interruptible carries out a line, which Ctrl-C ends: it alone.
func interruptible(text string, s speaker) shell.Result {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return s.Do(ctx, text)
}

// history returns the file of the history, or an empty string for none.
func (c *shellCommand) history() string {
	switch c.History {
	case "no":
		return ""
	case "":
	default:
		return c.History
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "tinykv", "history")
}

// loadHistory reads what is there; that nothing is, is no failure.
func loadHistory(l *liner.State, path string) {
	if path == "" {
		return
	}
	if f, err := os.Open(path); err == nil {
		_, _ = l.ReadHistory(f)
		_ = f.Close()
	}
}

// saveHistory writes it for nobody else to read.
func saveHistory(l *liner.State, path string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = l.WriteHistory(f)
	return errors.Join(err, f.Close())
}
