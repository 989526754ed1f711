package tinykv_test

import (
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// What was wrong once. Each test says in its name what holds since.

// smallStore opens a store of small memtables on a file system, by default one in memory.
func smallStore(t testing.TB, fsys vfs.FS, in tinykv.Internal) *tinykv.DB {
	t.Helper()
	if fsys == nil {
		fsys = vfs.NewMem()
	}
	o := &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, SyncInterval: time.Hour}
	return mustOpen(t, "/s", o.With(in))
}

func TestRead_StartsAnewWhenALargeBatchComesBetweenStateAndSequenceNumber(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	large := db.NewBatch()
	must(t, large.Put([]byte("large"), make([]byte, 60<<10)))
	for _, c := range []struct {
		what    string
		between func()
		goesOn  bool
	}{
		{"nothing", func() {}, true},
		{"a write", func() { must(t, db.Put([]byte("later"), nil)) }, true},
		{"a large batch and a write", func() {
			must(t, db.Apply(large))
			must(t, db.Put([]byte("later"), nil)) // into the memtable of the old state
		}, false},
	} {
		if got := db.HalfOpenedRead(c.between); got != c.goesOn {
			t.Errorf("%s in between: the read goes on with the old state: %v, want %v", c.what, got, c.goesOn)
		}
	}
}
