package simfs

import (
	"io/fs"
	"slices"
	"syscall"
)

// Errors that disks give, for [Fault.Err].
const (
	IOError = syscall.EIO    // a sector cannot be read or written; the default
	NoSpace = syscall.ENOSPC // the disk is full
)

// Fault says which calls fail, and how.
type Fault struct {
	// Nth picks the call that fails, counted from 1 among those that match from now on; 0 is 1.
	Nth int

	// Always makes all matching calls after the Nth fail too.
	Always bool

	// Match picks the calls that are counted; [Kinds] makes simple ones. Nil picks every operation:
	// all kinds of calls that change state. Match must not call the file system.
	Match func(op Op) bool

	// Err is the error, which the call returns as the cause of a path error. Nil is [IOError].
	Err error

	// ShortBytes is how much of its work a failing write or extension does before it fails, at most
	// all of it.
	ShortBytes int64

	// DropDirty makes a failing sync forget what it was to bring to the disk: programs go on seeing
	// it, and later syncs, which may succeed, do not bring it there either. That is what
	// Linux file systems do with the contents of files; the same can be asked of SyncDir, where a
	// rename between directories is forgotten for both. Without DropDirty everything stays
	// unsynced, and a later sync that succeeds brings it to the disk.
	DropDirty bool

	// Revert is DropDirty after which programs read of the contents of a file what the disk holds, as on
	// file systems that give up the cached pages too. Mappings that are there stay as they are. Names are
	// as without it.
	Revert bool
}

// part returns how much of n bytes is still done.
func (f Fault) part(n int64) int64 { return min(max(f.ShortBytes, 0), n) }

// Kinds returns a Match for calls of some kinds.
func Kinds(kinds ...Kind) func(op Op) bool {
	return func(op Op) bool { return slices.Contains(kinds, op.Kind) }
}

// Injection is a fault that has been asked for.
type Injection struct {
	fault Fault
	fsys  *FS

	// Guarded by fsys.mu.
	seen  int // matching calls so far
	fired int // calls made to fail so far
}

// FailCall makes calls fail. It may be called again for further faults, which count apart; where
// several want to fail one call, the first of them says how.
func (f *FS) FailCall(fault Fault) *Injection {
	fault.Nth = max(fault.Nth, 1)
	if fault.Err == nil {
		fault.Err = IOError
	}
	if fault.Match == nil {
		fault.Match = func(op Op) bool { return op.Kind.Changes() }
	}
	injection := &Injection{fault: fault, fsys: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, injection)
	return injection
}

// Fired returns how many calls the fault has made fail. A loop over Nth is done when it stays 0.
func (i *Injection) Fired() int {
	i.fsys.mu.Lock()
	defer i.fsys.mu.Unlock()
	return i.fired
}

// Clear removes all faults.
func (f *FS) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// faultLocked counts a call and tells whether, and how, it has to fail.
func (f *FS) faultLocked(op Op) (fault Fault, failed bool) {
	for _, injection := range f.faults {
		if injection.hits(op) && !failed {
			injection.fired++
			fault, failed = injection.fault, true
		}
	}
	return fault, failed
}

func (i *Injection) hits(op Op) bool {
	if !i.fault.Match(op) {
		return false
	}
	i.seen++
	return i.seen == i.fault.Nth || i.seen > i.fault.Nth && i.fault.Always
}

// Access says what callers may do. The zero value is ReadWrite.
type Access uint8

// What is not allowed fails with fs.ErrPermission. Open files can always be read and closed, and
// syncs always work.
const (
	ReadWrite Access = iota // everything
	ReadOnly                // nothing that changes state, and no locks
	Denied                  // nothing that takes a name
)

// SetAccess says what callers may do from now on. Images allow everything.
func (f *FS) SetAccess(access Access) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.access = access
}

func (a Access) check(op Op) error {
	allowed := true
	switch op.Kind {
	case OpRead, OpClose, OpSync, OpSyncDir:
	case OpOpen, OpMap, OpStat, OpList:
		allowed = a != Denied
	default:
		allowed = a == ReadWrite
	}
	if allowed {
		return nil
	}
	return pathError(op.Kind.String(), op.Name, fs.ErrPermission)
}
