// Package corrupt defines the errors that report files that cannot be read: the one for damage, and
// the one for formats from the future.
//
// An [Error] is created where bytes are decoded, which often does not know the file's name; the layer that
// does fills it in once, with [Locate].
package corrupt

import (
	"errors"
	"fmt"
	"strings"
)

// ErrCorrupt is matched by every *Error.
var ErrCorrupt = errors.New("corrupt data")

// ErrTooNew reports an intact file in a format, or with contents, that this version does not know.
var ErrTooNew = errors.New("written by a newer version of tinykv; open it with that one")

// Error describes damage: which file, where in it, what was being read and what was wrong with it.
type Error struct {
	File   string // path of the file; empty when the bytes did not come from a file
	Offset int64  // offset in File of the damaged structure, in bytes; -1 when not known
	What   string // what was being read, such as "data block"
	Detail string // what was found and, where it helps, what was expected
	Cause  error  // underlying error, or nil
}

// Errorf describes damage to what; file and offset are added by [Locate] or [At].
func Errorf(what, format string, args ...any) *Error {
	return &Error{Offset: -1, What: what, Detail: fmt.Sprintf(format, args...)}
}

// At sets the offset and returns e.
func (e *Error) At(off int64) *Error {
	e.Offset = off
	return e
}

// In sets the file and returns e.
func (e *Error) In(file string) *Error {
	e.File = file
	return e
}

// Error names file, offset, structure and finding.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("corrupt data")
	if e.File != "" {
		b.WriteString(" in ")
		b.WriteString(e.File)
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at offset %d", e.Offset)
	}
	fmt.Fprintf(&b, ": %s: %s", e.What, e.Detail)
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

// Is reports that the error matches [ErrCorrupt].
func (e *Error) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Locate fills in the file of a corruption error that has none and adds base to its offset, also where
// it is joined to others. Every other error is returned as it is.
func Locate(err error, file string, base int64) error {
	var e *Error
	if !errors.As(err, &e) || e.File != "" {
		return err
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, Locate(one, file, base))
		}
		return errors.Join(all...)
	}
	located := *e
	located.File = file
	if located.Offset >= 0 {
		located.Offset += base
	} else {
		located.Offset = base
	}
	return &located
}
