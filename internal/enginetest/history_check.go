package enginetest

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/tinykv/tinykv"
)

// verify reads all files of the store, which are as they should be.
func (h *History) verify() {
	report, err := h.db.Verify(context.Background(), nil)
	h.must(err)
	h.must(report.Err())
}

// metrics looks at the numbers that must be right at any time.
func (h *History) metrics() {
	m := h.db.Metrics()
	h.same("last sequence", m.DurableSeq <= m.LastSeq, true)
	h.same("snapshots", m.Snapshots, len(h.snaps))
	if !strings.Contains(m.String(), "total") {
		h.Errorf("%s: %s", h.last, m)
	}
	h.must(m.WritePrometheus(io.Discard))
}

// flushGivenUp flushes under a context that has ended: it returns at once, with its error, or nil where there was
// nothing to do.
func (h *History) flushGivenUp() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.db.Flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
		h.must(err)
	}
}

// estimate asks for the size of a range, which may be anything below that of the store.
func (h *History) estimate() {
	r := h.NarrowRange()
	part, err := h.db.EstimateSize(r)
	h.must(err)
	all, err := h.db.EstimateSize(tinykv.All())
	h.must(err)
	if part > all+all/2+1<<20 {
		h.Errorf("%s: a part has %d bytes, all has %d", h.last, part, all)
	}
}

// wrong makes calls that are refused and change nothing.
func (h *History) wrong() {
	long := make([]byte, 1<<16)
	want := func(err, want error) {
		h.Helper()
		if !errors.Is(err, want) {
			h.Errorf("%s: got %v, want %v", h.last, err, want)
		}
	}
	want(h.db.Put(long, nil), tinykv.ErrKeyTooLarge)
	want(h.db.Delete(long), tinykv.ErrKeyTooLarge)
	want(h.db.DeleteRange([]byte("b"), []byte("a")), tinykv.ErrInvalidRange)
	want(h.db.Put(nil, nil, 3), tinykv.ErrInvalidOption)
	want(h.db.Apply(nil), tinykv.ErrInvalidOption)
	want(h.anyBatch().Put(nil, nil, tinykv.Sync), tinykv.ErrInvalidOption)
	want(h.anyBatch().UnmarshalBinary([]byte("nonsense")), tinykv.ErrCorrupt)
	_, err := h.db.NewIter(tinykv.Between([]byte("b"), []byte("a")))
	want(err, tinykv.ErrInvalidRange)
	_, err = h.db.CompareAndSwap(long, nil, nil)
	want(err, tinykv.ErrKeyTooLarge)
}
