package wal

import (
	"fmt"
	"sync/atomic"

	"github.com/tinykv/tinykv/vfs"
)

// maxKeptBuffer is how much of a segment's buffer is kept for the next records.
const maxKeptBuffer = 1 << 20

// segment frames records into one file. append and flush are for one goroutine; the atomic fields
// may be read by others, and log.Datasync may run at the same time.
//
//	0 <= flushed <= end <= log.Size();  buf holds the bytes from flushed to end
type segment struct {
	header header
	name   string // path of the file
	log    vfs.Log

	// For the writer alone.
	buf     []byte
	bufMark uint64 // of the last record in buf
	end     int64

	// Atomic. A sync that reads mark and then flushed covers every record up to the mark.
	flushed atomic.Int64
	mark    atomic.Uint64 // of the last flushed record

	// Guarded by Log.syncMu.
	synced int64 // bytes known to be on stable storage
}

// startSegment writes the header of a fresh or recycled file and returns the empty segment.
func startSegment(name string, log vfs.Log, h header) (*segment, error) {
	h.room = log.Size()
	if _, err := log.WriteAt(h.encode(), 0); err != nil {
		return nil, fmt.Errorf("begin segment %d: %w", h.number, err)
	}
	s := &segment{header: h, name: name, log: log, end: headerLen}
	s.flushed.Store(headerLen)
	s.mark.Store(h.prevMark)
	return s, nil
}

// fits tells whether framed bytes have room.
func (s *segment) fits(framed int64) bool { return s.end+framed <= s.log.Size() }

// append frames a record into the buffer. mark belongs to the record.
func (s *segment) append(payload []byte, mark uint64, vouched Position) {
	for first := true; ; first = false {
		start := chunkStart(s.end)
		for ; s.end < start; s.end++ {
			s.buf = append(s.buf, 0)
		}
		part := payload[:min(len(payload), int(blockEnd(start)-start-chunkHeaderLen))]
		payload = payload[len(part):]
		last := len(payload) == 0
		s.buf = appendChunk(s.buf, &s.header, start, typeOf(first, last), vouched, part)
		s.end = start + chunkHeaderLen + int64(len(part))
		if last {
			s.bufMark = mark
			return
		}
	}
}

// distrust notes in the header that the system's cache cannot be relied on, after a sync has failed: pages of the file may then be
// lost without the cache as a whole. Else the next opening would take holes between records for damage, as the death of a
// process makes none. A note that cannot be made is not missed by anybody who can still read the file as it was.
func (s *segment) distrust() {
	h := s.header
	h.cache = 0
	_, _ = s.log.WriteAt(h.encode(), 0)
}

// appendRoom notes in the buffer that the file has grown to room bytes.
func (s *segment) appendRoom(room int64) {
	start := chunkStart(s.end)
	s.buf = append(s.buf, make([]byte, start-s.end)...)
	s.buf = appendRoomChunk(s.buf, &s.header, start, room)
	s.end = start + chunkHeaderLen
}

// flush hands the buffer to the operating system. When a sync follows at once, one system call is
// cheaper than stores into the mapping.
func (s *segment) flush(syncFollows bool) error {
	if len(s.buf) == 0 {
		return nil
	}
	if err := s.write(syncFollows); err != nil {
		return err
	}
	if s.buf = s.buf[:0]; cap(s.buf) > maxKeptBuffer {
		s.buf = nil
	}
	s.flushed.Store(s.end)
	s.mark.Store(s.bufMark)
	return nil
}

func (s *segment) write(syncFollows bool) error {
	off := s.flushed.Load()
	if syncFollows {
		_, err := s.log.WriteAt(s.buf, off)
		return err
	}
	// A process can die between any two stores of one copy, in no particular order. So that an
	// intact chunk always has intact ones before it, every chunk is a copy of its own.
	for rest := s.buf; len(rest) > 0; {
		start := chunkStart(off)
		rest = rest[start-off:]
		n := chunkHeaderLen + int(rest[8]) + int(rest[9])<<8
		if err := s.log.WriteMapped(rest[:n], start); err != nil {
			return err
		}
		rest = rest[n:]
		off = start + int64(n)
	}
	return nil
}
