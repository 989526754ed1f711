package sstable

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/tinykv/tinykv/internal/corrupt"
)

// Compression says how a Writer stores data blocks. The numbers are stored in files and never
// change.
type Compression uint8

// The compressions.
const (
	NoCompression Compression = 0
	S2            Compression = 1
	Zstd          Compression = 2
)

const (
	packedLen       = 12 // offset of the length of the block before it was compressed
	packedHeaderLen = 16

	// maxPacked is the length of the largest block that is stored compressed: it bounds what a hostile
	// file can make a reader allocate for a few bytes. Larger ones hold a single value of that size.
	maxPacked = 16 << 20

	// worthwhile: a block is stored compressed if that saves one part in so many.
	worthwhile = 8
)

// pack returns the compressed form of a finished block, which stands at file offset off of the table
// with the given id. It reports false when that is not worthwhile. dst is overwritten, and replaced
// when it has too little room.
func (c Compression) pack(dst, raw []byte, id uint64, off int64) (packed []byte, ok bool) {
	if c == NoCompression || len(raw) > maxPacked {
		return dst, false
	}
	contents := raw[blockCompression:]
	if n := packedHeaderLen + s2.MaxEncodedLen(len(contents)); cap(dst) < n {
		dst = make([]byte, n)
	}
	dst = dst[:packedHeaderLen]
	if c == S2 {
		dst = dst[:packedHeaderLen+len(s2.Encode(dst[packedHeaderLen:cap(dst)], contents))]
	} else {
		dst = zstdEncoder().EncodeAll(contents, dst)
	}
	if len(dst) > len(raw)-len(raw)/worthwhile {
		return dst, false
	}
	clear(dst[:packedHeaderLen])
	dst[blockCompression] = byte(c)
	binary.LittleEndian.PutUint32(dst[packedLen:], uint32(len(raw)))
	binary.LittleEndian.PutUint64(dst, xxhash.Sum64(dst[8:])^salt(id, off))
	return dst, true
}

// isPacked tells whether a stored block is a compressed one.
func isPacked(data []byte) bool {
	return len(data) >= packedHeaderLen && Compression(data[blockCompression]) != NoCompression
}

// unpack verifies the checksum of a compressed block that stands at file offset off of the table
// with the given id, and returns the block within, in dst if that has room. Its structure is not
// verified.
func unpack(dst, data []byte, id uint64, off int64) ([]byte, error) {
	if err := checkSum(data, id, off); err != nil {
		return nil, err
	}
	damage := func(format string, args ...any) error {
		return corrupt.Errorf("compressed data block", format, args...).At(off)
	}
	c, n, contents := Compression(data[blockCompression]), int(binary.LittleEndian.Uint32(data[packedLen:])), data[packedHeaderLen:]
	if data[9]|data[10]|data[11] != 0 || n < blockHeaderLen || n > maxPacked {
		return nil, damage("% x, %d bytes: not known", data[9:12], n)
	}
	if m, err := c.unpackedLen(contents); err != nil || m != uint64(n-blockCompression) {
		return nil, damage("compression %d says %d bytes (%v), the header %d", c, m, err, n-blockCompression)
	}
	if cap(dst) < n { // only now: what is not known or not true takes no memory
		dst = make([]byte, n)
	}
	dst = dst[:n]
	want := dst[blockCompression:]
	var got []byte
	var err error
	if c == S2 {
		got, err = s2.Decode(want, contents)
	} else {
		got, err = zstdDecoder().DecodeAll(contents, want[:0:len(want)])
	}
	if err != nil || len(got) != len(want) || &got[0] != &want[0] {
		return nil, damage("%d of %d bytes: %v", len(got), len(want), err)
	}
	clear(dst[:blockCompression])
	return dst, nil
}

// unpackedLen returns how many bytes compressed contents say that they are.
func (c Compression) unpackedLen(contents []byte) (uint64, error) {
	switch c {
	case S2:
		n, err := s2.DecodedLen(contents)
		return uint64(n), err
	case Zstd:
		var h zstd.Header
		if err := h.Decode(contents); err != nil {
			return 0, err
		}
		return h.FrameContentSize, nil // which our encoder always writes
	default:
		return 0, errors.New("not known")
	}
}

// The coders of zstd are large and may be used by any number of goroutines.
var (
	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
		return constant(e, err)
	})
	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxPacked), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(0)) // 0: one for each processor
		return constant(d, err)
	})
)

// constant is for constructors that fail on their options alone, which never change.
func constant[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
