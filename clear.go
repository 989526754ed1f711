package tinykv

import (
	"bytes"
	"slices"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
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
	if len(db.state.Load().sealed) > db.throttle.limits.maxSealed {
		return // there was another just before: what it leaves is in memory
	}
	if db.hasSnapshots() {
		return // which see what is under the ranges, so most likely nothing can be dropped
	}
	if err := db.turn(nil); err != nil {
		db.report("seal a memtable early", err) // it is sealed when it is full
	}
}

// clears tells whether a write deletes a range that a whole table falls into.
func (w *write) clears(tr *tree) bool {
	if w.batch == nil {
		return w.kind == key.KindRangeDelete && tr.holdsWithin(key.AppendStored(nil, w.space, w.user), w.value)
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

// rangeDeletesOf returns the range tombstones of a table of the tree. Unlike DB.rangeDeletes it may be asked
// for one that has left the present version.
func (tr *tree) rangeDeletesOf(m *manifest.Table) (rangedel.List, error) {
	for _, l := range tr.levels {
		for _, t := range l.tables {
			if t.meta == m {
				return t.rangeDeletes()
			}
		}
	}
	return nil, nil
}

// dropCovered drops the tables of which range tombstones leave nothing, but for those that a
// compaction has as inputs. It is a job: see jobs.go.
func (db *DB) dropCovered() error {
	s, err := db.acquire()
	if err != nil {
		return err
	}
	defer s.unref()
	ranges := func(m *manifest.Table) (rangedel.List, error) {
		list, err := s.tree.rangeDeletesOf(m)
		if err != nil { // what cannot be read drops nothing; it must not keep others from being compacted
			db.report("look for tables to drop", err)
		}
		return list, nil
	}
	found, err := compaction.Covered(s.tree.version, db.snapshotSeqs(), func(*manifest.Table) bool { return false }, ranges)
	if err != nil {
		return err
	}
	if db.mayExpire.Load() {
		for _, d := range db.expiredTables(s.tree.version) {
			if !slices.Contains(found, d) { // an edit that deletes a table twice cannot be read
				found = append(found, d)
			}
		}
	}
	db.mu.Lock()
	plans := db.claimDropsLocked(found)
	db.mu.Unlock()
	defer db.release(plans...)
	if len(plans) == 0 {
		return nil
	}
	return db.drop(plans)
}

// drop carries out plans to drop tables.
func (db *DB) drop(plans []*compaction.Plan) error {
	e := &manifest.Edit{}
	info := CompactionInfo{Job: db.newJob(), Kind: compactionDrop, FromLevel: int(plans[0].Start)}
	for _, p := range plans {
		e.Deleted = append(e.Deleted, p.Edit(nil).Deleted...)
		info.Inputs += len(p.Inputs())
		info.InputTables = append(info.InputTables, tableNumbers(p.Inputs())...)
		info.InputBytes += p.InputBytes()
		info.FromLevel = min(info.FromLevel, int(p.Start))
		info.ToLevel = max(info.ToLevel, int(p.Start))
	}
	db.beginCompaction(&info)
	emit(db, db.opts.Events.CompactionBegin, info)
	start := time.Now()
	info.Err = db.install(e, nil)
	info.Duration = time.Since(start)
	if info.Err == nil {
		db.stats.dropped.Add(uint64(len(plans)))
		for _, p := range plans {
			for _, t := range p.Inputs() {
				if t.Expiring > 0 && t.GreatestExpiry <= db.clock.last.Load() {
					db.stats.expired.Add(t.Expiring)
				}
			}
		}
	}
	db.endJob(info.Job)
	emit(db, db.opts.Events.CompactionEnd, info)
	return info.Err
}

// claimDropsLocked claims the tables among those found that are still where they were and that no
// compaction has taken: what it makes of them is looked at when it is done.
func (db *DB) claimDropsLocked(found []manifest.DeletedTable) (plans []*compaction.Plan) {
	now := db.state.Load()
	if now == nil {
		return nil
	}
	for _, d := range found {
		p := compaction.PlanDrop(now.tree.version, d)
		if p != nil && !db.jobs.claims.Conflict(p) {
			plans = append(plans, p)
		}
	}
	for _, p := range plans { // only now: they write nothing, and may overlap each other
		db.jobs.claims.Add(p)
	}
	return plans
}
