package vfs_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

func TestOS_LockNamesThisProcess(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	lock, err := vfs.OS().Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	_, err = vfs.OS().Lock(name)
	if !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	namesHolder(t, err, fmt.Sprintf("already open in this process (pid %d)", os.Getpid()))
}

func namesHolder(t *testing.T, err error, want string) {
	t.Helper()
	if holdersAreKnown && !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not say %q", err, want)
	}
}

// TestOS_LockNamesAnotherProcessAndEndsWithIt runs this test a second time, as a child that holds the
// lock until it is killed.
func TestOS_LockNamesAnotherProcessAndEndsWithIt(t *testing.T) {
	if name := os.Getenv("TINYKV_TEST_HOLD_LOCK"); name != "" {
		holdLock(name)
	}
	name := filepath.Join(t.TempDir(), "LOCK")
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "TINYKV_TEST_HOLD_LOCK="+name)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Skip(err) // js/wasm has no processes
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	_, err = vfs.OS().Lock(name)
	if !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("lock held by a child: %v", err)
	}
	namesHolder(t, err, fmt.Sprintf("held by process %d", child.Process.Pid))
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	lock, err := vfs.OS().Lock(name)
	if err != nil {
		t.Fatalf("the dead child's lock: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
}

// holdLock is what the child does: it ends when it is killed or its parent is gone.
func holdLock(name string) {
	lock, err := vfs.OS().Lock(name)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	_ = lock.Close()
	os.Exit(0)
}

func TestOS_LockTextOfAnotherKindIsNoHolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	lock, err := vfs.OS().Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	for _, text := range []string{"", "not a number\n", strings.Repeat("1", 1000)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Skip(err) // the system locks the contents too
		}
		_, err = vfs.OS().Lock(name)
		if !errors.Is(err, vfs.ErrLocked) || strings.Contains(err.Error(), "process") {
			t.Errorf("with %.20q in the file: %v", text, err)
		}
	}
}
