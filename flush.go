package tinykv

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// scheduleFlushLocked starts the flushing of sealed memtables.
func (db *DB) scheduleFlushLocked() {
	db.startLocked(&db.flushes, func() (bool, error) { return db.flushOldest(db.background) }, func() bool { return len(db.state.Load().sealed) > 0 })
}

// flushBytes is how large memtables may be together that are written to one table. A flush takes a few
// syncs whatever its size; when these are slow, small memtables pile up, and the next flush is larger.
const flushBytes = 16 << 20

// flushOldest writes the oldest sealed memtable, or several small ones, to a table of level 0.
func (db *DB) flushOldest(ctx context.Context) (more bool, err error) {
	oldest, next := db.state.Load().oldestSealed(max(int(flushBytes/db.opts.MemTableSize), 1))
	if len(oldest) == 0 {
		return false, nil
	}
	defer db.step("flush")()
	info := FlushInfo{Job: db.newJob(), MemTables: len(oldest)}
	for _, m := range oldest {
		info.MemTableBytes += m.table.Used()
	}
	db.beginJob(JobLayout{Job: info.Job, Kind: jobFlush, FromLevel: -1})
	emit(db, db.opts.Events.FlushBegin, info)
	start := time.Now()
	tables, err := db.flush(ctx, info.Job, oldest, next)
	info.Duration, info.Err = time.Since(start), err
	if err == nil {
		info.Tables, info.Bytes, info.OutputTables = len(tables), inputBytes(tables), tableNumbers(tables)
		db.stats.flushed(tables, info.Duration)
	}
	db.endJob(info.Job)
	emit(db, db.opts.Events.FlushEnd, info)
	return err == nil, err
}

// flush writes memtables to tables, and gives up their log. next is the memtable that follows them.
//
// Order that durability leans on: the table is synced, then the directory; the log, whose next
// segment the edit names, at the same time; then the edit; only then is the log before that segment
// given up.
func (db *DB) flush(ctx context.Context, job uint64, oldest []*mem, next *mem) ([]*manifest.Table, error) {
	log := db.log.Load()
	logSynced := db.later(log.Sync)
	outputs := db.newOutputs(db.background, 0)
	tables, err := compaction.Flush(ctx, mergedMemtables(oldest), rangesOf(oldest), db.rules(), outputs)
	if err == nil {
		err = db.adopt(outputs, tables)
	}
	if lerr := logSynced(); lerr != nil {
		if err == nil {
			db.disown(outputs, tables)
		}
		return nil, errors.Join(db.logFailure(log, lerr), err)
	}
	if err != nil {
		return nil, err
	}
	e := &manifest.Edit{
		LastSeq: oldest[0].lastSeq,
		Log:     &manifest.LogState{First: next.first, Exists: true},
	}
	for _, t := range tables {
		e.Added = append(e.Added, manifest.AddedTable{Level: 0, Table: t})
	}
	err = db.install(e, func(sealed []*mem) []*mem {
		db.endJobLocked(job) // whoever waits for the flush finds that it is over
		return slices.Clone(sealed[:len(sealed)-len(oldest)])
	})
	if err != nil {
		db.disown(outputs, tables)
		return nil, err
	}
	if err := log.Retire(next.first); err != nil {
		db.report("retire log segments", err)
	}
	db.rester.arm()
	return tables, nil
}

// oldestSealed returns the memtables to be flushed next, at most n, newest first, and the one that
// follows them. All must come from one state: a later one may have sealed others in between, whose log
// must not be given up.
func (s *readState) oldestSealed(n int) (oldest []*mem, next *mem) {
	first := max(len(s.sealed)-n, 0)
	if first == 0 {
		return s.sealed, s.active
	}
	return s.sealed[first:], s.sealed[first-1]
}

// rangesOf returns the range tombstones of memtables.
func rangesOf(mems []*mem) (lists []rangedel.List) {
	for _, m := range mems {
		lists = append(lists, m.table.Ranges()...)
	}
	return lists
}

// mergedMemtables returns an iterator over the entries of memtables.
func mergedMemtables(mems []*mem) iterator.Iterator {
	sources := make([]iterator.Iterator, len(mems))
	for i, m := range mems {
		sources[i] = m.table.NewIter()
	}
	return iterator.Merge(sources...)
}

// Flush writes everything in memory to tables and returns once they are on stable storage.
// Errors: ErrClosed, ErrFailed, ErrInvalidOption for a nil ctx, those of ctx, and what made the
// writing fail.
func (db *DB) Flush(ctx context.Context) error {
	if ctx == nil {
		return db.unlessClosed(errNilContext)
	}
	var last *mem
	err := db.exclusivelyWithin(ctx, func() error {
		if err := db.writable(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !db.active.table.Empty() {
			if err := db.rotate(ctx, nil); err != nil {
				return err
			}
		}
		if s := db.state.Load(); len(s.sealed) > 0 {
			last = s.sealed[0]
		}
		return nil
	})
	if err != nil || last == nil {
		return err
	}
	attempt := patience{worker: &db.flushes, start: db.scheduleFlushLocked}
	return db.waitUntil(ctx, func() (bool, error) {
		s := db.state.Load()
		if s == nil {
			return false, ErrClosed
		}
		if !slices.Contains(s.sealed, last) {
			return true, nil
		}
		return false, db.outcomeLocked(&attempt)
	})
}

// waitUntil waits until done returns true or an error. done runs with db.mu held.
func (db *DB) waitUntil(ctx context.Context, done func() (bool, error)) error {
	stop := context.AfterFunc(ctx, func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		db.changed.Broadcast()
	})
	defer stop()
	db.mu.Lock()
	defer db.mu.Unlock()
	for {
		ok, err := done()
		switch {
		case ok:
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case db.closing:
			return ErrClosed
		}
		if err := db.failure.Load(); err != nil {
			return err
		}
		db.waitLocked()
	}
}
