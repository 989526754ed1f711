//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

var update = flag.Bool("update", false, "write what the examples of docs/API.md answer into it")

const (
	apiFile   = "../../docs/API.md"
	shownHost = "127.0.0.1:8080" // which stands in the examples
)

// The examples of docs/API.md, one after the other on one store, answer what is shown. In what is shown, … stands for anything in a
// line, and for any lines where it stands alone.
func TestAPI_ExamplesAnswerWhatIsShown(t *testing.T) {
	text, err := os.ReadFile(apiFile)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	var out strings.Builder
	fence, begun := "", 0
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		switch {
		case fence == "" && strings.HasPrefix(line, "```"):
			fence, begun = strings.TrimSpace(line), i+1
			out.WriteString(line)
		case fence != "" && strings.TrimSpace(line) == "```":
			out.WriteString(r.block(fence, begun, lines[begun:i]))
			out.WriteString(line)
			fence = ""
		case fence == "":
			out.WriteString(line)
		}
	}
	if r.commands < 50 {
		t.Errorf("%d examples were run: the blocks are not where they were", r.commands)
	}
	if *update {
		if err := os.WriteFile(apiFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// reader follows the examples, as somebody does who reads them at a terminal.
type reader struct {
	*testing.T
	dir      string
	env      []string
	host     string // where the server is
	commands int
}

func newReader(t *testing.T) *reader {
	dir := shortDir(t)
	return &reader{T: t, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "TINYKV_DB=data", "NO_PROGRESS=1", "TINYKV_HISTORY=no",
	}}
}

// shortDir makes a directory with a short path, as that of a socket must be.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(shortTemporary, "tk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// block runs the examples of a block, and returns it with what they answered, as far as that is not what is shown.
func (r *reader) block(fence string, at int, lines []string) string {
	switch fence {
	case "```console":
		return r.console(at, lines)
	case "```websocket":
		r.webSocket(at, lines)
	}
	return strings.Join(lines, "")
}

// console runs what follows on "$ ", with further lines that follow on "> ".
func (r *reader) console(at int, lines []string) string {
	var out strings.Builder
	for i := 0; i < len(lines); {
		command, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			r.Fatalf("API.md:%d: a block of examples begins with a command", at+i+1)
		}
		from := i
		for i++; i < len(lines) && strings.HasPrefix(lines[i], "> "); i++ {
			command += lines[i][2:]
		}
		out.WriteString(strings.Join(lines[from:i], ""))
		shown := i
		for i < len(lines) && !strings.HasPrefix(lines[i], "$ ") {
			i++
		}
		want := strings.Join(lines[shown:i], "")
		got := r.run(strings.TrimSuffix(command, "\n"))
		if !isShown(want, got) {
			r.Errorf("API.md:%d: %sanswers\n%s\nshown is\n%s", at+from+1, command, got, want)
			want = got
		}
		out.WriteString(want)
	}
	return out.String()
}

// run runs a command and returns what it printed.
func (r *reader) run(command string) string {
	r.commands++
	if serve, ok := strings.CutSuffix(command, " &"); ok {
		return r.serve(serve)
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(command, shownHost, r.host))
	c.Dir, c.Env = r.dir, r.env
	text, _ := c.CombinedOutput() // the exit code is shown where it matters
	got := string(text)
	if r.host != "" {
		got = strings.ReplaceAll(got, r.host, shownHost)
	}
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n" // a block has whole lines
	}
	return got
}

// serve starts a server, which goes on for all examples that follow.
func (r *reader) serve(command string) string {
	c := exec.CommandContext(r.Context(), "sh", "-c", "exec "+command+" --listen 127.0.0.1:0")
	c.Dir, c.Env = r.dir, r.env
	said, err := c.StderrPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := c.Start(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := c.Process.Signal(os.Interrupt); err == nil {
			_ = c.Wait()
		}
	})
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		r.Fatalf("%q: %v", line, err)
	}
	r.host = strings.Trim(strings.TrimPrefix(strings.TrimSpace(line), "http:"), "/")
	return strings.ReplaceAll(line, r.host, shownHost)
}

// webSocket says what follows on "> " and waits for a message as it follows on "< "; others may come before.
func (r *reader) webSocket(at int, lines []string) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+r.host+"/v1/ws", nil)
	if err != nil {
		r.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for i, line := range lines {
		if message, ok := strings.CutPrefix(line, "> "); ok {
			r.commands++
			if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
				r.Fatal(err)
			}
			continue
		}
		want, got := strings.TrimPrefix(line, "< "), [][]byte(nil)
		for {
			_, message, err := c.Read(ctx)
			if err != nil {
				r.Errorf("API.md:%d: %v; there came\n%s\nbut not\n%s", at+i+1, err, bytes.Join(got, []byte("\n")), want)
				return
			}
			if isShown(want, string(message)+"\n") {
				break
			}
			got = append(got, message)
		}
	}
}

// isShown tells whether an answer is what is shown.
func isShown(want, got string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(pattern, `(?:.*\n)*?`)
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(got)
}

func TestIsShown_TakesWildcardsForWhatVaries(t *testing.T) {
	for _, c := range []struct {
		want, got string
		is        bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "a\nb\n", false},
		{"a …s\n", "a few words\n", true},
		{"a …s\n", "a few\nwords\n", false},
		{"a\n…\nd\n", "a\nb\nc\nd\n", true},
		{"a\n…\nd\n", "a\nd\n", true},
		{"a.\n", "ab\n", false},
		{"", "a\n", false},
	} {
		if isShown(c.want, c.got) != c.is {
			t.Error(fmt.Sprintf("%q for %q", c.want, c.got), !c.is)
		}
	}
}

// The commands of docs/API.md are all that there are.
func TestAPI_TellsOfEveryCommand(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash(apiFile))
	if err != nil {
		t.Fatal(err)
	}
	help, _, _ := newProgram(t).run("--help")
	for line := range strings.Lines(help) {
		m := regexp.MustCompile(`^  ([a-z]+)  +[A-Z]`).FindStringSubmatch(line)
		if m != nil && !strings.Contains(string(text), "`"+m[1]) {
			t.Errorf("API.md does not tell of tinykv %s", m[1])
		}
	}
}
