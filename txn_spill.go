package tinykv

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/memtable"
)

// When the memtables of a transaction have taken as much memory as one of the store, what is in them goes to a table of its own, as that of
// a large batch does: it counts from 1, and the transaction reads it with ownBase added, by system calls, so that a
// fault of the disk is an error. The commit writes what is left to one more table and adds all of them by one edit. Tables of a
// transaction that does not commit are removed at its end, or after a crash at the next opening.

// ownSpill is a table that a transaction has written.
type ownSpill struct {
	*largeWrite
	read   *table // nil for one that hides others, see txn_settle.go
	merges bool   // there are merge operands
}

// size returns how much memory the memtables take.
func (o *ownWrites) size() (n int64) {
	for _, t := range o.tables {
		n += t.Size()
	}
	return n
}

// spillsFor tells whether the memtables have to go to a table before they grow by some bytes. They stay when that table would have
// to know what only the commit does: the id of a bucket that is yet to be made.
func (o *ownWrites) spillsFor(more int64) bool {
	return len(o.tables) > 0 && !o.missing && o.size()+more > o.db.opts.MemTableSize
}

// spill writes the memtables to a table.
func (o *ownWrites) spill() error {
	db := o.db
	if err := db.writable(); err != nil {
		return err
	}
	if o.last > maxOwnSeq {
		return errNoSeqs
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.running.Done()
	sources := make([]iterator.Iterator, len(o.tables))
	var lists []rangedel.List
	for i, t := range o.tables {
		sources[i] = t.NewIter()
		for _, l := range t.Ranges() {
			lists = append(lists, counted(l))
		}
	}
	l := &largeWrite{db: db, outputs: db.newOutputs(db.background, 0)}
	tables, err := compaction.Flush(db.background, &countedEntries{in: iterator.Merge(sources...)}, lists, db.rulesWithout(), l.outputs)
	if err != nil {
		return fmt.Errorf("a transaction grows beyond its memory: %w", err)
	}
	l.table = tables[0]
	if err := o.addSpill(l, o.merges); err != nil {
		return err
	}
	o.spilled, o.bound = o.last, maps.Clone(o.tx.names)
	return nil
}

// addSpill has a table take the place of the memtables.
func (o *ownWrites) addSpill(l *largeWrite, merges bool) error {
	read, err := o.db.openSpill(l)
	if err != nil {
		l.abandon()
		return err
	}
	o.spills = append([]*ownSpill{{l, read, merges}}, o.spills...)
	o.retire()
	o.merges = false
	return nil
}

// retire gives up the memtables, or keeps them to the end for iterators that stand there.
func (o *ownWrites) retire() {
	if o.tx.hasIters() {
		o.retired = append(o.retired, o.tables...)
	} else {
		for _, t := range o.tables {
			o.db.ownTables.put(t)
		}
	}
	clear(o.tables)
	o.tables = o.tables[:0]
}

// hasIters tells whether an iterator of the transaction is open.
func (tx *Tx) hasIters() bool {
	tx.forgetClosed()
	return len(tx.iters) > 0
}

// openSpill opens a table for the transaction that has written it.
func (db *DB) openSpill(l *largeWrite) (*table, error) {
	files := *db.files
	files.mapping = MapOff
	meta := *l.table
	raiseSeqs(&meta, ownBase)
	t := &table{meta: &meta, files: &files}
	t.refs.Store(1)
	if _, err := t.open(); err != nil {
		return nil, err
	}
	return t, nil
}

// raiseSeqs adds to the sequence numbers of a table that is not part of the store yet.
func raiseSeqs(t *manifest.Table, base key.SeqNum) {
	t.SeqBase += base
	t.SmallestSeq += base
	t.LargestSeq += base
	t.Smallest.Trailer += key.MakeTrailer(base, 0)
	if t.Largest.Trailer != key.MaxTrailer {
		t.Largest.Trailer += key.MakeTrailer(base, 0)
	}
}

// countedEntries are own entries with sequence numbers that count from 1.
type countedEntries struct {
	in iterator.Iterator
	kv iterator.KV
}

func (e *countedEntries) counted(kv *iterator.KV) *iterator.KV {
	if kv == nil {
		return nil
	}
	e.kv = *kv
	e.kv.Trailer -= key.MakeTrailer(ownBase, 0)
	return &e.kv
}

// First implements compaction.Entries.
func (e *countedEntries) First() *iterator.KV { return e.counted(e.in.First()) }

// Next implements compaction.Entries.
func (e *countedEntries) Next() *iterator.KV { return e.counted(e.in.Next()) }

// Err implements compaction.Entries.
func (e *countedEntries) Err() error { return e.in.Err() }

// counted returns own range tombstones with sequence numbers that count from 1.
func counted(l rangedel.List) rangedel.List {
	out := make(rangedel.List, len(l))
	for i, s := range l {
		seqs := make([]key.SeqNum, len(s.Seqs))
		for n, seq := range s.Seqs {
			seqs[n] = seq - ownBase
		}
		out[i] = rangedel.Span{Lower: s.Lower, Upper: s.Upper, Seqs: seqs}
	}
	return out
}

// getSpilled returns, in new memory, what the tables that were written have of a stored key.
func (o *ownWrites) getSpilled(stored []byte, hash uint64) ([]byte, key.Trailer, error) {
	for _, s := range o.spills {
		if !s.read.meta.Covers(stored) {
			continue
		}
		if v, found, ok, err := s.read.get(stored, hash, key.MaxTrailer); ok || err != nil {
			return append([]byte{}, v...), found, err
		}
	}
	return nil, 0, nil
}

// addSpills adds the tables that the transaction has written.
func (c *cursor) addSpills() {
	for _, s := range c.own.spills {
		if s.read.meta.EndsBefore(c.lower) {
			continue
		}
		c.addTables([]*table{s.read})
		if s.read.meta.RangeDeletes > 0 {
			c.ranges = append(c.ranges, rangeCursor{tables: []*table{s.read}, older: len(c.sources), own: true})
		}
	}
}

// releaseSpills gives up the tables, and removes them unless they have become a part of the store.
func (o *ownWrites) releaseSpills() {
	for _, s := range o.spills {
		s.giveUp(!o.kept)
	}
	o.spills, o.kept, o.spilled, o.bound = nil, false, 0, nil
	o.missing, o.merges, o.expiring = false, false, false
	for _, t := range o.retired {
		o.db.ownTables.put(t)
	}
	o.retired = nil
}

// commitSpilled makes the writes take effect of a transaction that has written tables.
func (tx *Tx) commitSpilled(c *txCommit) error {
	for {
		if err := tx.readied(); err != nil {
			return err
		}
		merged := operandKeys{tx: tx}
		if err := merged.look(); err != nil {
			return err
		}
		if err := c.ahead(); err != nil {
			return err
		}
		err := tx.db.exclusively(func() error {
			if err := c.check(); err != nil {
				return err
			}
			if !tx.boundTo(tx.db.spaces.Load()) {
				return ErrConflict // a bucket was dropped meanwhile
			}
			return tx.own.settleAndInstall(&merged)
		})
		if !errors.Is(err, errDropped) {
			return err
		}
	}
}

// settleAndInstall has the tables, and those that hide operands in them, become part of the store. Only the leader calls it.
func (o *ownWrites) settleAndInstall(merged *operandKeys) error {
	hiding, entries, err := merged.settle()
	o.spills = append(hiding, o.spills...)
	if err != nil {
		return err
	}
	o.last += entries
	if err = o.install(); errors.Is(err, errDropped) {
		o.dropNewest(len(hiding) + 1)
		o.last -= entries
	}
	return err
}

// dropNewest gives up some tables.
func (o *ownWrites) dropNewest(n int) {
	for _, s := range o.spills[:n] {
		s.giveUp(true)
	}
	o.spills = o.spills[n:]
}

// giveUp closes a table, and removes one that has not become a part of the store.
func (s *ownSpill) giveUp(remove bool) {
	if s.read != nil {
		s.read.unref()
	}
	if remove {
		s.abandon()
	}
}

// readied has all that was written in tables.
func (tx *Tx) readied() error {
	if tx.own.missing {
		return tx.spillByName()
	}
	if len(tx.own.tables) == 0 {
		return nil
	}
	return tx.own.spill()
}

// spillByName writes what is left in memory to a table, with the ids that buckets have or would get. After errDropped it does so anew.
func (tx *Tx) spillByName() error {
	b, o := &tx.parts.batch, tx.own
	if b.Len() == 0 {
		if err := tx.addTo(b); err != nil || b.Len() == 0 { // when there was no room for the only one
			return err
		}
	}
	l, err := tx.db.prepareBound(b, 0)
	if err != nil {
		return err
	}
	raiseSeqs(l.table, o.spilled)
	return o.addSpill(l, b.merges > 0)
}

// boundTo tells whether the buckets that the tables hold are still those of their names.
func (tx *Tx) boundTo(spaces *manifest.Spaces) bool {
	for space, name := range tx.own.bound {
		if id, ok := spaces.Find(name); space <= key.MaxSpace && (!ok || id != space) {
			return false
		}
	}
	return true
}

// install adds the tables to the store by one edit. Only the leader calls it.
func (o *ownWrites) install() error {
	db := o.db
	if err := db.writable(); err != nil {
		return err
	}
	if err := db.drainMemtables(); err != nil {
		return err
	}
	base := key.SeqNum(db.visible.Load())
	if base >= lastGroupSeq || base+o.last >= ownBase {
		return errNoSeqs
	}
	for _, s := range o.spills {
		if s.batch == nil {
			continue
		}
		if err := db.confirm(s.batch); err != nil {
			return err
		}
	}
	last := base + o.last
	edit := &manifest.Edit{LastSeq: last}
	var metas []*manifest.Table
	for _, s := range o.spills {
		raiseSeqs(s.table, base)
		edit.Added = append(edit.Added, manifest.AddedTable{Table: s.table})
		metas = append(metas, s.table)
	}
	all := spillOutputs(o.spills)
	o.kept = true // from here on, others see to them
	if err := db.adopt(all, metas); err != nil {
		return err
	}
	held := db.hold(metas...)
	err := db.install(edit, func(sealed []*mem) []*mem {
		db.visible.Store(uint64(last)) // before the tables can be found, see reader.open
		return sealed
	})
	if err != nil {
		held.release()
		db.disown(all, metas)
		return err
	}
	o.tell(base, held)
	held.release()
	return nil
}

// tell counts the tables, and tells watchers of all of them as of one batch.
func (o *ownWrites) tell(base key.SeqNum, held heldTables) {
	for _, s := range o.spills {
		o.db.stats.large(s.table.Size)
	}
	if o.db.feed.watched.Load() {
		slices.Reverse(held) // the oldest first
		o.db.feed.tellLarge(&feedTables{tables: held, after: base, last: base + o.last})
	}
}

// spillOutputs are what made the tables of a transaction.
type spillOutputs []*ownSpill

// Abort removes them.
func (all spillOutputs) Abort() error {
	var err error
	for _, s := range all {
		err = errors.Join(err, s.outputs.Abort())
	}
	return err
}

// roomAfterSpill returns a memtable once those that there were have gone to a table.
func (o *ownWrites) roomAfterSpill(size int64) (*memtable.Table, error) {
	if o.spillsFor(size) {
		if err := o.spill(); err != nil {
			return nil, err
		}
	}
	return o.db.ownTables.take(size)
}
