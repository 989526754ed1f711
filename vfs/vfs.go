// Package vfs is the storage that a store stands on: the few file operations
// an engine needs, with the promises it leans on written beside each.
//
// Three implementations exist. [OS] is the operating system's file system,
// [NewMem] keeps everything in memory, and package simfs, for tests, is a file
// system that loses power. A caller may plug in another by implementing [FS]
// and passing it in tinykv.Options.
//
// Four kinds of file are enough:
//
//	File     written once from start to end, synced, then only read (tables, CURRENT)
//	Log      preallocated with zeros and overwritten in place (WAL, manifest)
//	Mapping  a finished file seen as memory, read only
//	Lock     held for as long as a store is open
//
// Every name is a path in the syntax of package path/filepath. All methods of an
// FS may be called concurrently; the methods of a file only as its type says.
// Failures carry the operation and the name, as *fs.PathError does, and match
// fs.ErrNotExist, fs.ErrExist and fs.ErrPermission where these apply.
package vfs

import (
	"errors"
	"io"
)

// ErrLocked reports that another open store, in this process or another, holds the lock.
var ErrLocked = errors.New("locked by another opener")

// ErrNotTried is matched by errors of [FS.SyncDir] that came before the disk was asked: too many files are open, say.
var ErrNotTried = errors.New("the disk was not asked")

// ErrNotRegular reports that a name leads to a directory, a symbolic link, a pipe or a device
// where a plain file was expected. Such names are neither followed nor opened.
var ErrNotRegular = errors.New("not a regular file")

// FS is a file system. See the package comment for the rules that hold for all methods.
type FS interface {
	// Create makes a new, empty file with mode 0600 whatever the umask, open for writing.
	// It fails with fs.ErrExist when the name is taken, even by a dangling link.
	Create(name string) (File, error)

	// Open opens an existing regular file for reading.
	Open(name string) (File, error)

	// CreateLog makes a new log of size zero bytes with mode 0600; [Log.Extend] gives it room.
	CreateLog(name string) (Log, error)

	// Map makes a finished, synced, non-empty file readable as memory. The file must not change
	// or shrink while it is mapped; removing its name is allowed.
	Map(name string) (Mapping, error)

	// Remove deletes a file's name. Open files and mappings of it stay usable.
	Remove(name string) error

	// Rename gives a file a new name, replacing what the new name led to. At every moment, and
	// after a crash, the new name leads to the old or the new file and to nothing in between.
	Rename(oldname, newname string) error

	// List returns the names (not paths) in a directory, in no particular order.
	List(dir string) ([]string, error)

	// Stat describes what a name leads to without following a symbolic link.
	Stat(name string) (Info, error)

	// MkdirAll makes a directory with mode 0700 and its missing parents, and syncs the entry of
	// each new directory, so that the directory itself outlives a power cut.
	MkdirAll(dir string) error

	// SyncDir makes creations, renames and removals of names in a directory durable. An error that matches
	// ErrNotTried says that the disk was not asked, so that a later call may be believed.
	SyncDir(dir string) error

	// Lock takes an exclusive lock on a file, creating it if needed, without waiting: it fails
	// with [ErrLocked] when anyone holds it, alone or shared, and names that process if it is known. Closing the
	// result releases the lock; so does the death of the process.
	Lock(name string) (io.Closer, error)

	// LockShared takes a lock on an existing file that any number may share, and that excludes Lock, without
	// waiting: it fails with [ErrLocked] while Lock holds the file. It changes nothing; so it fails with
	// fs.ErrNotExist where there is no file. Closing the result releases the lock, as does the death of
	// the process.
	LockShared(name string) (io.Closer, error)

	// Space tells how large the file system is that holds dir, and how much of it is free.
	Space(dir string) (Space, error)

	// Type names the kind of file system that holds dir, such as "ext4", "xfs" or "tmpfs";
	// "other" when it is not known.
	Type(dir string) (string, error)

	// CacheID identifies the cache that holds what was written to dir and not yet synced, for as
	// long as it lives: two equal, non-empty answers mean that nothing written between them was
	// lost, though processes may have died. It changes when the system restarts and when the file
	// system is mounted anew. Empty when that cannot be told.
	CacheID(dir string) string
}

// File is a file that is written once from start to end, or one that is read.
// Writing is for one goroutine; ReadAt may be called concurrently.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer

	// Sync returns once the contents are on stable storage. After a failure nothing is known of
	// them, whatever a second call returns: the file must be abandoned.
	Sync() error

	// Size returns the length in bytes.
	Size() (int64, error)
}

// Log is a file whose room is allocated ahead and overwritten in place, so that making a record
// durable changes no metadata. One goroutine may write while another syncs; Extend and Close
// are for times when nobody else uses the log.
//
// Bytes given to WriteMapped or WriteAt survive the death of the process as soon as the call
// returns; they survive a power cut once a later Datasync has returned nil. Until then any part
// of them, in any order, may be on stable storage.
type Log interface {
	io.ReaderAt
	io.Closer

	// WriteAt stores p at off, within Size, by a system call. It is the cheaper call when a sync
	// follows.
	io.WriterAt

	// Extend grows the log to size bytes. The new bytes are zero and own their space: a full disk
	// is reported here, not by a later write. A size not above the present one changes nothing.
	// When it fails, Size is as before, though the file may have grown.
	Extend(size int64) error

	// WriteMapped stores p at off, within Size, through a writable mapping where the file system
	// can be trusted with one, and otherwise does what WriteAt does. It is the cheaper call when
	// no sync follows.
	WriteMapped(p []byte, off int64) error

	// Datasync returns once everything stored before the call is on stable storage. After a
	// failure nothing is known of it, whatever a second call returns: the log must be abandoned.
	Datasync() error

	// Size returns the room in bytes, as set by Extend.
	Size() int64
}

// Mapping is a finished file seen as memory. All methods but Close may be called concurrently.
type Mapping interface {
	io.ReaderAt
	io.Closer

	// Bytes returns the whole file, or nil where this file cannot be seen as memory and ReadAt
	// must be used. The slice must not be written to, nor touched after Close: that faults or,
	// worse, reads another file's bytes. An I/O error while touching it is a memory fault, see
	// [FaultOn].
	Bytes() []byte

	// Len returns the length of the file in bytes.
	Len() int64

	// Populate brings a range into memory by a system call, so that touching it afterwards does
	// not stall the scheduler in a page fault. It is advice: where it is not supported it returns
	// nil at once. An I/O error met on the way is returned. Here as in ReadAt, a file that was cut
	// while it was mapped gives io.ErrUnexpectedEOF.
	Populate(off, n int64) error

	// Announce has the system begin to bring a range into memory, and returns at once: several
	// ranges are then read together that Populate would read one after the other. It is advice.
	Announce(off, n int64)
}

// Info describes a file.
type Info struct {
	SizeBytes int64
	IsDir     bool
	IsRegular bool
}

// Space describes the room of a file system, in bytes.
type Space struct {
	TotalBytes int64
	FreeBytes  int64 // what an unprivileged process may still use
}
