package enginetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
)

// maxOpen bounds how many snapshots, and how many iterators, a history has open at a time.
const maxOpen = 4

// History runs random operations on a store and on a [Model] side by side. Whatever the store's
// options, it must answer as the model does, and so two stores under one seed give the same log.
type History struct {
	*testing.T
	Random
	// Name begins every message; it may say how to run the history again.
	Name string
	// Open opens the store, which has been closed before.
	Open func() (*tinykv.DB, error)
	// OpenReadOnly opens it for reading only.
	OpenReadOnly func() (*tinykv.DB, error)
	// Crash, if there is one, has Open and OpenReadOnly find what a crash at this moment leaves, and
	// tells whether unsynced writes may be gone.
	Crash func() (powerLost bool)
	// CrashIn, if there is one, does the same for a crash at some moment while work runs.
	CrashIn func(work func()) (powerLost bool)
	// Crashes, if it is not 0, is how many crashes a run has. Otherwise they are drawn like other operations.
	Crashes int
	// Same has what a crash took written again, so that stores which crash still give the same log.
	Same bool
	// Fault, if there is one, runs work while the disk is too full for a table, and then makes room.
	Fault func(work func())
	// Change, if there is one, has Open use other options from now on.
	Change func()
	// Clock is what the store has as Options.Clock. Without one nothing expires.
	Clock *Clock
	// Fuzzed is for a source with few bits to a draw, and for short histories: every operation is as
	// likely as any other, and large batches are no larger than need be.
	Fuzzed bool
	// More, if there is one, ends the history early by returning false.
	More func() bool

	db      *tinykv.DB
	model   *Model
	batches []*tinykv.Batch
	snaps   []*pastStore
	mirror  mirror
	iters   []*pastCursor
	lost    losable
	steps   map[*tinykv.Batch]int64 // empty batches among the commits that stand for steps of the clock
	log     strings.Builder

	transacted bool           // a transaction was committed
	last       string         // the operation that runs
	done       map[string]int // how often each was run
}

// pastStore is a snapshot with its twin.
type pastStore struct {
	snapshot *tinykv.Snapshot
	model    *Model
}

// pastCursor is an iterator with its twin.
type pastCursor struct {
	iter   *tinykv.Iterator
	cursor *Cursor
}

// Run runs so many operations and returns the log of what was answered.
func (h *History) Run(operations int) string {
	h.Helper()
	db, err := h.Open()
	if err != nil {
		h.Fatal(err)
	}
	h.db, h.model, h.done = db, &Model{}, map[string]int{}
	h.steps = map[*tinykv.Batch]int64{}
	h.catchUp(h.model)
	for range maxOpen - 1 {
		h.batches = append(h.batches, db.NewBatch())
	}
	ops, crashes := h.operations()
	if h.lost.durable != nil {
		h.catchUp(h.lost.durable)
	}
	crashAt := h.crashPlaces(operations)
	total := 0
	for _, op := range ops {
		total += op.weight
	}
	for n := 0; n < operations && (h.More == nil || h.More()); n++ {
		if crashAt[n] {
			h.do(n, crashes[h.IntN(len(crashes))])
		}
		pick := h.IntN(total)
		for _, op := range ops {
			if pick -= op.weight; pick < 0 {
				h.do(n, op)
				break
			}
		}
	}
	h.last = h.Name + "end"
	h.scanAll(h.db, h.model)
	h.listBuckets()
	h.reopen()
	h.scanAll(h.db, h.model)
	h.listBuckets()
	if err := h.db.Close(); err != nil {
		h.Error(err)
	}
	return h.log.String()
}

// do runs an operation. The first that fails ends the history, so that no shorter one fails.
func (h *History) do(n int, op historyOp) {
	h.Helper()
	h.last = fmt.Sprintf("%s%d %s", h.Name, n, op.name)
	h.done[op.name]++
	op.run(h)
	if h.Failed() {
		h.Fatalf("after: %s; a history of %d operations is the shortest that shows it", h.last, n+1)
	}
}

// Done returns how often each operation was run.
func (h *History) Done() map[string]int { return h.done }

// note adds to the log what the store answered.
func (h *History) note(format string, args ...any) {
	fmt.Fprintf(&h.log, "%s: %s\n", strings.TrimPrefix(h.last, h.Name), fmt.Sprintf(format, args...))
}

// must fails the test when a call that cannot fail has.
func (h *History) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("%s: %v", h.last, err)
	}
}

// same compares an answer with the model's and notes it.
func (h *History) same(what string, got, want any) {
	h.Helper()
	if got != want {
		h.Errorf("%s: %s: got %.200v, want %.200v", h.last, what, got, want)
	}
	h.note("%s %.40v", what, got)
}

func (h *History) writeOption() []tinykv.WriteOption {
	switch h.IntN(20) {
	case 0:
		return []tinykv.WriteOption{tinykv.Sync}
	case 1:
		return []tinykv.WriteOption{tinykv.NoSync}
	default:
		return nil
	}
}

// put sets a key, with the options given or those drawn.
func (h *History) put(opts ...tinykv.WriteOption) {
	h.putValue(h.Key(), h.Value(), opts)
}

func (h *History) putValue(k, v []byte, opts []tinykv.WriteOption) {
	h.must(h.db.Put(k, v, opts...))
	h.did(opts, func(b *tinykv.Batch) error { return b.Put(k, v) })
}

// putLong sets a key to a value that is larger than a small memtable.
func (h *History) putLong() { h.putValue(h.Key(), h.bytes(70_000+h.IntN(60_000)), nil) }

func (h *History) delete(opts ...tinykv.WriteOption) {
	k := h.Key()
	h.must(h.db.Delete(k, opts...))
	h.did(opts, func(b *tinykv.Batch) error { return b.Delete(k) })
}

func (h *History) deleteRange(r tinykv.Range) {
	opts := h.writeOption()
	h.must(h.db.DeleteRange(r.Lower, r.Upper, opts...))
	h.did(opts, func(b *tinykv.Batch) error { return b.DeleteRange(r.Lower, r.Upper) })
}

func (h *History) applyLarge() {
	b := h.db.NewBatch()
	draw := NewRandom(h.Uint64()) // of its own: a source that can end gives a whole batch for one draw
	n := 200
	if !h.Fuzzed {
		n += draw.IntN(2000)
	}
	for range n {
		if draw.OneIn(100) {
			r := draw.NarrowRange()
			h.must(b.DeleteRange(r.Lower, r.Upper))
		} else if draw.OneIn(5) {
			h.must(b.Delete(draw.Key()))
		} else {
			h.must(b.Put(draw.Key(), draw.Value()))
		}
	}
	h.apply(b)
}

// applyRanges applies a batch of many range deletions.
func (h *History) applyRanges() {
	b := h.db.NewBatch()
	draw := NewRandom(h.Uint64())
	for range 100 {
		r := draw.NarrowRange()
		h.must(b.DeleteRange(r.Lower, r.Upper))
		h.must(b.Put(draw.Key(), draw.Value()))
	}
	h.apply(b)
}

// guess returns the present value of a key, or another one.
func (h *History) guess(k []byte) []byte {
	if v, ok := h.model.Get(string(k)); ok && !h.OneIn(3) {
		return []byte(v)
	}
	return h.Value()
}

func (h *History) putIfAbsent() {
	k, v := h.Key(), h.Value()
	_, found := h.model.Get(string(k))
	opts := h.writeOption()
	done, err := h.db.PutIfAbsent(k, v, opts...)
	h.must(err)
	h.same("done", done, !found)
	if done {
		h.did(opts, func(b *tinykv.Batch) error { return b.Put(k, v) })
	}
}

func (h *History) compareAndSwap() {
	k, v := h.Key(), h.Value()
	old := h.guess(k)
	have, found := h.model.Get(string(k))
	opts := h.writeOption()
	done, err := h.db.CompareAndSwap(k, old, v, opts...)
	h.must(err)
	h.same("done", done, found && have == string(old))
	if done {
		h.did(opts, func(b *tinykv.Batch) error { return b.Put(k, v) })
	}
}

func (h *History) compareAndDelete() {
	k := h.Key()
	old := h.guess(k)
	have, found := h.model.Get(string(k))
	opts := h.writeOption()
	done, err := h.db.CompareAndDelete(k, old, opts...)
	h.must(err)
	h.same("done", done, found && have == string(old))
	if done {
		h.did(opts, func(b *tinykv.Batch) error { return b.Delete(k) })
	}
}

// explain asks for the way of a read, which must end where the read does.
func (h *History) explain() {
	k := h.Key()
	want, found := h.model.Get(string(k))
	e, err := h.db.Explain(k)
	h.must(err)
	if e.Found != found || e.ValueBytes != len(want) {
		h.Errorf("%s: want %.40q, %v:\n%s", h.last, want, found, e)
	}
}

func (h *History) newSnapshot() {
	if len(h.snaps) == maxOpen {
		return
	}
	s, err := h.db.NewSnapshot()
	h.must(err)
	if last := h.db.Metrics().LastSeq; s.Seq() != last {
		h.Errorf("%s: a snapshot of number %d, when the last write has %d", h.last, s.Seq(), last)
	}
	if h.Crash == nil && h.Fault == nil && !h.transacted { // else it depends on the options: what was written again counts, too, and a
		h.note("%d", s.Seq()) // transaction that goes to tables takes a number for each write, another for each key
	}
	h.snaps = append(h.snaps, &pastStore{s, h.model.Clone()})
}

// onSnapshot returns an operation that reads from a snapshot, if there is one.
func onSnapshot(read func(h *History, s store, m *Model)) func(*History) {
	return func(h *History) {
		if len(h.snaps) > 0 {
			s := h.snaps[h.IntN(len(h.snaps))]
			read(h, s.snapshot, s.model)
		}
	}
}

// onStore returns an operation that reads from the store.
func onStore(read func(h *History, s store, m *Model)) func(*History) {
	return func(h *History) { read(h, h.db, h.model) }
}

func (h *History) closeSnapshot() {
	if len(h.snaps) == 0 {
		return
	}
	i := h.IntN(len(h.snaps))
	h.must(h.snaps[i].snapshot.Close())
	h.must(h.snaps[i].snapshot.Close())
	if _, err := h.snaps[i].snapshot.Get(nil); !errors.Is(err, tinykv.ErrClosed) {
		h.Errorf("%s: closed snapshot: %v", h.last, err)
	}
	h.snaps = append(h.snaps[:i], h.snaps[i+1:]...)
}

func (h *History) flush() {
	h.must(h.db.Flush(context.Background()))
	h.durable()
}

func (h *History) sync() {
	h.must(h.db.Sync())
	h.durable()
}

func (h *History) compact(r tinykv.Range) {
	err := h.db.Compact(context.Background(), r)
	if err != nil && !errors.Is(err, tinykv.ErrInvalidRange) {
		h.must(err)
	}
}

// reopen closes the store, with all that is open, and opens it again.
func (h *History) reopen() {
	h.close()
	h.open()
}

func (h *History) open() {
	db, err := h.Open()
	h.must(err)
	h.db = db
}

// close closes the store, with all that is open.
func (h *History) close() {
	h.must(h.db.Close())
	for _, c := range h.iters {
		h.checkClosed(c.iter)
	}
	for _, s := range h.snaps {
		if _, err := s.snapshot.Has(nil); !errors.Is(err, tinykv.ErrClosed) {
			h.Errorf("%s: snapshot of a closed store: %v", h.last, err)
		}
		h.must(s.snapshot.Close())
	}
	h.iters, h.snaps = nil, nil
	if err := h.db.Put(nil, nil); !errors.Is(err, tinykv.ErrClosed) {
		h.Errorf("%s: put to a closed store: %v", h.last, err)
	}
	h.durable()
}

// readOnly opens the store for reading, twice at a time, and reads all of it.
func (h *History) readOnly() {
	var both []*tinykv.DB
	for range 2 {
		db, err := h.OpenReadOnly()
		h.must(err)
		both = append(both, db)
	}
	for _, db := range both {
		h.scanAll(db, h.model)
		report, err := db.Verify(context.Background(), nil)
		h.must(err)
		h.must(report.Err())
		h.getFrom(db, h.model)
		if err := db.Put(nil, nil); !errors.Is(err, tinykv.ErrReadOnly) {
			h.Errorf("%s: put to a store that is read only: %v", h.last, err)
		}
		h.must(db.Close())
	}
}

func (h *History) checkClosed(it *tinykv.Iterator) {
	if it.First() || !errors.Is(it.Err(), tinykv.ErrClosed) || it.Valid() || it.Key() != nil || it.Value() != nil {
		h.Errorf("%s: iterator of a closed store: %v", h.last, it.Err())
	}
	h.must(it.Close())
	h.must(it.Close())
}
