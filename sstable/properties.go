package sstable

import (
	"encoding/binary"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// Properties describe a table. They are stored in it by tag, as unsigned varints or bytes; a reader
// skips tags that it does not know. Sequence numbers are as stored, without the table's base; they count
// range tombstones too, the least and greatest key only entries.
type Properties struct {
	Entries     uint64       // tag 1
	Deletes     uint64       // tag 2; of the entries, tombstones
	KeyBytes    uint64       // tag 3; stored keys
	ValueBytes  uint64       // tag 4
	DataBlocks  uint64       // tag 5
	SmallestSeq key.SeqNum   // tag 6
	LargestSeq  key.SeqNum   // tag 7
	BitsPerKey  uint64       // tag 8; of the filter, as asked for; 0 none
	Smallest    key.Internal // tag 9: trailer (uvarint) and stored key
	Largest     key.Internal // tag 10: the same
	Shadowed    uint64       // tag 11; of the entries, those behind a newer one of the same key
	Compressed  uint64       // tag 12; of the data blocks, those that are stored compressed

	RangeDeletes uint64 // tag 13; spans of range tombstones

	// Of the entries, values that expire, and the least and the greatest expiry of those, in Unix nanoseconds. All are 0, and
	// not stored, when there are none.
	Expiring       uint64 // tag 14
	LeastExpiry    int64  // tag 15
	GreatestExpiry int64  // tag 16
}

const (
	tagEntries = iota + 1
	tagDeletes
	tagKeyBytes
	tagValueBytes
	tagDataBlocks
	tagSmallestSeq
	tagLargestSeq
	tagBitsPerKey
	tagSmallest
	tagLargest
	tagShadowed
	tagCompressed
	tagRangeDeletes
	tagExpiring
	tagLeastExpiry
	tagGreatestExpiry
)

func (p *Properties) encode() []byte {
	var out []byte
	number := func(tag int, v uint64) {
		var b [binary.MaxVarintLen64]byte
		n := binary.PutUvarint(b[:], v)
		out = appendProperty(out, tag, b[:n])
	}
	number(tagEntries, p.Entries)
	number(tagDeletes, p.Deletes)
	number(tagKeyBytes, p.KeyBytes)
	number(tagValueBytes, p.ValueBytes)
	number(tagDataBlocks, p.DataBlocks)
	number(tagSmallestSeq, uint64(p.SmallestSeq))
	number(tagLargestSeq, uint64(p.LargestSeq))
	number(tagBitsPerKey, p.BitsPerKey)
	number(tagShadowed, p.Shadowed)
	if p.Compressed > 0 {
		number(tagCompressed, p.Compressed)
	}
	if p.RangeDeletes > 0 {
		number(tagRangeDeletes, p.RangeDeletes)
	}
	if p.Expiring > 0 {
		number(tagExpiring, p.Expiring)
		number(tagLeastExpiry, uint64(p.LeastExpiry))
		number(tagGreatestExpiry, uint64(p.GreatestExpiry))
	}
	out = appendProperty(out, tagSmallest, encodeInternal(p.Smallest))
	return appendProperty(out, tagLargest, encodeInternal(p.Largest))
}

func appendProperty(dst []byte, tag int, contents []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(tag))
	dst = binary.AppendUvarint(dst, uint64(len(contents)))
	return append(dst, contents...)
}

func encodeInternal(k key.Internal) []byte {
	return append(binary.AppendUvarint(nil, uint64(k.Trailer)), k.Stored...)
}

func decodeProperties(data []byte) (p Properties, err error) {
	for rest := data; len(rest) > 0; {
		tag, n := binary.Uvarint(rest)
		length, m := binary.Uvarint(rest[max(n, 0):])
		if n <= 0 || m <= 0 || length > uint64(len(rest)-n-m) {
			return p, corrupt.Errorf("properties", "cut short").At(int64(len(data) - len(rest)))
		}
		contents := rest[n+m:][:length]
		if !p.set(tag, contents) {
			return p, corrupt.Errorf("properties", "tag %d has contents %x", tag, contents).At(int64(len(data) - len(rest)))
		}
		rest = rest[n+m+int(length):]
	}
	return p, nil
}

// set takes over one property and reports whether its contents made sense.
func (p *Properties) set(tag uint64, contents []byte) bool {
	v, n := binary.Uvarint(contents)
	internal := key.Internal{Stored: contents[max(n, 0):], Trailer: key.Trailer(v)}
	switch tag {
	case tagEntries:
		p.Entries = v
	case tagDeletes:
		p.Deletes = v
	case tagKeyBytes:
		p.KeyBytes = v
	case tagValueBytes:
		p.ValueBytes = v
	case tagDataBlocks:
		p.DataBlocks = v
	case tagSmallestSeq:
		p.SmallestSeq = key.SeqNum(v)
	case tagLargestSeq:
		p.LargestSeq = key.SeqNum(v)
	case tagBitsPerKey:
		p.BitsPerKey = v
	case tagShadowed:
		p.Shadowed = v
	case tagCompressed:
		p.Compressed = v
	case tagRangeDeletes:
		p.RangeDeletes = v
	case tagExpiring:
		p.Expiring = v
	case tagLeastExpiry:
		p.LeastExpiry = int64(v)
	case tagGreatestExpiry:
		p.GreatestExpiry = int64(v)
	case tagSmallest:
		p.Smallest = internal.Clone()
		return n > 0
	case tagLargest:
		p.Largest = internal.Clone()
		return n > 0
	default:
		return true
	}
	return n == len(contents) && n > 0
}

// countKind counts an entry by its kind.
func (p *Properties) countKind(kind key.Kind, value []byte) {
	switch kind {
	case key.KindDelete:
		p.Deletes++
	case key.KindSetExpiring:
		expiry, _, _ := key.SplitExpiring(value)
		if p.Expiring == 0 || expiry < p.LeastExpiry {
			p.LeastExpiry = expiry
		}
		p.GreatestExpiry = max(p.GreatestExpiry, expiry)
		p.Expiring++
	}
}
