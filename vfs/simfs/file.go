package simfs

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// handle is what open files, logs and mappings have in common.
type handle struct {
	fsys   *FS
	node   *inode
	closed bool // guarded by fsys.mu
}

// op describes a call on this handle, under the name that the file has now. After Close there are
// no more calls.
func (h *handle) op(kind Kind, off, n int64) (Op, error) {
	h.fsys.mu.Lock()
	defer h.fsys.mu.Unlock()
	if h.closed {
		return Op{}, pathError(kind.String(), h.node.name, fs.ErrClosed)
	}
	return Op{Kind: kind, Name: h.node.name, Off: off, N: n}, nil
}

// refuse returns the error of a call that the handle does not allow.
func (h *handle) refuse(kind Kind, err error) error {
	h.fsys.mu.Lock()
	defer h.fsys.mu.Unlock()
	return pathError(kind.String(), h.node.name, err)
}

// write stores p at off, by way of a mapping or by a call, and returns how much of it was stored.
func (h *handle) write(p []byte, off int64, mapped bool) (n int, err error) {
	op, err := h.op(OpWrite, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	err = h.fsys.changeOr(op, func() error {
		n = len(p)
		h.node.write(h.fsys.nextIndexLocked(), p, off, mapped)
		return nil
	}, func(op *Op, fault Fault) {
		op.N = fault.part(op.N)
		n = int(op.N)
		h.node.write(h.fsys.nextIndexLocked(), p[:n], off, mapped)
	})
	return n, err
}

func (h *handle) readAt(p []byte, off int64) (n int, err error) {
	op, err := h.op(OpRead, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	err = h.fsys.look(op, func() error {
		if off < 0 {
			return pathError("read", op.Name, fs.ErrInvalid)
		}
		n, err = h.node.cache.readAt(p, off)
		return err
	})
	return n, err
}

func (h *handle) sync() error {
	op, err := h.op(OpSync, 0, 0)
	if err != nil {
		return err
	}
	return h.fsys.changeOr(op, func() error {
		h.node.sync()
		return nil
	}, func(_ *Op, fault Fault) {
		switch {
		case fault.Revert:
			h.node.revert()
		case fault.DropDirty:
			h.node.drop()
		}
	})
}

// Close closes the handle, even when it is made to fail. A second call fails, as it does on the
// operating system's files.
func (h *handle) Close() error {
	op, err := h.op(OpClose, 0, 0)
	if err != nil {
		return err
	}
	h.fsys.mu.Lock()
	h.closed = true
	h.fsys.mu.Unlock()
	return h.fsys.look(op, func() error { return nil })
}

// file is a [vfs.File].
type file struct {
	handle
	writable bool
	off      int64 // where the next Write goes; used by the one writer
}

// Write appends p. A file opened for reading refuses it, with the operating system's error.
func (f *file) Write(p []byte) (int, error) {
	if !f.writable {
		return 0, f.refuse(OpWrite, syscall.EBADF)
	}
	n, err := f.write(p, f.off, false)
	f.off += int64(n)
	return n, err
}

// ReadAt reads a file opened for reading; one being written refuses it, with the operating system's
// error.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if f.writable {
		return 0, f.refuse(OpRead, syscall.EBADF)
	}
	return f.readAt(p, off)
}

func (f *file) Sync() error { return f.sync() }

func (f *file) Size() (size int64, err error) {
	op, err := f.op(OpStat, 0, 0)
	if err != nil {
		return 0, err
	}
	err = f.fsys.look(op, func() error {
		size = f.node.cache.size
		return nil
	})
	return size, err
}

// log is a [vfs.Log]. Like the one of the operating system it knows its room apart from the file's
// size: an extension that failed half-way leaves the file longer than the room.
type log struct {
	handle
	size int64 // room in bytes; guarded by fsys.mu
}

var errOutsideLog = errors.New("write outside the room of the log")

func (l *log) Extend(size int64) error {
	from := l.Size()
	if size <= from {
		return nil
	}
	op, err := l.op(OpExtend, from, size-from)
	if err != nil {
		return err
	}
	if size > maxFileBytes {
		return pathError("extend", op.Name, syscall.EFBIG)
	}
	return l.fsys.changeOr(op, func() error {
		l.node.extend(l.fsys.nextIndexLocked(), size)
		l.size = size
		return nil
	}, func(op *Op, fault Fault) {
		op.N = fault.part(op.N)
		l.node.extend(l.fsys.nextIndexLocked(), from+op.N)
	})
}

func (l *log) WriteAt(p []byte, off int64) (int, error) { return l.store(p, off, false) }

func (l *log) store(p []byte, off int64, mapped bool) (int, error) {
	if size := l.Size(); off < 0 || off > size || int64(len(p)) > size-off {
		return 0, l.refuse(OpWrite, fmt.Errorf("%w: %d bytes at %d of %d", errOutsideLog, len(p), off, size))
	}
	return l.write(p, off, mapped)
}

func (l *log) WriteMapped(p []byte, off int64) error {
	_, err := l.store(p, off, true)
	return err
}

func (l *log) ReadAt(p []byte, off int64) (int, error) { return l.readAt(p, off) }

func (l *log) Datasync() error { return l.sync() }

func (l *log) Size() int64 {
	l.fsys.mu.Lock()
	defer l.fsys.mu.Unlock()
	return l.size
}
