package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideEnv tells a test process that it has mounts of its own.
const insideEnv = "TINYKV_TEST_OWN_MOUNTS"

// missing says why nothing can be mounted here, if so. It is set before tests run.
var missing error

// Main runs the tests of a package in a process with mounts of its own, and returns its exit code.
func Main(m *testing.M) int {
	if os.Getenv(insideEnv) == "" {
		code, err := again()
		if err == nil {
			return code
		}
		missing = err
	} else {
		missing = probe()
	}
	if missing != nil {
		fmt.Printf("reliability/disk: no tests on real disks, as this machine mounts none: %v\n", missing)
	}
	return m.Run()
}

// again runs this program once more, in a namespace whose mounts nobody else sees and that ends with it.
func again() (code int, err error) {
	runtime.LockOSThread() // the child dies with the thread that began it
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// probe tells whether a disk can be made and mounted.
func probe() (err error) {
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH)) }()
	image := filepath.Join(dir, "image")
	if err := makeImage(image, Ext4, 4<<20); err != nil {
		return err
	}
	loop, err := attach(image)
	if err != nil {
		return err
	}
	return loop.Close()
}

// Need skips a test where nothing can be mounted, or where there is no program that makes such a file system.
func Need(t testing.TB, kind Kind) {
	t.Helper()
	if missing != nil {
		t.Skipf("no real disks here: %v", missing)
	}
	if kind == Tmpfs {
		return
	}
	if _, err := exec.LookPath(kind.maker()); err != nil {
		t.Skipf("no %v here: %v", kind, err)
	}
}
