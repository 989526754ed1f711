package sstable

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// block reads a data block in place. Its bytes passed checkBlock, so that every access below stays
// inside of them.
type block struct {
	data     []byte
	shared   []byte // all stored keys begin with it
	count    int
	heads    int // where the columns begin
	offsets  int
	seqs     int
	kinds    int // 0 when all entries have one kind
	wide     bool
	seqWidth int
	kind     key.Kind
	base     key.SeqNum // of the block plus that of the table
}

// makeBlock reads the header of a block of a table whose sequence numbers count from seqBase.
func makeBlock(data []byte, seqBase key.SeqNum) block {
	layout := data[blockLayout]
	b := block{
		data:     data,
		count:    int(binary.LittleEndian.Uint32(data[blockCount:])),
		wide:     layout&layoutWide != 0,
		seqWidth: seqWidths[layout>>layoutSeqShift&layoutSeqMask],
		kind:     key.Kind(data[blockKind]),
		base:     key.SeqNum(binary.LittleEndian.Uint64(data[blockBase:])) + seqBase,
	}
	prefix := blockFingerprints + b.count
	b.heads = prefix + int(data[blockShared])
	b.shared = data[prefix:b.heads]
	b.offsets = b.heads + b.count*headLen
	b.seqs = b.offsets + b.count*2
	if b.wide {
		b.seqs += b.count * 2
	}
	if layout&layoutKinds != 0 {
		b.kinds = b.seqs + b.count*b.seqWidth
	}
	return b
}

// head returns two bytes of the stored key of entry i, behind the shared ones.
func (b *block) head(i int) uint16 {
	return binary.LittleEndian.Uint16(b.data[b.heads+headLen*i:])
}

// offset returns where entry i begins; entry count is the end of the block.
func (b *block) offset(i int) int {
	switch {
	case i == b.count:
		return len(b.data)
	case b.wide:
		return int(binary.LittleEndian.Uint32(b.data[b.offsets+4*i:]))
	default:
		return int(binary.LittleEndian.Uint16(b.data[b.offsets+2*i:]))
	}
}

func (b *block) trailer(i int) key.Trailer {
	seq, kind := b.base, b.kind
	switch b.seqWidth {
	case 2:
		seq += key.SeqNum(binary.LittleEndian.Uint16(b.data[b.seqs+2*i:]))
	case 4:
		seq += key.SeqNum(binary.LittleEndian.Uint32(b.data[b.seqs+4*i:]))
	case 8:
		seq += key.SeqNum(binary.LittleEndian.Uint64(b.data[b.seqs+8*i:]))
	}
	if b.kinds != 0 {
		kind = key.Kind(b.data[b.kinds+i])
	}
	return key.MakeTrailer(seq, kind)
}

// bounds returns where the stored key and the value of entry i lie.
func (b *block) bounds(i int) (keyStart, keyEnd, valueEnd int) {
	start, end := b.offset(i), b.offset(i+1)
	n, w := int(b.data[start]), 1
	if n >= 0x80 {
		v, vw := binary.Uvarint(b.data[start:end])
		n, w = int(v), vw
	}
	return start + w, start + w + n, end
}

func (b *block) stored(i int) []byte {
	start, end, _ := b.bounds(i)
	return b.data[start:end:end]
}

func (b *block) entry(i int, kv *iterator.KV) {
	keyStart, keyEnd, end := b.bounds(i)
	kv.Stored = b.data[keyStart:keyEnd:keyEnd]
	kv.Value = b.data[keyEnd:end:end]
	kv.Trailer = b.trailer(i)
}

// get returns the newest entry of a stored key at or behind the trailer. It looks only at entries
// whose fingerprint matches, eight fingerprints at a time (H. Warren, "Hacker's Delight", 6-1).
func (b *block) get(stored []byte, hash uint64, trailer key.Trailer) (value []byte, found key.Trailer, ok bool) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	want := uint64(fingerprint(hash)) * ones
	for i := 0; i < b.count; i += 8 {
		x := load8(b.data[blockFingerprints+i:]) ^ want
		for m := (x - ones) &^ x & highs; m != 0; m &= m - 1 {
			j := i + bits.TrailingZeros64(m)/8
			if j >= b.count {
				break
			}
			keyStart, keyEnd, end := b.bounds(j)
			if !bytes.Equal(b.data[keyStart:keyEnd], stored) {
				continue
			}
			if t := b.trailer(j); t <= trailer {
				return b.data[keyEnd:end:end], t, true
			}
		}
	}
	return nil, 0, false
}

// likely returns the first entry with the fingerprint of a hash, or -1.
func (b *block) likely(hash uint64) int {
	return bytes.IndexByte(b.data[blockFingerprints:][:b.count], fingerprint(hash))
}

// load8 reads eight bytes, or what there is of them. Blocks are longer than their fingerprints but
// by how much is for the block to say.
func load8(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var buf [8]byte
	copy(buf[:], b)
	return binary.LittleEndian.Uint64(buf[:])
}

// seekGE returns the first entry at or behind an internal key; count when there is none.
func (b *block) seekGE(stored []byte, trailer key.Trailer) int {
	if c := bytes.Compare(stored[:min(len(stored), len(b.shared))], b.shared); c < 0 {
		return 0
	} else if c > 0 {
		return b.count
	}
	head := blockHead(stored, len(b.shared))
	lo, hi := 0, b.count
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if h := b.head(mid); h < head {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == b.count || b.head(lo) > head {
		return lo
	}
	return b.seekTied(stored, trailer, head, lo)
}

// seekTied is seekGE from the first entry on that has the same head.
func (b *block) seekTied(stored []byte, trailer key.Trailer, head uint16, lo int) int {
	hi := b.count
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if b.head(mid) > head {
			hi = mid
			continue
		}
		c := bytes.Compare(b.stored(mid), stored)
		if c == 0 {
			c = key.CompareTrailers(b.trailer(mid), trailer)
		}
		if c < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// checkBlock verifies checksum and structure of a block that stands at file offset off of the table
// with the given id. Whatever bytes a file holds, a block that passes can be read without fear.
func checkBlock(data []byte, id uint64, off int64) error {
	damage := func(format string, args ...any) error {
		return corrupt.Errorf("data block", format, args...).At(off)
	}
	if len(data) < blockHeaderLen {
		return damage("has %d bytes", len(data))
	}
	if err := checkSum(data, id, off); err != nil {
		return err
	}
	return checkStructure(data, off)
}

// checkSum verifies the checksum of a block as it is stored.
func checkSum(data []byte, id uint64, off int64) error {
	if got, want := binary.LittleEndian.Uint64(data), xxhash.Sum64(data[8:])^salt(id, off); got != want {
		return corrupt.Errorf("data block", "checksum is %016x, want %016x", got, want).At(off)
	}
	return nil
}

// checkStructure is what checkBlock does beside the checksum, for a block that is not compressed or
// not any more.
func checkStructure(data []byte, off int64) error {
	damage := func(format string, args ...any) error {
		return corrupt.Errorf("data block", format, args...).At(off)
	}
	if Compression(data[blockCompression]) != NoCompression || data[blockLayout]&^layoutAll != 0 {
		return damage("compression %d, layout %#x: not known", data[blockCompression], data[blockLayout])
	}
	const minEntryLen = 1 + headLen + 2 + 2 // fingerprint, head, offset, key length and keyspace
	n, shared := binary.LittleEndian.Uint32(data[blockCount:]), uint64(data[blockShared])
	if n == 0 || blockHeaderLen+uint64(n)*minEntryLen+shared > uint64(len(data)) {
		return damage("%d entries, which share %d bytes, in %d bytes", n, shared, len(data))
	}
	b := makeBlock(data, 0)
	return b.check(damage)
}

func (b *block) check(damage func(string, ...any) error) error {
	columns := b.seqs + b.count*b.seqWidth
	if b.kinds != 0 {
		columns += b.count
	}
	if columns > len(b.data) {
		return damage("%d entries in %d bytes", b.count, len(b.data))
	}
	if b.kinds == 0 && !b.kind.IsPoint() {
		return damage("unknown kind %d", b.kind)
	}
	var last []byte
	for i, from := 0, columns; i < b.count; i++ {
		start, end := b.offset(i), b.offset(i+1)
		if start != from || end <= start || end > len(b.data) {
			return damage("entry %d lies at %d to %d, want %d", i, start, end, from)
		}
		n, w := binary.Uvarint(b.data[start:end])
		if w <= 0 || n == 0 || n > uint64(end-start-w) || n > key.MaxStoredLen {
			return damage("entry %d has a key of %d bytes", i, n)
		}
		stored := b.data[start+w:][:n]
		if !bytes.HasPrefix(stored, b.shared) || b.head(i) != blockHead(stored, len(b.shared)) {
			return damage("entry %d has other key bytes than were stated for searching", i)
		}
		if b.kinds != 0 && !key.Kind(b.data[b.kinds+i]).IsPoint() {
			return damage("entry %d has unknown kind %d", i, b.data[b.kinds+i])
		}
		trailer := b.trailer(i)
		if seq := trailer.Seq(); seq < b.base || seq > key.MaxSeqNum-1 {
			return damage("entry %d has sequence number %d, the base is %d", i, seq, b.base)
		}
		if !key.ValidValue(trailer, b.data[start+w+int(n):end]) {
			return damage("entry %d has a malformed value of kind %v", i, trailer.Kind())
		}
		if i > 0 && !b.sorts(i, last, stored) {
			return damage("entry %d does not sort behind the one before", i)
		}
		from, last = end, stored
	}
	return nil
}

// sorts tells whether entry i, of which stored is the key, sorts behind the one before, given the key of that.
func (b *block) sorts(i int, last, stored []byte) bool {
	if before, head := b.head(i-1), b.head(i); before != head { // as the heads do, where they differ
		return before < head
	}
	c := bytes.Compare(last, stored)
	return c < 0 || c == 0 && b.trailer(i-1) > b.trailer(i)
}
