// Package key defines the order and the notation of internal keys.
//
// A user key becomes a stored key by putting its keyspace in front, and an internal key by adding a
// trailer that tells when it was written and what was done:
//
//	stored key    keyspace id (uvarint) | user key
//	internal key  stored key | trailer (8 bytes: sequence number << 8 | kind)
//
// Stored keys order bytewise. A uvarint never is a prefix of another, so all keys of a keyspace lie
// together. Internal keys with equal stored keys order newest first: by descending trailer.
//
// In text an internal key is user#seq,KIND with the value after a colon, for example fig#12,SET:ripe;
// a keyspace other than 0 stands in front: 3/fig#12,SET.
package key

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// MaxUserLen is the length in bytes of the longest user key.
const MaxUserLen = 1<<16 - 1

// Space is the id of a keyspace. Space 0 is the one that every store has.
type Space uint32

// Len returns how many bytes the id takes in front of a stored key.
func (s Space) Len() int {
	n := 1
	for ; s >= 0x80; s >>= 7 {
		n++
	}
	return n
}

// MaxSpace bounds keyspace ids so that one always fits in four bytes.
const MaxSpace Space = 1<<28 - 1

// MaxStoredLen is the length in bytes of the longest stored key.
const MaxStoredLen = 4 + MaxUserLen

// SeqNum numbers the operations of a store in commit order, starting at 1. It has 56 bits.
type SeqNum uint64

// MaxSeqNum is the largest sequence number; a read at it sees everything.
const MaxSeqNum SeqNum = 1<<56 - 1

// Kind says what an internal key does to its user key. The numbers are stored in files and never
// change; zero is never valid.
type Kind uint8

// The kinds. Number 6 is spoken for by what values that expire leave behind; a file that holds it, or a number
// not listed, is from a newer version.
const (
	KindDelete      Kind = 1 // tombstone: the key is absent from here on
	KindSet         Kind = 2 // the key has this value from here on
	KindMerge       Kind = 3 // merge operand: the key has what this makes of its value before, from here on
	KindRangeDelete Kind = 4 // range tombstone: every key from this one up to another is absent from here on
	KindSetExpiring Kind = 5 // the key has this value from here on until a time

	kindMax = 0xff // sorts first among the kinds of one sequence number
)

// Valid tells whether this version knows the kind.
func (k Kind) Valid() bool { return k.IsPoint() || k == KindRangeDelete }

// IsPoint tells whether the kind is one of entries, which say something of a single key.
func (k Kind) IsPoint() bool { return k >= KindDelete && k <= KindSetExpiring && k != KindRangeDelete }

// String returns the kind as the notation writes it.
func (k Kind) String() string {
	switch k {
	case KindDelete:
		return "DEL"
	case KindSet:
		return "SET"
	case KindRangeDelete:
		return "RANGEDEL"
	case KindMerge:
		return "MERGE"
	case KindSetExpiring:
		return "SETEXP"
	default:
		return "KIND(" + itoa(uint64(k)) + ")"
	}
}

// Trailer is a sequence number and a kind in one word: seq << 8 | kind.
type Trailer uint64

// MakeTrailer joins the two parts.
func MakeTrailer(seq SeqNum, kind Kind) Trailer { return Trailer(seq)<<8 | Trailer(kind) }

// SeekTrailer is the trailer to look for when reading at seq: it sorts before every entry written
// at or below seq and after every later one.
func SeekTrailer(seq SeqNum) Trailer { return Trailer(seq)<<8 | kindMax }

// MaxTrailer sorts before every entry of its stored key, MinTrailer after all of them.
const (
	MaxTrailer Trailer = 1<<64 - 1
	MinTrailer Trailer = 0
)

// Seq returns the sequence number.
func (t Trailer) Seq() SeqNum { return SeqNum(t >> 8) }

// Kind returns the kind.
func (t Trailer) Kind() Kind { return Kind(t) }

// Internal is an internal key. The slice is borrowed from wherever the key was found.
type Internal struct {
	Stored  []byte
	Trailer Trailer
}

// Compare orders internal keys: stored keys bytewise, then newest first.
func Compare(a, b Internal) int {
	if c := bytes.Compare(a.Stored, b.Stored); c != 0 {
		return c
	}
	return CompareTrailers(a.Trailer, b.Trailer)
}

// CompareTrailers orders two entries of one stored key: newest first.
func CompareTrailers(a, b Trailer) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	default:
		return 0
	}
}

// Clone returns a copy that owns its memory.
func (k Internal) Clone() Internal {
	return Internal{Stored: bytes.Clone(k.Stored), Trailer: k.Trailer}
}

// AppendStored appends the stored form of a user key to dst.
func AppendStored(dst []byte, space Space, user []byte) []byte {
	if space == 0 {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(space))
	}
	return append(dst, user...)
}

// SplitStored is the inverse of AppendStored. It reports false when the bytes are no stored key.
func SplitStored(stored []byte) (space Space, user []byte, ok bool) {
	v, n := binary.Uvarint(stored)
	minimal := n == 1 || n > 1 && stored[n-1] != 0
	if !minimal || v > uint64(MaxSpace) || len(stored)-n > MaxUserLen {
		return 0, nil, false
	}
	return Space(v), stored[n:], true
}

// Head returns eight bytes of k from skip on as a big-endian number, zero padded at the end. Among
// keys that agree in their first skip bytes, unequal heads order as the keys do; equal heads say
// nothing.
func Head(k []byte, skip int) uint64 {
	if len(k) >= skip+8 {
		return binary.BigEndian.Uint64(k[skip:])
	}
	var head uint64
	for i := skip; i < len(k); i++ {
		head |= uint64(k[i]) << (56 - 8*(i-skip))
	}
	return head
}

// CommonPrefix returns how many leading bytes a and b share.
func CommonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if diff := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); diff != 0 {
			return i + bits.TrailingZeros64(diff)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// AppendSeparator appends to dst a short key s with a <= s < b, for stored keys a < b.
func AppendSeparator(dst, a, b []byte) []byte {
	n := CommonPrefix(a, b)
	if n < len(a) && n < len(b) && a[n]+1 < b[n] {
		dst = append(dst, a[:n]...)
		return append(dst, a[n]+1)
	}
	return append(dst, a...)
}

// SpaceEnd returns the least byte string above every stored key of a keyspace.
func SpaceEnd(space Space) []byte { return AppendSpaceEnd(nil, space) }

// AppendSpaceEnd appends what SpaceEnd returns.
func AppendSpaceEnd(dst []byte, space Space) []byte {
	dst = AppendStored(dst, space, nil)
	dst[len(dst)-1]++ // the last byte of a uvarint is below 0x80
	return dst
}
