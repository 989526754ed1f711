package tinykv

import (
	"bytes"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/memtable"
)

// What a transaction in memory has written is committed as a batch, in which each key comes once where that can be. Operands stay apart
// that the operator fails at, that are too long to be put together, or that follow a value that expires: whether that is
// still there is known to the leader alone, see commit_merge.go.

// addTo adds the writes to an empty batch.
func (tx *Tx) addTo(b *Batch) error {
	o := tx.own
	if len(o.tables) == 1 && o.plain {
		o.tables[0].InitIter(&o.iter)
		return tx.addPlain(b, &o.iter)
	}
	sources := make([]iterator.Iterator, len(o.tables))
	var lists []rangedel.List
	for i, t := range o.tables {
		sources[i] = t.NewIter()
		lists = append(lists, t.Ranges()...)
	}
	to := oldestFirst{tx: tx, batch: b}
	err := compaction.Settle(iterator.Merge(sources...), lists, o.db.rulesWithout(), func(l rangedel.List) error {
		for i := range l { // before the entries, which are newer than those on them
			if err := tx.addOwn(b, batchrepr.Op{Kind: key.KindRangeDelete, Stored: l[i].Lower, Value: l[i].Upper}); err != nil {
				return err
			}
		}
		return nil
	}, to.take)
	if err != nil {
		return err
	}
	return to.flush()
}

// oldestFirst adds entries to a batch that come newest first. So operands wait for what they follow.
type oldestFirst struct {
	tx    *Tx
	batch *Batch

	stored   []byte // the key of those that wait
	operands []byte // one behind the other, as they are stored
	begins   []int  // where each does
}

func (f *oldestFirst) take(kv *iterator.KV) error {
	if len(f.begins) > 0 && !bytes.Equal(kv.Stored, f.stored) {
		if err := f.flush(); err != nil {
			return err
		}
	}
	if kv.Trailer.Kind() != key.KindMerge { // nothing older of its key comes
		return f.tx.addOwn(f.batch, batchrepr.Op{Kind: kv.Trailer.Kind(), Stored: kv.Stored, Value: kv.Value})
	}
	f.stored = append(f.stored[:0], kv.Stored...)
	f.begins = append(f.begins, len(f.operands))
	_, operand, _ := key.SplitOperand(kv.Value)
	f.operands = key.AppendOperand(f.operands, 0, operand) // what it reached back to is all in it
	return nil
}

// flush adds the operands that wait.
func (f *oldestFirst) flush() error {
	for n := len(f.begins) - 1; n >= 0; n-- {
		at := f.begins[n]
		if err := f.tx.addOwn(f.batch, batchrepr.Op{Kind: key.KindMerge, Stored: f.stored, Value: f.operands[at:]}); err != nil {
			return err
		}
		f.operands = f.operands[:at]
	}
	f.begins = f.begins[:0]
	return nil
}

// addPlain is addTo for a few values and tombstones, of which the newest of each key counts.
func (tx *Tx) addPlain(b *Batch, it *memtable.Iter) error {
	last := []byte(nil)
	for kv := it.First(); kv != nil; kv = it.Next() {
		if last != nil && bytes.Equal(kv.Stored, last) {
			continue
		}
		last = kv.Stored
		if err := tx.addOwn(b, batchrepr.Op{Kind: kv.Trailer.Kind(), Stored: kv.Stored, Value: kv.Value}); err != nil {
			return err
		}
	}
	return nil
}
