package sstable

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// A touch of the mapping can fault: the disk fails, or the file was cut. What is done once per table or
// block is guarded here: opening, the search of an index by an iterator, and its entry into a block,
// which touches all pages. A point read costs less than several guards would; so Get, GetAll and Trace leave it to
// their caller to guard the whole, with [Reader.Fault].

// Fault returns the error that stands for a recovered panic, if that is a memory fault on the mapping of
// this table, and nil otherwise. It is for callers that run under debug.SetPanicOnFault.
func (r *Reader) Fault(recovered any) error {
	off, ok := vfs.FaultOn(r.view, recovered)
	if !ok {
		return nil
	}
	_, err := r.mapping.ReadAt(make([]byte, 1), off) // tells why
	if err == nil {
		err = errors.New("the storage below a mapped page failed, though not the second time")
	}
	return r.locate(r.readError(err, off), 0)
}

// readError returns what to say of a failure to read at an offset.
func (r *Reader) readError(err error, off int64) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		e := corrupt.Errorf("table", "file ends before offset %d", off+1).At(off)
		e.Cause = err
		return e
	}
	return fmt.Errorf("%s: read at %d: %w", r.opts.Name, off, err)
}

// endGuard ends what debug.SetPanicOnFault began, and sets *err after a fault on the mapping. Any other
// panic goes on.
func (r *Reader) endGuard(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if recovered := recover(); recovered != nil {
		if *err = r.Fault(recovered); *err == nil {
			panic(recovered)
		}
	}
}
