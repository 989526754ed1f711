package simfs

import (
	"io"
	"io/fs"
)

// mapping is a [vfs.Mapping]: the bytes that the file had when it was mapped. Its memory may belong
// to images too, so writing to it, which the contract forbids, damages those as well.
type mapping struct {
	handle
	view []byte
	size int64
}

// Bytes returns the file, or nil after Close.
func (m *mapping) Bytes() []byte {
	m.fsys.mu.Lock()
	defer m.fsys.mu.Unlock()
	if m.closed {
		return nil
	}
	return m.view
}

func (m *mapping) Len() int64 { return m.size }

func (m *mapping) ReadAt(p []byte, off int64) (n int, err error) {
	op, err := m.op(OpRead, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	err = m.fsys.look(op, func() error {
		if off < 0 {
			return pathError("read", op.Name, fs.ErrInvalid)
		}
		if off < m.size {
			n = copy(p, m.view[off:])
		}
		if n < len(p) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

// Populate does nothing but fail on request.
func (m *mapping) Populate(off, n int64) error {
	op, err := m.op(OpRead, off, n)
	if err != nil {
		return err
	}
	return m.fsys.look(op, func() error { return nil })
}

// Announce does nothing.
func (m *mapping) Announce(int64, int64) {}

// lock is a held lock.
type lock struct {
	fsys *FS
	node *inode // nil after Close
}

func (l *lock) Close() error {
	l.fsys.mu.Lock()
	defer l.fsys.mu.Unlock()
	if l.node != nil {
		l.node.locks = max(l.node.locks-1, 0)
		l.node = nil
	}
	return nil
}
