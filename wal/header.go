package wal

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
)

const (
	magic       = "tinykvlg"
	headerStore = 16 // where the store id stands
)

// MaxSegmentNum bounds the numbers of segments: positions keep 32 bits of them.
const MaxSegmentNum SegmentNum = 1<<32 - 1

// header is the decoded header of a segment; see the package comment.
type header struct {
	purpose  Purpose
	room     int64
	store    uint64
	number   SegmentNum
	epoch    uint64
	cache    uint64
	prevLen  int64
	prevMark uint64
}

func (h *header) encode() []byte {
	b := make([]byte, headerLen)
	copy(b, magic)
	binary.LittleEndian.PutUint16(b[8:], formatVersion)
	binary.LittleEndian.PutUint16(b[10:], uint16(h.purpose))
	binary.LittleEndian.PutUint32(b[12:], uint32(h.room))
	binary.LittleEndian.PutUint64(b[headerStore:], h.store)
	binary.LittleEndian.PutUint64(b[24:], uint64(h.number))
	binary.LittleEndian.PutUint64(b[32:], h.epoch)
	binary.LittleEndian.PutUint64(b[40:], h.cache)
	binary.LittleEndian.PutUint64(b[48:], uint64(h.prevLen))
	binary.LittleEndian.PutUint64(b[56:], h.prevMark)
	binary.LittleEndian.PutUint64(b[120:], xxhash.Sum64(b[:120]))
	return b
}

// decodeHeader reads the header of a segment of the given purpose and store. b has headerLen bytes.
func decodeHeader(b []byte, purpose Purpose, store uint64) (header, error) {
	damage := func(format string, args ...any) (header, error) {
		return header{}, corrupt.Errorf("segment header", format, args...).At(0)
	}
	if string(b[:8]) != magic {
		return damage("magic is %q, want %q", b[:8], magic)
	}
	if got, want := binary.LittleEndian.Uint64(b[120:]), xxhash.Sum64(b[:120]); got != want {
		return damage("checksum is %016x, want %016x", got, want)
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v > formatVersion {
		return header{}, fmt.Errorf("segment format %d, this version knows %d: %w", v, formatVersion, corrupt.ErrTooNew)
	}
	h := header{
		purpose:  Purpose(binary.LittleEndian.Uint16(b[10:])),
		room:     int64(binary.LittleEndian.Uint32(b[12:])),
		store:    binary.LittleEndian.Uint64(b[headerStore:]),
		number:   SegmentNum(binary.LittleEndian.Uint64(b[24:])),
		epoch:    binary.LittleEndian.Uint64(b[32:]),
		cache:    binary.LittleEndian.Uint64(b[40:]),
		prevLen:  int64(binary.LittleEndian.Uint64(b[48:])),
		prevMark: binary.LittleEndian.Uint64(b[56:]),
	}
	switch {
	case h.purpose != purpose:
		return damage("purpose is %d, want %d", h.purpose, purpose)
	case h.store != store:
		return damage("belongs to store %016x, want %016x", h.store, store)
	case h.number == 0 || h.number > MaxSegmentNum || h.prevLen < 0 || h.prevLen > maxSegmentLen || h.room < headerLen:
		return damage("segment %d of %d bytes, with %d before it", h.number, h.room, h.prevLen)
	}
	return h, nil
}
