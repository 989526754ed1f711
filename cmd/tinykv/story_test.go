package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each file of testdata is a story: what its user types, and what the program says. Beside the commands of testscript there are
//
//	serve ARGS     starts tinykv ARGS, and waits for the address that it tells; that is in $URL from then on
//	start ARGS     starts tinykv ARGS, and waits for its first line
//	interrupt [N]  does as Ctrl-C to what was started last, which must end with that code; what it wrote is in the file said
//	code N ARGS    runs tinykv ARGS, which must end with the exit code N; outputs are compared as after exec
//	narrow         checks that no line of the last output is wider than 80 columns
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TINYKV_DB", e.WorkDir+"/db")
			e.Setenv("XDG_RUNTIME_DIR", e.WorkDir+"/run")
			e.Setenv("HOME", e.WorkDir)
			e.Values[startedKey{}] = new([]*started)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "start": start, "interrupt": interrupt, "code": code, "narrow": narrow,
		},
	})
}

// programPath returns the path of what is to be tested.
func programPath(ts *testscript.TestScript) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		for _, name := range []string{"tinykv", "tinykv.exe"} {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path
			}
		}
	}
	ts.Fatalf("tinykv is not there")
	return ""
}

// started is a program that a story has started and not yet ended.
type started struct {
	cmd  *exec.Cmd
	said chan string // all that it wrote, when it has ended
}

// startedKey finds the last ones of a story.
type startedKey struct{}

// serve starts a server, which is up when it tells its address.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	line := launch(ts, "http://", args)
	at := strings.Index(line, "http://")
	ts.Setenv("URL", strings.TrimSuffix(strings.Fields(line[at:])[0], "/"))
}

// start starts anything that goes on and on, and waits for its first line.
func start(ts *testscript.TestScript, _ bool, args []string) { launch(ts, "", args) }

// launch starts the program, and returns the first line with a text in it.
func launch(ts *testscript.TestScript, text string, args []string) string {
	cmd := exec.Command(programPath(ts), args...)
	for _, name := range []string{"TINYKV_DB", "XDG_RUNTIME_DIR", "HOME", "TINYKV_TOKEN", "PATH", "TMPDIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Dir = ts.MkAbs(".")
	r, w, err := os.Pipe()
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = w, w
	ts.Check(cmd.Start())
	ts.Check(w.Close())
	s := &started{cmd, make(chan string, 1)}
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	found := make(chan string, 1)
	go s.listen(r, text, found)
	line, ok := <-found
	if !ok {
		ts.Fatalf("it ended: %s", <-s.said)
	}
	all := ts.Value(startedKey{}).(*[]*started)
	*all = append(*all, s)
	return line
}

// listen reads what the program writes, and passes on the first line with a text in it.
func (s *started) listen(r *os.File, text string, found chan<- string) {
	defer r.Close()
	var all strings.Builder
	told := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if !told && strings.Contains(lines.Text(), text) {
			told = true
			found <- lines.Text()
		}
	}
	close(found)
	s.said <- all.String()
}

// interrupt ends what was started last as Ctrl-C does.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	all := ts.Value(startedKey{}).(*[]*started)
	s := (*all)[len(*all)-1]
	*all = (*all)[:len(*all)-1]
	ts.Check(s.cmd.Process.Signal(os.Interrupt))
	said := <-s.said
	ts.Check(os.WriteFile(ts.MkAbs("said"), []byte(said), 0o600))
	_ = s.cmd.Wait()
	want := append(args, "0")[0]
	if got := strconv.Itoa(s.cmd.ProcessState.ExitCode()); got != want {
		ts.Fatalf("exit code %s, not %s: %s", got, want, said)
	}
}

// code runs a command line that ends with an exit code.
func code(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(programPath(ts), args[1:]...)
	got := "0"
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = strconv.Itoa(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, not %s: %s%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// narrow checks the last outputs.
func narrow(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"stdout", "stderr"} {
		for line := range strings.Lines(ts.ReadFile(name)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				ts.Fatalf("%d columns: %s", n, line)
			}
		}
	}
}
