package tinykv

import (
	"bytes"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// A range deletion that whole tables fall into gives their space back without anything being read or
// merged: the memtable is sealed at once, and when the tombstone has arrived in a table, one version
// edit drops the tables under it. So clearing a store takes as long as flushing one memtable.

// sealForClear seals the active memtable when the range deletions of a group that was just committed
// have whole tables under them. Only the committer calls it.
func (db *DB) sealForClear(own *write, group *request) {
	tr := db.state.Load().tree
	clears := own.clears(tr)
	for r := group; r != nil && !clears; r = r.next {
		clears = r.clears(tr)
	}
	if !clears {
		return
	}
	if len(db.state.Load().sealed) > maxSealed {
		return // there was another just before: what it leaves is in memory
	}
	if err := db.turn(nil); err != nil {
		db.report("seal a memtable early", err) // it is sealed when it is full
	}
}

// clears tells whether a write deletes a range that a whole table falls into.
func (w *write) clears(tr *tree) bool {
	if w.batch == nil {
		return w.kind == key.KindRangeDelete && tr.holdsWithin(key.AppendStored(nil, 0, w.user), w.value)
	}
	if w.batch.ranges == 0 {
		return false
	}
	for op := range w.batch.ops() {
		if op.Kind == key.KindRangeDelete && tr.holdsWithin(op.Stored, op.Value) {
			return true
		}
	}
	return false
}

// holdsWithin tells whether a whole table lies from a stored key up to, but without, another.
func (tr *tree) holdsWithin(lower, upper []byte) bool {
	within := func(t *table) bool {
		return bytes.Compare(t.meta.Smallest.Stored, lower) >= 0 && t.meta.EndsBefore(upper)
	}
	for _, t := range tr.levels[0].tables {
		if within(t) {
			return true
		}
	}
	for _, l := range tr.levels[1:] {
		tables := l.overlapping(lower, upper)
		if n := len(tables); n > 2 || n > 0 && (within(tables[0]) || within(tables[n-1])) {
			return true
		}
	}
	return false
}

// dropCovered drops the tables of which range tombstones leave nothing, and reports whether there
// were any. No compaction has them as inputs: db.compactMu is held.
func (db *DB) dropCovered() (dropped bool, err error) {
	if !db.mayCover.Swap(false) {
		return false, nil
	}
	s, err := db.acquire()
	if err != nil {
		return false, err
	}
	defer s.unref()
	deleted, err := compaction.Covered(s.tree.version, db.snapshotSeqs(), func(*manifest.Table) bool { return false }, db.rangeDeletes)
	if err != nil || len(deleted) == 0 {
		return false, err
	}
	db.stats.dropped.Add(uint64(len(deleted)))
	return true, db.install(&manifest.Edit{Deleted: deleted}, nil)
}
