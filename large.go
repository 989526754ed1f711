package tinykv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// A batch that would fill a good part of a memtable, or has many range deletions, goes neither through the log nor through a
// memtable. It is sorted and written to a table of level 0, without holding up anyone, with sequence
// numbers that count from 1. Then, alone, the writer has the memtables flushed, so that nothing
// older is outside of tables, and adds the table by a version edit that also says what to add to
// its sequence numbers. The edit makes the batch durable and visible, all at once.

// largeWrite is a batch that has become a table, not yet part of the store.
type largeWrite struct {
	db      *DB
	outputs *compaction.Outputs
	table   *manifest.Table
	level   manifest.Level // where the table goes
	ops     int
	batch   *Batch

	disowned bool // by the store, which has seen to the table
}

// commitLarge makes a large batch take effect. Its table goes to level 0, or to the last one, where nothing that the store
// holds, or will hold before the next such batch, is as great as its least key.
func (db *DB) commitLarge(b *Batch, level manifest.Level) error {
	start := db.sampler.now()
	defer func() { db.sampler.writes.record(db.sampler.now()-start, 1, 0) }()
	b = b.named()
	for {
		if db.mustSettle(&write{batch: b}) {
			return db.exclusively(func() error { return db.settleLarge(b, level) })
		}
		l, err := db.prepareBound(b, level)
		if err != nil {
			return err
		}
		err = db.exclusively(func() error {
			if db.mustSettle(&write{batch: b}) { // since a moment ago
				l.abandon()
				return db.settleLarge(b, level)
			}
			return l.install()
		})
		if !errors.Is(err, errDropped) {
			return err
		}
	}
}

// commitLargeTx is commitLarge for a transaction.
func (db *DB) commitLargeTx(b *Batch, c *txCommit) error {
	settle := func() error {
		if err := c.check(); err != nil {
			return err
		}
		return db.settleLarge(b, 0)
	}
	for {
		if db.mustSettle(&write{batch: b}) {
			return db.exclusively(settle)
		}
		l, err := db.prepareBound(b, 0)
		if err != nil {
			return err
		}
		err = db.exclusively(func() error {
			if db.mustSettle(&write{batch: b}) { // since a moment ago
				l.abandon()
				return settle()
			}
			if err := c.check(); err != nil {
				l.abandon()
				return err
			}
			return l.install()
		})
		if !errors.Is(err, errDropped) {
			return err
		}
	}
}

// errDropped is what installLarge returns when a bucket of the batch was dropped since its table was written, or gets another id than was guessed.
var errDropped = errors.New("tinykv: bucket dropped meanwhile")

// settleLarge commits a large batch with merges that may follow values which expire. Only the leader calls it; so all others wait while
// the table is made.
func (db *DB) settleLarge(b *Batch, level manifest.Level) error {
	w := write{batch: b, spaces: unbound}
	names, err := db.bindByGuess(&w)
	if err != nil {
		return err
	}
	settled, err := db.settledBatch(w.batch)
	if err != nil {
		return err
	}
	l, err := db.prepareLarge(settled, level)
	if err != nil {
		return err
	}
	if err := db.makeBuckets(names...); err != nil {
		l.abandon()
		return err
	}
	return l.install()
}

// install makes the table part of the store, or removes it.
func (l *largeWrite) install() error {
	err := l.db.installLarge(l)
	if err != nil {
		l.abandon()
	}
	return err
}

// prepareLarge writes the table.
func (db *DB) prepareLarge(b *Batch, level manifest.Level) (*largeWrite, error) {
	if err := db.writable(); err != nil {
		return nil, err
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.running.Done()
	ops := make([]numberedOp, 0, b.Len())
	var ranges []rangedel.Span
	seq := key.SeqNum(0)
	for op := range b.ops() {
		seq++
		if op.Kind == key.KindRangeDelete {
			ranges = append(ranges, tombstone(op, seq))
			continue
		}
		ops = append(ops, numberedOp{op, seq})
	}
	slices.SortFunc(ops, func(a, b numberedOp) int {
		return cmp.Or(bytes.Compare(a.Stored, b.Stored), cmp.Compare(b.seq, a.seq))
	})
	l := &largeWrite{db: db, outputs: db.newOutputs(db.background, level), level: level, ops: b.Len(), batch: b}
	tables, err := compaction.Flush(db.background, &opsIter{ops: ops}, []rangedel.List{rangedel.Cut(rangedel.KeepNewest, ranges)}, db.rulesWithout(), l.outputs)
	if err != nil {
		return nil, err
	}
	l.table = tables[0]
	return l, nil
}

// opsIter goes over sorted operations, once and forward.
type opsIter struct {
	ops []numberedOp
	kv  iterator.KV
}

// First implements compaction.Entries.
func (i *opsIter) First() *iterator.KV { return i.Next() }

// Next implements compaction.Entries.
func (i *opsIter) Next() *iterator.KV {
	if len(i.ops) == 0 {
		return nil
	}
	op := &i.ops[0]
	i.ops = i.ops[1:]
	i.kv = iterator.KV{Stored: op.Stored, Trailer: key.MakeTrailer(op.seq, op.Kind), Value: op.Value}
	return &i.kv
}

// Err implements compaction.Entries.
func (i *opsIter) Err() error { return nil }

// installLarge makes the table part of the store. Only the committer calls it.
func (db *DB) installLarge(l *largeWrite) error {
	if err := db.drainMemtables(); err != nil {
		return err
	}
	base := key.SeqNum(db.visible.Load())
	if base >= lastGroupSeq {
		return errNoSeqs
	}
	if err := db.confirm(l.batch); err != nil {
		return err
	}
	raiseSeqs(l.table, base)
	if err := db.adopt(l.outputs, []*manifest.Table{l.table}); err != nil {
		return err
	}
	last := base + key.SeqNum(l.ops)
	held := db.hold(l.table)
	err := db.install(&manifest.Edit{
		LastSeq: last,
		Added:   []manifest.AddedTable{{Level: l.level, Table: l.table}},
	}, func(sealed []*mem) []*mem {
		db.visible.Store(uint64(last)) // before the table can be found, see reader.open
		return sealed
	})
	if err != nil {
		held.release()
		l.disowned = true
		db.disown(l.outputs, []*manifest.Table{l.table})
		return err
	}
	db.stats.large(l.table.Size)
	if db.feed.watched.Load() {
		db.feed.tellLarge(&feedTables{tables: held, after: base, last: last})
	}
	held.release()
	return nil
}

// drainMemtables has everything in memory flushed and waits for it.
func (db *DB) drainMemtables() error {
	ctx := context.Background()
	if err := db.waitForRoom(ctx); err != nil {
		return err
	}
	if !db.active.table.Empty() {
		if err := db.rotate(ctx, nil); err != nil {
			return err
		}
	}
	if len(db.state.Load().sealed) == 0 { // only a committer seals
		return nil
	}
	start := time.Now()
	defer func() { db.stats.rotated(time.Since(start)) }()
	attempt := patience{worker: &db.flushes, start: db.scheduleFlushLocked}
	return db.stall(ctx, stallLarge, func() (bool, error) {
		if err := db.writable(); err != nil {
			return false, err
		}
		if len(db.state.Load().sealed) == 0 {
			return true, nil
		}
		if err := db.promptOutcomeLocked(&attempt); err != nil {
			return false, fmt.Errorf("a large batch waits for a flush that fails: %w", err)
		}
		return false, nil
	})
}

// abandon removes the table of a write that did not take effect. When it is not known whether it did, the
// table stays; when the store is closed, it is another's.
func (l *largeWrite) abandon() {
	if !l.disowned && l.db.state.Load() != nil {
		_ = l.outputs.Abort() // what is left over is removed at the next opening
	}
}
