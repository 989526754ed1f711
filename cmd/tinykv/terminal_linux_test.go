package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a program at a terminal of 24 lines and 80 columns.
type terminal struct {
	*testing.T
	cmd    *exec.Cmd
	screen *os.File // what a user types goes there, and what the program writes comes from there
	seen   strings.Builder
}

// patience is how long a program may take for what it is expected to write; a test that passes does not wait for it.
const patience = 30 * time.Second

// atTerminal runs the program with a store of its own.
func atTerminal(t *testing.T, dir string, env []string, args ...string) *terminal {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	screen, inside := openTerminal(t)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "TINYKV_DB="+filepath.Join(dir, "db"), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_RUNTIME_DIR="+dir, "TERM=xterm", "NO_PROGRESS=")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inside, inside, inside
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	inside.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		screen.Close()
	})
	return &terminal{T: t, cmd: cmd, screen: screen}
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (outside, inside *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	outside = os.NewFile(uintptr(fd), "terminal")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return outside, inside
}

// sees waits until a text stands in what was written since the last call, and forgets what is up to there.
func (t *terminal) sees(text string) string {
	t.Helper()
	_ = t.screen.SetReadDeadline(time.Now().Add(patience))
	piece := make([]byte, 4096)
	for {
		if at := strings.Index(t.seen.String(), text); at >= 0 {
			all := t.seen.String()
			t.seen.Reset()
			t.seen.WriteString(all[at+len(text):])
			return all[:at+len(text)]
		}
		n, err := t.screen.Read(piece)
		t.seen.Write(piece[:n])
		if err != nil {
			t.Fatalf("%q is not there: %v\n%s", text, err, t.seen.String())
		}
	}
}

func (t *terminal) types(keys string) {
	t.Helper()
	if _, err := t.screen.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// interrupt does what Ctrl-C does, without what a terminal does beside: it drops what was just written.
func (t *terminal) interrupt() {
	t.Helper()
	if err := t.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end, and returns what was written until then.
func (t *terminal) ends(code int) string {
	t.Helper()
	_ = t.screen.SetReadDeadline(time.Now().Add(patience))
	piece := make([]byte, 4096)
	for {
		n, err := t.screen.Read(piece)
		t.seen.Write(piece[:n])
		if err != nil {
			break // nobody has the other end open any more
		}
	}
	_ = t.cmd.Wait()
	if got := t.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, not %d:\n%s", got, code, t.seen.String())
	}
	return t.seen.String()
}

const (
	keyTab    = "\t"
	keyEnter  = "\r"
	keyUp     = "\x1b[A"
	keyCtrlC  = "\x03"
	keyCtrlD  = "\x04"
	prompt0   = "tinykv> "
	promptTx  = "tinykv (transaction)> "
	lineEnded = "\r\n"
)

func TestShell_CompletesContinuesAndRemembers(t *testing.T) {
	dir := t.TempDir()
	s := atTerminal(t, dir, nil, "shell", "--create")
	s.sees("help lists the words")
	s.sees(prompt0)
	s.types("put figtree ripe" + keyEnter)
	s.sees("ok" + lineEnded)
	s.sees(prompt0)
	s.types("ge" + keyTab + "fi" + keyTab + keyEnter) // a word, with the space behind it, then a key
	s.sees("get figtree")
	s.sees("ripe" + lineEnded)
	s.types(`put a "one` + keyEnter) // goes on
	s.sees("... ")
	s.types(`two"` + keyEnter)
	s.sees("ok" + lineEnded)
	s.types("half a line" + keyCtrlC + "begin" + keyEnter) // Ctrl-C leaves the line alone
	s.sees(promptTx)
	s.types(keyCtrlD)
	if said := s.ends(0); !strings.Contains(said, "the transaction was still open") {
		t.Errorf("nobody says that the transaction is lost: %q", said)
	}

	s = atTerminal(t, dir, nil, "shell")
	s.sees(prompt0)
	s.types(keyUp + keyUp + keyEnter) // what was typed in the session before
	s.sees(`put a "one\ntwo"`)
	s.sees("ok" + lineEnded)
	s.types("gte" + keyEnter)
	s.sees("did you mean get?")
	s.types("quit" + keyEnter)
	s.ends(0)
	info, err := os.Stat(filepath.Join(dir, "tinykv", "history"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
}

func TestShell_KeepsNoHistoryWhenToldSo(t *testing.T) {
	dir := t.TempDir()
	s := atTerminal(t, dir, []string{"TINYKV_HISTORY=no"}, "shell", "--create")
	s.sees(prompt0)
	s.types("quit" + keyEnter)
	s.ends(0)
	if _, err := os.Stat(filepath.Join(dir, "tinykv", "history")); err == nil {
		t.Error("there is one")
	}
}

func TestProgress_IsALineOfATerminalThatGoesAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	s := atTerminal(t, dir, nil, "bench", "fillseq", "-n", "5000")
	said := s.ends(0)
	if !strings.Contains(said, "\r  0% fillseq: 0 of 5000 calls") || strings.Count(said, "fillseq: ") == 0 {
		t.Errorf("no progress: %q", said)
	}
	for _, line := range strings.Split(said, "\r") {
		if len(strings.Trim(line, "\n")) > 80 {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
	s = atTerminal(t, t.TempDir(), []string{"NO_PROGRESS=1"}, "bench", "fillseq", "-n", "5000")
	if said := s.ends(0); strings.Contains(said, "5000 calls") {
		t.Errorf("NO_PROGRESS is set: %q", said)
	}
}

func TestTop_DrawsAScreenAndGivesItBack(t *testing.T) {
	dir := t.TempDir()
	d := atTerminal(t, dir, nil, "demo", "--no-classroom", "--load", "1000")
	d.sees("http://")
	s := atTerminal(t, dir, nil, "top", "--interval", "100ms")
	s.sees(screenOpen)
	for range 3 {
		s.sees(screenHome)
		s.sees("a second")
	}
	s.interrupt()
	if said := s.ends(0); !strings.HasSuffix(said, screenClose) {
		t.Errorf("the screen is not given back: %q", said)
	}
	d.interrupt()
	d.ends(0)
}
