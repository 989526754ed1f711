package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

const (
	// zeroChunkBytes is how much one system call of Extend writes.
	zeroChunkBytes = 256 << 10

	// aheadBytes is how much of the mapping is made writable ahead of the stores. The first store to
	// a page, and the first after each sync, is a fault that costs many microseconds; asked for in
	// one system call, sixteen pages cost about as much as three such faults.
	aheadBytes = 64 << 10
)

// osLog is a Log of the operating system: a file that may be overwritten through a mapping.
// Both ways reach the same page cache, so that a reader and a sync see one file.
//
// Writable pages lie between entered and ready. A sync has to take the right to write from each page
// that it brings to the disk, and to tell all processors so, page by page; so Datasync gives up all
// pages first, in one go. That loses nothing: what was stored is in the page cache, and a store that
// comes meanwhile enters its page again.
type osLog struct {
	f    *os.File
	size int64
	view []byte // writable mapping of all size bytes; nil when there is none

	next    int64        // for the writer: where the last store ended
	entered atomic.Int64 // no page below has been entered since the last sync
	ready   atomic.Int64 // pages up to here are writable, unless a sync has just come in between
}

func newOSLog(f *os.File) *osLog { return &osLog{f: f} }

// Extend writes zeros rather than punching room with fallocate: a later overwrite then changes no
// extent state, and a sync of it journals no metadata.
func (l *osLog) Extend(size int64) error {
	if size <= l.size {
		return nil
	}
	zeros := make([]byte, min(zeroChunkBytes, size-l.size))
	for off := l.size; off < size; {
		n, err := l.f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	l.size = size
	return l.remap()
}

// remap makes the mapping cover the whole log. Having none is no error: writes are calls then.
func (l *osLog) remap() error {
	l.entered.Store(0)
	l.ready.Store(0)
	if l.view != nil {
		if err := unmap(l.view); err != nil {
			return &fs.PathError{Op: "munmap", Path: l.f.Name(), Err: err}
		}
		l.view = nil
	}
	if !mappable(l.f) {
		return nil
	}
	if view, err := mapWritable(l.f, l.size); err == nil {
		l.view = view
	}
	return nil
}

func (l *osLog) WriteMapped(p []byte, off int64) error {
	if l.view == nil {
		_, err := l.WriteAt(p, off)
		return err
	}
	if err := l.check(len(p), off); err != nil {
		return err
	}
	l.getReady(off, off+int64(len(p)))
	return copyGuarded(l.view[off:], p, l.view, l.f.Name())
}

// getReady makes pages writable when stores come to where that was not done yet.
func (l *osLog) getReady(off, end int64) {
	if off < l.next { // used anew from the start
		l.entered.Store(off)
		l.ready.Store(off)
	}
	l.next = end
	if end > l.ready.Load() {
		ready := min(end+aheadBytes, l.size)
		l.ready.Store(ready)
		populateWritable(l.view, off, ready-off)
	}
}

func (l *osLog) WriteAt(p []byte, off int64) (int, error) {
	if err := l.check(len(p), off); err != nil {
		return 0, err
	}
	return l.f.WriteAt(p, off)
}

var errOutsideLog = errors.New("write outside the room of the log")

func (l *osLog) check(n int, off int64) error {
	if off < 0 || off > l.size || int64(n) > l.size-off {
		return &fs.PathError{
			Op: "write", Path: l.f.Name(),
			Err: fmt.Errorf("%w: %d bytes at %d of %d", errOutsideLog, n, off, l.size),
		}
	}
	return nil
}

func (l *osLog) ReadAt(p []byte, off int64) (int, error) { return l.f.ReadAt(p, off) }

func (l *osLog) Datasync() error {
	if ready := l.ready.Swap(0); l.view != nil && ready > 0 {
		from := l.entered.Swap(max(ready-2*aheadBytes, 0)) // some back, as the writer may be at work there
		giveUp(l.view, from, ready-from)
	}
	return datasync(l.f)
}

func (l *osLog) Size() int64 { return l.size }

func (l *osLog) Close() error {
	var err error
	if l.view != nil {
		err = unmap(l.view)
		l.view = nil
	}
	return errors.Join(err, l.f.Close())
}
