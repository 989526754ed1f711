package interchange

import (
	"fmt"
	"io"
	"time"
)

// row is what a row of the input makes: a key with its value. Its slices are lent until the next row is read.
type row struct {
	key, value []byte
	bucket     []byte // where it goes to, if the row tells that
	expiresAt  time.Time
	number     int64
	wrong      *RowError // then there is neither key nor value
}

// rows reads the rows of some format.
type rows interface {
	// next reads a row. At the end it returns io.EOF. After a *RowError it goes on with the next row; after others it must not be called.
	next(r *row) error

	// read returns how many bytes the rows that were read took.
	read() int64
}

// RowError tells what is wrong with a row of an import.
type RowError struct {
	Row     int64  `json:"row"`            // from 1: the line of JSON lines, the element of an array, the record of CSV, of which the header is one
	Line    int64  `json:"line,omitempty"` // from 1: where a record of CSV begins
	Message string `json:"message"`

	cause error
}

// Error returns the message, and where it belongs.
func (e *RowError) Error() string {
	if e.Line != 0 && e.Line != e.Row {
		return fmt.Sprintf("row %d (line %d): %s", e.Row, e.Line, e.Message)
	}
	return fmt.Sprintf("row %d: %s", e.Row, e.Message)
}

// Unwrap returns the cause, which may be one of the errors of package tinykv.
func (e *RowError) Unwrap() error { return e.cause }

// Is tells that the error is about the input.
func (e *RowError) Is(target error) bool { return target == ErrInput }

// rowError says where an error belongs.
func rowError(number, line int64, err error) error {
	return &RowError{Row: number, Line: line, Message: plain(err), cause: err}
}

// newRows returns a reader of rows as the options say. Its error may tell what is wrong with the header.
func newRows(r io.Reader, o *ImportOptions) (rows, error) {
	in := newInput(r, int(o.MaxRow))
	switch o.Format {
	case CSV:
		return newCSVRows(in, o)
	case JSONLines:
		return &jsonRows{source: &lineSource{in: in}, shape: o.shape()}, nil
	case JSON:
		return &jsonRows{source: &arraySource{in: in}, shape: o.shape()}, nil
	default:
		return nil, fmt.Errorf("%w: %v", ErrOption, o.Format)
	}
}

// shape says how a row makes a key and a value.
type shape struct {
	key     *Template // nil: the row is an item
	value   string    // the field that is the value; empty: the whole row, as JSON
	buckets bool      // an item may tell its bucket
	buf     []byte    // of the last key
}

func (o *ImportOptions) shape() shape {
	return shape{key: o.Key, value: o.Value, buckets: o.AllBuckets}
}
