package tinykv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/wal"
)

// A store that has failed still has in memory what was acknowledged. What it does not know is what its log
// and its manifest hold on stable storage: after a failed sync, asking again proves nothing. So it goes on
// without either:
//
//  1. No commit is under way, and no background work.
//  2. All that is in memory is written to new tables, and synced.
//  3. A new log is begun, which nothing is written to yet.
//  4. A new manifest says: these tables and those from before, and the new log. CURRENT is switched to it.
//  5. The failed log, the manifest before, and tables whose edits failed are given up.
//
// A write that returned an error is in none of the new files. Until the switch, the next opening finds
// the files that a failed store leaves; after it, none of them counts any more. So such a write is found
// by the next opening as long as there is nothing newer than it, and never afterwards.
//
// What fails before the switch leaves nothing behind. A switch that fails leaves unknown which manifest is in
// force, so that the files of both stay.

// Resume makes a store that has failed take writes again, once the cause is mended: when there is room on the
// disk again, say. It returns when everything that was acknowledged is on stable storage. Writes that returned
// an error have not taken effect, for good. In a store that has not failed it does no more than to have a full disk
// tried again at the next write, without a pause.
//
// Resume may be called while others read and write; writes get ErrFailed until it has succeeded. Compactions under way
// are given up and begin again. When it fails, nothing has changed, and it may be called again. From a function of
// Events it is called in a goroutine of its own: go db.Resume().
// Errors: ErrClosed, ErrReadOnly for a store opened so, and what stands in the way.
func (db *DB) Resume() error {
	if db.state.Load() == nil {
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return errOpenReadOnly
	}
	if err := db.exclusively(db.resume); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}

// resume is Resume for the committer.
func (db *DB) resume() error {
	db.logFiles.forget() // who calls Resume says that things have changed
	db.forgetPauses()
	failed := db.failure.Load()
	if failed == nil || db.state.Load() == nil {
		return db.unlessClosed(nil)
	}
	db.tellFailure() // if those who met it have not come to it yet
	if err := db.quiesce(); err != nil {
		return err
	}
	defer db.wakeUp()
	if err := db.startAnew(); err != nil {
		return err
	}
	db.opts.Logger.Info("tinykv: store takes writes again", "dir", db.dir, "failure", failed.cause)
	db.stats.resumes.Add(1)
	return nil
}

// forgetPauses has flushes and compactions that failed tried again as soon as somebody waits for them.
func (db *DB) forgetPauses() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.flushes.pause, db.jobs.state.pause = 0, 0
}

// quiesce waits until no background work uses log or manifest, and keeps it from beginning.
func (db *DB) quiesce() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.resuming = true
	for db.flushes.running || db.jobs.running > 0 || db.jobs.claims.Len() > 0 || db.preparing.Load() || db.renewing {
		if db.closing {
			db.resuming = false
			return ErrClosed
		}
		db.interrupt() // one that CompactionRate slows down would hold up everybody
		db.waitLocked()
	}
	return nil
}

// workNow returns the context of compactions that begin now.
func (db *DB) workNow() context.Context {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.work
}

// wakeUp lets background work begin again.
func (db *DB) wakeUp() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.resuming = false
	db.work, db.interrupt = context.WithCancel(db.background)
	if db.failure.Load() == nil {
		for _, w := range []*worker{&db.flushes, &db.jobs.state} {
			w.settled()
		}
		db.scheduleCompactionLocked()
		db.paceLocked()
	}
	db.changed.Broadcast()
}

// startAnew does what is told above. Nobody else writes.
func (db *DB) startAnew() error {
	table, err := db.mems.take(nil)
	if err != nil {
		return err
	}
	now := db.state.Load()
	var m made
	first := db.unusedSegment()
	switching, err := db.makeAnew(now, first, &m)
	switch {
	case err == nil:
		db.goOn(&mem{table: table, pool: db.mems, first: first}, m.log, m.manifest)
		return nil
	case switching:
		db.uncertainNow(m)
	default:
		db.discard(m)
	}
	db.mems.put(table)
	return err
}

// makeAnew makes the new files and puts them in force. When it fails, it tells whether that was in the switch.
func (db *DB) makeAnew(s *readState, first wal.SegmentNum, m *made) (switching bool, err error) {
	outputs := db.newOutputs(db.background, 0)
	m.outputs = outputs
	if m.tables, err = db.rescue(s, outputs); err != nil {
		return false, err
	}
	if err := db.clearLogs(); err != nil {
		return false, err
	}
	if m.log, err = db.createLog(db.inForce().State().Store, first, key.SeqNum(db.visible.Load())); err != nil {
		return false, fmt.Errorf("begin write-ahead log: %w", err)
	}
	if m.manifest, err = db.newManifest(s, m.tables, first); err != nil {
		return false, err
	}
	return true, m.manifest.Switch()
}

// rescue writes what is in memory to new tables of level 0.
func (db *DB) rescue(s *readState, outputs *compaction.Outputs) ([]*manifest.Table, error) {
	mems := append([]*mem{s.active}, s.sealed...)
	tables, err := compaction.Flush(context.Background(), mergedMemtables(mems), rangesOf(mems), db.rules(), outputs)
	if err != nil {
		return nil, err
	}
	return tables, db.openNew(tables)
}

// unusedSegment returns a number that no log segment has, nor had one that could not be begun.
func (db *DB) unusedSegment() wal.SegmentNum {
	last := db.log.Load().Number() + 1
	for _, m := range db.uncertainLogs() {
		last = max(last, m.Number())
	}
	return last + 1
}

// uncertainLogs returns the logs of switches that failed.
func (db *DB) uncertainLogs() (logs []*wal.Log) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, m := range db.uncertain {
		if m.log != nil {
			logs = append(logs, m.log)
		}
	}
	return logs
}

// clearLogs removes the log files that hold nothing: spare ones, and one whose header could not be written,
// which the next opening would take for damage.
func (db *DB) clearLogs() error {
	log := db.log.Load()
	if err := log.Trim(); err != nil {
		return err
	}
	l, err := list(db.opts, db.dir)
	if err != nil {
		return err
	}
	live := log.Files()
	for _, other := range db.uncertainLogs() {
		live = append(live, other.Files()...)
	}
	for _, num := range l.logs {
		path := filepath.Join(db.dir, manifest.Name(manifest.FileLog, num))
		if slices.Contains(live, path) {
			continue
		}
		if err := db.fs.Remove(path); err != nil && !errors.Is(err, errNotExist) {
			return err
		}
	}
	return nil
}

// newManifest makes the manifest of the store as readers see it, with what is in memory in tables.
func (db *DB) newManifest(s *readState, tables []*manifest.Table, first wal.SegmentNum) (*manifest.Manifest, error) {
	before := db.inForce().State()
	state := manifest.State{Store: before.Store, Version: s.tree.version, Spaces: db.spaces.Load(), MergeOperator: before.MergeOperator}
	e := &manifest.Edit{
		NextFile: manifest.FileNum(db.nextFile.Load()),
		LastSeq:  key.SeqNum(db.visible.Load()),
		Log:      &manifest.LogState{First: first, Exists: true},
		Expiry:   db.expiryState(),
	}
	for _, t := range tables {
		e.Added = append(e.Added, manifest.AddedTable{Level: 0, Table: t})
	}
	state, err := state.Apply(e)
	if err != nil {
		return nil, err
	}
	return db.firstManifest(&state)
}

// goOn gives the store its new log, manifest and memtable, and gives up the old ones.
func (db *DB) goOn(active *mem, log *wal.Log, fresh *manifest.Manifest) {
	db.manifestMu.Lock()
	manifests := []*manifest.Manifest{db.manifest}
	if half := db.renewal.fresh; half != nil {
		manifests = append(manifests, half)
	}
	db.manifest, db.renewal = fresh, renewal{}
	db.stats.flushedSeq.Store(uint64(fresh.State().LastSeq))
	db.mu.Lock()
	now := db.state.Load()
	tr := newTree(fresh.State().Version, now.tree, db.handleLocked, db.files.cache)
	old := db.publishLocked(newReadState(active, nil, tr))
	oldLog, uncertain := db.log.Load(), db.uncertain
	db.active, db.uncertain = active, nil
	db.log.Store(log)
	db.failure.Store(nil)
	if tr.rangeDeletes {
		db.mayCover.Store(true)
	}
	db.changed.Broadcast()
	db.mu.Unlock()
	db.manifestMu.Unlock()

	old.unref()
	for _, m := range uncertain {
		db.discard(m)
	}
	if err := oldLog.Remove(); err != nil {
		db.report("remove failed log", err)
	}
	db.stats.pastLogs.written.Add(oldLog.Written())
	db.stats.pastLogs.zeroed.Add(oldLog.Zeroed())
	for _, m := range manifests {
		if err := m.Close(); err != nil {
			db.report("close failed manifest", err)
		}
		db.scheduleRemoval(m.Path(), 0)
	}
}
