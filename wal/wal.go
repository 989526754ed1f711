// Package wal frames opaque records with checksums into preallocated segments, and finds them again
// after a crash.
//
// A [Log] is a chain of segments that one goroutine appends to; [Recover] replays such a chain and
// tells a log that was cut short by a crash from one that was damaged. A [Single] is a chain of one
// growing segment: the manifest uses it. The package knows nothing of what the records mean.
//
// # Format
//
// All numbers are little endian. A segment is one file: a header, then chunks. Its name means
// nothing; the header alone says which segment it is, so that a file can be used again for a later
// segment without being renamed.
//
//	header, 128 bytes
//	    0  magic         8   "tinykvlg"
//	    8  version       2   1; a reader refuses a greater one
//	   10  purpose       2   1 write-ahead log, 2 manifest
//	   12  room          4   size of the file when the segment was begun; it never gets less
//	   16  store         8   id of the store the file belongs to
//	   24  number        8   of the segment, counting up by one along the chain; of a manifest: its
//	                         file number
//	   32  epoch         8   random; part of every checksum in the segment
//	   40  cache         8   hash of vfs.FS.CacheID when the segment was begun; 0 unknown, or a sync has failed
//	   48  prev length   8   bytes of the segment before, header included; 0: a log begins here
//	   56  prev mark     8   mark of the last record before this segment
//	   64  (zero)       56
//	  120  checksum      8   xxhash64 of bytes 0 to 119
//
// The rest is divided into blocks of 32 KiB, counted from the start of the file; the header is part
// of the first. A record is stored as one chunk, or as several where it crosses blocks, so that a
// reader can find its place again behind damage. Less than 16 bytes at the end of a block are left
// unused.
//
//	chunk
//	    0  checksum      8   xxhash64 of the rest of the chunk, XOR the salt of epoch and offset
//	    8  length        2   of the payload
//	   10  type          1   1 whole record, 2 first, 3 middle, 4 last chunk of a record; 0 never;
//	                         5 in a Single: no payload, the file has grown
//	   11  vouched lag   1   this segment's number minus that of the vouched position; 255 none
//	   12  vouched off   4   offset part of the vouched position; of type 5: size of the file now
//	   16  payload
//
// What follows the last chunk is zeros, or chunks of an earlier use of the file, whose epoch gives
// them away.
//
// # Vouching
//
// The position in a chunk is one that a completed sync had covered when the chunk was appended: the
// chunk vouches that every byte before it is on stable storage. So damage before it cannot be the
// work of a crash. The tail rules that follow from this stand at [Recover].
package wal

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// SegmentNum numbers the segments of a log, from 1 on.
type SegmentNum uint64

// Position is a place in a log: an offset in the file of a segment.
type Position struct {
	Segment SegmentNum
	Offset  int64
}

// Before tells whether p lies before q.
func (p Position) Before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

// String names segment and offset.
func (p Position) String() string { return fmt.Sprintf("segment %d offset %d", p.Segment, p.Offset) }

// Purpose says what the records of a segment are.
type Purpose uint16

// The purposes. The numbers are stored in files and never change.
const (
	PurposeLog      Purpose = 1
	PurposeManifest Purpose = 2
)

// Sizes of the format in bytes. They are stored in files, as it were, and never change.
const (
	headerLen      = 128
	blockLen       = 32 << 10
	chunkHeaderLen = 16
	maxSegmentLen  = 1<<32 - 1 // a vouched offset has 32 bits

	// maxLogSegmentLen is more than any segment of a log has: it bounds what recovery reads at once.
	maxLogSegmentLen = 64 << 20
)

const formatVersion = 1

// HeaderLen is where the first record of a segment begins.
const HeaderLen = headerLen

// framedLen bounds the bytes that records take in a segment, wherever they begin: a header each, and
// at every border of blocks either another one or less than that in padding.
func framedLen(records int, payloadBytes int64) int64 {
	n := int64(records)*chunkHeaderLen + payloadBytes
	return n + (n/(blockLen-chunkHeaderLen)+2)*chunkHeaderLen
}

// salt ties a checksum to a segment and a place in it: neither an old chunk of a recycled file nor
// one that the disk put elsewhere passes for the one expected.
func salt(epoch uint64, off int64) uint64 {
	x := (epoch ^ uint64(off)*saltOdd1) * saltOdd2
	return x ^ x>>32
}

// unsalt returns the epoch that gives a salt at off.
func unsalt(salt uint64, off int64) (epoch uint64) {
	x := salt ^ salt>>32
	return x*saltOdd2Inverse ^ uint64(off)*saltOdd1
}

const (
	saltOdd1        = 0x9e3779b97f4a7c15
	saltOdd2        = 0xbf58476d1ce4e5b9
	saltOdd2Inverse = 0x96de1b173f119089 // saltOdd2 times this is 1, modulo 2^64
)

// cacheHash is what a header keeps of vfs.FS.CacheID.
func cacheHash(id string) uint64 {
	if id == "" {
		return 0
	}
	return xxhash.Sum64String(id)
}
