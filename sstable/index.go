package sstable

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

const (
	indexHeaderLen = 16
	indexEntryLen  = 16 // head, block offset / alignment, block length

	// sampleEvery is how many index entries lie between two heads of the sample.
	sampleEvery = 16
)

// indexWriter gathers the separators and places of the data blocks.
type indexWriter struct {
	separators []byte // trailer (uvarint) and stored key each
	ends       []int  // of each separator
	blocks     []handle
}

// add enters a block that lies at h and that all its entries are at or before the separator.
func (w *indexWriter) add(separator key.Internal, h handle) {
	w.separators = binary.AppendUvarint(w.separators, uint64(separator.Trailer))
	w.separators = append(w.separators, separator.Stored...)
	w.ends = append(w.ends, len(w.separators))
	w.blocks = append(w.blocks, h)
}

// size returns the length of the finished index.
func (w *indexWriter) size() int64 {
	return indexHeaderLen + int64(len(w.blocks))*(indexEntryLen+4) + 4 + int64(len(w.separators))
}

// finish returns the index of a table whose keys all share their first bytes.
func (w *indexWriter) finish(shared int) []byte {
	out := make([]byte, 8, w.size())
	binary.LittleEndian.PutUint32(out, uint32(len(w.blocks)))
	binary.LittleEndian.PutUint32(out[4:], uint32(shared))
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0)
	start := 0
	for i, h := range w.blocks {
		_, n := binary.Uvarint(w.separators[start:w.ends[i]])
		out = binary.LittleEndian.AppendUint64(out, key.Head(w.separators[start+n:w.ends[i]], shared))
		out = binary.LittleEndian.AppendUint32(out, uint32(h.off/alignment))
		out = binary.LittleEndian.AppendUint32(out, uint32(h.length))
		start = w.ends[i]
	}
	out = binary.LittleEndian.AppendUint32(out, 0)
	for _, end := range w.ends {
		out = binary.LittleEndian.AppendUint32(out, uint32(end))
	}
	return append(out, w.separators...)
}

// index finds the block that may hold a key. It reads the section in place and keeps a sample of
// the heads on the heap, small enough to stay in the processor's cache.
type index struct {
	entries    []byte // indexEntryLen each
	offsets    []byte // of the separators, 4 bytes each, one more than there are
	separators []byte
	count      int
	shared     int
	prefix     []byte   // the first shared bytes of every key
	sample     []uint64 // head of every sampleEvery-th entry
}

// openIndex reads the index section of a table whose data blocks end before dataEnd. It checks all
// that searches rely on.
func openIndex(data []byte, dataEnd int64) (index, error) {
	if len(data) < indexHeaderLen {
		return index{}, corrupt.Errorf("index", "has %d bytes", len(data)).At(0)
	}
	count := int64(binary.LittleEndian.Uint32(data))
	shared := int64(binary.LittleEndian.Uint32(data[4:]))
	separatorsStart := indexHeaderLen + count*(indexEntryLen+4) + 4
	if separatorsStart > int64(len(data)) || count == 0 && shared != 0 {
		return index{}, corrupt.Errorf("index", "%d blocks in %d bytes", count, len(data)).At(0)
	}
	offsetsStart := indexHeaderLen + count*indexEntryLen
	x := index{
		entries:    data[indexHeaderLen:offsetsStart],
		offsets:    data[offsetsStart:separatorsStart],
		separators: data[separatorsStart:],
		count:      int(count),
		shared:     int(min(shared, math.MaxInt32)),
	}
	if err := x.check(dataEnd); err != nil {
		return index{}, err
	}
	if count == 0 { // the table holds range deletions alone
		return x, nil
	}
	x.prefix = bytes.Clone(x.separator(0).Stored[:shared])
	for i := 0; i < x.count; i += sampleEvery {
		x.sample = append(x.sample, x.head(i))
	}
	return x, nil
}

func (x *index) check(dataEnd int64) error {
	end, last := int64(0), key.Internal{}
	for i := range x.count {
		damage := func(format string, args ...any) error {
			return corrupt.Errorf("index", format, args...).At(int64(indexHeaderLen + i*indexEntryLen))
		}
		h := x.block(i)
		if h.off < end || h.length < blockHeaderLen || h.length > dataEnd-h.off {
			return damage("block %d has %d bytes at %d", i, h.length, h.off)
		}
		end = h.off + h.length
		from, to := x.separatorBounds(i)
		if i == 0 && from != 0 || from > to || to > len(x.separators) {
			return damage("separator %d lies at %d to %d of %d", i, from, to, len(x.separators))
		}
		_, n := binary.Uvarint(x.separators[from:to])
		if n <= 0 || to-from-n < x.shared {
			return damage("separator %d has %d bytes", i, to-from)
		}
		s := x.separator(i)
		if i > 0 && (key.Compare(last, s) >= 0 || !bytes.Equal(last.Stored[:x.shared], s.Stored[:x.shared])) {
			return damage("separator %d, %v, follows %v", i, s, last)
		}
		if got, want := x.head(i), key.Head(s.Stored, x.shared); got != want {
			return damage("separator %d has head %x, want %x", i, got, want)
		}
		last = s
	}
	return nil
}

func (x *index) head(i int) uint64 {
	return binary.LittleEndian.Uint64(x.entries[i*indexEntryLen:])
}

// block returns where data block i lies.
func (x *index) block(i int) handle {
	e := x.entries[i*indexEntryLen+8:]
	return handle{
		off:    int64(binary.LittleEndian.Uint32(e)) * alignment,
		length: int64(binary.LittleEndian.Uint32(e[4:])),
	}
}

// checkPlace sees that all entries of data block i, which are in order, sort between its separator and the one before. Data with a
// right checksum may yet come from anybody; and iterators rely on the order.
func (x *index) checkPlace(i int, data []byte) error {
	b := makeBlock(data, 0)
	at := func(n int) key.Internal { return key.Internal{Stored: b.stored(n), Trailer: b.trailer(n)} }
	if first := at(0); i > 0 && key.Compare(first, x.separator(i-1)) <= 0 {
		return corrupt.Errorf("data block", "begins with %v, which belongs into a block before", first).At(x.block(i).off)
	}
	if last := at(b.count - 1); key.Compare(last, x.separator(i)) > 0 {
		return corrupt.Errorf("data block", "ends with %v, which belongs into a block behind", last).At(x.block(i).off)
	}
	return nil
}

func (x *index) separatorBounds(i int) (from, to int) {
	b := x.offsets[4*i:]
	return int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:]))
}

func (x *index) separator(i int) key.Internal {
	from, to := x.separatorBounds(i)
	trailer, n := binary.Uvarint(x.separators[from:to])
	return key.Internal{Stored: x.separators[from+n : to], Trailer: key.Trailer(trailer)}
}

// seekGE returns the first block whose separator is at or behind the internal key: the only one
// that can hold the first entry at or behind it. It returns count when there is none.
func (x *index) seekGE(stored []byte, trailer key.Trailer) int {
	if len(x.prefix) > 0 && !bytes.HasPrefix(stored, x.prefix) {
		if bytes.Compare(stored, x.prefix) < 0 {
			return 0
		}
		return x.count
	}
	head := key.Head(stored, x.shared)
	i := x.seekHead(head)
	if i == x.count || x.head(i) != head {
		return i
	}
	return x.seekEqual(i, head, key.Internal{Stored: stored, Trailer: trailer})
}

// seekHead returns the first entry with a head not below the given one.
func (x *index) seekHead(head uint64) int {
	lo, hi := 0, len(x.sample) // sample[lo-1] < head <= sample[hi]
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if x.sample[mid] < head {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0
	}
	from, to := (lo-1)*sampleEvery+1, min(lo*sampleEvery, x.count)
	for from < to {
		mid := int(uint(from+to) / 2)
		if x.head(mid) < head {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// seekEqual returns the first entry at or behind the target, given the first with its head.
func (x *index) seekEqual(i int, head uint64, target key.Internal) int {
	lo, hi := i, x.count
	if i+1 < x.count && x.head(i+1) != head {
		hi = i + 1 // by far the most common case
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if x.head(mid) == head && key.Compare(x.separator(mid), target) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
