package tinykv

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"errors"

	"github.com/tinykv/tinykv/internal/key"
)

// repairMerge goes over the keys of several runs, in order, and knows what bears on each. An entry costs the logarithm of the number
// of runs, however many of them, range tombstones and gaps lie over each other.
type repairMerge struct {
	heads repairHeads // runs that stand at an entry
	spans repairSweep // range tombstones
	gaps  repairSweep
}

// copyTables merges the runs and copies the newest version of each key, if it is good.
func (r *repair) copyTables(runs []*repairRun, to *repairCopy) (err error) {
	defer func() {
		for _, run := range runs {
			run.close()
		}
	}()
	m, err := newRepairMerge(runs)
	if err != nil {
		return err
	}
	var stored []byte
	for n := 0; len(m.heads) > 0; n++ {
		if n%1024 == 0 && r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		from := m.heads[0]
		stored = append(stored[:0], from.kv.Stored...)
		m.spans.advance(stored)
		m.gaps.advance(stored)
		switch {
		case to.spaces.dropped(stored):
		case from.kv.Trailer.Kind() == key.KindMerge:
			if err := r.copyOperands(m, stored, to); err != nil {
				return err
			}
		case r.wanted(m, from):
			if err := to.put(from.kv.Trailer.Kind(), stored, from.kv.Value); err != nil {
				return err
			}
			r.report.Entries++
		}
		if err := m.skip(stored); err != nil {
			return err
		}
	}
	return errors.Join(to.flush(), to.flushStrays())
}

func newRepairMerge(runs []*repairRun) (*repairMerge, error) {
	m := &repairMerge{spans: newRepairSweep(len(runs)), gaps: newRepairSweep(len(runs))}
	for i, run := range runs {
		run.merge, run.num = m, i
		if err := run.next(); err != nil {
			return nil, err
		}
		if run.kv != nil {
			m.heads = append(m.heads, run)
		}
	}
	heap.Init(&m.heads)
	return m, nil
}

// skip goes on behind a key, which is the least.
func (m *repairMerge) skip(stored []byte) error {
	for len(m.heads) > 0 && bytes.Equal(m.heads[0].kv.Stored, stored) {
		if err := m.advanceFirst(); err != nil {
			return err
		}
	}
	return nil
}

// wanted tells whether the entry that a run stands at, the newest of its key, is to be copied.
func (r *repair) wanted(m *repairMerge, from *repairRun) bool {
	seq := from.kv.Trailer.Seq()
	if from.kv.Trailer.Kind() == key.KindDelete || r.hidden(from) || m.spans.newest(m.spans.runs()).seq > seq {
		return false
	}
	// A gap may have held a newer version, or a tombstone. What a run behind this one holds of the key is older.
	above := from.num + 1
	if r.books.Known == nil {
		above = m.gaps.runs()
	}
	gap := m.gaps.newest(above)
	doubt := gap.seq > seq
	if !doubt && r.books.Known != nil {
		return true
	}
	r.report.Doubtful++
	if doubt {
		gap.damage.Doubtful++
	}
	return r.o.KeepDoubtful
}

// hidden tells whether a run stands at a value that is known to have expired before, whatever the clock shows now.
func (r *repair) hidden(from *repairRun) bool {
	known := r.books.Known
	if known == nil || from.kv.Trailer.Kind() != key.KindSetExpiring {
		return false
	}
	expiry, _, _ := key.SplitExpiring(from.kv.Value)
	then := clockReading{now: known.Expiry.Reading, marks: known.Expiry.Marks}
	return then.hides(expiry, from.kv.Trailer.Seq())
}

// repairHeads is a heap of runs: the first stands at the newest entry of the least key.
type repairHeads []*repairRun

// Len implements heap.Interface.
func (h repairHeads) Len() int { return len(h) }

// Less implements heap.Interface.
func (h repairHeads) Less(i, j int) bool {
	return cmp.Or(key.Compare(h[i].kv.Key(), h[j].kv.Key()), cmp.Compare(h[i].num, h[j].num)) < 0
}

// Swap implements heap.Interface.
func (h repairHeads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *repairHeads) Push(run any) { *h = append(*h, run.(*repairRun)) }

// Pop implements heap.Interface.
func (h *repairHeads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
