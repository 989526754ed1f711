package interchange

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// csvReader reads records of CSV (RFC 4180) as they are: quoted fields keep every byte, carriage returns and NUL included. Empty lines
// are passed. Errors leave it at the next line.
type csvReader struct {
	in     *input
	comma  byte
	find   csvFinder
	fields [][]byte // of the record, lent until the next one

	record int64 // number of the record, from 1
	line   int64 // on which it begins, from 1
	passed int64 // lines
}

func newCSVReader(in *input, comma byte) *csvReader {
	return &csvReader{in: in, comma: comma, find: csvFinder{comma: comma, prev: comma}}
}

// errOpenQuote reports a field without an end: whatever follows on it was taken for a part of it.
var errOpenQuote = errors.New("a field begins with a quote and never ends; the file is cut off, or a quote in a field is not doubled")

// next reads a record into fields. At the end it returns io.EOF. What is wrong with a record does not keep it from reading the next one; that
// the stream has failed matches errStream.
func (r *csvReader) next() error {
	for {
		row, err := r.in.row(&r.find)
		isOpen := r.find.quoted
		r.find.restart()
		var long errTooLong
		switch {
		case errors.As(err, &long):
			r.begin(1) // how many lines it takes is not known
			return long
		case err == io.EOF && isOpen:
			r.begin(1)
			return errOpenQuote
		case err != nil && err != io.EOF:
			return err
		}
		line := row
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) > 0 {
			r.begin(int64(bytes.Count(row, newline)) + 1)
			return r.split(line)
		}
		if err != nil {
			return err
		}
		r.passed++
	}
}

var newline = []byte("\n")

// begin counts a record that takes so many lines.
func (r *csvReader) begin(lines int64) {
	r.record++
	r.line = r.passed + 1
	r.passed += lines
}

// split finds the fields of a record.
func (r *csvReader) split(rest []byte) error {
	r.fields = r.fields[:0]
	for {
		field, n, err := csvField(rest, r.comma)
		if err != nil {
			return fmt.Errorf("field %d: %w", len(r.fields)+1, err)
		}
		r.fields = append(r.fields, field)
		if n == len(rest) {
			return nil
		}
		rest = rest[n+1:]
	}
}

var (
	errBareQuote  = errors.New(`a quote within a field that does not begin with one; write the field as "..." and its quotes twice`)
	errAfterQuote = errors.New("something follows on the quote that ends the field; quotes in a field are written twice")
)

// csvField returns the first field of a record, and how many bytes of it there are until the separator, or the end. It changes what
// it is given.
func csvField(b []byte, comma byte) (field []byte, n int, err error) {
	if len(b) == 0 || b[0] != '"' {
		if n = bytes.IndexByte(b, comma); n < 0 {
			n = len(b)
		}
		if bytes.IndexByte(b[:n], '"') >= 0 {
			return nil, 0, errBareQuote
		}
		return b[:n], n, nil
	}
	to := 1 // the field is b[1:to]
	for n = 1; ; n++ {
		q := bytes.IndexByte(b[n:], '"')
		if q < 0 {
			return nil, 0, errOpenQuote
		}
		if to < n {
			copy(b[to:], b[n:n+q])
		}
		to, n = to+q, n+q+1
		switch {
		case n == len(b) || b[n] == comma:
			return b[1:to], n, nil
		case b[n] != '"':
			return nil, 0, errAfterQuote
		}
		b[to] = '"'
		to++
	}
}

// csvFinder ends records at newlines that are not in quotes. A quote opens a field only where that begins, so that one in the middle
// of a field does not swallow the records behind it.
type csvFinder struct {
	comma  byte
	prev   byte // what came before, outside of quotes: comma stands for the begin of a record
	quoted bool
	closed bool // a quote has just been closed; another one would open it again
}

func (f *csvFinder) restart() { f.prev, f.quoted, f.closed = f.comma, false, false }

func (f *csvFinder) end(data []byte) (n, size int) {
	for i := 0; i < len(data); {
		if f.quoted {
			q := bytes.IndexByte(data[i:], '"')
			if q < 0 {
				return 0, 0
			}
			i += q + 1
			f.quoted, f.closed, f.prev = false, true, '"'
			continue
		}
		if i = f.outside(data, i); i < len(data) && !f.quoted {
			return i, 1
		}
	}
	return 0, 0
}

// outside passes bytes up to a newline, or behind a quote that opens a field.
func (f *csvFinder) outside(data []byte, i int) int {
	prev, closed := f.prev, f.closed
	for ; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\n':
			f.restart()
			return i
		case c == '"' && (prev == f.comma || closed):
			f.quoted, f.closed = true, false
			return i + 1
		default:
			prev, closed = c, false
		}
	}
	f.prev, f.closed = prev, closed
	return i
}
