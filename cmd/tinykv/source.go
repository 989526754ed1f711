package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// source is what is imported. It counts what was read of the file.
type source struct {
	io.Reader
	size  int64 // of the file; 0: not known
	read  atomic.Int64
	close func() error
}

// Close closes the file.
func (s *source) Close() error { return s.close() }

type countReader struct {
	r io.Reader
	n *atomic.Int64
}

// Read reads and counts.
func (c countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func (c *importCommand) open(e *environment) (*source, error) {
	s := &source{close: func() error { return nil }}
	if c.File == "-" {
		s.Reader = countReader{patient(e.ctx, e.in), &s.read}
		return s, c.unpack(s)
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	s.close = f.Close
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.size = info.Size()
	}
	s.Reader = countReader{f, &s.read}
	if s.size == 0 { // a pipe, from which nothing may come
		s.Reader = countReader{patient(e.ctx, f), &s.read}
	}
	if err := c.unpack(s); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// gzipMark is what data begins with that gzip has compressed; no text does.
const gzipMark = "\x1f\x8b"

// unpack has what is compressed unpacked, whatever its name is.
func (c *importCommand) unpack(s *source) error {
	in := bufio.NewReaderSize(s.Reader, 64<<10)
	s.Reader = in
	begin, err := in.Peek(len(gzipMark))
	isGzip := string(begin) == gzipMark
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case !isGzip && strings.HasSuffix(strings.ToLower(c.File), ".gz"):
		return usageError{c.File + " is not compressed by gzip, though its name ends in .gz; rename it, or get it anew"}
	case !isGzip:
		return nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, gzipError(err))
	}
	s.Reader = unpacker{z}
	return nil
}

// unpacker tells in words of files what is wrong with compressed data.
type unpacker struct{ z *gzip.Reader }

// Read reads what was unpacked.
func (u unpacker) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	return n, gzipError(err)
}

func gzipError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the compressed data ends too early; the file is cut off")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return errors.New("the compressed data is damaged")
	default:
		return err
	}
}
