package tinykv

import (
	"bytes"
	"errors"
	"slices"

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

// tellLarge tells what a large batch comes to, as one batch, whatever the number of its tables. It comes in the order of keys, not of operations; so its
// events are numbered in the order in which they are told, within the numbers of the batch. Only the last one has the last number: whoever
// goes on behind it has been told all, and behind any other is told the batch again. With the numbers of operations, one in the middle could have the last.
func (w *watcher) tellLarge(t *feedTables) (goesOn bool, err error) {
	for _, one := range t.tables {
		if goesOn, err = w.tellTable(one); err != nil || !goesOn {
			return false, err
		}
	}
	w.event.Seq = uint64(t.last)
	if !w.flush() {
		return false, nil
	}
	w.seq = t.last
	return true, nil
}

// tellTable tells what a table of a large batch comes to. Its events are numbered from the least number in it on. They are not more than
// the operations in it: several range deletions give no more stretches that do not touch than they are.
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
	next := t.meta.SmallestSeq
	for _, b := range stretches(ranges) {
		if e, ok := w.rangeEvent(b.lower, b.upper); ok {
			if !w.put(e, next) {
				return false, nil
			}
			next++
		}
	}
	it, err := t.stream()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for i := range w.known {
		if goesOn, err = w.tellEntries(it, ranges, &w.known[i], &next); err != nil || !goesOn {
			return false, err
		}
	}
	return true, nil
}

// stretches returns what range deletions are on, those in one where they touch within a keyspace.
func stretches(ranges rangedel.List) (all []bounds) {
	for _, span := range ranges {
		space, _, _ := key.SplitStored(span.Lower)
		if n := len(all); n > 0 && all[n-1].space == space && bytes.Equal(all[n-1].upper, span.Lower) {
			all[n-1].upper = span.Upper
			continue
		}
		all = append(all, bounds{space, span.Lower, span.Upper})
	}
	return all
}

// tellEntries tells the entries within some bounds that no range deletion of the same batch hides, with numbers from next on. Where operands on a key were
// not put together there are several of it, newest first.
func (w *watcher) tellEntries(it iterator.Iterator, ranges rangedel.List, b *bounds, next *key.SeqNum) (goesOn bool, err error) {
	var same []Event // of one key
	tell := func() bool {
		for _, e := range slices.Backward(same) {
			if !w.put(e, *next) {
				return false
			}
			*next++
		}
		same = same[:0]
		return true
	}
	for kv := it.SeekGE(b.lower, key.MaxTrailer); kv != nil && b.contain(kv.Stored); kv = it.Next() {
		if ranges.Newest(kv.Stored, key.MaxSeqNum) > kv.Trailer.Seq() {
			continue
		}
		if err := w.stopped(); err != nil {
			return false, err
		}
		e := eventOf(batchrepr.Op{Kind: kv.Trailer.Kind(), Stored: kv.Stored, Value: kv.Value})
		if len(same) > 0 && !bytes.Equal(same[0].Key, e.Key) && !tell() {
			return false, nil
		}
		same = append(same, e)
	}
	if err := it.Err(); err != nil {
		return false, err
	}
	return tell(), nil
}
