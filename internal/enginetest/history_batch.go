package enginetest

import (
	"slices"

	"github.com/tinykv/tinykv"
)

// anyBatch returns one of the batches that are under way.
func (h *History) anyBatch() *tinykv.Batch { return h.batches[h.IntN(len(h.batches))] }

func (h *History) batchDeleteRange() {
	r := h.NarrowRange()
	h.must(h.anyBatch().DeleteRange(r.Lower, r.Upper))
}

// appendBatch adds one batch to another, or to itself.
func (h *History) appendBatch() {
	to, from := h.anyBatch(), h.anyBatch()
	want := to.Len() + from.Len()
	if want > 1000 {
		to.Reset()
		return
	}
	h.must(to.Append(from))
	h.same("operations", to.Len(), want)
}

// codeBatch replaces a batch by what its encoding decodes to.
func (h *History) codeBatch() {
	i := h.IntN(len(h.batches))
	data, err := h.batches[i].MarshalBinary()
	h.must(err)
	h.same("size", h.batches[i].Size(), len(data))
	h.batches[i] = h.db.NewBatch()
	h.must(h.batches[i].UnmarshalBinary(data))
	clear(data) // of which it keeps no part
}

// listBatch lists the operations of a batch.
func (h *History) listBatch() {
	b := h.anyBatch()
	n := 0
	for op := range b.Ops() {
		n++
		h.note("%v %v %q %.20q %.20q %.20q", op.Delete, op.Range, op.Bucket, op.Key, op.Value, op.Upper)
	}
	h.same("operations", n, b.Len())
}

// applyAny applies a batch and empties it.
func (h *History) applyAny(opts ...tinykv.WriteOption) {
	b := h.anyBatch()
	h.apply(b, opts...)
	b.Reset()
}

// apply applies a batch, which stays as it is.
func (h *History) apply(b *tinykv.Batch, opts ...tinykv.WriteOption) {
	h.must(h.db.Apply(b, opts...))
	h.did(opts, func(kept *tinykv.Batch) error { return kept.Append(b) })
}

// did notes a commit that was acknowledged under some options.
func (h *History) did(opts []tinykv.WriteOption, ops func(*tinykv.Batch) error) {
	b := h.db.NewBatch()
	h.must(ops(b))
	h.model.Apply(b)
	if h.lost.durable == nil {
		return
	}
	h.lost.since = append(h.lost.since, b)
	h.lost.during = append(h.lost.during, b)
	if slices.Contains(opts, tinykv.Sync) {
		h.durable()
	}
}
