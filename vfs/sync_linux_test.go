package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
	if os.Geteuid() == 0 {
		t.Skip("root may do everything")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) // or it cannot be removed
	if err := OS().MkdirAll(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("directory in one that cannot be synced: %v, want %v", err, fs.ErrPermission)
	}
}
