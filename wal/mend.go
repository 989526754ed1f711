package wal

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/onebit"
)

// Mend puts right, in the bytes of a whole segment file of whatever store, header and chunks of which one bit was
// flipped, and returns where they begin. It takes from
// the budget for what is not damaged, too: behind the end of a log lies whatever a file has there.
func Mend(data []byte, budget *onebit.Budget) (mended []int64) {
	if len(data) < headerLen {
		return nil
	}
	h, ok := headerOf(data)
	if !ok && mendHeader(data[:headerLen]) {
		mended = append(mended, 0)
		h, ok = headerOf(data)
	}
	if !ok {
		return mended
	}
	for s := (scanner{header: h, data: data, off: headerLen}); ; {
		if _, ok := s.next(); ok {
			continue
		}
		if mendChunk(data, &h, s.bad, budget) {
			mended = append(mended, s.bad)
			continue
		}
		next, found := s.recordFrom(s.bad + 1)
		if !found {
			return mended
		}
		s.off = next
	}
}

// headerOf returns the header of a segment file of whatever purpose and store.
func headerOf(data []byte) (header, bool) {
	h, err := decodeHeader(data[:headerLen], Purpose(binary.LittleEndian.Uint16(data[10:])), binary.LittleEndian.Uint64(data[headerStore:]))
	return h, err == nil
}

// mendHeader puts a header right, or that of a file which was never used.
func mendHeader(b []byte) bool {
	for bit := range 8 * headerLen {
		onebit.Flip(b, bit)
		if _, ok := headerOf(b); ok || len(bytes.Trim(b, "\x00")) == 0 {
			return true
		}
		onebit.Flip(b, bit)
	}
	return false
}

// mendChunk puts the chunk at off right. The flipped bit may be one of its length.
func mendChunk(data []byte, h *header, off int64, budget *onebit.Budget) bool {
	limit := min(int64(len(data)), blockEnd(off))
	if off < headerLen || off+chunkHeaderLen > limit {
		return false
	}
	b := data[off:limit]
	isChunk := func() bool {
		_, ok := decodeChunk(data, h, off)
		return ok
	}
	for bit := 64; bit < 80; bit++ {
		onebit.Flip(b, bit)
		if isChunk() {
			return true
		}
		onebit.Flip(b, bit)
	}
	end := chunkHeaderLen + int(binary.LittleEndian.Uint16(b[8:]))
	if end > len(b) || !nearChunk(b[chunkTypeOff]) {
		return false
	}
	bit, ok := budget.Find(b[8:end], binary.LittleEndian.Uint64(b)^salt(h.epoch, off))
	if !ok {
		return false
	}
	onebit.Flip(b[8:end], bit)
	binary.LittleEndian.PutUint64(b, xxhash.Sum64(b[8:end])^salt(h.epoch, off))
	return isChunk()
}

// nearChunk tells whether a byte is the type of a chunk, or would be with one bit flipped.
func nearChunk(b byte) bool {
	for typ := chunkWhole; typ <= chunkRoom; typ++ {
		if bits.OnesCount8(b^byte(typ)) <= 1 {
			return true
		}
	}
	return false
}
