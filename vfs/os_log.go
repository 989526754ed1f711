package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// zeroChunkBytes is how much one system call of Extend writes.
const zeroChunkBytes = 256 << 10

// osLog is a Log of the operating system: a file that may be overwritten through a mapping.
// Both ways reach the same page cache, so that a reader and a sync see one file.
type osLog struct {
	f    *os.File
	size int64
	view []byte // writable mapping of all size bytes; nil when there is none
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
	return copyGuarded(l.view[off:], p, l.f.Name())
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

func (l *osLog) Datasync() error { return datasync(l.f) }

func (l *osLog) Size() int64 { return l.size }

func (l *osLog) Close() error {
	var err error
	if l.view != nil {
		err = unmap(l.view)
		l.view = nil
	}
	return errors.Join(err, l.f.Close())
}
