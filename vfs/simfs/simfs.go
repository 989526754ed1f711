// Package simfs is a file system for tests that loses power, tears writes, forgets names and fails
// calls on request. It lives in memory and is deterministic: the same calls from one goroutine and
// the same seeds give the same images and the same failures, whatever the clock and the machine.
//
// # Model
//
// A file is what its disk holds (the synced bytes) and a list of operations that have not reached
// it for certain: bytes stored at an offset, or growth by zeros. Names are kept in the same way:
// what the disk holds, and a list of creations, renames and removals since.
//
//	File.Sync, Log.Datasync   moves the operations of that file to its disk, and no name
//	SyncDir                   moves the operations on names of that directory, and no bytes
//	MkdirAll                  moves the names of the new directories at once
//
// Programs that run see everything, as they do through a page cache. [FS.Image] and [FS.Images]
// show what another program would find after a crash: a [Policy] chooses which of the operations
// reached the disk. Whatever is chosen, what was synced stays, a rename happens whole or not at all,
// and an operation on a name that could not happen without another one (the second use of a name
// whose removal was lost) is lost with it. Bytes that are missing inside a file read as zeros.
//
// This is more permissive than ext4 and XFS, which commit names in order: a store that survives here
// leans on nothing but the contract of package vfs. That it is nowhere less so is tested in package
// reliability/disk, where power cuts of real disks must leave what [FS.Allows] allows.
//
// # Example
//
//	fsys := simfs.New()
//	f, _ := fsys.Create("/a")      // 1 create a
//	f.Write([]byte("xy"))          // 2 write a off=0 n=2
//	f.Sync()                       // 3 sync a
//	f.Write([]byte("z"))           // 4 write a off=2 n=1
//
// Two operations are not on the disk: 1, the name, and 4, one byte. So a power cut leaves
//
//	DropAll    nothing: the bytes were synced, but not the name that leads to them
//	KeepAll    a = "xyz"
//	Prefixes   nothing; a = "xy"; a = "xyz"
//	Omissions  nothing; a = "xy"
//
// # Use
//
// A test sets a hook with [FS.SetHook], takes images at each operation of a workload, opens its
// store on each and compares with what was acknowledged; [Crash] prints how to make a failing
// image again. [FS.FailCall] makes calls fail instead.
//
// All methods may be called concurrently. Images share memory with the file system they come from
// until either is written to, so that taking one costs microseconds.
package simfs

import (
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/tinykv/tinykv/vfs"
)

// FS is a simulated file system. It implements [vfs.FS].
type FS struct {
	mu sync.Mutex

	// Guarded by mu.
	boot   int      // runs of the operating system before this one
	nextID int64    // number of the next inode
	live   tree     // what programs see
	disk   tree     // what a power cut leaves of live; files in it have a disk of their own
	names  []nameOp // unsynced, oldest first: disk and then these give live, unless a sync failed
	parted nameSet  // those that failed syncs forgot: disk may have something else there than live
	trace  Trace    // every indexed operation since this file system was made or booted
	hook   func(Op)
	faults []*Injection
	access Access
}

var _ vfs.FS = (*FS)(nil)

// New returns an empty file system. The root of every path exists, and nothing else.
func New() *FS {
	return &FS{live: tree{}, disk: tree{}}
}

// Ops returns how many operations there have been. The newest has this number as its index.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.trace)
}

// Trace returns all operations so far, oldest first. A power cut starts a new one.
func (f *FS) Trace() Trace {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clip(f.trace)
}

// SetHook makes the file system call hook after each indexed operation, on the goroutine that asked
// for the operation and before its call returns. The hook may use the file system, above all to take
// images; an operation of its own calls it again. Nil removes it.
func (f *FS) SetHook(hook func(op Op)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// CacheID is another one after each power cut, and the same after the death of the process.
func (f *FS) CacheID(string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("51b00000-0000-4000-8000-%012x", f.boot+1)
}

// change runs a call that changes state: access, faults, effect, index, hook.
func (f *FS) change(op Op, effect func() error) error {
	return f.changeOr(op, effect, func(*Op, Fault) {})
}

// changeOr is change for a call that, when it is made to fail, still does a part of its work.
// A call that fails for a reason of its own, such as a missing file, is no operation.
func (f *FS) changeOr(op Op, effect func() error, part func(*Op, Fault)) error {
	f.mu.Lock()
	if err := f.runLocked(&op, effect, part); err != nil {
		f.mu.Unlock()
		return err
	}
	op.Index = f.nextIndexLocked()
	f.trace = append(f.trace, op)
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		hook(op)
	}
	if op.Err != nil {
		return pathError(op.Kind.String(), op.Name, op.Err)
	}
	return nil
}

func (f *FS) runLocked(op *Op, effect func() error, part func(*Op, Fault)) error {
	if err := f.access.check(*op); err != nil {
		return err
	}
	fault, failed := f.faultLocked(*op)
	if !failed {
		return effect()
	}
	part(op, fault)
	op.Err = fault.Err
	return nil
}

// look runs a call that changes nothing: access, faults, effect.
func (f *FS) look(op Op, effect func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.access.check(op); err != nil {
		return err
	}
	if fault, failed := f.faultLocked(op); failed {
		return pathError(op.Kind.String(), op.Name, fault.Err)
	}
	return effect()
}

// nextIndexLocked returns the index that the operation under way is going to have.
func (f *FS) nextIndexLocked() int { return len(f.trace) + 1 }

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
