//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where the environment names a directory that is too deep for sockets, commands and servers meet in another one, which is the user's alone, too.
func TestSocketPath_IsShortHoweverLongTheDirectoryIs(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("x", maxSocketPath))
	t.Setenv("XDG_RUNTIME_DIR", deep)
	path, err := socketPath("store")
	if err != nil || len(path) > maxSocketPath || filepath.Dir(path) != shortSocketDir() {
		t.Fatalf("%s, %v", path, err)
	}
	info, err := os.Lstat(filepath.Dir(path))
	if err != nil || !isPrivate(info) {
		t.Errorf("%s is not private: %v, %v", path, info, err)
	}
	again, err := socketPath("./store")
	if err != nil || again != path {
		t.Errorf("%s, %v; want %s", again, err, path)
	}
	t.Setenv("XDG_RUNTIME_DIR", deep+"y")
	if other, err := socketPath("store"); err != nil || other == path {
		t.Errorf("two directories share %s, %v", other, err)
	}
	t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
	if near, err := socketPath("store"); err != nil || !strings.HasPrefix(near, os.Getenv("XDG_RUNTIME_DIR")) {
		t.Errorf("%s, %v", near, err)
	}
}

func TestSocketPath_RefusesADirectoryThatIsOpenToOthers(t *testing.T) {
	dir := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Mkdir(filepath.Join(dir, "tinykv"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "tinykv"), 0o711); err != nil {
		t.Fatal(err)
	}
	if path, err := socketPath("store"); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("%s, %v", path, err)
	}
}
