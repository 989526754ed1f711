package tinykv

import (
	"slices"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/memtable"
)

// What a transaction has written lies in memtables of its own, small ones first, so that all that reads memtables reads it
// too. Its sequence numbers count from ownBase, which is above all that the store gives out: so it is newer than
// everything else, and can be told from what others have committed since the transaction began.

// ownBase is where sequence numbers of what is not committed begin. There are more behind it than a disk has room for.
const ownBase = key.MaxSeqNum - 1<<41

// maxOwnSeq is up to where a transaction may have written when its memtables go to a table. What fits into others has room behind it.
const maxOwnSeq = 1 << 40

// Sizes of the memtables: each has twice as much memory as the one before.
const (
	firstOwnTable = 32 << 10
	maxOwnTable   = 4 << 20
)

// ownWrites is what a transaction has written.
type ownWrites struct {
	db       *DB
	tx       *Tx
	tables   []*memtable.Table // newest first
	last     key.SeqNum        // number of writes
	plain    bool              // there are only values and tombstones among them
	expiring bool              // there are values that expire

	// What has gone to tables, see txn_spill.go.
	spills  []*ownSpill          // newest first
	retired []*memtable.Table    // that they were made of
	spilled key.SeqNum           // the last write in them
	bound   map[key.Space]string // the buckets that they may have keys of
	kept    bool                 // they are no longer the transaction's to remove
	missing bool                 // there are writes to a bucket without an id
	merges  bool                 // there are merge operands in memory

	stored, headed []byte // scratch
	scratch        mergeScratch
	iter           memtable.Iter
}

// seq returns the sequence number up to which there is something.
func (o *ownWrites) seq() key.SeqNum {
	if o == nil {
		return 0
	}
	return ownBase + o.last
}

// insert adds an operation. An expiry is that of a value that expires.
func (o *ownWrites) insert(kind key.Kind, space key.Space, k, value []byte, expiry int64) error {
	o.missing = o.missing || space > noSpace // before there is room, as it says whether there may be a spill
	w := write{kind: kind, space: space, user: k, value: value, expiry: expiry}
	table, err := o.roomFor(w.need() + key.MaxHeadLen)
	if err != nil {
		return err
	}
	o.merges = o.merges || kind == key.KindMerge
	o.expiring = o.expiring || kind == key.KindSetExpiring
	o.plain = (o.plain || o.last == 0) && kind != key.KindMerge && kind != key.KindRangeDelete
	o.last++
	o.stored = key.AppendStored(o.stored[:0], space, k)
	op := batchrepr.Op{Kind: kind, Stored: o.stored, Value: value}
	if kind == key.KindMerge || kind == key.KindSetExpiring {
		o.headed = w.appendValue(o.headed[:0])
		op.Value = o.headed
	}
	in := inserter{db: o.db, table: table, scratch: &o.scratch}
	in.insert(op, ownBase+o.last)
	in.finish()
	return nil
}

// roomFor returns the memtable that takes the next write.
func (o *ownWrites) roomFor(need int64) (*memtable.Table, error) {
	size := int64(firstOwnTable)
	if len(o.tables) > 0 {
		if o.tables[0].Fits(need) {
			return o.tables[0], nil
		}
		size = min(2*o.tables[0].Size(), maxOwnTable)
	} else if len(o.spills) > 0 {
		size = min(maxOwnTable, max(o.db.opts.MemTableSize/2, firstOwnTable))
	}
	for size < 2*need+memtable.MinSize {
		size *= 2
	}
	table, err := o.roomAfterSpill(size)
	if err != nil {
		return nil, err
	}
	o.tables = slices.Insert(o.tables, 0, table)
	return table, nil
}

// get returns what there is of a stored key.
func (o *ownWrites) get(stored []byte, hash uint64, now *clockReading) ([]byte, ownFound, error) {
	for _, t := range o.tables {
		m := mem{table: t}
		if v, found, ok := m.get(stored, hash, key.MaxTrailer); ok {
			v, own := ownOf(v, found, now)
			return v, own, nil
		}
	}
	if len(o.spills) == 0 {
		return nil, ownNothing, nil
	}
	v, found, err := o.getSpilled(stored, hash)
	if err != nil || found == 0 {
		return nil, ownNothing, err
	}
	v, own := ownOf(v, found, now)
	return v, own, nil
}

// ownOf returns what an entry or a range tombstone amounts to.
func ownOf(v []byte, found key.Trailer, now *clockReading) ([]byte, ownFound) {
	switch found.Kind() {
	case key.KindSet:
		return v, ownValue
	case key.KindSetExpiring:
		expiry, v, _ := key.SplitExpiring(v)
		if now.hides(expiry, found.Seq()) {
			return nil, ownAbsent
		}
		return v, ownValue
	case key.KindMerge:
		return nil, ownMerge
	default:
		return nil, ownAbsent
	}
}

// release gives the memory back.
func (o *ownWrites) release() {
	for _, t := range o.tables {
		o.db.ownTables.put(t)
	}
	o.releaseSpills()
	clear(o.tables)
	o.tables, o.db, o.tx, o.last, o.iter = o.tables[:0], nil, nil, 0, memtable.Iter{}
}

// ownTables keeps a few of the smallest memtables of transactions for new use.
type ownTables struct {
	spare  chan *memtable.Table
	closed atomic.Bool
}

// maxSpareOwn is how many are kept.
const maxSpareOwn = 8

func newOwnTables() *ownTables { return &ownTables{spare: make(chan *memtable.Table, maxSpareOwn)} }

func (p *ownTables) take(size int64) (*memtable.Table, error) {
	if size == firstOwnTable {
		select {
		case t := <-p.spare:
			t.Reset(nil)
			return t, nil
		default:
		}
	}
	return memtable.New(size)
}

func (p *ownTables) put(t *memtable.Table) {
	if t.Size() == firstOwnTable {
		select {
		case p.spare <- t:
			if p.closed.Load() {
				p.trim()
			}
			return
		default:
		}
	}
	_ = t.Free() // unmapping memory of our own fails only for a wrong address
}

// close frees those that are kept; from now on, what comes back is freed at once.
func (p *ownTables) close() {
	p.closed.Store(true)
	p.trim()
}

// trim frees those that are kept.
func (p *ownTables) trim() {
	for {
		select {
		case t := <-p.spare:
			_ = t.Free() // as above
		default:
			return
		}
	}
}
