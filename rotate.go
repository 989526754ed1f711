package tinykv

import (
	"context"
	"time"

	"github.com/tinykv/tinykv/internal/key"
)

// rotate seals the active memtable and puts an empty one, with a log segment of its own, in its
// place. It waits while flushes or compactions are too far behind. Only the committer calls it.
// When it fails, nothing has changed. nextKey is the first stored key that will be written.
func (db *DB) rotate(ctx context.Context, nextKey []byte) error {
	start := time.Now()
	if err := db.waitForRoom(ctx); err != nil {
		return err
	}
	defer func() { db.stats.rotated(time.Since(start)) }()
	return db.turn(nextKey)
}

// turn is rotate without the wait.
func (db *DB) turn(nextKey []byte) error {
	table, err := db.mems.take(db.active.table.LearnPrefix(nextKey))
	if err != nil {
		return err
	}
	log := db.log.Load()
	segment, err := log.Rotate()
	if err != nil {
		db.mems.put(table)
		return db.logFailure(log, err)
	}
	db.replaceActive(&mem{table: table, pool: db.mems, first: segment})
	return nil
}

// replaceActive seals the active memtable and publishes a state with another one in its place.
func (db *DB) replaceActive(fresh *mem) {
	db.active.lastSeq = key.SeqNum(db.visible.Load())
	db.mu.Lock()
	now := db.state.Load()
	sealed := append([]*mem{db.active}, now.sealed...)
	old := db.publishLocked(newReadState(fresh, sealed, now.tree))
	db.active = fresh
	db.scheduleFlushLocked()
	db.mu.Unlock()
	old.unref()
}

// waitForRoom waits until another memtable may be sealed: for a flush when too many are sealed, for a
// compaction when level 0 is too large. It gives up when ctx ends, when the store closes or fails, or
// when what it waits for fails.
func (db *DB) waitForRoom(ctx context.Context) error {
	flush := patience{worker: &db.flushes, start: db.scheduleFlushLocked}
	compaction := patience{worker: &db.jobs.state, start: db.scheduleCompactionLocked}
	reason := ""
	room := func() (bool, error) {
		if db.closing {
			return false, ErrClosed // no flush begins any more
		}
		if err := db.writable(); err != nil {
			return false, err
		}
		switch s := db.state.Load(); {
		case len(s.sealed) >= db.throttle.limits.maxSealed:
			reason = stallMemTables
			return false, db.promptOutcomeLocked(&flush)
		case len(s.tree.levels[0].tables) >= db.throttle.limits.stopTables:
			reason = stallLevel0
			return false, db.promptOutcomeLocked(&compaction)
		}
		return true, nil
	}
	db.mu.Lock()
	ok, err := room()
	db.mu.Unlock()
	if ok || err != nil {
		return err
	}
	return db.stall(ctx, reason, room)
}

// stall is waitUntil for a committer, who tells that writers are stopped.
func (db *DB) stall(ctx context.Context, reason string, done func() (bool, error)) error {
	emit(db, db.opts.Events.StallBegin, StallInfo{Reason: reason})
	start := time.Now()
	err := db.waitUntil(ctx, done)
	emit(db, db.opts.Events.StallEnd, StallInfo{Reason: reason, Duration: time.Since(start), Err: err})
	return err
}
