package fuzz

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
)

// FuzzFileName parses a name, and opens a directory that holds a file of that name and nothing else.
// A name that a store gives is the only one of its kind and number; a directory with any other is not
// taken for an empty one, and stays as it is.
func FuzzFileName(f *testing.F) {
	for _, kind := range []manifest.FileKind{manifest.FileManifest, manifest.FileLog, manifest.FileTable} {
		for _, num := range []manifest.FileNum{0, 7, 999_999, 1_000_000, math.MaxUint64} {
			f.Add(manifest.Name(kind, num))
		}
	}
	for _, name := range []string{
		manifest.CurrentName, "CURRENT.tmp", manifest.LockName, "", ".wal", "1.wal", "0000001.wal", "+00001.sst", "00_001.sst",
		"MANIFEST-", "MANIFEST--00001", "MANIFEST-000001.sst", "000001.SST", "current", "18446744073709551616.wal", "000001.sst\x00",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		kind, num := manifest.ParseName(name)
		switch kind {
		case manifest.FileManifest, manifest.FileLog, manifest.FileTable:
			if again := manifest.Name(kind, num); again != name {
				t.Errorf("%q is kind %d, number %d, whose name is %q", name, kind, num, again)
			}
		case manifest.FileUnknown:
			openBeside(t, name)
		}
	})
}

// openBeside opens a directory with a file that no store made.
func openBeside(t *testing.T, name string) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) || len(name) > 255 {
		return // no file has such a name
	}
	fsys := vfs.NewMem()
	must(fsys.MkdirAll("/store"))
	file, err := fsys.Create(filepath.Join("/store", name))
	must(err)
	must(file.Close())
	if db, err := tinykv.Open("/store", &tinykv.Options{FS: fsys}); err == nil {
		t.Errorf("a directory that holds %q is taken for an empty one: %v", name, db.Close())
	}
	names, err := fsys.List("/store")
	if err != nil || len(names) != 1 || names[0] != name {
		t.Errorf("%q: left are %q, %v", name, names, err)
	}
}
