package enginetest

import (
	"errors"

	"github.com/tinykv/tinykv"
)

// transaction runs a transaction beside everything else: it reads and writes, others write meanwhile, and it is committed or
// rolled back. Where others wrote what it had read, and only there, its commit is refused.
func (h *History) transaction() {
	tx, err := h.db.Begin(true)
	h.must(err)
	own := h.model.Clone()
	var writes []func(*tinykv.Batch) error
	wrote := func(in *tinykv.Batch) error {
		for _, w := range writes {
			if err := w(in); err != nil {
				return err
			}
		}
		return nil
	}
	var read [][]byte // keys of which the transaction has seen what the store has
	conflict := false
	for range 1 + h.IntN(16) {
		switch h.IntN(10) {
		case 0, 1, 2:
			write := h.txWrite()
			h.must(write(tx))
			b := tinykv.Batch{}
			h.must(write(&b))
			own.Apply(&b)
			writes = append(writes, func(in *tinykv.Batch) error { return write(in) })
		case 3, 4:
			k := h.Key()
			got, ok := h.valueOf(tx, k)
			want, wantOK := own.Get(string(k))
			h.same("found in a transaction", ok, wantOK)
			h.same("value in a transaction", got, want)
			if len(writes) == 0 { // else it may be what the transaction has written itself
				read = append(read, k)
			}
		case 5:
			scanning()(h, tx, own)
		case 6:
			scanning(tinykv.Reverse)(h, tx, own)
		case 7:
			h.getMultiFrom(tx, own)
		case 8:
			if len(read) > 0 && h.IntN(4) == 0 {
				h.putValue(read[h.IntN(len(read))], h.Value(), nil)
				conflict = true
			}
		default:
			h.countIn(tx, own)
		}
	}
	if h.IntN(4) == 0 {
		h.must(tx.Rollback())
		return
	}
	opts := h.writeOption()
	err = tx.Commit(opts...)
	switch {
	case conflict && len(writes) > 0:
		if !errors.Is(err, tinykv.ErrConflict) {
			h.Errorf("%s: others wrote what a transaction had read, and its commit gives %v", h.last, err)
		}
	default:
		h.must(err)
		if len(writes) > 0 {
			h.transacted = true
			h.did(opts, wrote)
		}
	}
}

// txWriter is what transactions and batches have in common.
type txWriter interface {
	Put(k, value []byte, opts ...tinykv.WriteOption) error
	Delete(k []byte, opts ...tinykv.WriteOption) error
	DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
	Merge(k, operand []byte, opts ...tinykv.WriteOption) error
}

// txWrite draws a write.
func (h *History) txWrite() func(txWriter) error {
	switch h.IntN(8) {
	case 0, 1:
		k := h.Key()
		return func(w txWriter) error { return w.Delete(k) }
	case 2:
		r := h.NarrowRange()
		return func(w txWriter) error { return w.DeleteRange(r.Lower, r.Upper) }
	case 3, 4:
		k, operand := h.Key(), h.operand()
		return func(w txWriter) error { return w.Merge(k, operand) }
	default:
		k, v := h.Key(), h.Value()
		return func(w txWriter) error { return w.Put(k, v) }
	}
}

// valueOf returns the value of a key, and whether it has one.
func (h *History) valueOf(from tinykvReader, k []byte) (string, bool) {
	v, err := from.Get(k)
	if errors.Is(err, tinykv.ErrNotFound) {
		return "", false
	}
	h.must(err)
	return string(v), true
}

// largeTransaction is one whose writes do not fit into a memtable.
func (h *History) largeTransaction() {
	draw := NewRandom(h.Uint64()) // of its own: a source that can end gives a whole transaction for one draw
	n := 100
	if !h.Fuzzed {
		n += draw.IntN(1500)
	}
	var writes []func(txWriter) error
	for range n {
		k, v := draw.Key(), draw.Value()
		if draw.IntN(4) == 0 {
			writes = append(writes, func(w txWriter) error { return w.Merge(k, v) })
		} else {
			writes = append(writes, func(w txWriter) error { return w.Put(k, v) })
		}
	}
	all := func(w txWriter) error {
		for _, write := range writes {
			if err := write(w); err != nil {
				return err
			}
		}
		return nil
	}
	h.must(h.db.Update(func(tx *tinykv.Tx) error { return all(tx) }))
	h.transacted = true
	h.did(nil, func(b *tinykv.Batch) error { return all(b) })
}
