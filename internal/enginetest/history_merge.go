package enginetest

import "github.com/tinykv/tinykv"

// Every history has the operator that appends, as its results tell in which order operands were put together. Values stay short,
// as deletions and puts come in between.

func (h *History) merge(opts ...tinykv.WriteOption) {
	k, operand := h.Key(), h.operand()
	h.must(h.db.Merge(k, operand, opts...))
	h.did(opts, func(b *tinykv.Batch) error { return b.Merge(k, operand) })
}

// mergeHot merges with one key several times, so that operands meet in a memtable.
func (h *History) mergeHot() {
	k := h.Key()
	for range 1 + h.IntN(20) {
		operand := h.operand()
		h.must(h.db.Merge(k, operand))
		h.did(nil, func(b *tinykv.Batch) error { return b.Merge(k, operand) })
	}
}

// operand is mostly short, and now and then too long to be put together in a memtable.
func (h *History) operand() []byte {
	if h.IntN(8) == 0 {
		return h.bytes(100 + h.IntN(200))
	}
	return h.bytes(1 + h.IntN(3))
}

// Merge appends an operand to the value of a key, which keeps its expiry.
func (m *Model) Merge(key, operand string) {
	i, ok := m.find(key)
	if !ok {
		m.Put(key, operand)
		return
	}
	m.entries[i].Value += operand
}
