package sstable

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/key"
)

// Offsets of a data block's fields; see the package comment.
const (
	blockCompression  = 8
	blockLayout       = 9
	blockKind         = 10
	blockShared       = 11
	blockCount        = 12
	blockBase         = 16
	blockFingerprints = 24
	blockHeaderLen    = 24

	layoutWide      = 1 << 0
	layoutSeqShift  = 1
	layoutSeqMask   = 3
	layoutKinds     = 1 << 3
	layoutAll       = layoutWide | layoutSeqMask<<layoutSeqShift | layoutKinds
	maxNarrowOffset = math.MaxUint16

	maxShared = math.MaxUint8
	headLen   = 2
)

// seqWidths are the widths in bytes that two bits of the layout choose from.
var seqWidths = [4]int{0, 2, 4, 8}

// blockHead returns the head of a stored key in a block whose keys share so many bytes.
func blockHead(stored []byte, shared int) uint16 { return uint16(key.Head(stored, shared) >> 48) }

// blockWriter gathers the entries of one data block.
type blockWriter struct {
	fingerprints []byte
	offsets      []int // of entries, in entries
	trailers     []key.Trailer
	entries      []byte
}

func (w *blockWriter) add(stored []byte, hash uint64, trailer key.Trailer, value []byte) {
	w.fingerprints = append(w.fingerprints, fingerprint(hash))
	w.offsets = append(w.offsets, len(w.entries))
	w.trailers = append(w.trailers, trailer)
	w.entries = binary.AppendUvarint(w.entries, uint64(len(stored)))
	w.entries = append(w.entries, stored...)
	w.entries = append(w.entries, value...)
}

func (w *blockWriter) count() int { return len(w.offsets) }

// sizeEstimate returns about how long the block would be now.
func (w *blockWriter) sizeEstimate() int {
	const perEntry = 1 + headLen + 2 + 4 // fingerprint, head, offset, sequence number
	return blockHeaderLen + len(w.entries) + perEntry*len(w.offsets)
}

// stored returns the stored key of entry i.
func (w *blockWriter) stored(i int) []byte {
	n, width := binary.Uvarint(w.entries[w.offsets[i]:])
	return w.entries[w.offsets[i]+width:][:n]
}

// prefix returns what all keys begin with.
func (w *blockWriter) prefix() []byte {
	first, last := w.stored(0), w.stored(len(w.offsets)-1)
	return first[:min(key.CommonPrefix(first, last), maxShared)]
}

func (w *blockWriter) reset() {
	w.fingerprints = w.fingerprints[:0]
	w.offsets = w.offsets[:0]
	w.trailers = w.trailers[:0]
	w.entries = w.entries[:0]
}

// appendTo appends the finished block, which will stand at file offset off of the table with the
// given id.
func (w *blockWriter) appendTo(dst []byte, id uint64, off int64) []byte {
	base, seqCode, kinds := w.columns()
	prefix := w.prefix()
	fixed := blockHeaderLen + len(prefix) + len(w.offsets)*(1+headLen+seqWidths[seqCode])
	layout := byte(seqCode << layoutSeqShift)
	if kinds {
		layout |= layoutKinds
		fixed += len(w.offsets)
	}
	offsetWidth := 2
	if fixed+2*len(w.offsets)+len(w.entries) > maxNarrowOffset {
		layout |= layoutWide
		offsetWidth = 4
	}
	entriesStart := fixed + offsetWidth*len(w.offsets)

	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(NoCompression), layout, byte(w.trailers[0].Kind()), byte(len(prefix)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(w.offsets)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(base))
	dst = append(dst, w.fingerprints...)
	dst = append(dst, prefix...)
	for i := range w.offsets {
		dst = binary.LittleEndian.AppendUint16(dst, blockHead(w.stored(i), len(prefix)))
	}
	for _, o := range w.offsets {
		dst = appendUint(dst, uint64(entriesStart+o), offsetWidth)
	}
	for _, t := range w.trailers {
		dst = appendUint(dst, uint64(t.Seq()-base), seqWidths[seqCode])
	}
	if kinds {
		for _, t := range w.trailers {
			dst = append(dst, byte(t.Kind()))
		}
	}
	dst = append(dst, w.entries...)
	sum := xxhash.Sum64(dst[start+8:]) ^ salt(id, off)
	binary.LittleEndian.PutUint64(dst[start:], sum)
	return dst
}

// columns decides how sequence numbers and kinds are stored.
func (w *blockWriter) columns() (base key.SeqNum, seqCode int, kindsDiffer bool) {
	least, greatest := w.trailers[0].Seq(), w.trailers[0].Seq()
	for _, t := range w.trailers {
		least, greatest = min(least, t.Seq()), max(greatest, t.Seq())
		kindsDiffer = kindsDiffer || t.Kind() != w.trailers[0].Kind()
	}
	switch spread := greatest - least; {
	case spread == 0:
		seqCode = 0
	case spread <= math.MaxUint16:
		seqCode = 1
	case spread <= math.MaxUint32:
		seqCode = 2
	default:
		seqCode = 3
	}
	return least, seqCode, kindsDiffer
}

// appendUint appends the low width bytes of v; width is 0, 2, 4 or 8.
func appendUint(dst []byte, v uint64, width int) []byte {
	switch width {
	case 0:
		return dst
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(v))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	default:
		return binary.LittleEndian.AppendUint64(dst, v)
	}
}
