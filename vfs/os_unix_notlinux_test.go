//go:build unix && !linux

package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

// Root may do everything, so it is somebody else meanwhile. On Linux one thread alone can be that: see
// sync_linux_test.go.
func TestOS_NoPermissionMatchesErrPermission(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := syscall.Seteuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Seteuid(0); err != nil {
				t.Error(err)
			}
		}()
	}
	if _, err := vfs.OS().Create(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("create: %v", err)
	}
}
