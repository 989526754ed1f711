package tinykv

import (
	"bytes"
	"slices"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/sstable"
)

// A transaction is valid when nothing that it read was written since it began (Kung and Robinson, "On Optimistic Methods for
// Concurrency Control", 1981, backward validation). It is committed by a leader like any other write, and its
// writes get the next sequence numbers: that is its place in the order. So the leader asks, for each key and stretch that was
// read, whether there is anything on it with a greater sequence number than the transaction's snapshot: an entry, a tombstone, or a range
// tombstone. There is, if anyone wrote, as the snapshot keeps compactions from dropping the newest of what came behind it.
// Memtables and tables that hold nothing so new are not looked at; most are not.
//
// What was read much is looked at beforehand, while others commit, so that the leader has to look only at what came meanwhile.

// commit validates the transaction and makes its writes take effect.
func (tx *Tx) commit(opts []WriteOption) error {
	if tx.own == nil {
		return nil // what it read was all of one moment, which is its place
	}
	waitSync, err := tx.db.opts.wantsSync(opts)
	if err != nil {
		return err
	}
	for _, i := range tx.iters {
		if i.state != nil {
			i.leave()
		}
	}
	if tx.own.expiring {
		tx.db.writingNow() // a step back of the clock has to be noticed before the commit
	}
	c := &tx.parts.commit
	c.since = tx.snapshot.seq
	if !c.reads.small() {
		if err := c.ahead(); err != nil {
			return err
		}
	}
	if len(tx.own.spills) > 0 {
		return tx.commitSpilled(c)
	}
	b := &tx.parts.batch
	if err := tx.addTo(b); err != nil {
		return err
	}
	w := write{batch: b, waitSync: waitSync, tx: c}
	if len(b.names) > 0 {
		w.bindTo(tx.db.spaces.Load())
	}
	if tx.db.isLarge(&w) {
		return tx.db.commitLargeTx(b, c)
	}
	return tx.db.commitSampled(&w)
}

// txCommit is what has to be checked for a transaction.
type txCommit struct {
	db    *DB
	tx    *Tx
	reads *readSet
	since key.SeqNum // what came up to here is no conflict
}

// ahead checks what was committed until now.
func (c *txCommit) ahead() error {
	now := key.SeqNum(c.db.visible.Load())
	if err := c.check(); err != nil {
		return err
	}
	c.since = max(c.since, now)
	return nil
}

// check returns ErrConflict if anything that was read was written since.
func (c *txCommit) check() error {
	c.tx.findMissing()
	if c.reads.empty() || key.SeqNum(c.db.visible.Load()) <= c.since {
		return nil
	}
	s, err := c.db.acquire()
	if err != nil {
		return err
	}
	defer s.unref()
	err = s.guard(func() error {
		for i := range c.reads.keys {
			if err := c.checkKey(s, c.reads.key(i), c.reads.keys[i].hash); err != nil {
				return err
			}
		}
		for i := range c.reads.ranges {
			if err := c.checkRange(s, &c.reads.ranges[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && err != ErrConflict {
		c.db.met(err)
	}
	return err
}

// verdict tells what the newest that a part holds of a key means.
func (c *txCommit) verdict(found key.Trailer) error {
	if found.Seq() > c.since {
		return ErrConflict
	}
	return nil
}

func (c *txCommit) checkKey(s *readState, stored []byte, hash uint64) error {
	if _, found, ok := s.getFromMem(stored, hash, key.MaxTrailer); ok {
		return c.verdict(found)
	}
	for t := range s.tree.covering(stored) {
		if t.meta.LargestSeq <= c.since {
			continue
		}
		if _, found, ok, err := t.get(stored, hash, key.MaxTrailer); err != nil {
			return err
		} else if ok {
			return c.verdict(found)
		}
	}
	return nil
}

func (c *txCommit) checkRange(s *readState, r *readRange) error {
	for _, m := range slices.Concat([]*mem{s.active}, s.sealed) {
		if m != s.active && m.lastSeq <= c.since {
			break // older ones too
		}
		if err := c.checkIn(m.table.NewIter(), r); err != nil {
			return err
		}
		for _, l := range m.table.Ranges() {
			if err := c.checkSpans(l, r); err != nil {
				return err
			}
		}
	}
	for _, l := range s.tree.levels {
		for _, t := range l.tables {
			if t.meta.LargestSeq <= c.since || t.meta.EndsBefore(r.lower) || bytes.Compare(t.meta.Smallest.Stored, r.upper) >= 0 {
				continue
			}
			if err := c.checkTable(t, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *txCommit) checkTable(t *table, r *readRange) error {
	reader, err := t.open()
	if err != nil {
		return err
	}
	if err := c.checkSpans(reader.RangeDeletes(), r); err != nil {
		return err
	}
	var it sstable.Iter
	reader.InitIter(&it)
	defer it.Close()
	return c.checkIn(&it, r)
}

// checkIn looks at all entries of a stretch.
func (c *txCommit) checkIn(it iterator.Iterator, r *readRange) error {
	for kv := it.SeekGE(r.lower, key.MaxTrailer); kv != nil && bytes.Compare(kv.Stored, r.upper) < 0; kv = it.Next() {
		if kv.Trailer.Seq() > c.since {
			return ErrConflict
		}
	}
	return it.Err()
}

func (c *txCommit) checkSpans(l rangedel.List, r *readRange) error {
	for i := l.Search(r.lower); i < len(l) && bytes.Compare(l[i].Lower, r.upper) < 0; i++ {
		if l[i].Seqs[0] > c.since {
			return ErrConflict
		}
	}
	return nil
}

// meets tells whether a write that comes right before the transaction writes anything that it has read.
func (c *txCommit) meets(w *write) bool {
	if w.batch == nil {
		return c.reads.meets(w.op())
	}
	for op := range w.batch.ops() {
		if c.reads.meets(op) {
			return true
		}
	}
	return false
}

// dropLosers takes those transactions out of a group that conflict with what is committed, or with what comes before them in the group, and
// tells them so.
func (db *DB) dropLosers(own *write, group *request) *request {
	var kept, losers *request
	last, lastLoser := &kept, &losers
	for r := group; r != nil; r = r.next {
		if r.tx != nil {
			if err := r.tx.checkWithin(own, kept); err != nil {
				r.err = err
				*last = r.next // so that it is no part of what counts
				*lastLoser, lastLoser = r, &r.next
				continue
			}
		}
		*last, last = r, &r.next
	}
	*last, *lastLoser = nil, nil
	for r := losers; r != nil; {
		next := r.next // r belongs to its writer again once it is woken
		r.wake <- struct{}{}
		r = next
	}
	return kept
}

// checkWithin is check with what the leader, and others, write right before. The chain may go on behind what counts.
func (c *txCommit) checkWithin(own *write, before *request) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.reads.empty() {
		return nil
	}
	if own != nil && c.meets(own) {
		return ErrConflict
	}
	for r := before; r != nil && r.tx != c; r = r.next {
		if c.meets(&r.write) {
			return ErrConflict
		}
	}
	return nil
}
