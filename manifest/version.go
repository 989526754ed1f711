package manifest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// NumLevels is the number of levels of the tree.
const NumLevels = 7

// Level is a level of the tree: 0, where flushes go and tables may overlap, down to NumLevels-1.
type Level int

// Table is what the manifest knows of a table file. It is never changed once it is in a Version.
type Table struct {
	Num  FileNum
	ID   uint64 // the table states the same
	Size int64  // bytes of the file

	// Bounds of the internal keys in it, both inclusive; sequence numbers count SeqBase. A Largest
	// with the trailer key.MaxTrailer, which no entry has, is where a range tombstone ends: the
	// table holds nothing of that stored key.
	Smallest, Largest       key.Internal
	SmallestSeq, LargestSeq key.SeqNum

	// SeqBase is added to the sequence numbers in the file; 0 unless it was made before they were
	// given out.
	SeqBase key.SeqNum

	Entries   uint64
	Deletes   uint64 // of the entries, tombstones
	Shadowed  uint64 // of the entries, those behind a newer one of the same key
	DataBytes uint64 // of stored keys and values

	// Compression is the one that its data blocks were to have, which is not what they got where it
	// did not pay; a number of package sstable.
	Compression uint8

	// RangeDeletes is the number of range tombstones, as spans.
	RangeDeletes uint64

	// Expiring is the number of entries that are values which expire, and the others are their least and greatest expiry, in
	// Unix nanoseconds; all are 0 when there are none.
	Expiring                    uint64
	LeastExpiry, GreatestExpiry int64
}

// EndsBefore tells whether a stored key lies behind everything in the table.
func (t *Table) EndsBefore(stored []byte) bool {
	c := bytes.Compare(t.Largest.Stored, stored)
	return c < 0 || c == 0 && t.Largest.Trailer == key.MaxTrailer
}

// End returns the least byte string that lies behind every stored key in the table, in new memory.
func (t *Table) End() []byte {
	end := bytes.Clone(t.Largest.Stored)
	if t.Largest.Trailer != key.MaxTrailer {
		end = append(end, 0)
	}
	return end
}

// Overlaps tells whether the table's bounds meet the stored keys from lower to upper, both
// inclusive; nil is unbounded.
func (t *Table) Overlaps(lower, upper []byte) bool {
	return (upper == nil || bytes.Compare(t.Smallest.Stored, upper) <= 0) && (lower == nil || !t.EndsBefore(lower))
}

// Covers tells whether the stored key lies within the table's bounds.
func (t *Table) Covers(stored []byte) bool {
	return bytes.Compare(t.Smallest.Stored, stored) <= 0 && !t.EndsBefore(stored)
}

// Version is a state of the tree. It is immutable.
//
//  1. Level 0 is ordered newest first, and no two of its tables share a sequence number.
//  2. Every other level is ordered by key, and no two of its tables share a stored key.
//  3. Where two levels hold entries of one stored key, those of the deeper level are older.
//
// The first two are checked by Check, the third by whoever opens tables.
type Version struct {
	Levels [NumLevels][]*Table
}

// Apply returns the version that follows from an edit.
func (v *Version) Apply(e *Edit) (*Version, error) {
	next := *v
	gone := map[FileNum]Level{}
	for _, d := range e.Deleted {
		gone[d.Num] = d.Level
	}
	for level := range next.Levels {
		next.Levels[level] = slices.DeleteFunc(slices.Clone(v.Levels[level]), func(t *Table) bool {
			if at, ok := gone[t.Num]; ok && at == Level(level) {
				delete(gone, t.Num)
				return true
			}
			return false
		})
	}
	for num, level := range gone {
		return nil, notThere(DeletedTable{Level: level, Num: num})
	}
	for _, a := range e.Added {
		next.Levels[a.Level] = append(next.Levels[a.Level], a.Table)
	}
	for level := range next.Levels {
		next.Levels[level] = sortLevel(Level(level), next.Levels[level], v.Levels[level])
	}
	if err := next.Check(); err != nil {
		return nil, err
	}
	return &next, nil
}

func notThere(d DeletedTable) error {
	return corrupt.Errorf("version edit", "deletes table %d, which is not in level %d", d.Num, d.Level)
}

// sortLevel puts the tables of a level in order. A level that did not change stays the very slice
// that it was.
func sortLevel(level Level, tables, old []*Table) []*Table {
	if slices.Equal(tables, old) {
		return old
	}
	slices.SortFunc(tables, func(a, b *Table) int {
		if level == 0 {
			return cmp.Compare(b.LargestSeq, a.LargestSeq)
		}
		return key.Compare(a.Smallest, b.Smallest)
	})
	return slices.Clip(tables)
}

// Check verifies the invariants that can be seen without opening a table.
func (v *Version) Check() error {
	seen := map[FileNum]bool{}
	for level, tables := range v.Levels {
		for i, t := range tables {
			if seen[t.Num] {
				return corrupt.Errorf("version", "table %d is there twice", t.Num)
			}
			seen[t.Num] = true
			if key.Compare(t.Smallest, t.Largest) > 0 || t.SmallestSeq > t.LargestSeq {
				return corrupt.Errorf("version", "table %d reaches from %v to %v", t.Num, t.Smallest, t.Largest)
			}
			if i == 0 {
				continue
			}
			prev := tables[i-1]
			if level == 0 && t.LargestSeq >= prev.SmallestSeq {
				return corrupt.Errorf("version", "tables %d and %d of level 0 share sequence numbers", prev.Num, t.Num)
			}
			if level > 0 && !prev.EndsBefore(t.Smallest.Stored) {
				return corrupt.Errorf("version", "tables %d and %d of level %d overlap", prev.Num, t.Num, level)
			}
		}
	}
	return nil
}

// Overlaps returns the tables of a level that meet the stored keys from lower to upper, both
// inclusive; nil is unbounded. In levels below 0 that is a part of the level's own slice.
func (v *Version) Overlaps(level Level, lower, upper []byte) []*Table {
	tables := v.Levels[level]
	if level == 0 {
		var found []*Table
		for _, t := range tables {
			if t.Overlaps(lower, upper) {
				found = append(found, t)
			}
		}
		return found
	}
	from := 0
	if lower != nil {
		from = sort.Search(len(tables), func(i int) bool { return !tables[i].EndsBefore(lower) })
	}
	to := len(tables)
	if upper != nil {
		to = sort.Search(len(tables), func(i int) bool { return bytes.Compare(tables[i].Smallest.Stored, upper) > 0 })
	}
	return tables[from:max(from, to)]
}

// Bytes returns the size of a level's files.
func (v *Version) Bytes(level Level) int64 {
	total := int64(0)
	for _, t := range v.Levels[level] {
		total += t.Size
	}
	return total
}

// TotalBytes returns the size of all files.
func (v *Version) TotalBytes() (total int64) {
	for level := range v.Levels {
		total += v.Bytes(Level(level))
	}
	return total
}

// String lists the levels that hold tables, for tests and logs.
func (v *Version) String() string {
	var b bytes.Buffer
	for level, tables := range v.Levels {
		if len(tables) == 0 {
			continue
		}
		fmt.Fprintf(&b, "L%d:", level)
		for _, t := range tables {
			fmt.Fprintf(&b, " %d[%v-%v]", t.Num, t.Smallest, t.Largest)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
