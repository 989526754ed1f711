package tinykv

import (
	"fmt"
	"iter"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
)

// Batch gathers writes that [DB.Apply] makes take effect all at once or not at all. Of several
// operations on one key the last wins. The zero value is an empty batch. A Batch belongs to one
// goroutine at a time, must not be copied by value, and may be used again after Apply, which leaves it as it is, and after Reset.
type Batch struct {
	repr   []byte // as internal/batchrepr describes; empty or with a header
	count  uint32
	ranges uint32 // of the operations, range deletions
	merges uint32 // of the operations, merge operands

	expiring uint32 // of the operations, values that expire
	db       *DB    // by whose clock lifetimes count; nil: the system's

	bucketNames
}

// NewBatch returns an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{db: db} }

// Put sets the value of a key. Options: [TTL], which counts from this call, not from Apply, and goes by Options.Clock in a batch of
// [DB.NewBatch]; [ExpireAt]. It fails with ErrKeyTooLarge, ErrValueTooLarge, ErrBatchTooLarge or ErrInvalidOption and then adds
// nothing.
func (b *Batch) Put(k, value []byte, opts ...WriteOption) error {
	return b.put(nil, k, value, opts)
}

// Delete removes a key. No WriteOption applies to an operation of a batch.
// It fails with ErrKeyTooLarge or ErrBatchTooLarge and then adds nothing.
func (b *Batch) Delete(k []byte, opts ...WriteOption) error {
	return b.add(key.KindDelete, 0, k, nil, opts)
}

// DeleteRange removes every key from lower up to, but without, upper, also those that earlier
// operations of the batch set. Nil is unbounded. No WriteOption applies to an operation of a batch. It
// fails with ErrInvalidRange, ErrKeyTooLarge or ErrBatchTooLarge and then adds nothing.
func (b *Batch) DeleteRange(lower, upper []byte, opts ...WriteOption) error {
	return b.deleteRange(nil, lower, upper, opts)
}

// Merge merges a key's value with an operand, see [DB.Merge]. No WriteOption applies to an operation of a
// batch. It fails with ErrKeyTooLarge, ErrValueTooLarge or ErrBatchTooLarge and then adds nothing; whether the store takes
// the operand is found out by Apply.
func (b *Batch) Merge(k, operand []byte, opts ...WriteOption) error {
	return b.add(key.KindMerge, 0, k, operand, opts)
}

// checkOperands returns what is wrong with the operands for a store with an operator.
func (b *Batch) checkOperands(op MergeOperator) error {
	for o := range b.ops() {
		if o.Kind != key.KindMerge {
			continue
		}
		_, operand, _ := key.SplitOperand(o.Value)
		if err := checkOperand(op, operand); err != nil {
			return err
		}
	}
	return nil
}

// addStored adds an operation as it is stored.
func (b *Batch) addStored(op batchrepr.Op) error {
	space, user, _ := key.SplitStored(op.Stored)
	if err := b.checkRoom(user, op.Value); err != nil {
		return err
	}
	b.begin()
	b.repr = batchrepr.AppendOp(b.repr, op.Kind, space, user, op.Value)
	b.counted(op.Kind)
	return nil
}

func (b *Batch) add(kind key.Kind, space key.Space, k, value []byte, opts []WriteOption) error {
	if err := b.check(k, value, opts); err != nil {
		return err
	}
	b.append(kind, space, k, value)
	return nil
}

// check returns why an operation cannot be added, or nil.
func (b *Batch) check(k, value []byte, opts []WriteOption) error {
	if len(opts) > 0 {
		return errBatchOption
	}
	if err := checkSizes(k, value); err != nil {
		return err
	}
	return b.checkRoom(k, value)
}

// append adds an operation that was checked.
func (b *Batch) append(kind key.Kind, space key.Space, k, value []byte) {
	b.begin()
	if kind == key.KindMerge {
		b.repr = batchrepr.AppendHeadedOp(b.repr, kind, space, k, noReach[:], value)
	} else {
		b.repr = batchrepr.AppendOp(b.repr, kind, space, k, value)
	}
	b.counted(kind)
}

// begin puts the header in front of the first operation.
func (b *Batch) begin() {
	if len(b.repr) == 0 {
		b.repr = batchrepr.AppendHeader(b.repr, 0, 0)
	}
}

// counted counts an operation that was added.
func (b *Batch) counted(kind key.Kind) {
	b.count++
	switch kind {
	case key.KindRangeDelete:
		b.ranges++
	case key.KindMerge:
		b.merges++
	case key.KindSetExpiring:
		b.expiring++
	}
}

// checkRoom sees that an operation fits.
func (b *Batch) checkRoom(k, value []byte) error {
	if int64(len(b.repr))+int64(batchrepr.OpLen(k, value)) > maxBatchLen || b.count == batchrepr.MaxCount {
		return fmt.Errorf("%w: it would exceed %d bytes", ErrBatchTooLarge, int64(maxBatchLen))
	}
	return nil
}

// checkSizes returns ErrKeyTooLarge or ErrValueTooLarge.
func checkSizes(k, value []byte) error {
	if len(k) > maxKeyLen {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrKeyTooLarge, len(k), maxKeyLen)
	}
	if len(value) > maxValueLen {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrValueTooLarge, len(value), int64(maxValueLen))
	}
	return nil
}

// Len returns the number of operations.
func (b *Batch) Len() int { return int(b.count) }

// Size returns the length of the batch in bytes, as MarshalBinary encodes it.
func (b *Batch) Size() int { return max(len(b.repr), batchrepr.HeaderLen) + b.namesLen() }

// Reset empties the batch and keeps its memory for new operations.
func (b *Batch) Reset() {
	b.repr, b.count, b.ranges, b.merges, b.expiring = b.repr[:0], 0, 0, 0, 0
	b.reset()
}

// Op is an operation of a batch. Its slices are parts of the batch: not to be changed, and gone with
// its next change.
type Op struct {
	Delete bool // Key is removed; otherwise it is set to Value
	Range  bool // with Delete: every key from Key up to, but without, Upper is removed
	Merge  bool // Value is an operand

	Bucket     string // name of the bucket; empty outside of buckets
	Key, Value []byte
	Upper      []byte // nil: every key from Key on

	ExpiresAt time.Time // of the value that is set; the zero Time when it stays
}

// Ops yields the operations in the order in which they were added.
func (b *Batch) Ops() iter.Seq[Op] {
	return func(yield func(Op) bool) {
		for op := range b.ops() {
			space, user, _ := key.SplitStored(op.Stored)
			o := Op{Bucket: b.nameOf(space), Key: user, Value: op.Value}
			switch op.Kind {
			case key.KindDelete:
				o.Delete = true
			case key.KindRangeDelete:
				o.Delete, o.Range, o.Value = true, true, nil
				o.Upper = rangeEnd(space, op.Value)
			case key.KindMerge:
				o.Merge = true
				_, o.Value, _ = key.SplitOperand(op.Value)
			case key.KindSetExpiring:
				var expiry int64
				expiry, o.Value, _ = key.SplitExpiring(op.Value)
				o.ExpiresAt = time.Unix(0, expiry)
			}
			if !yield(o) {
				return
			}
		}
	}
}

// rangeEnd returns the user key at which a range deletion of a keyspace ends; nil for none.
func rangeEnd(space key.Space, end []byte) []byte {
	if at, user, ok := key.SplitStored(end); ok && at == space {
		return user
	}
	return nil
}

// ops yields the operations with stored keys. Whatever is in a Batch was checked when it came in.
func (b *Batch) ops() iter.Seq[batchrepr.Op] {
	return func(yield func(batchrepr.Op) bool) {
		if b.count == 0 {
			return
		}
		r := batchrepr.ReadOps(b.repr, b.count)
		for op, ok, _ := r.Next(); ok; op, ok, _ = r.Next() {
			if !yield(op) {
				return
			}
		}
	}
}

// Append adds all operations of another batch behind those of this one. It fails with
// ErrBatchTooLarge, or ErrInvalidOption for a nil batch, and then adds nothing.
func (b *Batch) Append(other *Batch) error {
	if other == nil {
		return errBatchNil
	}
	if other.count == 0 {
		return nil
	}
	ops := other.repr[batchrepr.HeaderLen:]
	if int64(b.Size())+int64(len(ops)) > maxBatchLen || uint64(b.count)+uint64(other.count) > batchrepr.MaxCount {
		return fmt.Errorf("%w: it would exceed %d bytes", ErrBatchTooLarge, int64(maxBatchLen))
	}
	b.begin()
	count, ranges, merges, expiring := other.count, other.ranges, other.merges, other.expiring // which may be those of b
	if b.sameNames(other) {
		b.repr = append(b.repr, ops...)
	} else {
		b.appendNamed(other)
	}
	b.count += count
	b.ranges += ranges
	b.merges += merges
	b.expiring += expiring
	return nil
}

// MarshalBinary returns the batch in a form that UnmarshalBinary reads, also in later versions; it carries
// the names of buckets, so that it can be applied to another store. It implements encoding.BinaryMarshaler.
func (b *Batch) MarshalBinary() ([]byte, error) {
	out := batchrepr.AppendHeader(make([]byte, 0, b.Size()), marshaledSeq, b.count)
	if len(b.names) > 0 {
		batchrepr.SetHeader(out, 0, b.count)
		out = b.appendNames(out)
	}
	if b.count > 0 {
		out = append(out, b.repr[batchrepr.HeaderLen:]...)
	}
	return out, nil
}

// marshaledSeq stands where a batch has its sequence number, which it gets only when it is applied.
const marshaledSeq = 1

// UnmarshalBinary replaces the batch by an encoded one, of which it keeps no part. Malformed data
// gives an error that matches ErrCorrupt, one above the limits ErrBatchTooLarge or another of the
// errors of Put; the batch is then as it was. It implements encoding.BinaryUnmarshaler.
func (b *Batch) UnmarshalBinary(data []byte) error {
	if int64(len(data)) > maxBatchLen {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBatchTooLarge, len(data), int64(maxBatchLen))
	}
	if len(data) >= batchrepr.HeaderLen {
		if seq, _ := batchrepr.Header(data); seq == 0 {
			return b.unmarshalNamed(data)
		}
	}
	if _, _, err := batchrepr.Read(data); err != nil {
		return err
	}
	_, count := batchrepr.Header(data)
	return b.take(data, count, nil)
}

var errBatchNil = fmt.Errorf("%w: the batch is nil; make one by NewBatch", ErrInvalidOption)
