//go:build unix

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

// holdersAreKnown tells whether a lock file can be read while it is locked.
const holdersAreKnown = true

func TestOS_ModesDoNotDependOnTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o177, 0o377} {
		dir := t.TempDir()
		old := syscall.Umask(umask)
		fsys := vfs.OS()
		err := errors.Join(
			os.Chmod(dir, 0o700),
			fsys.MkdirAll(filepath.Join(dir, "x", "y")),
			makeFiles(fsys, filepath.Join(dir, "file"), filepath.Join(dir, "log"), filepath.Join(dir, "LOCK")),
		)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{
			"x": 0o700, "x/y": 0o700, "file": 0o600, "log": 0o600, "LOCK": 0o600,
		} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("umask %04o: %s has mode %04o, want %04o", umask, name, got, want)
			}
		}
	}
}

func makeFiles(fsys vfs.FS, file, log, lock string) error {
	f, fileErr := fsys.Create(file)
	l, logErr := fsys.CreateLog(log)
	k, lockErr := fsys.Lock(lock)
	if err := errors.Join(fileErr, logErr, lockErr); err != nil {
		return err
	}
	return errors.Join(f.Close(), l.Close(), k.Close())
}

// TestOS_FollowsNoLink: neither to a file that is there nor to one that is not.
func TestOS_FollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link": target, "dangling": filepath.Join(dir, "none")} {
		name = filepath.Join(dir, name)
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
		refusesSpecial(t, name)
		if info, err := vfs.OS().Stat(name); err != nil || info.IsRegular || info.IsDir {
			t.Errorf("stat: %+v, %v", info, err)
		}
	}
	if content, err := os.ReadFile(target); err != nil || string(content) != "x" {
		t.Errorf("target holds %q, %v", content, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made behind a dangling link: %v", err)
	}
}

// TestOS_OpensNoPipe also shows that nobody waits for the other end.
func TestOS_OpensNoPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	refusesSpecial(t, name)
}

func refusesSpecial(t *testing.T, name string) {
	t.Helper()
	fsys := vfs.OS()
	_, openErr := fsys.Open(name)
	_, mapErr := fsys.Map(name)
	_, lockErr := fsys.Lock(name)
	for what, err := range map[string]error{"open": openErr, "map": mapErr, "lock": lockErr} {
		if !errors.Is(err, vfs.ErrNotRegular) {
			t.Errorf("%s %s: %v", what, filepath.Base(name), err)
		}
	}
	_, createErr := fsys.Create(name)
	_, logErr := fsys.CreateLog(name)
	for what, err := range map[string]error{"create": createErr, "create log": logErr} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s %s: %v", what, filepath.Base(name), err)
		}
	}
}
