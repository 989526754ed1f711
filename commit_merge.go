package tinykv

import (
	"encoding/binary"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/sstable"
)

// Merge operands meet three times what they follow: here, where they come into a memtable that has it; when tables are made
// (compaction/merge.go); and when they are read (merge_read.go). Here it costs a look into the memtable's index and keeps a
// counter that is hot from becoming a long list.
//
// A value with an expiry is never below an operand, as it would depend on the time of the merge what they amount to. In a
// store that has such values, the leader looks at what a merge follows, and commits the result if that expires or has expired.

// mergeSlack is how many bytes the entry of a merge may have beyond its operand, once it is put together with what it
// follows.
const mergeSlack = 96

// noReach is what an operand that is written begins with.
var noReach [1]byte

// appendOp appends the operation of a write without a batch.
func (w *write) appendOp(dst []byte) []byte {
	if w.kind < key.KindMerge || w.kind == key.KindRangeDelete {
		return batchrepr.AppendOp(dst, w.kind, w.space, w.user, w.value)
	}
	return w.appendHeaded(dst)
}

// appendHeaded appends the operation of a write whose value begins with a head.
func (w *write) appendHeaded(dst []byte) []byte {
	var head [key.MaxHeadLen]byte
	return batchrepr.AppendHeadedOp(dst, w.kind, w.space, w.user, w.head(&head), w.value)
}

// appendValue appends the value as it is stored.
func (w *write) appendValue(dst []byte) []byte {
	var head [key.MaxHeadLen]byte
	return append(append(dst, w.head(&head)...), w.value...)
}

// head returns what the stored value begins with.
func (w *write) head(buf *[key.MaxHeadLen]byte) []byte {
	if w.kind == key.KindMerge {
		return noReach[:]
	}
	binary.LittleEndian.PutUint64(buf[:], uint64(w.expiry))
	return buf[:]
}

// mergeScratch is memory for putting operands together.
type mergeScratch struct{ merged, headed []byte }

// merge inserts a merge operand, put together with what the memtable has of the key.
func (in *inserter) merge(op batchrepr.Op, seq key.SeqNum) {
	hash := sstable.Hash(op.Stored)
	kind, value := in.merged(op.Stored, op.Value, hash, seq)
	in.table.Insert(op.Stored, hash, key.MakeTrailer(seq, kind), value)
}

// merged returns the entry for a merge operand. Where it is better, or the operator fails, the operand stays by itself.
func (in *inserter) merged(stored, alone []byte, hash uint64, seq key.SeqNum) (key.Kind, []byte) {
	_, operand, _ := key.SplitOperand(alone)
	v, found, ok := in.table.Get(stored, hash, key.MaxTrailer)
	deleted := in.deleted(stored)
	op, scratch := in.db.opts.MergeOperator, in.scratch
	if !ok && deleted == 0 || op == nil {
		return key.KindMerge, alone
	}
	if deleted > found.Seq() || found.Kind() == key.KindDelete {
		return key.KindSet, operand
	}
	low, older := found.Seq(), v
	switch found.Kind() {
	case key.KindMerge:
		var reach key.SeqNum
		reach, older, _ = key.SplitOperand(v)
		low -= reach
	case key.KindSet:
	default: // a value that expires is not merged here
		return key.KindMerge, alone
	}
	if len(older) > len(operand)+mergeSlack {
		return key.KindMerge, alone // to copy it each time would cost more than to put it together once
	}
	value, err := merge(op, append(scratch.merged[:0], older...), operand)
	if err != nil {
		return key.KindMerge, alone
	}
	scratch.merged = value
	kind := key.KindSet
	if found.Kind() == key.KindMerge {
		kind, value = key.KindMerge, key.AppendOperand(scratch.headed[:0], seq-low, value)
		scratch.headed = value
	}
	if len(value) > len(operand)+mergeSlack {
		return key.KindMerge, alone
	}
	return kind, value
}

// deleted returns the newest range tombstone on a key, of the memtable and of the write itself.
func (in *inserter) deleted(stored []byte) key.SeqNum {
	newest := key.SeqNum(0)
	if in.table.Ranges() != nil {
		newest = in.table.RangeDeleted(stored, key.MaxSeqNum)
	}
	for i := range in.ranges {
		if in.ranges[i].Contains(stored) {
			newest = max(newest, in.ranges[i].Seqs[0])
		}
	}
	return newest
}

// mustSettle tells whether what a write's merges follow may expire.
func (db *DB) mustSettle(w *write) bool { return db.mayExpire.Load() && w.merges() > 0 }

// settleMerges changes a write so that no merge of it follows a value with an expiry. Only the leader calls it. When the
// write has become too large for a memtable, it is done at once.
func (db *DB) settleMerges(w *write) (done bool, err error) {
	if err := db.writable(); err != nil {
		return false, err
	}
	names, err := db.bindByGuess(w)
	if err != nil {
		return false, err
	}
	b := w.batch
	if b == nil {
		if b, err = batchOf(w); err != nil {
			return false, err
		}
	}
	settled, err := db.settledBatch(b)
	if err != nil {
		return false, err
	}
	if err := db.makeBuckets(names...); err != nil { // now that it takes effect
		return false, err
	}
	*w = write{batch: settled, waitSync: w.waitSync}
	if !db.isLarge(w) {
		return false, nil
	}
	large, err := db.prepareLarge(settled, 0)
	if err != nil {
		return false, err
	}
	return true, large.install()
}

// settledBatch returns a batch that comes to the same and has no merge that follows a value with an expiry.
func (db *DB) settledBatch(b *Batch) (*Batch, error) {
	s := settling{db: db, latest: map[string]numberedOp{}, now: db.reading()}
	out := &Batch{}
	for op := range b.ops() {
		op, err := s.settle(op)
		if err != nil {
			return nil, err
		}
		s.note(op)
		if err := out.addStored(op); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// settling is what the operations of a batch, so far, have made of its keys.
type settling struct {
	db     *DB
	now    clockReading
	seq    key.SeqNum
	latest map[string]numberedOp // by stored key
	ranges []rangedel.Span
}

// numberedOp is an operation of a batch with its sequence number, counted from 1.
type numberedOp struct {
	batchrepr.Op
	seq key.SeqNum
}

func (s *settling) note(op batchrepr.Op) {
	s.seq++
	if op.Kind == key.KindRangeDelete {
		s.ranges = append(s.ranges, tombstone(op, s.seq))
		return
	}
	s.latest[string(op.Stored)] = numberedOp{op, s.seq}
}

// settle returns the operation that stands for one.
func (s *settling) settle(op batchrepr.Op) (batchrepr.Op, error) {
	if op.Kind != key.KindMerge {
		return op, nil
	}
	_, operand, _ := key.SplitOperand(op.Value)
	v, found, err := s.newest(op.Stored)
	if err != nil || found.Kind() != key.KindSetExpiring {
		return op, err
	}
	expiry, older, _ := key.SplitExpiring(v)
	if s.now.hides(expiry, found.Seq()) {
		return batchrepr.Op{Kind: key.KindSet, Stored: op.Stored, Value: operand}, nil
	}
	value, err := merge(s.db.opts.MergeOperator, append([]byte(nil), older...), operand)
	if err != nil {
		return op, err
	}
	return batchrepr.Op{Kind: key.KindSetExpiring, Stored: op.Stored, Value: key.AppendExpiring(nil, expiry, value)}, nil
}

// newest returns the newest entry of a key: of the batch so far, else of the store. What is in the batch has the
// greatest sequence numbers.
func (s *settling) newest(stored []byte) (v []byte, found key.Trailer, err error) {
	last := s.latest[string(stored)]
	for i := range s.ranges {
		if s.ranges[i].Seqs[0] > last.seq && s.ranges[i].Contains(stored) {
			return nil, key.MakeTrailer(key.MaxSeqNum, key.KindRangeDelete), nil
		}
	}
	if last.seq > 0 {
		return last.Value, key.MakeTrailer(key.MaxSeqNum, last.Kind), nil
	}
	return s.db.newestEntry(stored, sstable.Hash(stored))
}

// newestEntry returns a copy of the newest entry that the store has of a key; the zero trailer for none. Only the leader calls it.
func (db *DB) newestEntry(stored []byte, hash uint64) (v []byte, found key.Trailer, err error) {
	s, err := db.acquire()
	if err != nil {
		return nil, 0, err
	}
	defer s.unref()
	err = s.guard(func() error {
		at := key.SeekTrailer(key.SeqNum(db.visible.Load()))
		var ok bool
		if v, found, ok = s.getFromMem(stored, hash, at); !ok {
			for t := range s.tree.covering(stored) {
				if v, found, ok, err = t.get(stored, hash, at); ok || err != nil {
					break
				}
			}
		}
		v = append([]byte(nil), v...)
		return err
	})
	if err != nil {
		db.met(err)
		return nil, 0, err
	}
	return v, found, nil
}
