package wal

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// chunkType says which part of a record a chunk holds. The numbers are stored in files.
type chunkType uint8

const (
	chunkWhole  chunkType = 1
	chunkFirst  chunkType = 2
	chunkMiddle chunkType = 3
	chunkLast   chunkType = 4
	chunkRoom   chunkType = 5 // no part of a record: tells that the file has grown
)

// typeOf returns the type of a chunk that is or is not the first and the last of its record.
func typeOf(first, last bool) chunkType {
	switch {
	case first && last:
		return chunkWhole
	case first:
		return chunkFirst
	case last:
		return chunkLast
	default:
		return chunkMiddle
	}
}

// chunkTypeOff is where in a chunk its type stands.
const chunkTypeOff = 10

// noVouch stands in the lag field of a chunk that vouches for nothing.
const noVouch = 255

// appendChunk appends a chunk that will stand at file offset off.
func appendChunk(dst []byte, h *header, off int64, typ chunkType, vouched Position, payload []byte) []byte {
	lag, vouchedOff := uint8(noVouch), uint32(0)
	if d := h.number - vouched.Segment; vouched.Segment != 0 && d < noVouch {
		lag, vouchedOff = uint8(d), uint32(vouched.Offset)
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(payload)))
	dst = append(dst, byte(typ), lag)
	dst = binary.LittleEndian.AppendUint32(dst, vouchedOff)
	dst = append(dst, payload...)
	sum := xxhash.Sum64(dst[start+8:]) ^ salt(h.epoch, off)
	binary.LittleEndian.PutUint64(dst[start:], sum)
	return dst
}

// appendRoomChunk appends a chunk that tells how many bytes the file has. It has no payload and so
// fits wherever a chunk may begin.
func appendRoomChunk(dst []byte, h *header, off, room int64) []byte {
	told := Position{Segment: h.number, Offset: room}
	return appendChunk(dst, h, off, chunkRoom, told, nil)
}

// chunk is a decoded chunk. Its payload is a part of the segment's bytes.
type chunk struct {
	typ     chunkType
	vouched Position // zero when it vouches for nothing
	room    int64    // of a chunkRoom: bytes of the file
	payload []byte
	end     int64 // offset behind it
}

// decodeChunk reads the chunk at off of a segment whose bytes are data, or reports that there is no
// intact one.
func decodeChunk(data []byte, h *header, off int64) (c chunk, ok bool) {
	return decodeChunkIn(data, 0, h, off)
}

// decodeChunkIn is decodeChunk for a part of the segment's bytes, which begins at base.
func decodeChunkIn(data []byte, base int64, h *header, off int64) (c chunk, ok bool) {
	limit := min(base+int64(len(data)), blockEnd(off))
	if off < max(headerLen, base) || off+chunkHeaderLen > limit {
		return chunk{}, false
	}
	b := data[off-base : limit-base]
	c.typ = chunkType(b[chunkTypeOff])
	n := int(binary.LittleEndian.Uint16(b[8:]))
	if c.typ < chunkWhole || c.typ > chunkRoom || chunkHeaderLen+n > len(b) {
		return chunk{}, false
	}
	b = b[:chunkHeaderLen+n]
	if binary.LittleEndian.Uint64(b) != xxhash.Sum64(b[8:])^salt(h.epoch, off) {
		return chunk{}, false
	}
	if c.typ == chunkRoom {
		c.room = int64(binary.LittleEndian.Uint32(b[12:]))
	} else if lag := b[11]; lag != noVouch && SegmentNum(lag) < h.number {
		c.vouched = Position{Segment: h.number - SegmentNum(lag), Offset: int64(binary.LittleEndian.Uint32(b[12:]))}
	}
	c.payload = b[chunkHeaderLen:]
	c.end = off + int64(len(b))
	return c, true
}

// impliedEpoch returns the epoch of the segment in which what stands at off would be an intact chunk, and where that
// would end. It reports false where there can be no chunk in any.
func impliedEpoch(data []byte, off int64) (epoch uint64, end int64, ok bool) {
	limit := min(int64(len(data)), blockEnd(off))
	if off < headerLen || off+chunkHeaderLen > limit {
		return 0, 0, false
	}
	b := data[off:limit]
	n := int(binary.LittleEndian.Uint16(b[8:]))
	if typ := chunkType(b[chunkTypeOff]); typ < chunkWhole || typ > chunkRoom || chunkHeaderLen+n > len(b) {
		return 0, 0, false
	}
	b = b[:chunkHeaderLen+n]
	return unsalt(binary.LittleEndian.Uint64(b)^xxhash.Sum64(b[8:]), off), off + int64(len(b)), true
}

// blockEnd returns where the block that off lies in ends.
func blockEnd(off int64) int64 { return off - off%blockLen + blockLen }

// chunkStart returns where the next chunk begins when the last one ended at off: there, or in the
// next block when this one has no room for a chunk's header.
func chunkStart(off int64) int64 {
	if end := blockEnd(off); end-off < chunkHeaderLen {
		return end
	}
	return off
}
