package sstable

import (
	"errors"
	"fmt"
	"io"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// streamChunk is how much a stream reads at a time.
const streamChunk = 256 << 10

// stream hands out blocks from a buffer of its own, filled by large reads in ascending order. A
// compaction reads its inputs this way: it neither stalls the scheduler in page faults nor enters
// pages in the mapping that no reader asked for, and it verifies every block again.
type stream struct {
	r    *Reader
	file source
	buf  []byte
	off  int64  // of buf in the file
	raw  []byte // the block, where it was compressed

	// anywhere leaves it to the caller to see where the entries of a block sort.
	anywhere bool
}

// source is the file of a stream.
type source interface {
	io.ReaderAt
	io.Closer
}

// NewStreamIter returns an iterator that reads the table's file by system calls and is quick in
// ascending order. It takes over the file and closes it. The Reader must outlive it.
func (r *Reader) NewStreamIter(file vfs.File) *Iter {
	return &Iter{r: r, index: &r.index, from: &stream{r: r, file: file}, base: r.opts.SeqBase, at: -1}
}

func (s *stream) block(i int, _ access) (block, error) {
	h := s.r.index.block(i)
	data, err := s.bytes(h)
	if err != nil {
		return block{}, s.r.locate(err, 0)
	}
	if s.r.packed != nil && isPacked(data) {
		data, err = s.unpack(h, data)
	} else {
		err = checkBlock(data, s.r.opts.ID, h.off)
	}
	if err == nil && !s.anywhere {
		err = s.r.index.checkPlace(i, data)
	}
	if err != nil {
		return block{}, s.r.locate(err, 0)
	}
	return makeBlock(data, s.r.opts.SeqBase), nil
}

// bytes returns a range of the file, which holds until the next one is asked for.
func (s *stream) bytes(h handle) ([]byte, error) {
	if h.off < s.off || h.off+h.length > s.off+int64(len(s.buf)) {
		if err := s.fill(h); err != nil {
			return nil, err
		}
	}
	return s.buf[h.off-s.off:][:h.length], nil
}

// unpack decompresses a block into memory that the next one takes.
func (s *stream) unpack(h handle, data []byte) ([]byte, error) {
	raw, err := unpack(s.raw, data, s.r.opts.ID, h.off)
	if err != nil {
		return nil, err
	}
	s.raw = raw
	return raw, checkStructure(raw, h.off)
}

// fill reads from the block on, as much as is likely to be wanted next.
func (s *stream) fill(h handle) error {
	if !sliceable(h.length) {
		return corrupt.Errorf("table", "%d bytes in one piece are more than this machine can hold", h.length).At(h.off)
	}
	want := min(max(h.length, streamChunk), s.r.mapping.Len()-h.off)
	if int64(cap(s.buf)) < want {
		s.buf = make([]byte, want)
	}
	n, err := s.file.ReadAt(s.buf[:want], h.off)
	s.buf, s.off = s.buf[:n], h.off
	if int64(n) >= h.length {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return corrupt.Errorf("table", "file ends after %d of %d bytes", n, h.length).At(h.off)
	}
	return fmt.Errorf("%s: read at %d: %w", s.r.opts.Name, h.off, err)
}

func (s *stream) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
