package main

import (
	"errors"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
)

// maxPieces bounds the work of what needs no store: 512 MiB in pieces of 4 KiB.
const maxPieces = 1 << 17

// codecs measure what a block goes through, on pieces of -block_size bytes, as values are.
func codecs() []benchmark {
	all := []benchmark{
		{name: "xxhash", about: "hash -block_size bytes, as for the checksum of a block", loop: xxhashPieces},
		{name: "crc32c", about: "the same with the checksum that LevelDB and RocksDB use", loop: crc32cPieces},
	}
	for i := range all {
		all[i].every, all[i].size = timeSome, pieceOps
	}
	return all
}

var errSum = errors.New("a checksum differs from that of the same bytes before")

func xxhashPieces(w *worker) error {
	return w.sumPieces(func(p []byte) uint64 { return xxhash.Sum64(p) })
}

func crc32cPieces(w *worker) error {
	table := crc32.MakeTable(crc32.Castagnoli)
	return w.sumPieces(func(p []byte) uint64 { return uint64(crc32.Checksum(p, table)) })
}

// sumPieces works out checksums of pieces of the pool in turn. It compares that of the first piece, so
// that all of them must be worked out.
func (w *worker) sumPieces(sum func([]byte) uint64) error {
	pieces := values{pool: w.values.pool, size: int(w.config.blockSize)}
	first := sum(pieces.pool[:pieces.size])
	for w.next() {
		isFirst := pieces.off+pieces.size > len(pieces.pool)
		p := pieces.next()
		if s := sum(p); isFirst && s != first {
			return errSum
		}
		w.did(1, len(p))
	}
	return nil
}
