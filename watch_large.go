package tinykv

import (
	"bytes"
	"errors"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// feedTables are a large batch, which the feed has no copy of: its table, or those of a transaction, oldest first. They are kept from
// being given up for as long as they are in the feed, or a watcher tells what is in them.
type feedTables struct {
	tables      []*table
	after, last key.SeqNum // the numbers of the batch are those in between, and the last
}

func (t *feedTables) ref() {
	for _, one := range t.tables {
		one.refs.Add(1)
	}
}

func (t *feedTables) unref() {
	for _, one := range t.tables {
		one.unref()
	}
}

// tellLarge appends a large batch that has become visible, and whose tables are held. Only the leader calls it.
func (f *feed) tellLarge(t *feedTables) {
	f.mu.Lock()
	if f.sorter == nil {
		f.mu.Unlock()
		return
	}
	t.ref()
	f.begin(&feedChunk{
		first: f.next, after: t.after, last: t.last, large: t,
		records: []feedRecord{{last: t.last}},
	})
	f.next++
	f.evict()
	f.ring()
}

// hold keeps tables that are about to be installed until they are released, when the feed holds them, if anybody watches: in between a
// compaction may be done with them.
func (db *DB) hold(metas ...*manifest.Table) (held heldTables) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, m := range metas {
		t := db.handleLocked(m)
		t.refs.Add(1)
		held = append(held, t)
	}
	return held
}

type heldTables []*table

func (h heldTables) release() {
	for _, t := range h {
		t.unref()
	}
}

// tellLarge tells what a large batch comes to, as one batch, whatever the number of its tables.
func (w *watcher) tellLarge(t *feedTables) (goesOn bool, err error) {
	for _, one := range t.tables {
		if goesOn, err = w.tellTable(one); err != nil || !goesOn {
			return false, err
		}
	}
	if !w.flush() {
		return false, nil
	}
	w.seq = t.last
	return true, nil
}

func (w *watcher) tellTable(t *table) (goesOn bool, err error) {
	met := false
	for _, b := range w.known {
		met = met || !t.meta.EndsBefore(b.lower) && bytes.Compare(t.meta.Smallest.Stored, b.upper) < 0
	}
	if !met {
		return true, nil
	}
	ranges, err := t.rangeDeletes()
	if err != nil {
		return false, err
	}
	for _, span := range ranges {
		op := batchrepr.Op{Kind: key.KindRangeDelete, Stored: span.Lower, Value: span.Upper}
		if !w.tell(op, span.Newest(key.MaxSeqNum)) {
			return false, nil
		}
	}
	it, err := t.stream()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for i := range w.known {
		if goesOn, err = w.tellEntries(it, ranges, &w.known[i]); err != nil || !goesOn {
			return false, err
		}
	}
	return true, nil
}

// tellEntries tells the entries within some bounds that no range deletion of the same batch hides.
func (w *watcher) tellEntries(it iterator.Iterator, ranges rangedel.List, b *bounds) (goesOn bool, err error) {
	for kv := it.SeekGE(b.lower, key.MaxTrailer); kv != nil; kv = it.Next() {
		if !b.contain(kv.Stored) {
			return true, nil
		}
		if ranges.Newest(kv.Stored, key.MaxSeqNum) > kv.Trailer.Seq() {
			continue
		}
		if err := w.stopped(); err != nil {
			return false, err
		}
		if !w.tell(batchrepr.Op{Kind: kv.Trailer.Kind(), Stored: kv.Stored, Value: kv.Value}, kv.Trailer.Seq()) {
			return false, nil
		}
	}
	return true, it.Err()
}
