package wal

import (
	"errors"
	"fmt"

	"github.com/tinykv/tinykv/internal/corrupt"
)

// Follower reads the records of a log while others append to it. It belongs to one goroutine. It holds nothing of the
// log: what is retired before it was read is gone.
type Follower struct {
	log    *Log
	number SegmentNum
	header header
	off    int64 // of what follows in the segment

	block   []byte // the bytes of a block, as far as they were written, from blockAt on
	blockAt int64
	record  []byte // buffer for records of several chunks
}

// ErrGone reports that a log does not have what was asked for, not any more or not yet.
var ErrGone = errors.New("not in the log")

// Follow returns a Follower that begins with the segment in which the records with marks above the given one begin; there may be others
// before them. It reports false when the log does not have all of them any more.
func (l *Log) Follow(mark uint64) (*Follower, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.live) - 1; i >= 0; i-- {
		if h := l.live[i].header; h.prevMark <= mark {
			return &Follower{log: l, number: h.number, header: h, off: headerLen}, true
		}
	}
	return nil, false
}

// Next returns the next record, which holds until the call after. Only what was flushed is read. Errors: ErrGone; one that matches
// corrupt.ErrCorrupt; and those of the file system.
func (f *Follower) Next() ([]byte, error) {
	f.record = f.record[:0]
	for want := chunkFirst; ; want = chunkMiddle {
		c, err := f.chunk()
		if err != nil {
			return nil, err
		}
		switch {
		case c.typ == chunkWhole && want == chunkFirst:
			return c.payload, nil
		case c.typ == want, c.typ == chunkLast && want == chunkMiddle:
		default:
			return nil, corrupt.Errorf("log record", "a chunk of type %d", c.typ).At(f.off)
		}
		f.record = append(f.record, c.payload...)
		if c.typ == chunkLast {
			return f.record, nil
		}
	}
}

// chunk reads the next chunk.
func (f *Follower) chunk() (chunk, error) {
	at := chunkStart(f.off)
	if behind := f.blockAt + int64(len(f.block)); at < f.blockAt || at >= behind {
		var err error
		if at, err = f.load(); err != nil {
			return chunk{}, err
		}
	}
	c, ok := decodeChunkIn(f.block, f.blockAt, &f.header, at)
	if !ok {
		return chunk{}, corrupt.Errorf("log record", "no intact one in segment %d", f.number).At(at)
	}
	f.off = c.end
	return c, nil
}

// load reads the block of the next chunk, which may be in the next segment, and returns where the chunk begins.
func (f *Follower) load() (at int64, err error) {
	f.log.reading.RLock() // no file is used again, or closed, meanwhile
	defer f.log.reading.RUnlock()
	s, flushed, err := f.segment()
	if err != nil {
		return 0, err
	}
	at = chunkStart(f.off)
	f.blockAt = at - at%blockLen
	n := min(flushed-f.blockAt, blockLen)
	if cap(f.block) < blockLen {
		f.block = make([]byte, blockLen)
	}
	f.block = f.block[:n]
	if _, err := s.log.ReadAt(f.block, f.blockAt); err != nil && !isEOF(err) {
		f.block = f.block[:0]
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return at, nil
}

// segment returns the live segment that has what comes next, and how far it is written.
func (f *Follower) segment() (s *segment, flushed int64, err error) {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	for i, s := range f.log.live {
		if s.header.number != f.number {
			continue
		}
		if flushed := s.flushed.Load(); chunkStart(f.off) < flushed {
			return s, flushed, nil
		}
		if i+1 < len(f.log.live) { // so this one is complete
			f.header = f.log.live[i+1].header
			f.number, f.off, f.block = f.header.number, headerLen, f.block[:0]
		}
	}
	return nil, 0, ErrGone
}
