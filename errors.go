package tinykv

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// Errors of opening.
var (
	// ErrLocked reports that another DB, in this process or another, has the directory open.
	ErrLocked = vfs.ErrLocked

	// ErrExists reports that the directory holds something: a store, where Options.ErrorIfExists
	// asked for none, or files that are no part of a store.
	ErrExists = errors.New("tinykv: directory is not empty")

	// ErrMissing reports that there is no store where Options.ErrorIfMissing or ReadOnly asked for one.
	ErrMissing = errors.New("tinykv: no store in the directory")

	// ErrFormatTooNew reports a store that a newer version of this package wrote. It is left as it
	// is.
	ErrFormatTooNew = corrupt.ErrTooNew

	// ErrInvalidOption reports an option that is out of range, or that does not apply to the call.
	ErrInvalidOption = errors.New("tinykv: invalid option")
)

// Errors of reading.
var (
	// ErrNotFound reports that a key is absent.
	ErrNotFound error = notFoundError{}

	// ErrInvalidRange reports a range whose lower bound is above its upper bound.
	ErrInvalidRange = errors.New("tinykv: lower bound is above upper bound")

	// ErrLagged reports that what a [DB.Watch] is to tell next is not there any more.
	ErrLagged = errors.New("tinykv: the changes to go on with are gone; scan a snapshot and watch from its Seq")

	// ErrCorrupt is matched by every [CorruptionError]. What is damaged is not read; [DB.Verify] lists all of it, and
	// [Repair] copies what is good to a new store.
	ErrCorrupt = corrupt.ErrCorrupt
)

// Errors of writing.
var (
	ErrKeyTooLarge   = errors.New("tinykv: key too large")
	ErrValueTooLarge = errors.New("tinykv: value too large")
	ErrBatchTooLarge = errors.New("tinykv: batch too large")

	// ErrConflict reports that what a transaction has read was written by others since. Nothing of it was written.
	ErrConflict = errors.New("tinykv: transaction conflicts with another write, and has written nothing; try it again")

	// ErrTxDone reports a call on a transaction that has ended.
	ErrTxDone = errors.New("tinykv: transaction has ended")

	// ErrInvalidOperand reports an operand of Merge that the store's operator does not take.
	ErrInvalidOperand = errors.New("tinykv: invalid merge operand")

	// errLostEntry reports an entry that was met going backward and not found again going forward.
	errLostEntry = errors.New("tinykv: an entry was not found again")

	// ErrReadOnly reports a write to a store that was opened with Options.ReadOnly, or that has failed.
	ErrReadOnly = errors.New("tinykv: read only")

	// ErrFailed reports that an earlier write or sync failed in a way that leaves unknown what is on
	// stable storage. The store serves reads and refuses writes until [DB.Resume] succeeds, or until it is
	// closed and opened again. The error also matches ErrReadOnly and the first cause.
	ErrFailed = errors.New("tinykv: store has failed")
)

// notFoundError is a type, so that a read sees what it has at a glance: to compare with errors.New would
// cost a miss two percent.
type notFoundError struct{}

func (notFoundError) Error() string { return "tinykv: key not found" }

func isNotFound(err error) bool {
	_, ok := err.(notFoundError)
	return ok
}

// errNoFunction is what Peek, View and Update without a function give.
var errNoFunction = fmt.Errorf("%w: there is no function to call", ErrInvalidOption)

// errNoSeqs is what writing to a store gives that has given out nearly all sequence numbers.
var errNoSeqs = fmt.Errorf("%w: its sequence numbers are used up; copy what it holds to a new store", ErrReadOnly)

// errMissing is what Options.ErrorIfMissing gives, errMissingToRead Options.ReadOnly.
var (
	errMissing       = fmt.Errorf("%w; check the path, or open it without Options.ErrorIfMissing to make one", ErrMissing)
	errMissingToRead = fmt.Errorf("%w; check the path, as an opening with Options.ReadOnly makes none", ErrMissing)
)

// errNoDirectory is what an empty path gives.
var errNoDirectory = fmt.Errorf("%w: the directory has no name; \".\" is the present one", ErrInvalidOption)

// errNilContext is what a nil context.Context gives.
var errNilContext = fmt.Errorf("%w: the context is nil; pass context.Background()", ErrInvalidOption)

// errOpenReadOnly is what a store that was opened with Options.ReadOnly answers to writes.
var errOpenReadOnly = fmt.Errorf("%w: the store was opened with Options.ReadOnly; open it without to write", ErrReadOnly)

// ErrClosed reports the use of something after its Close, or after that of the DB it came from.
var ErrClosed = errors.New("tinykv: closed")

// errNotExist is what file systems return for a name that leads nowhere.
var errNotExist = fs.ErrNotExist

// CorruptionError describes damaged data: the file, the offset in it, what was being read and what
// was wrong.
type CorruptionError = corrupt.Error

// failedError is what a failed store answers to writes.
type failedError struct {
	cause error
	told  atomic.Bool // see DB.tellFailure
}

func (e *failedError) Error() string {
	return fmt.Sprintf("tinykv: store refuses writes since one failed (mend the cause, then call Resume, or close the store and open it again): %v", e.cause)
}

func (e *failedError) Is(target error) bool { return target == ErrFailed || target == ErrReadOnly }

func (e *failedError) Unwrap() error { return e.cause }
