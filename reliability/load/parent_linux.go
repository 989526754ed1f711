package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hangs is how long a parent waits for something before it says that the child hangs: far longer than anything takes on a busy
// machine with a slow disk.
const hangs = 2 * time.Minute

// Child is a running child, or one that has ended, with its ledger.
type Child struct {
	*Ledger
	t       testing.TB
	writers int
	before  uint64 // acknowledgements of earlier lives
	cmd     *exec.Cmd
	output  bytes.Buffer
	ended   chan struct{}
	waitErr error
}

// Start starts a child. wrap is a command, with arguments, that is given the child's as its last ones: strace, prlimit. When the
// test ends, so does the child.
func Start(t testing.TB, c Config, wrap ...string) *Child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return StartCommand(t, c, append(wrap, self))
}

// StartCommand is Start for a given command, which must call RunIfChild in the end.
func StartCommand(t testing.TB, c Config, command []string) *Child {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := OpenLedger(c.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	ledger.begin()
	child := &Child{before: ledger.Acks(), Ledger: ledger, t: t, writers: c.writers(), ended: make(chan struct{})}
	child.cmd = exec.Command(command[0], command[1:]...)
	child.cmd.Env = append(os.Environ(), configEnv+"="+string(text))
	child.cmd.Stdout, child.cmd.Stderr = &child.output, &child.output
	child.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that all of it can be killed
	if _, err := child.cmd.StdinPipe(); err != nil {            // see endWithParent
		t.Fatal(err)
	}
	if err := child.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		child.waitErr = child.cmd.Wait()
		close(child.ended)
	}()
	t.Cleanup(func() {
		child.Kill()
		_ = ledger.Close()
	})
	return child
}

// Kill kills the child, and what it runs in, by SIGKILL. When it returns they are dead.
func (c *Child) Kill() {
	if !c.HasEnded() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
	<-c.ended
}

// Pause stops the child where it is, background work and all, and returns once no thread of it runs. It may be killed then.
func (c *Child) Pause() error {
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for !c.HasEnded() {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", c.cmd.Process.Pid))
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(stats, runs) {
			return nil
		}
		runtime.Gosched()
	}
	return errors.New("the child has ended")
}

// runs tells whether a thread is not stopped, by its file in /proc.
func runs(stat string) bool {
	text, err := os.ReadFile(stat)
	_, state, found := strings.Cut(string(text), ") ") // the name of the program, in brackets, comes before
	return err == nil && found && !strings.HasPrefix(state, "T")
}

// HasEnded tells whether the child has ended.
func (c *Child) HasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Ended is closed once the child has ended.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Until waits for something to be true. It returns false if the child ends before. A child that hangs ends the test, and tells where
// it does.
func (c *Child) Until(isSo func() bool) bool {
	c.t.Helper()
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	patience := time.After(hangs)
	for !isSo() {
		select {
		case <-c.ended:
			return isSo()
		case <-patience:
			c.dump()
		case <-ticker.C:
		}
	}
	return true
}

// dump ends the test, showing the stacks of the child.
func (c *Child) dump() {
	c.t.Helper()
	_ = syscall.Kill(c.PID(), syscall.SIGQUIT)
	select {
	case <-c.ended:
	case <-time.After(hangs / 10):
		c.Kill()
	}
	c.t.Fatalf("the child hangs in state %d: %s\n%s", c.State(), c.Failure(), c.output.String())
}

// UntilState waits for the child to be in a state or beyond.
func (c *Child) UntilState(s State) bool { return c.Until(func() bool { return c.State() >= s }) }

// Stop asks the child to close the store and to end, and waits for that.
func (c *Child) Stop() error {
	c.set(wordAsked, 1)
	return c.Wait()
}

// Wait waits for the end of the child. It returns an error if that was not an orderly one, which is the one after the store was closed.
// What Close returned is no part of that.
func (c *Child) Wait() error {
	c.t.Helper()
	c.Until(func() bool { return false })
	if c.waitErr == nil {
		return nil
	}
	return errors.Join(c.waitErr, errors.New(c.Failure()), errors.New(c.output.String()))
}

// WasKilled tells whether the child was ended by SIGKILL.
func (c *Child) WasKilled() bool {
	<-c.ended
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// FailedToOpen tells whether the child ended because Open returned an error.
func (c *Child) FailedToOpen() bool {
	<-c.ended
	return c.cmd.ProcessState.ExitCode() == exitOpening
}

// Output is what the child wrote to its standard output and error: the text of a panic. It waits for the end of the child.
func (c *Child) Output() string {
	<-c.ended
	return c.output.String()
}

// AcksSince returns how many writes were acknowledged in this life.
func (c *Child) AcksSince() uint64 { return c.Acks() - c.before }

// IssuedBy, AckedBy and SyncedBy return how many commits of each writer were begun, acknowledged, and covered by a sync that one
// of them had asked for. Once the child is dead they do not change any more; before something that cannot be told apart in time,
// as a power cut, take the least ones before and the most ones after.
func (c *Child) IssuedBy() []uint64 { return c.perWriter(c.writers, wordIssued) }

// AckedBy returns how many commits of each writer were acknowledged.
func (c *Child) AckedBy() []uint64 { return c.perWriter(c.writers, wordAcked) }

// SyncedBy returns how many commits of each writer are covered by a sync.
func (c *Child) SyncedBy() []uint64 { return c.perWriter(c.writers, wordSynced) }

// Sound returns an error if the child saw what must not be: commits that are missing when it opened the store, a write acknowledged
// after the store had failed, reads that were wrong then, a panic.
func (c *Child) Sound() error {
	if v := c.Violation(); v != "" {
		return errors.New(v)
	}
	if n := c.AckedLate(); n > 0 {
		return fmt.Errorf("%d writes were acknowledged after the store had failed: %s", n, c.Failure())
	}
	if c.HasEnded() && bytes.Contains(c.output.Bytes(), []byte("goroutine ")) {
		return fmt.Errorf("the child panicked: %s", c.output.String())
	}
	return nil
}
