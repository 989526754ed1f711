// Package sstable is the table file: a sorted, immutable run of entries with an index and a Bloom
// filter, made once and then read in place through a memory mapping.
//
// A [Writer] makes one, a [Reader] reads one. A Reader, and everything it lends, may be used by any
// number of goroutines; a Writer and an [Iter] belong to one.
//
// # Format
//
// All numbers are little endian. Data blocks and sections begin at multiples of 64 bytes, so that
// what is read together lies in one cache line; the gaps are zeros.
//
//	file     data blocks | filter | index | properties | range deletions | footer
//
//	data block
//	    0  checksum     8   xxhash64 of the rest of the block, XOR the salt of table id and offset
//	    8  compression  1   0 none
//	    9  layout       1   bit 0: offsets have 4 bytes instead of 2
//	                        bits 1-2: width of a sequence number: 0, 2, 4 or 8 bytes
//	                        bit 3: kinds differ, one byte each follows
//	   10  kind         1   of all entries, unless they differ
//	   11  shared       1   how many bytes all stored keys of the block begin with
//	   12  count        4   entries, at least 1
//	   16  base         8   smallest sequence number
//	   24  fingerprints     1 byte each: bits 32 to 39 of the xxhash64 of the stored key
//	       shared bytes
//	       heads            2 bytes each: of the stored key, behind the shared ones, zero padded, as
//	                        a big-endian number (which is stored little endian)
//	       offsets          2 or 4 bytes each: of the entry, from the start of the block
//	       sequence numbers width bytes each: less the base
//	       kinds            1 byte each, if they differ
//	       entries          key length (uvarint) | stored key | value
//
// Entries stand in the order of internal keys. A point read finds its entry by the fingerprints,
// which share the block's first cache line with its header; a seek searches the heads, and keys only
// where heads tie.
//
//	data block, compressed
//	    0  checksum     8   xxhash64 of the rest of the block, XOR the salt of table id and offset
//	    8  compression  1   1 S2, 2 zstd
//	    9  (zero)       3
//	   12  length       4   of the data block within, up to 16 MiB
//	   16  bytes 8 and on of the data block within, as one S2 block or one zstd frame
//
// A block is stored compressed where that saves an eighth. It is read by decompressing it to memory.
//
//	index    count n 4 | shared 4 | (zero) 8
//	         n times: head 8 | block offset / 64 4 | block length 4
//	         n+1 times: offset of a separator 4, from the first
//	         n separators: trailer (uvarint) | stored key
//
// Separator i is an internal key at or behind every entry of block i and before every entry of
// block i+1. The first shared bytes are the same in all keys of the table; the head is the eight
// bytes behind them as a big-endian number. Most searches are decided by heads alone.
//
//	filter   lines of 64 bytes, see filter.go; empty when the table has none
//
//	properties   any number of: tag (uvarint) | length (uvarint) | contents; see properties.go
//
//	range deletions   see ranges.go
//
//	footer, 160 bytes
//	    0  filter, index, properties, range deletions
//	         24 each: offset 8 | length 8 | checksum 8, as a block's
//	   96  (zero)      32
//	  128  table id     8   random; the manifest knows it too
//	  136  version      4   1; a reader refuses a greater one
//	  140  (zero)       4
//	  144  checksum     8   xxhash64 of the 144 bytes before, XOR the salt of table id and 0
//	  152  magic        8   "tinykvst"
package sstable

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
)

// Numbers of the format. They are stored in files and never change.
const (
	magic         = "tinykvst"
	formatVersion = 1

	alignment = 64 // of blocks and sections: a cache line

	footerLen      = 160
	sectionCount   = 4
	footerSections = sectionCount * 24
	footerID       = 128
	footerVersion  = 136
	footerChecksum = 144
	footerMagic    = 152

	sectionFilter     = 0
	sectionIndex      = 1
	sectionProperties = 2
	sectionRangeDels  = 3
)

// Hash returns the hash of a stored key that filters, fingerprints and memtables share. A point
// read computes it once.
func Hash(stored []byte) uint64 { return xxhash.Sum64(stored) }

func fingerprint(hash uint64) byte { return byte(hash >> 32) }

// salt ties a checksum to a table and a place in it: a block that belongs elsewhere does not pass
// for the one expected.
func salt(id uint64, off int64) uint64 {
	const odd1, odd2 = 0xd6e8feb86659fd93, 0xa0761d6478bd642f
	x := (id ^ uint64(off)*odd1) * odd2
	return x ^ x>>32
}

func align(off int64) int64 { return (off + alignment - 1) &^ (alignment - 1) }

// sliceable tells whether a slice may have so many bytes: with 32 bits not every block may be read.
func sliceable(n int64) bool { return int64(int(n)) == n }

// handle locates a section.
type handle struct {
	off, length int64
	checksum    uint64
}

// footer is the decoded footer.
type footer struct {
	sections [sectionCount]handle
	id       uint64
}

func (f *footer) encode() []byte {
	b := make([]byte, footerLen)
	for i, h := range f.sections {
		binary.LittleEndian.PutUint64(b[24*i:], uint64(h.off))
		binary.LittleEndian.PutUint64(b[24*i+8:], uint64(h.length))
		binary.LittleEndian.PutUint64(b[24*i+16:], h.checksum)
	}
	binary.LittleEndian.PutUint64(b[footerID:], f.id)
	binary.LittleEndian.PutUint32(b[footerVersion:], formatVersion)
	binary.LittleEndian.PutUint64(b[footerChecksum:], xxhash.Sum64(b[:footerChecksum])^salt(f.id, 0))
	copy(b[footerMagic:], magic)
	return b
}

// decodeFooter reads the footer of a file of the given size; b is its last footerLen bytes.
func decodeFooter(b []byte, size int64) (footer, error) {
	damage := func(format string, args ...any) (footer, error) {
		return footer{}, corrupt.Errorf("table footer", format, args...).At(size - footerLen)
	}
	if string(b[footerMagic:]) != magic {
		return damage("magic is %q, want %q", b[footerMagic:], magic)
	}
	f := footer{id: binary.LittleEndian.Uint64(b[footerID:])}
	got, want := binary.LittleEndian.Uint64(b[footerChecksum:]), xxhash.Sum64(b[:footerChecksum])^salt(f.id, 0)
	if got != want {
		return damage("checksum is %016x, want %016x", got, want)
	}
	if v := binary.LittleEndian.Uint32(b[footerVersion:]); v > formatVersion {
		return footer{}, fmt.Errorf("table format %d, this version knows %d: %w", v, formatVersion, corrupt.ErrTooNew)
	}
	for i := range f.sections {
		h := handle{
			off:      int64(binary.LittleEndian.Uint64(b[24*i:])),
			length:   int64(binary.LittleEndian.Uint64(b[24*i+8:])),
			checksum: binary.LittleEndian.Uint64(b[24*i+16:]),
		}
		if h.off < 0 || h.length < 0 || h.off > size-footerLen || h.length > size-footerLen-h.off || h.off%alignment != 0 {
			return damage("section %d has %d bytes at %d of %d", i, h.length, h.off, size)
		}
		f.sections[i] = h
	}
	return f, nil
}
