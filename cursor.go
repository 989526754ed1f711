package tinykv

import (
	"bytes"
	"errors"
	"sync"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/memtable"
	"github.com/tinykv/tinykv/sstable"
)

// cursor is the machinery of an [Iterator]: one source for each part of the state that may hold keys
// of the range, and what merges them. It is pooled, so that making an iterator costs one allocation.
type cursor struct {
	lower, upper []byte // stored keys; the iterator stays from lower up to, but without, upper
	space        key.Space

	own    *ownWrites // of the transaction that the iterator belongs to; nil for none
	ownSeq key.SeqNum // up to which it sees those; 0 for none

	sources []iterator.Iterator
	merging iterator.Merging
	mems    []memtable.Iter
	runs    []*tableRun // those in use come first
	ranges  []rangeCursor
	used    int
	seek    []byte // scratch: the stored key sought
}

var cursors = sync.Pool{New: func() any { return &cursor{} }}

// init makes sources for a range of a state, newest first.
func (c *cursor) init(s *readState, r Range, space key.Space) {
	c.space = space
	c.lower, c.upper = r.appendStored(c.lower[:0], c.upper[:0], space)
	c.addAll(s)
}

// initAt makes sources for a single stored key.
func (c *cursor) initAt(s *readState, stored []byte) {
	c.lower = append(c.lower[:0], stored...)
	c.upper = append(append(c.upper[:0], stored...), 0)
	c.addAll(s)
}

// addAll makes the sources for what lies within the bounds.
func (c *cursor) addAll(s *readState) {
	c.sources, c.ranges = c.sources[:0], c.ranges[:0]
	own := 0
	if c.own != nil {
		own = len(c.own.tables) + len(c.own.spills)
	}
	if n := 1 + len(s.sealed) + own; n > len(c.mems) { // few, but for a store that is read only, with its log in memory
		c.mems = make([]memtable.Iter, max(n, maxSealed+2)) // one more is sealed by a range deletion that clears tables
	}
	if c.own != nil {
		c.addOwn()
	}
	if s.active.table.Entries() > 0 { // what comes in later is not to be seen anyway
		c.addMem(s.active)
	}
	c.addMemRanges(s.active)
	for _, m := range s.sealed {
		c.addMem(m)
		c.addMemRanges(m)
	}
	for i, t := range s.tree.levels[0].tables {
		if !t.meta.EndsBefore(c.lower) && bytes.Compare(t.meta.Smallest.Stored, c.upper) < 0 {
			c.addTables(s.tree.levels[0].tables[i : i+1])
			c.addLevelRanges(s.tree.levels[0], s.tree.levels[0].tables[i:i+1])
		}
	}
	for _, l := range s.tree.levels[1:] {
		if tables := l.overlapping(c.lower, c.upper); len(tables) > 0 {
			c.addTables(tables)
			c.addLevelRanges(l, tables)
		}
	}
	if len(c.sources) != 1 {
		c.merging.Init(c.sources)
	}
}

func (c *cursor) addMem(m *mem) { c.addMemTable(m.table) }

func (c *cursor) addMemTable(t *memtable.Table) {
	it := &c.mems[len(c.sources)] // memtables come first
	t.InitIter(it)
	c.sources = append(c.sources, it)
}

// addOwn adds what the transaction has written so far.
func (c *cursor) addOwn() {
	c.ownSeq = c.own.seq()
	for _, t := range c.own.tables {
		c.addMemTable(t)
		for _, l := range t.Ranges() {
			c.addRanges(l)
			if n := len(c.ranges); n > 0 {
				c.ranges[n-1].own = true
			}
		}
	}
	c.addSpills()
}

// ownSees tells whether something with a sequence number is the transaction's own, and from before the iterator was made.
func (c *cursor) ownSees(seq key.SeqNum) bool { return seq >= ownBase && seq <= c.ownSeq }

func (c *cursor) addMemRanges(m *mem) {
	for _, l := range m.table.Ranges() {
		c.addRanges(l)
	}
}

func (c *cursor) addTables(tables []*table) {
	if c.used == len(c.runs) {
		c.runs = append(c.runs, &tableRun{})
	}
	r := c.runs[c.used]
	c.used++
	r.tables = tables
	r.run.Init(r)
	c.sources = append(c.sources, &r.run)
}

// in returns the iterator over everything.
func (c *cursor) in() iterator.Iterator {
	if len(c.sources) == 1 {
		return c.sources[0]
	}
	return &c.merging
}

// seekOlderGE moves the sources from one on, as far as they stand before an internal key, to it.
func (c *cursor) seekOlderGE(from int, stored []byte, trailer key.Trailer) *iterator.KV {
	if len(c.sources) == 1 {
		return c.sources[0].SeekGE(stored, trailer)
	}
	return c.merging.AdvanceFrom(from, stored, trailer)
}

// seekOlderLT moves the sources from one on, as far as they do not stand before a stored key, before it.
func (c *cursor) seekOlderLT(from int, stored []byte) *iterator.KV {
	if len(c.sources) == 1 {
		return c.sources[0].SeekLT(stored, key.MaxTrailer)
	}
	return c.merging.RetreatFrom(from, stored)
}

// target returns the stored form of a key to seek, which holds until the next call.
func (c *cursor) target(k []byte) []byte {
	c.seek = key.AppendStored(c.seek[:0], c.space, k)
	return c.seek
}

// release closes the sources and gives the cursor back. It forgets what belongs to the store, so
// that a pooled cursor keeps nothing alive.
func (c *cursor) release() error {
	var err error
	for _, s := range c.sources {
		err = errors.Join(err, s.Close())
	}
	clear(c.sources)
	clear(c.ranges)
	c.own, c.ownSeq = nil, 0
	c.merging.Init(nil)
	clear(c.mems)
	for _, r := range c.runs[:c.used] {
		*r = tableRun{}
	}
	c.used = 0
	cursors.Put(c)
	return err
}

// tableRun is a source that walks over tables of one level, or over a single one of level 0.
type tableRun struct {
	tables []*table
	run    iterator.Run
	iter   sstable.Iter // of the table that run is at
}

// Len implements iterator.Sources.
func (r *tableRun) Len() int { return len(r.tables) }

// Smallest implements iterator.Sources.
func (r *tableRun) Smallest(i int) key.Internal { return r.tables[i].meta.Smallest }

// Largest implements iterator.Sources.
func (r *tableRun) Largest(i int) key.Internal { return r.tables[i].meta.Largest }

// Open implements iterator.Sources. Run closes one before it opens the next.
func (r *tableRun) Open(i int) (iterator.Iterator, error) {
	reader, err := r.tables[i].open()
	if err != nil {
		return nil, err
	}
	reader.InitIter(&r.iter)
	return &r.iter, nil
}
