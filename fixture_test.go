package tinykv_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// Promise 7: what a version of the format was written in stays readable. The stores, and the program that wrote each of them
// once, are in testdata/stores.
func TestFormat_StoresOfEveryVersionOpen(t *testing.T) {
	stores, err := filepath.Glob(filepath.Join("testdata", "stores", "v*-*"))
	must(t, err)
	if len(stores) < 8 {
		t.Fatalf("%d stores", len(stores))
	}
	for _, kept := range stores {
		version, _, _ := strings.Cut(kept, "-")
		t.Run(filepath.Base(kept), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			must(t, os.CopyFS(dir, os.DirFS(kept)))
			want, err := os.ReadFile(version + ".txt")
			must(t, err)
			report, err := tinykv.Verify(t.Context(), dir, nil)
			must(t, err)
			must(t, report.Err())
			holds(t, dir, &tinykv.Options{ReadOnly: true}, want)
			holds(t, dir, &tinykv.Options{}, want) // and recovers what is in the log
			db := mustOpen(t, dir, nil)
			must(t, db.Put([]byte("new"), []byte("beside the old")))
			must(t, db.Compact(t.Context(), tinykv.All()))
			must(t, db.Delete([]byte("new")))
			must(t, db.Close())
			holds(t, dir, nil, want)
		})
	}
}

// holds opens a store and compares what is in it with the text that its maker wrote.
func holds(t *testing.T, dir string, o *tinykv.Options, want []byte) {
	t.Helper()
	db := mustOpen(t, dir, o)
	entries, err := enginetest.Collect(db.Scan(tinykv.All()))
	must(t, err)
	names, err := db.Buckets()
	must(t, err)
	var lines []string
	for _, name := range names {
		in, err := enginetest.Collect(db.Bucket(name).Scan(tinykv.All()))
		must(t, err)
		for _, e := range in {
			lines = append(lines, fmt.Sprintf("bucket %q %q %q\n", name, e.Key, e.Value))
		}
	}
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%q %q\n", e.Key, e.Value))
		if v, err := db.Get([]byte(e.Key)); err != nil || string(v) != e.Value {
			t.Errorf("Get(%q): %d bytes, %v", e.Key, len(v), err)
		}
	}
	text := strings.SplitAfter(string(want), "\n")
	slices.Sort(text)
	slices.Sort(lines)
	if strings.Join(lines, "") != strings.Join(text, "") {
		t.Errorf("%s holds %d lines, want %d", dir, len(lines), len(text)-1)
	}
	must(t, db.Close())
}
