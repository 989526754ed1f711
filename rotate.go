package tinykv

import (
	"time"

	"github.com/tinykv/tinykv/internal/key"
)

// rotate seals the active memtable and puts an empty one, with a log segment of its own, in its
// place. It waits while flushes or compactions are too far behind. Only the committer calls it.
// When it fails, nothing has changed. nextKey is the first stored key that will be written.
func (db *DB) rotate(nextKey []byte) error {
	start := time.Now()
	if err := db.waitForFlushes(); err != nil {
		return err
	}
	defer func() { db.stats.rotated(time.Since(start)) }()
	table, err := db.mems.take(db.active.table.LearnPrefix(nextKey))
	if err != nil {
		return err
	}
	segment, err := db.log.Rotate()
	if err != nil {
		db.mems.put(table)
		return db.logFailure(err)
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

// waitForFlushes waits until another memtable may be sealed. It gives up when the store closes or
// fails, or when flushes fail.
func (db *DB) waitForFlushes() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	for {
		if err := db.writable(); err != nil {
			return err
		}
		if db.closing {
			return ErrClosed // no flush begins any more
		}
		s := db.state.Load()
		if len(s.sealed) < maxSealed && len(s.tree.levels[0].tables) < l0StopTables {
			return nil
		}
		if err := db.flushes.err; err != nil {
			return err
		}
		if err := db.compactions.err; err != nil {
			return err
		}
		db.waitLocked()
	}
}
