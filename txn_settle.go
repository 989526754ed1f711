package tinykv

import (
	"bytes"
	"slices"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// Operands that a transaction has in tables may follow a value that expires: one of its own, or of the store. What they come to depends on the
// time of the commit, see commit_merge.go, and tables cannot be changed. So the leader writes one more, with what such keys come
// to: it hides the operands, and all is added at once.
//
// Beforehand, while others commit, it is looked which keys have operands in the tables and what those follow. So the leader has to look
// only at keys that were written since, and at those that do follow a value that expires.

// operandKeys are the keys with operands in the tables of a transaction.
type operandKeys struct {
	tx     *Tx
	looked bool
	all    [][]byte
	since  key.SeqNum // all was looked at as of here
	follow [][]byte   // those whose operands followed a value that expires
}

// look finds the keys and what their operands follow now. It does nothing where nothing expires.
func (o *operandKeys) look() error {
	db := o.tx.db
	if o.looked || !db.mayExpire.Load() {
		return nil
	}
	for _, s := range o.tx.own.spills {
		if err := o.collect(s); err != nil {
			return err
		}
	}
	slices.SortFunc(o.all, bytes.Compare)
	o.all = slices.CompactFunc(o.all, bytes.Equal)
	s, seq, err := db.reader().open()
	if err != nil {
		return err
	}
	defer s.unref()
	for _, stored := range o.all {
		i := Iterator{merged: &operands{skip: true}}
		if _, err := o.read(&i, s, seq, stored); err != nil {
			return err
		}
		if i.merged.expiring {
			o.follow = append(o.follow, stored)
		}
	}
	o.looked, o.since = true, seq
	return nil
}

// collect adds the keys of a table.
func (o *operandKeys) collect(s *ownSpill) error {
	if !s.merges {
		return nil
	}
	reader, err := s.read.open()
	if err != nil {
		return err
	}
	var it sstable.Iter
	reader.InitIter(&it)
	defer it.Close()
	for kv := it.First(); kv != nil; kv = it.Next() {
		if kv.Trailer.Kind() == key.KindMerge {
			o.all = append(o.all, bytes.Clone(kv.Stored))
		}
	}
	return it.Err()
}

// read has an iterator stand at a key as it would be, was the transaction committed at a sequence number, if that is there.
func (o *operandKeys) read(i *Iterator, s *readState, seq key.SeqNum, stored []byte) (found bool, err error) {
	err = s.guard(func() error {
		c := cursors.Get().(*cursor)
		c.own = o.tx.own
		c.initAt(s, stored)
		i.db, i.state, i.seq, i.cursor, i.in = o.tx.db, s, seq, c, c.in()
		found = i.forward(i.in.SeekGE(c.lower, key.MaxTrailer))
		i.value = bytes.Clone(i.value)
		err := i.err
		if cerr := c.release(); err == nil {
			err = cerr
		}
		return err
	})
	return found, err
}

// settle returns the tables that hide operands which follow a value that expires, and how many entries they have. Whatever it returns, the
// tables are the caller's. Only the leader calls it.
func (o *operandKeys) settle() (hiding []*ownSpill, entries key.SeqNum, err error) {
	db := o.tx.db
	if err := o.look(); err != nil || !o.looked || len(o.all) == 0 {
		return nil, 0, err
	}
	s, err := db.acquire()
	if err != nil {
		return nil, 0, err
	}
	defer s.unref()
	follow, err := o.following(s)
	if err != nil {
		return nil, 0, err
	}
	now, seq, b := db.reading(), key.SeqNum(db.visible.Load()), &Batch{}
	table := func() error {
		l, err := db.prepareLarge(b, 0)
		if err != nil {
			return err
		}
		raiseSeqs(l.table, o.tx.own.last+entries)
		hiding, entries = append([]*ownSpill{{largeWrite: l}}, hiding...), entries+key.SeqNum(b.Len())
		b.Reset()
		return nil
	}
	for _, stored := range follow {
		i := Iterator{now: now, merged: &operands{op: db.opts.MergeOperator, skip: true}}
		if found, err := o.read(&i, s, seq, stored); err != nil {
			return hiding, entries, err
		} else if !found || !i.merged.expiring {
			continue
		}
		op := batchrepr.Op{Kind: key.KindSet, Stored: stored, Value: i.value}
		if i.expiry != 0 {
			op.Kind, op.Value = key.KindSetExpiring, key.AppendExpiring(nil, i.expiry, i.value)
		}
		if err := b.addStored(op); err != nil {
			return hiding, entries, err
		}
		if int64(len(b.repr)) > db.opts.MemTableSize {
			if err := table(); err != nil {
				return hiding, entries, err
			}
		}
	}
	if b.Len() > 0 {
		err = table()
	}
	return hiding, entries, err
}

// following returns the keys whose operands followed a value that expires, and those that were written since.
func (o *operandKeys) following(s *readState) ([][]byte, error) {
	if key.SeqNum(o.tx.db.visible.Load()) == o.since {
		return o.follow, nil
	}
	since := txCommit{db: o.tx.db, tx: o.tx, since: o.since}
	var follow [][]byte
	before := o.follow
	err := s.guard(func() error {
		for _, stored := range o.all {
			if len(before) > 0 && bytes.Equal(stored, before[0]) {
				before = before[1:]
				follow = append(follow, stored)
				continue
			}
			if err := since.checkKey(s, stored, sstable.Hash(stored)); err == ErrConflict {
				follow = append(follow, stored)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	return follow, err
}
