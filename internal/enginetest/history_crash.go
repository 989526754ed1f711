package enginetest

import (
	"context"
	"slices"

	"github.com/tinykv/tinykv"
)

// losable is what a history knows of the writes that a crash may take.
type losable struct {
	durable *Model          // nil where nothing crashes
	since   []*tinykv.Batch // the commits since then, oldest first
	during  []*tinykv.Batch // those of the operation under way
}

// durable notes that everything is on stable storage.
func (h *History) durable() {
	if h.lost.durable != nil {
		h.lost.durable, h.lost.since = h.model.Clone(), nil
	}
}

// crash lets the system crash between two operations.
func (h *History) crash() {
	left := h.lost
	h.recover(left.durable, left.since, nil, h.Crash())
}

// crashingIn returns an operation in the middle of which the system crashes.
func crashingIn(work func(*History)) func(*History) {
	return func(h *History) {
		durable, since := h.lost.durable, slices.Clone(h.lost.since)
		h.lost.during = nil
		powerLost := h.CrashIn(func() { work(h) })
		h.recover(durable, since, h.lost.during, powerLost)
	}
}

// recover goes on with what a crash left: everything that was acknowledged before it where only the process
// died, else a prefix of the commit order with everything that was synced. Of the commits that were under
// way it may hold the first ones.
func (h *History) recover(durable *Model, since, during []*tinykv.Batch, powerLost bool) {
	all := slices.Concat(since, during)
	least := len(since)
	if powerLost {
		least = 0
	}
	h.close() // the store that has crashed, where nobody sees it any more
	if h.OneIn(2) {
		n := h.openCrashed(h.OpenReadOnly, durable, all, least)
		h.must(h.db.Close())
		all = all[n:]
		h.openCrashed(h.Open, h.model, nil, 0) // and that is what stays
	} else {
		all = all[h.openCrashed(h.Open, durable, all, least):]
	}
	h.durable()
	if !h.Same {
		return
	}
	for _, b := range all {
		if _, ok := h.steps[b]; !ok {
			h.apply(b)
		}
	}
}

// openCrashed opens what a crash left and takes for its model the first one that fits: that of the durable
// commits and of some more, not fewer than least. It returns how many.
func (h *History) openCrashed(open func() (*tinykv.DB, error), durable *Model, more []*tinykv.Batch, least int) int {
	db, err := open()
	h.must(err)
	h.db = db
	got, err := Dump(db)
	h.must(err)
	m := durable.Clone()
	n := 0
	for ; n < least || !slices.Equal(got, h.later(m, more[n:]).Dump()); n++ {
		if n == len(more) {
			h.Fatalf("%s: %d entries are no state between %d durable ones and %d commits later, and not before %d of them",
				h.last, len(got), len(durable.entries), n, least)
		}
		h.redo(m, more[n])
	}
	m = h.later(m, more[n:])
	h.must(m.FindEmpty(db))
	h.catchUp(m)
	h.model = m
	return n
}

// faultyFlush flushes while the disk is full. That may fail; once there is room, it works.
func (h *History) faultyFlush() {
	h.Fault(func() { _ = h.db.Flush(context.Background()) })
	h.flush()
}

func (h *History) faultyCompaction() {
	h.Fault(func() { _ = h.db.Compact(context.Background(), tinykv.All()) })
	h.compact(tinykv.All())
}

// faultyLarge applies a large batch while the disk is full. If that fails, nothing of it is there, and it is
// applied once more.
func (h *History) faultyLarge() {
	b := h.db.NewBatch()
	for range 40 {
		h.must(b.Put(h.Key(), h.bytes(3000)))
	}
	failed := false
	h.Fault(func() { failed = h.db.Apply(b) != nil })
	if failed { // which is no answer: under other options it may work
		got, err := Dump(h.db)
		h.must(err)
		if !slices.Equal(got, h.model.Dump()) {
			h.Errorf("%s: %d entries after an apply that failed, want %d", h.last, len(got), len(h.model.entries))
		}
		h.flush() // tries at once what writers may be told has failed, for a while
		h.apply(b)
		return
	}
	h.did(nil, func(kept *tinykv.Batch) error { return kept.Append(b) })
}
