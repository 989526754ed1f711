package wal

import (
	"errors"
	"io"
	"iter"
	"math"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// scanner reads the records of one segment in order.
type scanner struct {
	header header
	data   []byte // the whole file
	start  int64  // of the last whole record
	off    int64  // behind it
	bad    int64  // after next failed: where an intact chunk was expected and none was
	room   int64  // bytes that the file had, by what was read so far
	record []byte // buffer for records of several chunks
}

// next returns the next record, which holds until the call after. It reports false at the first
// place where no record continues the log; that alone does not say why.
func (s *scanner) next() ([]byte, bool) {
	at := chunkStart(s.off)
	c, ok := decodeChunk(s.data, &s.header, at)
	for ok && c.typ == chunkRoom {
		s.room = c.room
		at = chunkStart(c.end)
		c, ok = decodeChunk(s.data, &s.header, at)
	}
	s.start = at
	if ok && c.typ == chunkWhole {
		s.off = c.end
		return c.payload, true
	}
	s.record = s.record[:0]
	for want := chunkFirst; ; want = chunkMiddle {
		if !ok || c.typ != want && (want != chunkMiddle || c.typ != chunkLast) {
			s.bad = at
			return nil, false
		}
		s.record = append(s.record, c.payload...)
		if c.typ == chunkLast {
			s.off = c.end
			return s.record, true
		}
		at = chunkStart(c.end)
		c, ok = decodeChunk(s.data, &s.header, at)
	}
}

// intactFrom yields every intact chunk at or behind off. It trusts nothing in between: each byte is
// tried as the start of a chunk, but for those of chunks of an earlier use, which are known by themselves.
//
// Whoever chooses what records hold can make nearly every second byte look like the start of a chunk that reaches
// to the end of its block, whose checksum is computed then, of 8 KiB on average for each byte of the file. Such records
// in a file that is used again cost that for the block in which the new ones end, and no more.
func (s *scanner) intactFrom(off int64) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		for off = max(off, headerLen); off+chunkHeaderLen <= int64(len(s.data)); {
			if off%blockLen == 0 {
				if end := s.earlierUse(off); end > off {
					off = end
					continue
				}
			}
			if typ := s.data[off+chunkTypeOff]; typ-1 >= uint8(chunkRoom) {
				off++ // as nearly everywhere
				continue
			}
			c, ok := decodeChunk(s.data, &s.header, off)
			if !ok {
				off++
				continue
			}
			if !yield(c) {
				return
			}
			off = c.end
		}
	}
}

// earlierUse returns where a run of chunks ends that another use of the file left at off, where a block
// begins and so a chunk does; off if there is none. They are intact when at least two follow one another and tell the same epoch:
// then no byte of theirs was written since, and no chunk of this use can be among them.
func (s *scanner) earlierUse(off int64) (end int64) {
	epoch, next, ok := impliedEpoch(s.data, off)
	if !ok || epoch == s.header.epoch {
		return off
	}
	end = off
	for {
		e, behind, ok := impliedEpoch(s.data, chunkStart(next))
		if !ok || e != epoch {
			return end
		}
		next, end = behind, behind
	}
}

// readSegment reads the file of a segment, whose header was read before.
func readSegment(fsys vfs.FS, f found) (*scanner, error) {
	limit := int64(maxSegmentLen)
	if f.header.purpose == PurposeLog {
		limit = maxLogSegmentLen
	}
	data, err := readUpTo(fsys, f.path, limit)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) < f.header.room {
		return nil, corrupt.Errorf("segment", "file has %d bytes, but was made with %d", len(data), f.header.room).
			At(int64(len(data))).In(f.path)
	}
	return &scanner{header: f.header, data: data, off: headerLen}, nil
}

// readAll reads a whole file of whatever purpose.
func readAll(fsys vfs.FS, path string) ([]byte, error) { return readUpTo(fsys, path, maxSegmentLen) }

// readUpTo reads a whole file that has at most limit bytes.
func readUpTo(fsys vfs.FS, path string, limit int64) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size > min(limit, math.MaxInt) {
		err = corrupt.Errorf("segment", "file has %d bytes, at most %d", size, limit).At(0).In(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if isEOF(err) {
		err = nil
	}
	return data[:n], errors.Join(err, f.Close())
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
