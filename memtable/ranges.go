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
//
// The lists lie in memory of the garbage collector. Where tombstones written one by one all overlap,
// they grow with the square of their number, as there may be readers between any two of them. So a
// table counts as full when they have reached a part of its size.

// rangePart is the part of a table's size that its lists of range tombstones may reach, and at which
// two of them are rather kept apart than merged; minRangeBytes is for small tables.
const (
	rangePart     = 16
	minRangeBytes = 64 << 10
)

// MaxRangeDeletes is how many range tombstones may be inserted as one: a part of what makes a table
// full.
func (t *Table) MaxRangeDeletes() int { return int(t.maxRangeBytes()) / (4 * rangeBytes) }

// rangeBytes is what a tombstone that no other overlaps takes in a list.
const rangeBytes = 80

func (t *Table) maxRangeBytes() int64 { return max(int64(len(t.mem))/rangePart, minRangeBytes) }

// InsertRanges adds range tombstones that become visible together, each a span with one sequence number.
// What Insert demands holds here too; the bounds are copied, the slice is changed.
func (t *Table) InsertRanges(tombstones []rangedel.Span) {
	for i := range tombstones {
		s := &tombstones[i]
		t.totals.RangeDeletes++
		t.totals.DataBytes += int64(len(s.Lower) + len(s.Upper))
		entry := t.newEntry(s.Lower, key.MakeTrailer(s.Seqs[0], key.KindRangeDelete), s.Upper)
		s.Lower, s.Upper = t.storedKey(entry), t.value(entry)
	}
	t.addRanges(rangedel.Cut(rangedel.KeepNewest, tombstones))
	t.freeBytes.Store(t.back - t.front)
}

// addRanges publishes the lists with another one.
func (t *Table) addRanges(added rangedel.List) {
	lists := t.Ranges()
	rest := len(lists)
	for rest > 0 && lists[rest-1].Bytes() <= added.Bytes() && int64(rangedel.MergedBytes(lists[rest-1], added)) <= t.maxRangeBytes() {
		rest--
		added = rangedel.Merge(rangedel.KeepAll, lists[rest], added)
	}
	lists = append(append(make([]rangedel.List, 0, rest+1), lists[:rest]...), added)
	t.rangeBytes = 0
	for _, l := range lists {
		t.rangeBytes += int64(l.Bytes())
	}
	t.ranges.Store(&lists)
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
