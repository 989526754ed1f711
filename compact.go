package tinykv

import (
	"bytes"
	"context"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// shape returns the options of the compaction picker.
func (db *DB) shape() compaction.Options {
	return compaction.Options{
		L0Tables:   l0CompactTables,
		BaseBytes:  l0CompactTables * db.opts.MemTableSize,
		Multiplier: 10,
		TableBytes: db.opts.TableSize,

		Compression: db.opts.Compression.levels(),
	}
}

// scheduleCompactionLocked starts compactions if one is due.
func (db *DB) scheduleCompactionLocked() {
	db.startLocked(&db.compactions, db.compactNext, func() bool { return db.mayCover.Load() || db.pickNext() != nil })
}

func (db *DB) pickNext() *compaction.Plan {
	s := db.state.Load()
	if s == nil {
		return nil
	}
	return compaction.Pick(s.tree.version, db.shape(), func(*manifest.Table) bool { return false })
}

// compactNext runs the compaction that is most urgent.
func (db *DB) compactNext() (more bool, err error) {
	db.compactMu.Lock()
	defer db.compactMu.Unlock()
	if dropped, err := db.dropCovered(); dropped || err != nil {
		return true, err
	}
	p := db.pickNext()
	if p == nil {
		return false, nil
	}
	return true, db.compact(db.background, p)
}

// compact carries out a plan. db.compactMu is held, so that the inputs stay part of the version.
func (db *DB) compact(ctx context.Context, p *compaction.Plan) error {
	defer db.step("compact")()
	start := time.Now()
	if p.Move {
		db.stats.moved(p)
		return db.installCompaction(p, nil)
	}
	s, err := db.acquire()
	if err != nil {
		return err
	}
	defer s.unref()
	outputs := db.newOutputs(p.Output)
	tables, stats, err := compaction.Run(ctx, &compaction.Job{
		Plan:      p,
		Version:   s.tree.version,
		Options:   db.shape(),
		Snapshots: db.snapshotSeqs(),
		Open:      db.openInput,
		Ranges:    db.rangeDeletes,
		Outputs:   outputs,
	})
	if err != nil {
		return err
	}
	if err := db.adopt(outputs, tables); err != nil {
		return err
	}
	if err := db.installCompaction(p, tables); err != nil {
		db.disown(outputs, tables)
		return err
	}
	db.stats.compacted(p, stats, time.Since(start))
	return nil
}

// openInput returns an iterator over a table of the present version.
func (db *DB) openInput(m *manifest.Table) (iterator.Iterator, error) {
	db.mu.Lock()
	t := db.handleLocked(m)
	db.mu.Unlock()
	return t.stream()
}

// rangeDeletes returns the range tombstones of a table of the present version.
func (db *DB) rangeDeletes(m *manifest.Table) (rangedel.List, error) {
	db.mu.Lock()
	t := db.handleLocked(m)
	db.mu.Unlock()
	return t.rangeDeletes()
}

func (db *DB) installCompaction(p *compaction.Plan, tables []*manifest.Table) error {
	return db.install(p.Edit(tables), func(sealed []*mem) []*mem {
		if p.Start == 0 {
			db.throttle.compacted(inputBytes(p.Upper), time.Now())
		}
		return sealed
	})
}

func inputBytes(tables []*manifest.Table) (total int64) {
	for _, t := range tables {
		total += t.Size
	}
	return total
}

// Compact merges everything in a range down to the deepest level that holds any of it, and drops
// what no reader can see any more: overwritten and deleted entries. Tables there that were written
// under another Options.Compression are written anew. It returns when that is done.
// Compactions run by themselves; calling this is a matter of taste, as before a backup.
// Errors: ErrInvalidRange, ErrClosed, ErrFailed, ErrInvalidOption for a nil ctx, those of ctx, and what
// made the merging fail.
func (db *DB) Compact(ctx context.Context, r Range) error {
	if ctx == nil {
		return errNilContext
	}
	if err := r.check(); err != nil {
		return err
	}
	if err := db.Flush(ctx); err != nil {
		return err
	}
	lower, upper := r.stored(0)
	if bytes.Compare(lower, upper) >= 0 {
		return nil
	}
	for level := manifest.Level(0); ; level++ {
		s, err := db.acquire()
		if err != nil {
			return err
		}
		deepest := compaction.Deepest(s.tree.version, lower, upper)
		s.unref()
		if level > deepest && level > 0 {
			return nil
		}
		if err := db.compactLevel(ctx, level, deepest, lower, upper); err != nil {
			return err
		}
	}
}

// compactLevel carries one level's tables of a range down by one, from the least key to the
// greatest; or, at the deepest level, rewrites those that hold something to drop.
func (db *DB) compactLevel(ctx context.Context, level, deepest manifest.Level, lower, upper []byte) error {
	for lower != nil {
		next, err := db.compactFrom(ctx, level, deepest, lower, upper)
		if err != nil {
			return err
		}
		lower = next
		db.settle()
	}
	return nil
}

// compactFrom carries out the next compaction of a level, and returns the key from which to go on,
// or nil.
func (db *DB) compactFrom(ctx context.Context, level, deepest manifest.Level, lower, upper []byte) (next []byte, err error) {
	if err := db.writable(); err != nil {
		return nil, err
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.running.Done()
	db.compactMu.Lock()
	defer db.compactMu.Unlock()
	s, err := db.acquire()
	if err != nil {
		return nil, err
	}
	p := compaction.PickRange(s.tree.version, level, deepest, lower, upper, db.shape())
	s.unref()
	if p == nil {
		return nil, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(db.background, func() { cancel(ErrClosed) })()
	if err := db.compact(ctx, p); err != nil {
		return nil, err
	}
	if level == 0 {
		return nil, nil
	}
	return p.Upper[len(p.Upper)-1].End(), nil
}
