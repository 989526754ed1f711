package wal

import (
	"bytes"
	"encoding/binary"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// SegmentInfo is what the header of a segment file says.
type SegmentInfo struct {
	Purpose     Purpose
	Room        int64 // size of the file when the segment was begun
	Store       uint64
	Number      SegmentNum
	Epoch       uint64
	PrevLength  int64 // bytes of the segment before; 0: a log begins here
	PrevMark    uint64
	NeverUsed   bool // the file is all zeros, or shorter than a header; nothing else is set
	ActualBytes int64
}

// Part is a record of a segment, or a place where there should be one.
type Part struct {
	Offset, End int64 // of the record's first chunk and behind its last
	Payload     []byte

	// Damaged tells that no intact record begins at Offset, and that one which was written later begins
	// at End. A crash can be the reason in a log that was not synced; see [Recover].
	Damaged bool
}

// Inspect shows what is in one segment file, whatever store it belongs to: first its header, then its
// records in order, passing over damage. Both functions may end it by an error, which is returned. It judges neither how the segment
// follows on others nor how it ends: behind its last record lies whatever a file has there. A header that
// cannot be read, and a file that is shorter than it says, are corruption.
func Inspect(fsys vfs.FS, path string, header func(SegmentInfo) error, part func(Part) error) error {
	data, err := readAll(fsys, path)
	if err != nil {
		return err
	}
	if len(data) < headerLen || len(bytes.Trim(data[:headerLen], "\x00")) == 0 {
		return header(SegmentInfo{NeverUsed: true, ActualBytes: int64(len(data))})
	}
	h, err := decodeHeader(data[:headerLen], Purpose(binary.LittleEndian.Uint16(data[10:])), binary.LittleEndian.Uint64(data[headerStore:]))
	if err != nil {
		return locate(err, path, 0)
	}
	err = header(SegmentInfo{
		Purpose: h.purpose, Room: h.room, Store: h.store, Number: h.number, Epoch: h.epoch,
		PrevLength: h.prevLen, PrevMark: h.prevMark, ActualBytes: int64(len(data)),
	})
	if err != nil {
		return err
	}
	if err := inspectRecords(&scanner{header: h, data: data, off: headerLen}, part); err != nil {
		return err
	}
	if int64(len(data)) < h.room {
		return corrupt.Errorf("segment", "file has %d bytes, but was made with %d", len(data), h.room).At(int64(len(data))).In(path)
	}
	return nil
}

func inspectRecords(s *scanner, part func(Part) error) error {
	for {
		payload, ok := s.next()
		p := Part{Offset: s.start, End: s.off, Payload: payload}
		if !ok {
			next, found := s.recordFrom(s.bad + 1)
			if !found {
				return nil
			}
			p = Part{Offset: s.start, End: next, Damaged: true}
			s.off = next
		}
		if err := part(p); err != nil {
			return err
		}
	}
}

// recordFrom returns where the first intact chunk at or behind off begins that begins a record.
func (s *scanner) recordFrom(off int64) (int64, bool) {
	for c := range s.intactFrom(off) {
		if c.typ == chunkWhole || c.typ == chunkFirst {
			return c.end - chunkHeaderLen - int64(len(c.payload)), true
		}
	}
	return 0, false
}
