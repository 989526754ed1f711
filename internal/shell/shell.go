// Package shell understands the words that are typed in the shell of the command line and in the terminal of the page, and carries
// them out on an open store.
//
//	s := shell.New(db)
//	defer s.Close()
//	r := s.Do(ctx, `put fig "ripe and sweet" --ttl 30s`)
//	fmt.Println(r.Out, r.Err)
//
// A line is one word and what it is about; help lists them. Words are divided by spaces. One that holds spaces, or bytes that do not
// print, stands in quotes: "a b\n\xff" with the escapes of Go, or 'a b' as it is. Quotes within a word mean nothing, so that
// {"a":1} is a value. A word of more than one operation divides them by a ; that stands alone.
//
// A session does no input or output but on the store, and starts no goroutine.
package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tinykv/tinykv"
)

// Session is what one who types has: a bucket in use and, between begin and its end, a transaction. It belongs to one goroutine at a
// time.
type Session struct {
	db     *tinykv.DB
	bucket string // empty outside of buckets
	tx     *tinykv.Tx
	wrote  bool // the transaction has writes
}

// Result is the answer to a line.
type Result struct {
	Out    string `json:"out"`             // lines, each with its end
	Err    string `json:"error,omitempty"` // what is wrong and what to do next, without an end of line
	Prompt string `json:"prompt"`          // for the next line
	Quit   bool   `json:"quit,omitempty"`  // the line asked for the end

	Transaction bool `json:"transaction,omitempty"` // one is open: what it wrote is lost if the session ends now

	Code string `json:"code,omitempty"` // Err in a word, for programs: not_found, bad_request, conflict, corrupt, failed, read_only, closed, timeout or internal

	// Cause is what Err tells of: a Mistake, an error of the store, or that of the context. A key that is not there
	// matches tinykv.ErrNotFound.
	Cause error `json:"-"`
}

// New returns a session outside of all buckets, without a transaction. The store stays the caller's.
func New(db *tinykv.DB) *Session { return &Session{db: db} }

// Close rolls back the transaction, if one is open.
func (s *Session) Close() {
	if s.tx != nil {
		_ = s.tx.Rollback() // never fails outside of Update
		s.tx = nil
	}
}

// Prompt tells, in front of a line, which bucket is used and whether a transaction is open.
func (s *Session) Prompt() string {
	p := "tinykv"
	if s.bucket != "" {
		p += ":" + Quote([]byte(s.bucket))
	}
	if s.tx != nil {
		p += " (transaction)"
	}
	return p + "> "
}

// Do carries out a line. One that is empty, or begins with #, does nothing. What it shows is bounded: at most MaxLines lines and MaxOutput
// bytes, and where there is more, it says how to go on. When ctx ends, so does the line.
func (s *Session) Do(ctx context.Context, line string) Result {
	out := &output{}
	err := s.do(ctx, line, out)
	r := Result{Out: out.String(), Quit: errors.Is(err, errQuit), Prompt: s.Prompt(), Transaction: s.tx != nil}
	if err != nil && !r.Quit {
		r.Err, r.Code, r.Cause = explain(err), code(err), err
	}
	return r
}

func (s *Session) do(ctx context.Context, line string, out *output) error {
	words, err := split(line)
	if err != nil || len(words) == 0 || words[0].bare() && strings.HasPrefix(words[0].text, "#") {
		return err
	}
	w, err := find(words[0].text)
	if err != nil {
		return err
	}
	a, err := w.parse(words[1:])
	if err != nil {
		return err
	}
	return w.do(s, &call{ctx: ctx, args: a, out: out})
}

// call is one line on its way.
type call struct {
	ctx  context.Context
	args arguments
	out  *output
}

// space is what a DB, a bucket and a transaction have in common.
type space interface {
	tinykvReader
	Put(k, value []byte, opts ...tinykv.WriteOption) error
	Delete(k []byte, opts ...tinykv.WriteOption) error
	DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
}

// space returns where lines read and write.
func (s *Session) space() space {
	switch {
	case s.tx != nil:
		return s.in(s.tx)
	case s.bucket != "":
		return s.db.Bucket(s.bucket)
	default:
		return s.db
	}
}

// in returns the bucket in use within a transaction.
func (s *Session) in(tx *tinykv.Tx) space {
	if s.bucket != "" {
		return tx.Bucket(s.bucket)
	}
	return tx
}

// update calls fn with the open transaction, or with one of its own that is committed.
func (s *Session) update(fn func(space) error) error {
	if s.tx != nil {
		s.wrote = true
		return fn(s.in(s.tx))
	}
	return s.db.Update(func(tx *tinykv.Tx) error { return fn(s.in(tx)) })
}

// errQuit is how the word quit ends.
var errQuit = errors.New("quit")

// Mistake is an error in what was typed.
type Mistake string

// Error tells what is wrong, and what would be right.
func (m Mistake) Error() string { return string(m) }

func mistakef(format string, args ...any) error { return Mistake(fmt.Sprintf(format, args...)) }

// explain says what is wrong and what to do next.
func explain(err error) string {
	var m Mistake
	switch {
	case errors.As(err, &m):
		return err.Error()
	case errors.Is(err, tinykv.ErrConflict):
		return "conflict: something that the transaction has read was written by others since it began; nothing of it was written, begin again"
	case errors.Is(err, tinykv.ErrCorrupt):
		return plain(err) + "; verify lists all damage, and tinykv repair copies the rest"
	case errors.Is(err, tinykv.ErrFailed):
		return plain(err) + "; reads go on; mend the cause, then type resume"
	case errors.Is(err, tinykv.ErrReadOnly):
		return "that is open to read only: the transaction, or the store"
	case errors.Is(err, tinykv.ErrInvalidOperand):
		return plain(err)
	case errors.Is(err, tinykv.ErrClosed):
		return "the store is closed"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return "that took too long and was ended; ask for a smaller range"
	default:
		return plain(err)
	}
}

// code says what is wrong in the words of the REST interface.
func code(err error) string {
	var m Mistake
	if errors.As(err, &m) {
		return "bad_request"
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{tinykv.ErrNotFound, "not_found"},
		{tinykv.ErrConflict, "conflict"},
		{tinykv.ErrCorrupt, "corrupt"},
		{tinykv.ErrFailed, "failed"},
		{tinykv.ErrReadOnly, "read_only"},
		{tinykv.ErrClosed, "closed"},
		{tinykv.ErrInvalidRange, "bad_request"},
		{tinykv.ErrInvalidOperand, "bad_request"},
		{tinykv.ErrKeyTooLarge, "bad_request"},
		{tinykv.ErrValueTooLarge, "bad_request"},
		{tinykv.ErrBatchTooLarge, "bad_request"},
		{context.Canceled, "timeout"},
		{context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return "internal"
}

// plain is an error without the name of the package.
func plain(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "tinykv: "), ": tinykv: ", ": ")
}
