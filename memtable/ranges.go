package memtable

import (
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// Range tombstones of a table lie in several lists, so that adding one does not mean making all of
// them anew: a new one is a list of its own, and is merged with the list before it while that is not
// larger. So list sizes at least double from the newest to the oldest, there are about log n of
// them, and each tombstone is merged about log n times (the logarithmic method of J. Bentley and
// J. Saxe, "Decomposable Searching Problems", 1980).

// maxRangeDeletes is after how many range tombstones a table counts as full. Where all of them overlap
// each other, the lists take memory that grows with the square of it.
const maxRangeDeletes = 4096

// InsertRange adds a range tombstone on the stored keys from lower up to, but without, upper. What
// Insert demands holds here too; the bounds are copied.
func (t *Table) InsertRange(lower, upper []byte, seq key.SeqNum) {
	entry := t.newEntry(lower, key.MakeTrailer(seq, key.KindRangeDelete), upper)
	added := rangedel.List{{Lower: t.storedKey(entry), Upper: t.value(entry), Seqs: []key.SeqNum{seq}}}
	lists := t.Ranges()
	rest := len(lists)
	for rest > 0 && lists[rest-1].Size() <= added.Size() {
		rest--
		added = rangedel.Merge(lists[rest], added)
	}
	lists = append(append(make([]rangedel.List, 0, rest+1), lists[:rest]...), added)
	t.ranges.Store(&lists)
	t.totals.RangeDeletes++
	t.totals.DataBytes += int64(len(lower) + len(upper))
	t.freeBytes.Store(t.back - t.front)
}

// Ranges returns the range tombstones, which together are those of all lists. They hold as long as
// the table; those added later may be missing.
func (t *Table) Ranges() []rangedel.List {
	if lists := t.ranges.Load(); lists != nil {
		return *lists
	}
	return nil
}

// RangeDeleted returns the newest range tombstone on a stored key that a reader at a sequence number
// sees; 0 when there is none.
func (t *Table) RangeDeleted(stored []byte, at key.SeqNum) key.SeqNum {
	newest := key.SeqNum(0)
	for _, l := range t.Ranges() {
		newest = max(newest, l.Newest(stored, at))
	}
	return newest
}
