// Package enginetest holds what the tests of several packages share. Only tests import it.
package enginetest

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

// FSContract checks every promise of package vfs that can be seen without a crash, against any
// implementation. newFS is called once for each fact and returns a file system and an existing
// directory in it that holds nothing.
func FSContract(t *testing.T, newFS func(t *testing.T) (fsys vfs.FS, dir string)) {
	for _, facts := range [][]fsFact{fsNameFacts, fsFileFacts, fsLogFacts, fsMappingFacts, fsLockFacts} {
		for _, fact := range facts {
			t.Run(fact.name, func(t *testing.T) {
				fsys, dir := newFS(t)
				fact.check(&fsFixture{T: t, FS: fsys, dir: dir})
			})
		}
	}
}

// fsFact is one promise.
type fsFact struct {
	name  string
	check func(f *fsFixture)
}

// fsFixture is a file system under test. Its helpers fail the test when a call fails.
type fsFixture struct {
	*testing.T
	vfs.FS
	dir string
}

func (f *fsFixture) path(elem ...string) string {
	return filepath.Join(append([]string{f.dir}, elem...)...)
}

func (f *fsFixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refused expects an error that matches want and names the path.
func (f *fsFixture) refused(what string, err, want error, path string) {
	f.Helper()
	switch {
	case err == nil:
		f.Errorf("%s: no error, want %v", what, want)
	case !errors.Is(err, want):
		f.Errorf("%s: error %q does not match %v", what, err, want)
	case !strings.Contains(err.Error(), path):
		f.Errorf("%s: error %q does not name %s", what, err, path)
	}
}

func (f *fsFixture) close(c io.Closer) {
	f.Helper()
	f.must(c.Close())
}

// put makes a finished file.
func (f *fsFixture) put(path, content string) {
	f.Helper()
	file, err := f.Create(path)
	f.must(err)
	_, err = file.Write([]byte(content))
	f.must(err)
	f.must(file.Sync())
	f.close(file)
}

// holds expects a file with this content, by all ways of reading it.
func (f *fsFixture) holds(path, want string) {
	f.Helper()
	file, err := f.Open(path)
	f.must(err)
	defer f.close(file)
	f.reads(file, 0, want)
	size, err := file.Size()
	f.must(err)
	info, err := f.Stat(path)
	f.must(err)
	if size != int64(len(want)) || info != (vfs.Info{SizeBytes: size, IsRegular: true}) {
		f.Errorf("%s: size %d and %+v, want %d bytes", path, size, info, len(want))
	}
}

// reads expects these bytes at an offset.
func (f *fsFixture) reads(r io.ReaderAt, off int64, want string) {
	f.Helper()
	got := make([]byte, len(want))
	n, err := r.ReadAt(got, off)
	if n == len(want) && err == io.EOF {
		err = nil
	}
	f.must(err)
	if !bytes.Equal(got, []byte(want)) {
		at := 0
		for got[at] == want[at] {
			at++
		}
		f.Errorf("read differs from offset %d on: %q, want %q", off+int64(at), clip(got[at:]), clip([]byte(want)[at:]))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 32)] }

// lists expects these names in a directory.
func (f *fsFixture) lists(dir string, want ...string) {
	f.Helper()
	names, err := f.List(dir)
	f.must(err)
	slices.Sort(names)
	if !slices.Equal(names, want) {
		f.Errorf("%s holds %q, want %q", dir, names, want)
	}
}
