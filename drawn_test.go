package tinykv

import (
	"context"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

// drawnStore is a store that looks at every read, and does nothing by itself.
func drawnStore(t *testing.T) *DB {
	t.Helper()
	o := &Options{FS: vfs.NewMem()}
	db, err := Open("store", o.With(Internal{SampleEvery: 1, Inline: func() bool { return false }}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// tableOf flushes a table with the given keys.
func tableOf(t *testing.T, db *DB, keys ...string) {
	t.Helper()
	for _, k := range keys {
		if err := db.Put([]byte(k), []byte("value")); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// asks returns how many filters a look-up asks.
func asks(t *testing.T, db *DB, k string) int {
	t.Helper()
	before := db.Metrics().Filters.Asked
	if _, err := db.Has([]byte(k)); err != nil {
		t.Fatal(err)
	}
	return int(db.Metrics().Filters.Asked - before)
}

func TestMetrics_AReadLooksOnlyIntoTablesThatCoverTheKey(t *testing.T) {
	db := drawnStore(t)
	tableOf(t, db, "a", "c")
	tableOf(t, db, "x", "z")
	for k, want := range map[string]int{"a": 1, "b": 1, "m": 0, "y": 1, "z": 1, "zz": 0} {
		if got := asks(t, db, k); got != want {
			t.Errorf("a read of %q asks %d filters, want %d", k, got, want)
		}
	}
}

// Whether the table with the tombstone has the key is not known: its filter is not judged.
func TestMetrics_AKeyUnderARangeTombstoneDoesNotJudgeTheFilter(t *testing.T) {
	db := drawnStore(t)
	if err := db.DeleteRange([]byte("b"), []byte("y")); err != nil {
		t.Fatal(err)
	}
	tableOf(t, db, "a", "z")
	for k, want := range map[string]int{"a": 1, "m": 0, "z": 1} {
		if got := asks(t, db, k); got != want {
			t.Errorf("a read of %q judges %d filters, want %d", k, got, want)
		}
	}
}

func TestMetrics_AReadThatIsDrawnGivesUpItsState(t *testing.T) {
	db := drawnStore(t)
	tableOf(t, db, "a")
	s := db.state.Load()
	for n := range 10 {
		k := fmt.Appendf(nil, "%c", 'a'+n)
		_, _ = db.Get(k)
		_, _ = db.Has(k)
		_ = db.Peek(k, func([]byte) error { return nil })
		_ = db.PeekItem(k, func(Item) error { return nil })
	}
	if refs := uint32(s.refs.Load()); refs != 1 {
		t.Errorf("%d references are left, want that of the store", refs)
	}
}
