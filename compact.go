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
		BaseBytes:  l0CompactTables * db.opts.MemTableSize * 3 / 4, // a full memtable makes a table of that part
		Multiplier: 10,
		TableBytes: db.opts.TableSize,

		Compression: db.opts.Compression.levels(),
	}
}

// compact carries out a plan, in parts. Its claims keep the inputs part of the version.
func (db *DB) compact(ctx context.Context, p *compaction.Plan, spans []compaction.Span) error {
	defer db.step("compact")()
	info := CompactionInfo{
		Job: db.newJob(), Kind: compactionMerge, FromLevel: int(p.Start), ToLevel: int(p.Output),
		Inputs: len(p.Inputs()), InputBytes: p.InputBytes(), InputTables: tableNumbers(p.Inputs()),
	}
	if p.Move {
		info.Kind = compactionMove
	}
	db.beginCompaction(&info)
	emit(db, db.opts.Events.CompactionBegin, info)
	start := time.Now()
	info.Err = db.carryOut(ctx, p, spans, &info)
	info.Duration = time.Since(start)
	if info.Err == nil {
		db.stats.compacted(p, &info)
	}
	db.endJob(info.Job)
	emit(db, db.opts.Events.CompactionEnd, info)
	return info.Err
}

// carryOut does what compact is for, and notes what came of it.
func (db *DB) carryOut(ctx context.Context, p *compaction.Plan, spans []compaction.Span, info *CompactionInfo) error {
	if p.Move {
		return db.installCompaction(p, nil)
	}
	s, err := db.acquire()
	if err != nil {
		return err
	}
	defer s.unref()
	outputs, tables, stats, err := db.merge(ctx, compaction.Job{
		Plan:    p,
		Version: s.tree.version,
		Options: db.shape(),
		Rules:   db.rules(),
		Open:    db.openInput,
		Ranges:  db.rangeDeletes,
	}, spans)
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
	info.Outputs, info.OutputBytes, info.OutputTables = len(tables), stats.BytesOut, tableNumbers(tables)
	info.EntriesIn, info.EntriesOut = stats.EntriesIn, stats.EntriesOut
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
			db.throttle.drained(inputBytes(p.Upper), time.Now())
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
// Compactions run by themselves; calling this is a matter of taste, as before a backup. [All] is the whole store, buckets
// included; other ranges are of keys outside of buckets, see [Bucket.Compact].
// Errors: ErrInvalidRange, ErrClosed, ErrFailed, ErrInvalidOption for a nil ctx, those of ctx, and what
// made the merging fail.
func (db *DB) Compact(ctx context.Context, r Range) error {
	if ctx == nil {
		return db.unlessClosed(errNilContext)
	}
	if err := r.check(); err != nil {
		return db.unlessClosed(err)
	}
	lower, upper := r.stored(0)
	if r.Lower == nil && r.Upper == nil {
		upper = behindAll
	}
	return db.compactStored(ctx, lower, upper)
}

// behindAll lies behind every stored key: the id in front of one has at most four bytes, and the last of them is below 0x80.
var behindAll = []byte{0xff, 0xff, 0xff, 0xff}

// compactStored is Compact for stored keys.
func (db *DB) compactStored(ctx context.Context, lower, upper []byte) error {
	if err := db.Flush(ctx); err != nil {
		return err
	}
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
	p, err := db.claim(ctx, func(v *manifest.Version, opts compaction.Options) *compaction.Plan {
		return compaction.PickRange(v, level, deepest, lower, upper, opts)
	})
	if p == nil || err != nil {
		return nil, err
	}
	defer db.release(p)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(db.background, func() { cancel(ErrClosed) })()
	defer context.AfterFunc(db.workNow(), func() {
		if err := db.writable(); err != nil { // Resume has begun, and the store is not resumed yet
			cancel(err)
		}
	})()
	if err := db.compact(ctx, p, db.split(p)); err != nil {
		return nil, err
	}
	if level == 0 {
		return nil, nil
	}
	return p.Upper[len(p.Upper)-1].End(), nil
}
