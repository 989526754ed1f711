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
//	interrupt      does as Ctrl-C to it, and waits for its end; what it said is in the file serve.err
//	code N ARGS    runs tinykv ARGS, which must end with the exit code N; outputs are compared as after exec
//	narrow         checks that no line of the last output is wider than 80 columns
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TINYKV_DB", e.WorkDir+"/db")
			e.Setenv("XDG_RUNTIME_DIR", e.WorkDir+"/run")
			e.Setenv("HOME", e.WorkDir)
			e.Values[servedKey{}] = &served{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "interrupt": interrupt, "code": code, "narrow": narrow,
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

// served is a server that a story has started.
type served struct {
	cmd  *exec.Cmd
	said chan string // all of standard error, when it has ended
}

type servedKey struct{}

func serve(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(programPath(ts), args...)
	for _, name := range []string{"TINYKV_DB", "XDG_RUNTIME_DIR", "HOME", "TINYKV_TOKEN", "PATH"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Dir = ts.MkAbs(".")
	errOut, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	s := ts.Value(servedKey{}).(*served)
	*s = served{cmd, make(chan string, 1)}
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address := make(chan string, 1)
	go s.listen(bufio.NewScanner(errOut), address)
	url, ok := <-address
	if !ok {
		ts.Fatalf("it ended: %s", <-s.said)
	}
	ts.Setenv("URL", url)
}

// listen reads what the server says, and passes on its address.
func (s *served) listen(lines *bufio.Scanner, address chan<- string) {
	var all strings.Builder
	told := false
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if at := strings.Index(lines.Text(), "http://"); at >= 0 && !told {
			told = true
			address <- strings.TrimSuffix(strings.Fields(lines.Text()[at:])[0], "/")
		}
	}
	close(address)
	s.said <- all.String()
}

// interrupt ends the server as Ctrl-C does. It must end well.
func interrupt(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(servedKey{}).(*served)
	ts.Check(s.cmd.Process.Signal(os.Interrupt))
	said := <-s.said
	ts.Check(os.WriteFile(ts.MkAbs("serve.err"), []byte(said), 0o600))
	if err := s.cmd.Wait(); err != nil {
		ts.Fatalf("it ended with %v: %s", err, said)
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
