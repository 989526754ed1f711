package interchange

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// readSize is how much is read at once, and how small a buffer may stay.
const readSize = 256 << 10

// errUTF16 reports what some programs write that also write CSV.
var errUTF16 = errors.New("the text is UTF-16; save it as UTF-8")

// input lends the rows of a stream, one after the other, from a buffer that grows to the longest of them. What is longer than max is passed
// and not kept.
type input struct {
	r   io.Reader
	max int

	buf      []byte
	from, to int   // buf[from:to] was read and is not taken yet
	taken    int64 // bytes before from
	err      error // what ended reading; io.EOF too
}

func newInput(r io.Reader, maxRow int) *input {
	in := &input{r: r, max: maxRow, buf: make([]byte, readSize)}
	for len(in.rest()) < len(byteOrderMark) && in.more() {
	}
	switch begin := in.rest(); {
	case bytes.HasPrefix(begin, byteOrderMark):
		in.take(len(byteOrderMark))
	case bytes.HasPrefix(begin, []byte{0xff, 0xfe}), bytes.HasPrefix(begin, []byte{0xfe, 0xff}):
		in.from, in.to, in.err = 0, 0, errUTF16
	}
	return in
}

// byteOrderMark is what some programs begin text in UTF-8 with.
var byteOrderMark = []byte("\ufeff")

func (in *input) rest() []byte { return in.buf[in.from:in.to] }

// more reads on. It reports false when nothing more comes.
func (in *input) more() bool {
	if in.err != nil {
		return false
	}
	in.makeRoom()
	for range maxEmptyReads {
		var n int
		n, in.err = in.r.Read(in.buf[in.to:])
		in.to += n
		if n > 0 || in.err != nil {
			return n > 0
		}
	}
	in.err = io.ErrNoProgress
	return false
}

// maxEmptyReads is how often a reader may return nothing at all.
const maxEmptyReads = 100

// makeRoom moves what is left to the front, into a larger buffer if it fills half of this one, and back into a small one if that will do.
func (in *input) makeRoom() {
	left := in.to - in.from
	size := len(in.buf)
	switch {
	case left > size/2:
		size *= 2
	case size > readSize && left < readSize/2:
		size = readSize
	}
	buf := in.buf
	if size != len(buf) {
		buf = make([]byte, size)
	}
	copy(buf, in.rest())
	in.buf, in.from, in.to = buf, 0, left
}

// take passes n bytes.
func (in *input) take(n int) []byte {
	b := in.buf[in.from : in.from+n]
	in.from += n
	in.taken += int64(n)
	return b
}

// errTooLong reports a row that was passed because it is longer than max.
type errTooLong struct{ max int }

func (e errTooLong) Error() string {
	return fmt.Sprintf("longer than %d bytes, which is as long as a row may be", e.max)
}

// row takes what lies before the end that the finder finds, and the end itself. Behind the last one it returns io.EOF, and what
// is left there, which may be nothing. A row that is too long gives errTooLong; other errors match errStream.
func (in *input) row(find finder) ([]byte, error) {
	seen, tooLong := 0, false
	for {
		rest := in.rest()
		if n, size := find.end(rest[seen:]); size > 0 {
			n += seen
			row := in.take(n + size)[:n]
			if tooLong || n > in.max {
				return nil, errTooLong{in.max}
			}
			return row, nil
		}
		if seen = len(rest); seen > in.max {
			tooLong, seen = true, 0
			in.take(len(rest))
		}
		if in.more() {
			continue
		}
		rest = in.take(len(in.rest()))
		if tooLong && errors.Is(in.err, io.EOF) {
			return nil, errTooLong{in.max}
		}
		return rest, in.ended()
	}
}

// errStream is matched by errors of what is read, as opposed to what stands in it.
var errStream = errors.New("reading the input")

// ended returns what ended reading.
func (in *input) ended() error {
	if errors.Is(in.err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("%w: %w", errStream, in.err)
}

// finder finds where a row ends. It is given the bytes of the row piece by piece, each once, and forgets them when it has found the end.
type finder interface {
	// end returns where in data the row ends, and how many bytes its end takes: 0 when it is not in data.
	end(data []byte) (n, size int)
}

// lineFinder ends rows at newlines.
type lineFinder struct{}

func (lineFinder) end(data []byte) (n, size int) {
	if n = bytes.IndexByte(data, '\n'); n >= 0 {
		return n, 1
	}
	return 0, 0
}

// visible passes white space and returns the byte behind it, which it does not take.
func (in *input) visible() (byte, error) {
	for {
		for in.from < in.to {
			if c := in.buf[in.from]; !isSpace(c) {
				return c, nil
			}
			in.take(1)
		}
		if !in.more() {
			return 0, in.ended()
		}
	}
}
