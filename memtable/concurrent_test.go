package memtable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// traffic is a table that one goroutine fills while others read it. Entry i has i as its value; done
// tells how many are in.
type traffic struct {
	*testing.T
	table *Table
	keys  []key.Internal
	done  atomic.Int64
}

func newTraffic(t *testing.T, seed uint64, n int) *traffic {
	rng := rand.New(rand.NewPCG(seed, 0))
	tr := &traffic{T: t, table: newTable(t, 8<<20)}
	for i := range n {
		stored := fmt.Appendf([]byte{0}, "key%05d", rng.IntN(n/2))
		if rng.IntN(8) == 0 {
			stored = append([]byte{0}, bytes.Repeat([]byte{0xff}, rng.IntN(12))...)
		}
		tr.keys = append(tr.keys, key.Internal{Stored: stored, Trailer: key.MakeTrailer(key.SeqNum(i+1), key.KindSet)})
	}
	return tr
}

// run inserts everything while each reader is called again and again, and once more at the end.
func (tr *traffic) run(readers ...func(rng *rand.Rand)) {
	var running sync.WaitGroup
	for i, reader := range readers {
		running.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for full := false; !full && !tr.Failed(); {
				full = tr.done.Load() == int64(len(tr.keys))
				reader(rng)
			}
		})
	}
	for i, k := range tr.keys {
		tr.table.Insert(k.Stored, xxhash.Sum64(k.Stored), k.Trailer, binary.BigEndian.AppendUint32(nil, uint32(i)))
		tr.done.Add(1)
	}
	running.Wait()
}

// scan walks over the whole table and wants order and everything that was in before it began.
func (tr *traffic) scan(first func(*Iter) *iterator.KV, next func(*Iter) *iterator.KV, order int) {
	before := tr.done.Load()
	it := tr.table.NewIter()
	seen := int64(0)
	var last *key.Internal
	for kv := first(it); kv != nil; kv = next(it) {
		i := int(binary.BigEndian.Uint32(kv.Value))
		if key.Compare(kv.Key(), tr.keys[i]) != 0 {
			tr.Errorf("entry %d is %v, want %v", i, kv.Key(), tr.keys[i])
		}
		if last != nil && key.Compare(*last, tr.keys[i]) != order {
			tr.Errorf("%v comes after %v", tr.keys[i], *last)
		}
		if last = &tr.keys[i]; int64(i) < before {
			seen++
		}
	}
	if seen != before {
		tr.Errorf("%d entries of the %d that were there before were seen", seen, before)
	}
}

func TestIter_WhileOthersInsertSeesAllThatWasThereBefore(t *testing.T) {
	tr := newTraffic(t, 1, 6000)
	tr.run(
		func(*rand.Rand) { tr.scan((*Iter).First, (*Iter).Next, -1) },
		func(*rand.Rand) { tr.scan((*Iter).Last, (*Iter).Prev, +1) },
	)
}

func TestIter_WhileOthersInsertEveryStepKeepsOrder(t *testing.T) {
	tr := newTraffic(t, 2, 6000)
	tr.run(func(rng *rand.Rand) {
		if tr.done.Load() == 0 {
			return
		}
		it := tr.table.NewIter()
		k := tr.keys[rng.IntN(int(tr.done.Load()))]
		kv := it.SeekGE(k.Stored, k.Trailer)
		if kv == nil || key.Compare(kv.Key(), k) != 0 {
			t.Errorf("SeekGE of %v arrived at %v", k, show(kv))
			return
		}
		for range 200 {
			at := kv.Key().Clone()
			order := -1
			if rng.IntN(2) == 0 {
				kv = it.Next()
			} else {
				kv, order = it.Prev(), +1
			}
			if kv == nil {
				return
			}
			if key.Compare(at, kv.Key()) != order {
				t.Errorf("from %v a step led to %v", at, kv.Key())
				return
			}
		}
	})
}

func TestIter_WhileOthersInsertSeeksFindWhatWasThereBefore(t *testing.T) {
	tr := newTraffic(t, 3, 6000)
	tr.run(func(rng *rand.Rand) {
		before := int(tr.done.Load())
		for range 50 {
			if before == 0 {
				return
			}
			k := tr.keys[rng.IntN(before)]
			it := tr.table.NewIter()
			if kv := it.SeekLT(k.Stored, k.Trailer); kv != nil && key.Compare(kv.Key(), k) >= 0 {
				t.Errorf("SeekLT of %v arrived at %v", k, show(kv))
			}
			if kv := it.SeekGE(k.Stored, k.Trailer); kv == nil || key.Compare(kv.Key(), k) != 0 {
				t.Errorf("SeekGE of %v arrived at %v", k, show(kv))
			}
		}
	})
}

func TestGet_WhileOthersInsertFindsWhatWasThereBefore(t *testing.T) {
	tr := newTraffic(t, 4, 6000)
	tr.run(func(rng *rand.Rand) {
		before := int(tr.done.Load())
		for range 50 {
			if before == 0 {
				return
			}
			i := rng.IntN(before)
			k := tr.keys[i]
			value, found, ok := tr.table.Get(k.Stored, xxhash.Sum64(k.Stored), key.SeekTrailer(k.Trailer.Seq()))
			if !ok || found != k.Trailer || binary.BigEndian.Uint32(value) != uint32(i) {
				t.Errorf("%v: found %d, %v", k, found.Seq(), ok)
			}
			if _, found, ok := tr.table.Get(k.Stored, xxhash.Sum64(k.Stored), key.MaxTrailer); !ok || found < k.Trailer {
				t.Errorf("newest of %v: found %d, %v", k, found.Seq(), ok)
			}
		}
	}, func(*rand.Rand) {
		if used := tr.table.Used(); used > 8<<20 || tr.table.Entries() > uint64(len(tr.keys)) {
			t.Errorf("%d bytes used", used)
		}
	})
}
