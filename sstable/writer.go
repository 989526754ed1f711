package sstable

import (
	"fmt"
	"io"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// writeChunk is how many bytes a Writer gathers before it calls its destination.
const writeChunk = 256 << 10

// Limits of the format. A table of 2^32 alignments would have 256 GiB.
const (
	maxTableLen = math.MaxUint32 * alignment
	maxIndexLen = math.MaxUint32
)

// WriterOptions say how to make a table.
type WriterOptions struct {
	ID         uint64 // random; the reader must be told the same
	BlockSize  int    // length in bytes at which a data block ends
	BitsPerKey int    // of the filter; not positive for none

	// Compression of those data blocks that it makes smaller by an eighth.
	Compression Compression
}

// Writer makes a table from entries that come in order. After an error it is of no more use.
type Writer struct {
	dst  io.Writer
	opts WriterOptions
	err  error

	block  blockWriter
	index  indexWriter
	hashes []uint64 // of all distinct stored keys, for the filter
	ranges rangedel.List
	props  Properties

	last      key.Internal // newest entry; its key lies in lastKey
	lastKey   []byte
	separator []byte // scratch
	packed    []byte // scratch: a block in its compressed form

	out []byte // not yet written
	off int64  // bytes before out
}

// NewWriter returns a Writer that writes to dst and nowhere else.
func NewWriter(dst io.Writer, opts WriterOptions) *Writer {
	w := &Writer{dst: dst, opts: opts}
	w.props.BitsPerKey = uint64(max(opts.BitsPerKey, 0))
	w.props.SmallestSeq = key.MaxSeqNum
	return w
}

// Add appends an entry. Its internal key must sort behind the one before. Nothing is kept of the
// slices.
func (w *Writer) Add(stored []byte, trailer key.Trailer, value []byte) error {
	if w.err != nil {
		return w.err
	}
	k := key.Internal{Stored: stored, Trailer: trailer}
	first := w.props.Entries == 0
	sameKey := !first && string(stored) == string(w.last.Stored)
	if !first && (sameKey && trailer >= w.last.Trailer || !sameKey && key.Compare(w.last, k) > 0) {
		w.err = fmt.Errorf("sstable: %v comes after %v", k, w.last)
		return w.err
	}
	hash := uint64(0)
	if sameKey {
		hash = w.hashes[len(w.hashes)-1]
		w.props.Shadowed++
	} else {
		hash = Hash(stored)
		w.hashes = append(w.hashes, hash)
	}
	if w.block.count() > 0 && w.block.sizeEstimate() >= w.opts.BlockSize {
		w.finishBlock(w.separate(k))
	}
	w.block.add(stored, hash, trailer, value)
	w.count(k, value)
	return w.err
}

func (w *Writer) count(k key.Internal, value []byte) {
	p := &w.props
	if p.Entries == 0 {
		p.Smallest = k.Clone()
	}
	p.Entries++
	p.countKind(k.Trailer.Kind(), value)
	p.KeyBytes += uint64(len(k.Stored))
	p.ValueBytes += uint64(len(value))
	p.SmallestSeq = min(p.SmallestSeq, k.Trailer.Seq())
	p.LargestSeq = max(p.LargestSeq, k.Trailer.Seq())
	w.lastKey = append(w.lastKey[:0], k.Stored...)
	w.last = key.Internal{Stored: w.lastKey, Trailer: k.Trailer}
}

// separate returns a short internal key at or behind the last entry and before the next.
func (w *Writer) separate(next key.Internal) key.Internal {
	if string(w.last.Stored) == string(next.Stored) {
		return w.last
	}
	w.separator = key.AppendSeparator(w.separator[:0], w.last.Stored, next.Stored)
	return key.Internal{Stored: w.separator, Trailer: key.MinTrailer}
}

// finishBlock appends the data block under the given separator.
func (w *Writer) finishBlock(separator key.Internal) {
	w.pad()
	start := w.offset()
	w.appendBlock(start)
	w.block.reset()
	w.index.add(separator, handle{off: start, length: w.offset() - start})
	w.props.DataBlocks++
	if w.offset() > maxTableLen {
		w.err = fmt.Errorf("sstable: table grows beyond %d bytes", int64(maxTableLen))
	}
	w.write(writeChunk)
}

// appendBlock appends the data block, which begins at file offset start, in the form that takes less.
func (w *Writer) appendBlock(start int64) {
	at := len(w.out)
	w.out = w.block.appendTo(w.out, w.opts.ID, start)
	var ok bool
	if w.packed, ok = w.opts.Compression.pack(w.packed, w.out[at:], w.opts.ID, start); ok {
		w.out = append(w.out[:at], w.packed...)
		w.props.Compressed++
	}
}

// offset returns the length of the file so far.
func (w *Writer) offset() int64 { return w.off + int64(len(w.out)) }

// pad fills up with zeros to where the next block or section begins.
func (w *Writer) pad() {
	for n := align(w.offset()) - w.offset(); n > 0; n-- {
		w.out = append(w.out, 0)
	}
}

// write hands the output over when there are at least so many bytes of it.
func (w *Writer) write(atLeast int) {
	if w.err != nil || len(w.out) < atLeast {
		return
	}
	_, w.err = w.dst.Write(w.out)
	w.off += int64(len(w.out))
	w.out = w.out[:0]
}

// section appends a section and returns where it lies.
func (w *Writer) section(data []byte) handle {
	w.pad()
	h := handle{off: w.offset(), length: int64(len(data))}
	h.checksum = xxhash.Sum64(data) ^ salt(w.opts.ID, h.off)
	w.out = append(w.out, data...)
	w.write(writeChunk)
	return h
}

// SizeEstimate returns about how long the table would be if it were finished now.
func (w *Writer) SizeEstimate() int64 {
	filterLen := int64(len(w.hashes)) * int64(w.props.BitsPerKey) / 8
	return w.offset() + int64(w.block.sizeEstimate()) + w.index.size() + filterLen + rangeBytes(w.ranges) + footerLen
}

// Entries returns the number of entries so far.
func (w *Writer) Entries() uint64 { return w.props.Entries }

// Finish writes what is left and returns the table's properties and its length in bytes. It neither
// syncs nor closes the destination. A table has at least one entry or range tombstone.
func (w *Writer) Finish() (Properties, int64, error) {
	if w.err == nil && w.props.Entries == 0 && len(w.ranges) == 0 {
		w.err = fmt.Errorf("sstable: a table needs an entry")
	}
	if w.err != nil {
		return Properties{}, 0, w.err
	}
	if w.props.Entries > 0 {
		w.finishBlock(key.Internal{Stored: w.last.Stored, Trailer: key.MinTrailer})
		w.props.Largest = w.last.Clone()
	}
	if w.index.size() > maxIndexLen {
		w.err = fmt.Errorf("sstable: index grows beyond %d bytes", int64(maxIndexLen))
	}
	f := footer{id: w.opts.ID}
	f.sections[sectionFilter] = w.section(buildFilter(w.hashes, w.opts.BitsPerKey))
	f.sections[sectionIndex] = w.section(w.index.finish(key.CommonPrefix(w.props.Smallest.Stored, w.props.Largest.Stored)))
	f.sections[sectionProperties] = w.section(w.props.encode())
	f.sections[sectionRangeDels] = w.section(encodeRanges(w.ranges))
	w.out = append(w.out, f.encode()...)
	w.write(0)
	return w.props, w.off, w.err
}
