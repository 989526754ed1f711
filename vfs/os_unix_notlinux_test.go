//go:build unix && !linux

package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

// On Linux root, too, can be somebody else for a moment: see sync_linux_test.go.
func TestOS_NoPermissionMatchesErrPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may do everything")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := vfs.OS().Create(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("create: %v", err)
	}
}
