package tinykv_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

func TestClosed_EverythingReturnsErrClosed(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	must(t, db.Put([]byte("k"), []byte("v")))
	snapshot, err := db.NewSnapshot()
	must(t, err)
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	if !it.First() {
		t.Fatal(it.Err())
	}
	batch := db.NewBatch()
	must(t, batch.Put([]byte("k"), nil))
	large := db.NewBatch()
	must(t, large.Put([]byte("k"), make([]byte, 20<<20)))
	must(t, db.Close())

	k, ctx := []byte("k"), context.Background()
	second := func(_ any, err error) error { return err }
	moved := func(move func() bool) error {
		if move() || it.Valid() || it.Key() != nil || it.Value() != nil {
			t.Error("the iterator moved")
		}
		return it.Err()
	}
	for name, err := range map[string]error{
		"Get":               second(db.Get(k)),
		"GetTo":             second(db.GetTo(nil, k)),
		"Peek":              db.Peek(k, func([]byte) error { return nil }),
		"PeekItem":          db.PeekItem(k, func(tinykv.Item) error { return nil }),
		"Has":               second(db.Has(k)),
		"GetMulti":          second(db.GetMulti(k)),
		"Put":               db.Put(k, k),
		"Put synced":        db.Put(k, k, tinykv.Sync),
		"Delete":            db.Delete(k),
		"Apply":             db.Apply(batch),
		"Apply empty":       db.Apply(db.NewBatch()),
		"Apply large":       db.Apply(large),
		"PutIfAbsent":       second(db.PutIfAbsent(k, k)),
		"CompareAndSwap":    second(db.CompareAndSwap(k, k, k)),
		"CompareAndDelete":  second(db.CompareAndDelete(k, k)),
		"NewSnapshot":       second(db.NewSnapshot()),
		"NewIter":           second(db.NewIter(tinykv.All())),
		"Scan":              second(enginetest.Collect(db.Scan(tinykv.All()))),
		"Flush":             db.Flush(ctx),
		"Sync":              db.Sync(),
		"Compact":           db.Compact(ctx, tinykv.All()),
		"Snapshot.Get":      second(snapshot.Get(k)),
		"Snapshot.GetTo":    second(snapshot.GetTo(nil, k)),
		"Snapshot.Peek":     snapshot.Peek(k, func([]byte) error { return nil }),
		"Snapshot.PeekItem": snapshot.PeekItem(k, func(tinykv.Item) error { return nil }),
		"Snapshot.Has":      second(snapshot.Has(k)),
		"Snapshot.GetMulti": second(snapshot.GetMulti(k)),
		"Snapshot.Count":    second(snapshot.Count(ctx, tinykv.All())),
		"Snapshot.NewIter":  second(snapshot.NewIter(tinykv.All())),
		"Snapshot.Scan":     second(enginetest.Collect(snapshot.Scan(tinykv.All()))),
		"Iterator.Next":     moved(it.Next),
		"Iterator.Prev":     moved(it.Prev),
		"Iterator.First":    moved(it.First),
		"Iterator.Last":     moved(it.Last),
		"Iterator.SeekGE":   moved(func() bool { return it.SeekGE(k) }),
		"Iterator.SeekLT":   moved(func() bool { return it.SeekLT(k) }),
	} {
		if !errors.Is(err, tinykv.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, it.Close())
	must(t, it.Close())
	must(t, snapshot.Close())
	must(t, snapshot.Close())
	if db.Metrics() == nil {
		t.Error("no metrics")
	}
}

func TestSnapshot_ClosedReturnsErrClosed(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	must(t, db.Put([]byte("k"), []byte("v")))
	s, err := db.NewSnapshot()
	must(t, err)
	it, err := s.NewIter(tinykv.All())
	must(t, err)
	defer it.Close()
	must(t, s.Close())
	_, err = s.Get([]byte("k"))
	wantError(t, err, tinykv.ErrClosed)
	if !it.First() { // made from the snapshot, it goes on
		t.Error(it.Err())
	}
}

// Under the race detector: a refused write must not look at the memtable, which the last iterator is just giving back to the system.
func TestClosed_AWriteDoesNotTouchTheMemtableOfTheLastIterator(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	must(t, db.Close())
	parallel(func() {
		if err := db.Put([]byte("k"), nil); !errors.Is(err, tinykv.ErrClosed) {
			t.Error(err)
		}
	}, func() {
		if err := it.Close(); err != nil {
			t.Error(err)
		}
	})
}
