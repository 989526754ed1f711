package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tree is the regular files below a directory.
type tree struct {
	root  string   // the directory
	files []string // paths from there, with slashes, in bytewise order
	bytes int64    // in all of them
}

// findTree lists the source tree of a Go installation, or of the go command's own.
func findTree(goroot string) (*tree, error) {
	if goroot == "" {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return nil, fmt.Errorf("go env GOROOT (-goroot makes it unnecessary): %w", err)
		}
		goroot = strings.TrimSpace(string(out))
	}
	t := &tree{root: filepath.Join(goroot, "src")}
	err := filepath.WalkDir(t.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(t.root, path)
		t.files = append(t.files, filepath.ToSlash(name))
		t.bytes += info.Size()
		return err
	})
	slices.Sort(t.files) // a walk goes a/b before a-b, but '-' is below '/'
	return t, err
}

// read returns the contents of a file.
func (t *tree) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.root, filepath.FromSlash(name)))
}
