package compaction

import (
	"bytes"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// Covered returns the tables of which no reader can see anything, because range tombstones of one
// newer table lie on all that is in them: they can go at once, without being read. Tables for which
// busy returns true are left alone. ranges returns the range tombstones of a table.
//
// The tombstones must be in tables, as those are that are asked for: were one in the log alone, a
// crash could lose it, and earlier writes with it, but not what it did.
func Covered(v *manifest.Version, snapshots []key.SeqNum, busy func(*manifest.Table) bool, ranges func(*manifest.Table) (rangedel.List, error)) ([]manifest.DeletedTable, error) {
	var found []manifest.DeletedTable
	seen := map[manifest.FileNum]bool{}
	for level, tables := range v.Levels {
		for i, t := range tables {
			if t.RangeDeletes == 0 {
				continue
			}
			list, err := ranges(t)
			if err != nil {
				return nil, err
			}
			for _, c := range below(v, manifest.Level(level), i, t) {
				if !seen[c.Table.Num] && !busy(c.Table) && covers(list, c.Table, snapshots) {
					seen[c.Table.Num] = true
					found = append(found, manifest.DeletedTable{Level: c.Level, Num: c.Table.Num})
				}
			}
		}
	}
	return found, nil
}

// below returns the tables that meet the bounds of table i of a level and may hold older entries.
func below(v *manifest.Version, level manifest.Level, i int, t *manifest.Table) (found []manifest.AddedTable) {
	if level == 0 {
		for _, older := range v.Levels[0][i+1:] {
			found = append(found, manifest.AddedTable{Level: 0, Table: older})
		}
	}
	for deeper := level + 1; deeper <= bottom; deeper++ {
		for _, older := range v.Overlaps(deeper, t.Smallest.Stored, t.Largest.Stored) {
			found = append(found, manifest.AddedTable{Level: deeper, Table: older})
		}
	}
	return found
}

// covers tells whether tombstones lie on every stored key from the table's least to its greatest that
// are newer than the table, and whether no snapshot sees the table without them.
func covers(list rangedel.List, t *manifest.Table, snapshots []key.SeqNum) bool {
	at := t.Smallest.Stored
	for _, span := range list[list.Search(at):] {
		if bytes.Compare(span.Lower, at) > 0 {
			return false
		}
		seq := oldestAbove(span.Seqs, t.LargestSeq)
		if seq == 0 || seesBetween(snapshots, t.SmallestSeq, seq) {
			return false
		}
		if at = span.Upper; t.EndsBefore(at) {
			return true
		}
	}
	return false
}

// oldestAbove returns the least of some sequence numbers, newest first, that is above another; 0 when
// there is none.
func oldestAbove(seqs []key.SeqNum, above key.SeqNum) (found key.SeqNum) {
	for _, seq := range seqs {
		if seq <= above {
			break
		}
		found = seq
	}
	return found
}

// seesBetween tells whether a snapshot was taken from one sequence number on and before another.
func seesBetween(snapshots []key.SeqNum, from, before key.SeqNum) bool {
	for _, s := range snapshots {
		if s >= from && s < before {
			return true
		}
	}
	return false
}
