package compaction

import (
	"bytes"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// Merge operands are put together as far as their stripe, the inputs and the limits below go:
//
//   - with a value, or on top of a tombstone, they become a value;
//   - so they do where nothing older of the key can be anywhere;
//   - otherwise they become one operand, which reaches back to the oldest of them.
//
// They are not put together with a value that expires, as it would depend on the time what that comes to. There is none below an
// operand but for a while, in what a transaction has not committed yet.
//
// An operand that was put together in a memtable may have in it others that a snapshot sees by themselves. What is below those is
// not put together with them: who reads the first operand goes on right below them.
//
// The result has the sequence number of the newest. What the operator fails at stays as it is, for readers to be told.

// maxFoldBytes bounds what is put together at once, and so the memory for it. A reader does the rest.
const maxFoldBytes = 64 << 20

// walk hands the entries that stay to output, in order, and tells of each that it takes from the input. What it hands out holds
// until the function returns.
func (s *survival) walk(in Entries, taken, output func(*iterator.KV) error) error {
	kv := in.First()
	for kv != nil {
		if err := taken(kv); err != nil {
			return err
		}
		if !s.keep(kv.Stored, kv.Trailer) {
			kv = in.Next()
			continue
		}
		if kv.Trailer.Kind() == key.KindMerge && s.Merge != nil {
			next, err := s.fold(in, kv, taken, output)
			if err != nil {
				return err
			}
			kv = next
			continue
		}
		if s.expired(kv) {
			if !s.keepTombstone(kv.Stored) {
				kv = in.Next()
				continue
			}
			kv = &iterator.KV{Stored: kv.Stored, Trailer: key.MakeTrailer(kv.Trailer.Seq(), key.KindDelete)}
		}
		if err := output(kv); err != nil {
			return err
		}
		kv = in.Next()
	}
	return in.Err()
}

// chain is a merge operand that stays and what comes behind it, copied.
type chain struct {
	stored  []byte
	entries []chainEntry // newest first: operands, and then maybe what they follow
	buf     []byte
	out     []byte     // scratch: the result
	low     key.SeqNum // the next entry that counts lies below
	absent  bool       // it is known that the operands follow nothing
}

// chainEntry is an entry, with its value as a part of the chain's memory.
type chainEntry struct {
	trailer  key.Trailer
	from, to int
}

func (c *chain) value(e chainEntry) []byte { return c.buf[e.from:e.to] }

func (c *chain) begin(kv *iterator.KV) {
	c.stored = append(c.stored[:0], kv.Stored...)
	c.entries, c.buf, c.absent = c.entries[:0], c.buf[:0], false
	c.add(kv)
}

func (c *chain) add(kv *iterator.KV) {
	c.entries = append(c.entries, chainEntry{kv.Trailer, len(c.buf), len(c.buf) + len(kv.Value)})
	c.buf = append(c.buf, kv.Value...)
	if reach, _, ok := key.SplitOperand(kv.Value); ok && kv.Trailer.Kind() == key.KindMerge {
		c.low = kv.Trailer.Seq() - reach
	}
}

// fold hands out what a merge operand and the entries behind it amount to, and returns the entry that follows those.
func (s *survival) fold(in Entries, kv *iterator.KV, taken, output func(*iterator.KV) error) (*iterator.KV, error) {
	c := &s.chain
	c.begin(kv)
	next, err := s.gather(in, c, taken)
	if err != nil {
		return nil, err
	}
	merged, err := c.merge(s.Merge)
	if err == nil {
		if merged.Trailer.Kind() == key.KindMerge {
			s.boundary = c.low
		}
		return next, output(merged)
	}
	s.boundary = c.low
	for _, e := range c.entries { // it is the readers' to meet the failure
		if err := output(&iterator.KV{Stored: c.stored, Trailer: e.trailer, Value: c.value(e)}); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// gather adds to a chain the entries behind its first, up to what decides what they follow, and returns the one behind
// them.
func (s *survival) gather(in Entries, c *chain, taken func(*iterator.KV) error) (*iterator.KV, error) {
	kv := in.Next()
	for ; ; kv = in.Next() {
		if kv == nil || !bytes.Equal(kv.Stored, c.stored) {
			if kv == nil && in.Err() != nil {
				return nil, in.Err()
			}
			c.absent = !s.keepTombstones && !s.deeperMayHold(c.stored)
			return kv, nil
		}
		seq := kv.Trailer.Seq()
		if s.stripe(seq) != s.lastStripe {
			return kv, nil
		}
		if seq >= c.low { // the last operand has it in it
			if err := taken(kv); err != nil {
				return nil, err
			}
			continue
		}
		if s.rangeDeleted(kv.Stored, seq, s.lastStripe) {
			c.absent = true
			return kv, nil // keep drops it, and the rest of the stripe
		}
		newest := c.entries[0].trailer.Seq()
		if seq < s.boundary && newest >= s.boundary || len(c.buf)+len(kv.Value) > maxFoldBytes || kv.Trailer.Kind() == key.KindSetExpiring {
			s.lastStripe = -1 // the next entry is not hidden by this operand
			return kv, nil
		}
		if err := taken(kv); err != nil {
			return nil, err
		}
		c.add(kv)
		if kv.Trailer.Kind() != key.KindMerge {
			return in.Next(), nil // keep drops the rest of the stripe
		}
	}
}

// merge returns the one entry that the chain amounts to. It holds until the chain is used again.
func (c *chain) merge(op func(older, newer []byte) ([]byte, error)) (*iterator.KV, error) {
	newest, oldest := c.entries[0], c.entries[len(c.entries)-1]
	if len(c.entries) == 1 && !c.absent {
		return &iterator.KV{Stored: c.stored, Trailer: newest.trailer, Value: c.value(newest)}, nil
	}
	operands := c.entries
	kind, value := key.KindSet, c.out[:0]
	switch oldest.trailer.Kind() {
	case key.KindSet:
		value, operands = append(value, c.value(oldest)...), operands[:len(operands)-1]
	case key.KindMerge:
		if !c.absent {
			kind = key.KindMerge
		}
		value, operands = c.operand(value, oldest), operands[:len(operands)-1]
	default: // a tombstone
		operands = operands[:len(operands)-1]
		value, operands = c.operand(value, operands[len(operands)-1]), operands[:len(operands)-1]
	}
	var err error
	for i := len(operands) - 1; i >= 0; i-- {
		_, operand, _ := key.SplitOperand(c.value(operands[i]))
		if value, err = op(value, operand); err != nil {
			return nil, err
		}
	}
	c.out = value
	if kind == key.KindMerge { // its head goes where the inputs were, which are not needed any more
		c.buf = key.AppendOperand(c.buf[:0], newest.trailer.Seq()-c.low, value)
		value = c.buf
	}
	return &iterator.KV{Stored: c.stored, Trailer: key.MakeTrailer(newest.trailer.Seq(), kind), Value: value}, nil
}

// operand appends the operand of an entry to dst.
func (c *chain) operand(dst []byte, e chainEntry) []byte {
	_, operand, _ := key.SplitOperand(c.value(e))
	return append(dst, operand...)
}
