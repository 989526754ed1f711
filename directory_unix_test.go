//go:build unix

package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// What stands in the directory of a store and is no file of it is neither followed nor changed, removed or
// waited for. Where it keeps the store from opening, the error says what to do.

// obstacles are what may stand under a name, beside a plain file.
var obstacles = []struct {
	what string
	put  func(path, outside string) error
}{
	{"a link to a file", func(path, outside string) error { return os.Symlink(filepath.Join(outside, "file"), path) }},
	{"a link to a directory", func(path, outside string) error { return os.Symlink(outside, path) }},
	{"a dangling link", func(path, outside string) error { return os.Symlink(filepath.Join(outside, "none"), path) }},
	{"a link to itself", func(path, _ string) error { return os.Symlink(path, path) }},
	{"a pipe", func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }},
	{"a socket", putSocket},
	{"an empty directory", func(path, _ string) error { return os.Mkdir(path, 0o700) }},
	{"a full directory", func(path, _ string) error {
		return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "file"), []byte("kept"), 0o600))
	}},
}

// putSocket makes a socket and leaves its name. Its path must be short.
func putSocket(path, outside string) error {
	short := filepath.Join(outside, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return errors.Join(l.Close(), os.Rename(short, path))
}

// lives are the states of a directory that an obstacle gets into.
var lives = []struct {
	what string
	made func(t *testing.T, dir string) (keys uint64)
}{
	{"new", func(t *testing.T, dir string) uint64 {
		must(t, os.MkdirAll(dir, 0o700))
		return 0
	}},
	{"closed", func(t *testing.T, dir string) uint64 {
		db := fruitStore(t, dir, &tiny)
		defer func() { must(t, db.Close()) }()
		return keysOf(t, db)
	}},
	{"killed", func(t *testing.T, dir string) uint64 {
		open := filepath.Join(t.TempDir(), "open")
		db := fruitStore(t, open, &tiny)
		defer func() { must(t, db.Close()) }()
		must(t, os.CopyFS(dir, os.DirFS(open)))
		return keysOf(t, db)
	}},
}

func keysOf(t *testing.T, db *tinykv.DB) uint64 {
	t.Helper()
	n, err := db.Count(t.Context(), tinykv.All())
	must(t, err)
	return n
}

func TestDirectory_WhatIsNoFileOfTheStoreStaysAsItIs(t *testing.T) {
	for _, life := range lives {
		t.Run(life.what, func(t *testing.T) {
			t.Parallel()
			opened, refused := 0, 0
			made := filepath.Join(t.TempDir(), "made")
			keys := life.made(t, made)
			for _, name := range namesToTake(t, made) {
				for _, o := range obstacles {
					what := fmt.Sprintf("%s as %s", o.what, name)
					dir := filepath.Join(t.TempDir(), "s")
					must(t, os.CopyFS(dir, os.DirFS(made)))
					must(t, os.RemoveAll(filepath.Join(dir, name)))
					outside := shortDir(t)
					must(t, o.put(filepath.Join(dir, name), outside))
					if opens(t, what, dir, name, keys, outside) {
						opened++
					} else {
						refused++
					}
				}
			}
			t.Logf("%d openings succeeded, %d were refused", opened, refused)
			if refused == 0 || (opened == 0) != (keys == 0) { // no store is made beside what stands there
				t.Error("every opening goes the same way")
			}
		})
	}
}

// namesToTake returns names for obstacles: of files that a store has or may have, and others.
func namesToTake(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{"LOCK", "CURRENT", "CURRENT.tmp", "000001.wal", "999999.wal", "999999.sst", "MANIFEST-999999", "notes.txt", "LOCK.old"}
	kinds := map[string]bool{}
	for _, name := range namesIn(t, dir) {
		if ext := filepath.Ext(name); !kinds[ext] && !slices.Contains(names, name) {
			kinds[ext] = true // in place of a file that may be needed
			names = append(names, name)
		}
	}
	return names
}

// shortDir makes a directory with a short path, and one file in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kv")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("kept"), 0o600))
	return dir
}

// opens opens the store where an obstacle stands under a name, and tells whether that succeeds.
func opens(t *testing.T, what, dir, name string, keys uint64, outside string) bool {
	t.Helper()
	path := filepath.Join(dir, name)
	before, around := describe(t, path), footprint(t, outside)
	result := make(chan error, 1)
	go func() { result <- useStore(dir, keys) }()
	var err error
	select {
	case err = <-result:
	case <-time.After(20 * time.Second): // it takes milliseconds
		t.Fatalf("%s: hangs", what)
	}
	if after := describe(t, path); after != before {
		t.Errorf("%s: was %s, is %s", what, before, after)
	}
	if now := footprint(t, outside); now != around {
		t.Errorf("%s: what lies outside was\n%s\nand is\n%s", what, around, now)
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, vfs.ErrNotRegular), errors.Is(err, tinykv.ErrExists):
		if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "move away") && !strings.Contains(err.Error(), "choose") {
			t.Errorf("%s: the error does not say what to do: %v", what, err)
		}
	case errors.Is(err, tinykv.ErrCorrupt): // a file that the store needs is gone
	default:
		t.Errorf("%s: %v", what, err)
	}
	return false
}

// describe tells what stands under a name, links not followed.
func describe(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		return err.Error()
	}
	text := info.Mode().String()
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		must(t, err)
		text += " to " + target
	case info.IsDir():
		text += footprint(t, path)
	}
	return text
}

// useStore opens a store in all ways, has it make and remove files, and wants so many keys in it, fruit(7) among
// them if there are any.
func useStore(dir string, keys uint64) error {
	if ro, err := tinykv.Open(dir, &tinykv.Options{ReadOnly: true}); err == nil {
		if err := ro.Close(); err != nil {
			return err
		}
	}
	_, _ = tinykv.Verify(context.Background(), dir, nil)
	for range 2 {
		o := tiny
		db, err := tinykv.Open(dir, &o)
		if err != nil {
			return err
		}
		n, err := db.Count(context.Background(), tinykv.All())
		if err == nil && n != keys {
			err = fmt.Errorf("%d keys, want %d", n, keys)
		}
		err = errors.Join(err, db.Put(fruit(7), fruit(8)))
		if keys == 0 {
			err = errors.Join(err, db.Delete(fruit(7)))
		}
		if err := errors.Join(err, db.Compact(context.Background(), tinykv.All()), db.Close()); err != nil {
			return err
		}
	}
	return nil
}

// umaskEnv tells a child process which umask to make a store under.
const umaskEnv = "TINYKV_TEST_UMASK"

// A umask belongs to a process, so each is tried in a child.
func TestDirectory_ModesAreTheSameUnderAnyUmask(t *testing.T) {
	if umask := os.Getenv(umaskEnv); umask != "" {
		bits, dir, _ := strings.Cut(umask, " ")
		n, err := strconv.ParseInt(bits, 8, 32)
		must(t, err)
		syscall.Umask(int(n))
		db := fruitStore(t, filepath.Join(dir, "new", "store"), &tiny)
		t.Cleanup(func() { must(t, db.Close()) })
		must(t, db.Flush(t.Context()))
		checkModes(t, filepath.Join(dir, "new"))
		return
	}
	for _, umask := range []string{"000", "022", "077", "777"} {
		dir := t.TempDir()
		child := exec.Command(os.Args[0], "-test.run", "^TestDirectory_ModesAreTheSameUnderAnyUmask$")
		child.Env = append(os.Environ(), umaskEnv+"="+umask+" "+dir)
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("umask %s: %v\n%s", umask, err, out)
		}
		checkModes(t, filepath.Join(dir, "new"))
	}
}

func checkModes(t *testing.T, dir string) {
	t.Helper()
	files := 0
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
		return err
	}))
	if files < 3 {
		t.Errorf("%d files in %s", files, dir)
	}
}
