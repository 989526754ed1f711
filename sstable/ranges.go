package sstable

import (
	"bytes"
	"encoding/binary"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// The section of range deletions: empty when the table has none, or
//
//	spans    any number of:
//	         lower bound length (uvarint) | lower bound
//	         upper bound length (uvarint) | upper bound
//	         count (uvarint), at least 1 | count sequence numbers (uvarint), newest first
//
// Example: [a, m)#5 and [m, z)#9,5 are stored as
//
//	02 00 61  02 00 6d  01 05
//	02 00 6d  02 00 7a  02 09 05
//
// A span deletes what is older than its sequence numbers from its lower bound, a stored key, up to,
// but without, its upper bound, a byte string. Spans stand in the order of keys and do not overlap.

// DeleteRanges adds range tombstones, behind or beside all entries; none of them may reach into
// another table of the same level. It may be called once, at any time before Finish. The list must
// stay as it is until then.
func (w *Writer) DeleteRanges(l rangedel.List) {
	w.ranges = l
	w.props.RangeDeletes = uint64(len(l))
	for i := range l {
		seqs := l[i].Seqs
		w.props.LargestSeq = max(w.props.LargestSeq, seqs[0])
		w.props.SmallestSeq = min(w.props.SmallestSeq, seqs[len(seqs)-1])
	}
}

// rangeBytes returns about how many bytes the range tombstones will take.
func rangeBytes(l rangedel.List) (n int64) {
	for i := range l {
		n += int64(len(l[i].Lower)+len(l[i].Upper)+4) + 8*int64(len(l[i].Seqs))
	}
	return n
}

func encodeRanges(l rangedel.List) []byte {
	var out []byte
	for i := range l {
		s := &l[i]
		out = binary.AppendUvarint(out, uint64(len(s.Lower)))
		out = append(out, s.Lower...)
		out = binary.AppendUvarint(out, uint64(len(s.Upper)))
		out = append(out, s.Upper...)
		out = binary.AppendUvarint(out, uint64(len(s.Seqs)))
		for _, seq := range s.Seqs {
			out = binary.AppendUvarint(out, uint64(seq))
		}
	}
	return out
}

// decodeRanges reads the section of a table whose sequence numbers count from base. The list shares
// no memory with it: to read a mapping may fail, to read the list must not.
func decodeRanges(data []byte, base key.SeqNum) (rangedel.List, error) {
	d := rangeDecoder{all: len(data), rest: bytes.Clone(data)}
	var l rangedel.List
	for len(d.rest) > 0 {
		s := rangedel.Span{Lower: d.bound(), Upper: d.bound(), Seqs: d.seqs(base)}
		switch {
		case d.err != nil:
			return nil, d.err
		case bytes.Compare(s.Lower, s.Upper) >= 0:
			return nil, d.damage("span %d ends before it begins", len(l))
		case len(l) > 0 && bytes.Compare(l[len(l)-1].Upper, s.Lower) > 0:
			return nil, d.damage("span %d overlaps the one before", len(l))
		}
		l = append(l, s)
	}
	return l, nil
}

// rangeDecoder takes fields off the section; after a failure it returns nothing.
type rangeDecoder struct {
	all  int
	rest []byte
	err  error
}

func (d *rangeDecoder) damage(format string, args ...any) error {
	return corrupt.Errorf("range deletions", format, args...).At(int64(d.all - len(d.rest)))
}

func (d *rangeDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 && d.err == nil {
		d.err = d.damage("cut short")
	}
	if d.err != nil {
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *rangeDecoder) bound() []byte {
	n := d.uvarint()
	if d.err == nil && (n == 0 || n > key.MaxStoredLen || n > uint64(len(d.rest))) {
		d.err = d.damage("bound of %d bytes", n)
	}
	if d.err != nil {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *rangeDecoder) seqs(base key.SeqNum) []key.SeqNum {
	n := d.uvarint()
	if d.err == nil && (n == 0 || n > uint64(len(d.rest))) {
		d.err = d.damage("%d sequence numbers in %d bytes", n, len(d.rest))
	}
	if d.err != nil {
		return nil
	}
	seqs := make([]key.SeqNum, n)
	for i := range seqs {
		seq := key.SeqNum(d.uvarint())
		if d.err == nil && (seq == 0 || seq > key.MaxSeqNum-base || i > 0 && seq+base >= seqs[i-1]) {
			d.err = d.damage("sequence number %d", seq)
		}
		if d.err != nil {
			return nil
		}
		seqs[i] = seq + base
	}
	return seqs
}

// RangeDeletes returns the table's range tombstones. They stay valid after Close.
func (r *Reader) RangeDeletes() rangedel.List { return r.ranges }
