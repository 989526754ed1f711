package tinykv_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

func readOnlyOn(fsys vfs.FS) *tinykv.Options {
	return &tinykv.Options{FS: fsys, ReadOnly: true, MemTableSize: 64 << 10}
}

// footprint describes everything in a directory that an opener could change.
func footprint(t *testing.T, dir string) string {
	t.Helper()
	info, err := os.Stat(dir)
	must(t, err)
	text := fmt.Sprintln(info.Mode(), info.ModTime())
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		text += fmt.Sprintf("%s %v %v %x\n", e.Name(), info.Mode(), info.ModTime(), sha256.Sum256(data))
	}
	return text
}

// useReadOnly reads in every way and tries every write.
func useReadOnly(t *testing.T, db *tinykv.DB, want []enginetest.Entry) {
	t.Helper()
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d entries, %v, want %d", len(got), err, len(want))
	}
	for _, e := range want {
		if v, err := db.Get([]byte(e.Key)); err != nil || string(v) != e.Value {
			t.Errorf("Get(%q): %q, %v", e.Key, v, err)
		}
	}
	ctx, k := context.Background(), []byte("k")
	second := func(_ any, err error) error { return err }
	batch, large := db.NewBatch(), db.NewBatch()
	must(t, batch.Put(k, k))
	must(t, large.Put(k, make([]byte, 1<<20)))
	for name, err := range map[string]error{
		"Put": db.Put(k, k), "Put synced": db.Put(k, k, tinykv.Sync), "Delete": db.Delete(k), "DeleteRange": db.DeleteRange(nil, nil),
		"Apply": db.Apply(batch), "Apply empty": db.Apply(db.NewBatch()), "Apply large": db.Apply(large),
		"PutIfAbsent": second(db.PutIfAbsent(k, k)), "CompareAndSwap": second(db.CompareAndSwap(k, k, k)),
		"CompareAndDelete": second(db.CompareAndDelete(k, k)),
		"Flush":            db.Flush(ctx), "Compact": db.Compact(ctx, tinykv.All()), "Sync": db.Sync(),
	} {
		if !errors.Is(err, tinykv.ErrReadOnly) || errors.Is(err, tinykv.ErrFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := db.NewSnapshot()
	must(t, err)
	if n, err := s.Count(ctx, tinykv.All()); err != nil || int(n) != len(want) {
		t.Errorf("%d keys, %v", n, err)
	}
	must(t, s.Close())
	if m := db.Metrics(); m.DurableSeq > m.LastSeq || m.Snapshots != 0 {
		t.Errorf("metrics: %+v", m)
	}
}

func TestReadOnly_LeavesTheDirectoryAsItIs(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, &tiny)
	model := &enginetest.Model{}
	for i := range 3000 {
		must(t, db.Put(fruit(i), fruit(i)))
		model.Put(string(fruit(i)), string(fruit(i)))
	}
	must(t, db.DeleteRange(fruit(100), fruit(110))) // its tombstone is work for compactions, which must not come
	for i := 100; i < 110; i++ {
		model.Delete(string(fruit(i)))
	}
	must(t, db.Close())
	before := footprint(t, dir)
	var all []*tinykv.DB
	for range 3 { // several at a time
		db := mustOpen(t, dir, readOnlyOn(nil))
		useReadOnly(t, db, model.Entries(tinykv.All()))
		all = append(all, db)
	}
	_, err := tinykv.Open(dir, nil)
	wantError(t, err, tinykv.ErrLocked)
	it, err := all[0].NewIter(tinykv.All())
	must(t, err)
	for _, db := range all {
		must(t, db.Close())
		must(t, db.Close())
		_, err := db.Get(fruit(0))
		wantError(t, err, tinykv.ErrClosed)
		wantError(t, db.Put(fruit(0), nil), tinykv.ErrClosed)
	}
	must(t, it.Close())
	if after := footprint(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	db = mustOpen(t, dir, nil)
	defer db.Close()
	_, err = tinykv.Open(dir, readOnlyOn(nil))
	wantError(t, err, tinykv.ErrLocked)
}

// A file system that refuses every change, and every lock, is enough, whatever state a store was left
// in; and a reader sees what the next writer will find.
func TestReadOnly_ReadsWhatACrashLeftFromAMediumThatRefusesWrites(t *testing.T) {
	for _, kept := range keptStores {
		s := keepStore(t, kept.end)
		fsys := s.fs.Image(simfs.KillProcess, 1)
		before := s.files(t)
		ops := fsys.Ops()
		fsys.SetAccess(simfs.ReadOnly)
		db, err := tinykv.Open(crashDir, readOnlyOn(fsys))
		must(t, err)
		useReadOnly(t, db, s.states[s.last()].Entries(tinykv.All()))
		must(t, db.Close())
		fsys.SetAccess(simfs.ReadWrite)
		if n := fsys.Ops() - ops; n != 0 {
			t.Errorf("%s: %d operations that change something:\n%v", kept.name, n, fsys.Trace())
		}
		after := (&keptStore{fs: fsys}).files(t)
		if len(after) != len(before) {
			t.Errorf("%s: %d files, want %d", kept.name, len(after), len(before))
		}
		for name, data := range before {
			if string(after[name]) != string(data) {
				t.Errorf("%s: %s has changed", kept.name, name)
			}
		}
	}
}

func TestReadOnly_NeedsNoLockFile(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	must(t, db.Put([]byte("k"), []byte("v")))
	must(t, db.Close())
	lock := filepath.Join(dir, "LOCK")
	for _, prepare := range []func() error{
		func() error { return os.Chmod(lock, 0) }, // for a user who is not root
		func() error { return os.Remove(lock) },
	} {
		must(t, prepare())
		must(t, os.Chmod(dir, 0o500))
		db := mustOpen(t, dir, readOnlyOn(nil))
		useReadOnly(t, db, []enginetest.Entry{{Key: "k", Value: "v"}})
		must(t, db.Close())
		must(t, os.Chmod(dir, 0o700))
	}
	if _, err := os.Stat(lock); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the lock file was made")
	}
}

func TestReadOnly_NeedsAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	_, err := tinykv.Open(dir, readOnlyOn(nil))
	wantError(t, err, tinykv.ErrMissing)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the directory was made")
	}
	must(t, os.Mkdir(dir, 0o700))
	_, err = tinykv.Open(dir, readOnlyOn(nil))
	wantError(t, err, tinykv.ErrMissing)
	must(t, os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600))
	_, err = tinykv.Open(dir, readOnlyOn(nil))
	wantError(t, err, tinykv.ErrMissing)
	must(t, os.WriteFile(filepath.Join(dir, "000001.sst"), nil, 0o600)) // CURRENT is gone, it seems
	_, err = tinykv.Open(dir, readOnlyOn(nil))
	wantError(t, err, tinykv.ErrCorrupt)
	_, err = tinykv.Open(dir, &tinykv.Options{ReadOnly: true, ErrorIfExists: true})
	wantError(t, err, tinykv.ErrInvalidOption)
}

// What is in memory only is read in as many memtables as it takes.
func TestReadOnly_HoldsALogOfManyMemtables(t *testing.T) {
	fsys := vfs.NewMem()
	writer := mustOpen(t, "/store", &tinykv.Options{FS: fsys, MemTableSize: 8 << 20})
	model := &enginetest.Model{}
	for i := range 20_000 {
		must(t, writer.Put(fruit(i%7000), fruit(i)))
		if i%1000 == 999 {
			must(t, writer.DeleteRange(fruit(i%7000-500), fruit(i%7000-400)))
		}
	}
	s, err := enginetest.Collect(writer.Scan(tinykv.All()))
	must(t, err)
	for _, e := range s {
		model.Put(e.Key, e.Value)
	}
	image := copyOf(t, fsys) // as a crash leaves it
	db := mustOpen(t, "/store", readOnlyOn(image))
	useReadOnly(t, db, model.Entries(tinykv.All()))
	if n := db.Metrics().SealedMemTables; n < 4 {
		t.Errorf("%d memtables", n)
	}
	must(t, db.Close())
	must(t, writer.Close())
}

// copyOf returns a file system with the files of /store, but without its lock.
func copyOf(t *testing.T, fsys vfs.FS) vfs.FS {
	t.Helper()
	image := vfs.NewMem()
	must(t, image.MkdirAll("/store"))
	names, err := fsys.List("/store")
	must(t, err)
	for _, name := range names {
		if name != "LOCK" {
			writeFile(t, image, "/store/"+name, readFile(t, fsys, "/store/"+name))
		}
	}
	return image
}
