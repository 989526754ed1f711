package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A pipe has nothing to sync, and neither has a directory of /proc. The system says so: that is how
// one sees that it was asked.
func TestOS_EverySyncReachesTheSystem(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(r.Close(), w.Close()) }()
	for what, err := range map[string]error{
		"File.Sync":    osFile{w}.Sync(),
		"Log.Datasync": newOSLog(w).Datasync(),
		"SyncDir":      OS().SyncDir("/proc"),
	} {
		if !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v, want %v", what, err, unix.EINVAL)
		}
	}
}

// A directory that may be written but not read cannot be opened, and so not be synced.
func TestOS_MkdirAllSyncsTheParent(t *testing.T) {
	dir := t.TempDir()
	own(t, dir)
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) // or it cannot be removed
	if err := unprivileged(func() error { return OS().MkdirAll(filepath.Join(dir, "a")) }); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("directory in one that cannot be synced: %v, want %v", err, fs.ErrPermission)
	}
	if info, err := os.Stat(filepath.Join(dir, "a")); err != nil || !info.IsDir() {
		t.Errorf("the directory itself could be made: %v", err)
	}
}

func TestOS_NoPermissionMatchesErrPermission(t *testing.T) {
	dir := t.TempDir()
	own(t, dir)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := unprivileged(func() error {
		_, err := OS().Create(filepath.Join(dir, "a"))
		return err
	})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("create: %v", err)
	}
}

const nobody = 65534

// own gives a directory, and those that testing made above it, to whom unprivileged runs as.
func own(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chown(dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
}

// unprivileged calls fn as somebody whom file modes hold back: for root, who may do everything, on a
// thread that goes by another user's rights to files.
func unprivileged(fn func() error) error {
	if os.Geteuid() != 0 {
		return fn()
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			result <- err
			return
		}
		result <- fn()
	}()
	return <-result
}
