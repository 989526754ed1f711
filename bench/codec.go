package main

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
	"github.com/tinykv/tinykv/bench/internal/values"
)

// maxPieces bounds the work of what needs no store: 512 MiB in pieces of 4 KiB.
const maxPieces = 1 << 17

// codecs measure what a block goes through, on pieces of -block_size bytes, which are values on end.
func codecs() []benchmark {
	all := []benchmark{
		{name: "xxhash", about: "hash -block_size bytes, as for the checksum of a block", loop: xxhashPieces},
		{name: "crc32c", about: "the same with the checksum that LevelDB and RocksDB use", loop: crc32cPieces},
		{name: "s2comp", about: "compress -block_size bytes by S2", loop: compressS2, remark: outputShare},
		{name: "s2uncomp", about: "decompress them", loop: uncompressS2},
		{name: "zstdcomp", about: "compress -block_size bytes by zstd", loop: compressZstd, remark: outputShare},
		{name: "zstduncomp", about: "decompress them", loop: uncompressZstd},
	}
	for i := range all {
		all[i].every, all[i].size = timeSome, pieceOps
	}
	return all
}

var errSum = errors.New("a checksum differs from that of the same bytes before")

func xxhashPieces(w *worker) error { return w.sumPieces(xxhash.Sum64) }

func crc32cPieces(w *worker) error {
	table := crc32.MakeTable(crc32.Castagnoli)
	return w.sumPieces(func(p []byte) uint64 { return uint64(crc32.Checksum(p, table)) })
}

// pieces returns what codecs work on, one after the other.
func (w *worker) pieces() values.Values {
	return values.Values{Pool: w.values.Pool, Size: int(w.config.blockSize)}
}

// sumPieces works out checksums. That of the first piece is compared with what it was, so that none is
// worked out for nothing.
func (w *worker) sumPieces(sum func([]byte) uint64) error {
	pieces := w.pieces()
	first := sum(pieces.Pool[:pieces.Size])
	w.Begin()
	for w.Next() {
		p := pieces.Next()
		if s := sum(p); pieces.End == pieces.Size && s != first {
			return errSum
		}
		w.Did(1, len(p))
	}
	return nil
}

func compressS2(w *worker) error { return w.compressPieces(newS2Codec) }

func compressZstd(w *worker) error { return w.compressPieces(newZstdCodec) }

func uncompressS2(w *worker) error { return w.uncompressPieces(newS2Codec) }

func uncompressZstd(w *worker) error { return w.uncompressPieces(newZstdCodec) }

func (w *worker) compressPieces(make func() (*codec, error)) error {
	c, err := make()
	if err != nil {
		return err
	}
	pieces := w.pieces()
	var packed []byte
	w.Begin() // it is not to pay for what comes before
	for w.Next() {
		p := pieces.Next()
		packed = c.compress(packed, p)
		w.Packed += uint64(len(packed))
		w.Did(1, len(p))
	}
	return nil
}

// uncompressPieces decompresses what it compressed before, and counts bytes as they are then.
func (w *worker) uncompressPieces(make func() (*codec, error)) error {
	c, err := make()
	if err != nil {
		return err
	}
	pieces := w.pieces()
	var packed [][]byte
	for range len(pieces.Pool) / pieces.Size {
		packed = append(packed, c.compress(nil, pieces.Next()))
	}
	var p []byte
	w.Begin()
	for i := 0; w.Next(); i = (i + 1) % len(packed) {
		if p, err = c.uncompress(p, packed[i]); err != nil {
			return err
		}
		w.Did(1, len(p))
	}
	return nil
}

// outputShare is what LevelDB's snappycomp tells.
func outputShare(r *result) string {
	return fmt.Sprintf("(output: %.1f%%)", 100*float64(r.packed)/float64(max(r.bytes, 1)))
}
