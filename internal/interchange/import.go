package interchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tinykv/tinykv"
)

// ImportReport tells what an import did.
type ImportReport struct {
	Imported int64 `json:"imported"` // rows that are in the store; in a dry run, that would be
	Skipped  int64 `json:"skipped"`  // rows whose keys were there, or whose values have expired
	Failed   int64 `json:"failed"`   // rows that were wrong and left out
	Bytes    int64 `json:"bytes"`    // of the input that were dealt with; where it ended early, about

	// Rows is the number of a row up to which, with it, everything was done: the next import may begin behind it.
	Rows int64 `json:"rows"`

	// Errors tell of the first rows that were wrong, at most 100.
	Errors []RowError `json:"errors"`

	// StoppedAt is Rows, if the import ended before the input did.
	StoppedAt *int64 `json:"stopped_at,omitempty"`
}

// maxReported is how many rows that were wrong are kept.
const maxReported = 100

// ErrKeyExists ends an import that is to fail where a key is there already.
var ErrKeyExists = errors.New("the key is there already")

// Import writes the rows of a stream to a store, in batches of about 256 KiB, each of which takes effect whole. It needs memory for a few of
// them, and for the longest row, whatever the size of the input.
//
// It ends early when more rows are wrong than may be, when a key is there that must not be, when the input or the store fails, and
// when ctx ends, which does not interrupt a Read of r. The report then says up to which row everything is done. Nothing behind that is,
// unless it was the store that failed. What is done is on stable storage. The report comes with every error but those of the options.
//
// Errors: a *RowError, which also matches ErrKeyExists or an error of package tinykv where that is the reason; ErrInput for all else that is wrong with
// what was read; ErrOption; the cause of ctx; those of DB.Apply, DB.Update and DB.Sync; those of r.
func Import(ctx context.Context, db *tinykv.DB, r io.Reader, o *ImportOptions) (*ImportReport, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	report := &ImportReport{Errors: []RowError{}}
	rows, err := newRows(r, o)
	if err == nil {
		err = importRows(ctx, db, rows, o, report)
	} else if !errors.Is(err, ErrOption) {
		err = ofInput(err)
	}
	if err != nil {
		report.StoppedAt = &report.Rows
	}
	return report, err
}

func importRows(ctx context.Context, db *tinykv.DB, rows rows, o *ImportOptions, report *ImportReport) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := newChunkQueue()
	w := &chunkWriter{db: db, o: o, queue: q, report: report}
	written := make(chan error, 1)
	go func() {
		err := w.run(ctx)
		cancel(err) // the reader need not go on
		written <- err
	}()
	readErr := (&chunkReader{rows: rows, o: o, queue: q}).run(ctx)
	close(q.full)
	err := <-written
	if err == nil || errors.Is(readErr, errStream) { // a request that fails ends its context, too, which says less
		err = readErr
	}
	if o.DryRun || errors.Is(err, tinykv.ErrReadOnly) || errors.Is(err, tinykv.ErrClosed) {
		return err
	}
	if syncErr := db.Sync(); syncErr != nil {
		return errors.Join(err, syncErr)
	}
	return err
}

// ofInput says that an error is about the input, unless reading that has failed.
func ofInput(err error) error {
	if errors.Is(err, errStream) && !errors.Is(err, errUTF16) || errors.Is(err, ErrInput) {
		return err
	}
	return inputError{err}
}

// plain returns the message of an error without the name of the package, which is no news to whoever made the input.
func plain(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "tinykv: "), ": tinykv: ", ": ")
}

// ErrInput is matched by errors that tell what is wrong with what an import was given to read.
var ErrInput = errors.New("the input is not as it should be")

// inputError is one that is about the input, but not about one row.
type inputError struct{ error }

func (e inputError) Is(target error) bool { return target == ErrInput }
func (e inputError) Unwrap() error        { return e.error }

// ErrOption is matched by errors that tell of mistakes in options.
var ErrOption = fmt.Errorf("%w of an import or export", tinykv.ErrInvalidOption)
