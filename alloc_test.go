//go:build !race

package tinykv_test

import (
	"context"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// The race detector has pools forget things, so nothing is counted under it.

// What is noted of reads and iterators leaves no garbage, not even where each is looked at.
func TestMetrics_CostNoAllocation(t *testing.T) {
	for _, every := range []uint64{0, 1} {
		o := &tinykv.Options{FS: vfs.NewMem(), Compression: tinykv.CompressionNone, SyncInterval: time.Hour}
		db := mustOpen(t, "/s", o.With(tinykv.Internal{SampleEvery: every}))
		for n := range 1000 {
			must(t, db.Put(numbered(n), make([]byte, 100)))
		}
		must(t, db.Flush(context.Background()))
		must(t, db.Put([]byte("in memory"), nil))
		dst := make([]byte, 0, 200)
		fn := func([]byte) error { return nil }
		itemFn := func(tinykv.Item) error { return nil }
		reads := func() {
			for _, k := range [][]byte{tableKey, memoryKey} {
				_, err := db.GetTo(dst[:0], k)
				must(t, err)
				_, err = db.Has(k)
				must(t, err)
				must(t, db.Peek(k, fn))
				must(t, db.PeekItem(k, itemFn))
			}
			_, err := db.Has(absentKey)
			must(t, err)
		}
		if n := testing.AllocsPerRun(1000, reads); n > 0 {
			t.Errorf("one in %d is looked at: reads make %v allocations", every, n)
		}
		iterate := func() {
			it, err := db.NewIter(tinykv.All())
			must(t, err)
			must(t, it.Close())
		}
		if n := testing.AllocsPerRun(1000, iterate); n > 1 {
			t.Errorf("one in %d is looked at: an iterator makes %v allocations", every, n)
		}
	}
}

var tableKey, memoryKey, absentKey = numbered(7), []byte("in memory"), []byte("key 000007.")
