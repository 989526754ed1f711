package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"sync"
)

// NewMem returns an empty file system that lives in memory, for stores that need not outlast the
// process. Its files do outlast a closed store: opening the same directory again on the same FS
// finds them. Nothing is lost by a crash, because there is nothing that could crash apart.
func NewMem() FS {
	return &memFS{nodes: map[string]*memNode{}}
}

type memFS struct {
	mu    sync.Mutex
	nodes map[string]*memNode // guarded by mu; key: cleaned path
}

// memNode is a directory, a file or a log.
type memNode struct {
	isDir bool
	locks int // guarded by memFS.mu; -1 held by one alone, above 0 shared by so many

	mu   sync.RWMutex
	data []byte // guarded by mu
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// create enters a new node under a name whose directory exists.
func (m *memFS) create(name string) (*memNode, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nodes[name] != nil {
		return nil, pathError("create", name, fs.ErrExist)
	}
	if !m.isDirLocked(filepath.Dir(name)) {
		return nil, pathError("create", name, fs.ErrNotExist)
	}
	node := &memNode{}
	m.nodes[name] = node
	return node, nil
}

// isDirLocked tells whether a directory exists; the roots of all paths always do.
func (m *memFS) isDirLocked(dir string) bool {
	if dir == filepath.Dir(dir) {
		return true
	}
	node := m.nodes[dir]
	return node != nil && node.isDir
}

func (m *memFS) file(op, name string) (*memNode, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.nodes[name]
	switch {
	case node == nil:
		return nil, pathError(op, name, fs.ErrNotExist)
	case node.isDir:
		return nil, pathError(op, name, ErrNotRegular)
	default:
		return node, nil
	}
}

func (m *memFS) Create(name string) (File, error) {
	node, err := m.create(name)
	if err != nil {
		return nil, err
	}
	return &memFile{node: node, name: name, writable: true}, nil
}

func (m *memFS) Open(name string) (File, error) {
	node, err := m.file("open", name)
	if err != nil {
		return nil, err
	}
	return &memFile{node: node, name: name}, nil
}

func (m *memFS) CreateLog(name string) (Log, error) {
	node, err := m.create(name)
	if err != nil {
		return nil, err
	}
	return &memLog{node: node, name: name}, nil
}

func (m *memFS) Map(name string) (Mapping, error) {
	node, err := m.file("map", name)
	if err != nil {
		return nil, err
	}
	node.mu.RLock()
	defer node.mu.RUnlock()
	return &memMapping{node: node, view: node.data[:len(node.data):len(node.data)]}, nil
}

func (m *memFS) Remove(name string) error {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.nodes[name]
	if node == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if node.isDir {
		for other := range m.nodes {
			if filepath.Dir(other) == name && other != name {
				return pathError("remove", name, fs.ErrExist)
			}
		}
	}
	delete(m.nodes, name)
	return nil
}

func (m *memFS) Rename(oldname, newname string) error {
	oldname, newname = filepath.Clean(oldname), filepath.Clean(newname)
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.nodes[oldname]
	if node == nil || node.isDir {
		return pathError("rename", oldname, fs.ErrNotExist)
	}
	if old := m.nodes[newname]; old != nil && old.isDir || !m.isDirLocked(filepath.Dir(newname)) {
		return pathError("rename", newname, fs.ErrInvalid)
	}
	delete(m.nodes, oldname) // first, in case both are one name
	m.nodes[newname] = node
	return nil
}

func (m *memFS) List(dir string) ([]string, error) {
	dir = filepath.Clean(dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.isDirLocked(dir) {
		return nil, pathError("list", dir, fs.ErrNotExist)
	}
	var names []string
	for name := range m.nodes {
		if filepath.Dir(name) == dir && name != dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

func (m *memFS) Stat(name string) (Info, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isDirLocked(name) {
		return Info{IsDir: true}, nil
	}
	node := m.nodes[name]
	if node == nil {
		return Info{}, pathError("stat", name, fs.ErrNotExist)
	}
	node.mu.RLock()
	defer node.mu.RUnlock()
	return Info{SizeBytes: int64(len(node.data)), IsRegular: true}, nil
}

func (m *memFS) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	var missing []string
	for ; !m.isDirLocked(dir); dir = filepath.Dir(dir) {
		if m.nodes[dir] != nil {
			return pathError("mkdir", dir, errNotDirectory)
		}
		missing = append(missing, dir)
	}
	for _, dir := range missing {
		m.nodes[dir] = &memNode{isDir: true}
	}
	return nil
}

func (m *memFS) SyncDir(string) error { return nil }

func (m *memFS) Lock(name string) (io.Closer, error) {
	if _, err := m.create(name); err != nil {
		if _, err := m.file("lock", name); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.nodes[filepath.Clean(name)]
	if node == nil {
		return nil, pathError("lock", name, fs.ErrNotExist)
	}
	if node.locks != 0 {
		return nil, pathError("lock", name, fmt.Errorf("%w: already open in this process", ErrLocked))
	}
	node.locks = -1
	return &memLock{fsys: m, node: node}, nil
}

func (m *memFS) LockShared(name string) (io.Closer, error) {
	node, err := m.file("lock", name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if node.locks < 0 {
		return nil, pathError("lock", name, fmt.Errorf("%w: already open in this process", ErrLocked))
	}
	node.locks++
	return &memLock{fsys: m, node: node}, nil
}

type memLock struct {
	fsys *memFS
	node *memNode // nil after Close
}

func (l *memLock) Close() error {
	l.fsys.mu.Lock()
	defer l.fsys.mu.Unlock()
	if l.node != nil {
		l.node.locks = max(l.node.locks-1, 0)
		l.node = nil
	}
	return nil
}

// Space reports no limit: what is free is for the runtime to say.
func (m *memFS) Space(string) (Space, error) {
	return Space{TotalBytes: math.MaxInt64, FreeBytes: math.MaxInt64}, nil
}

func (m *memFS) Type(string) (string, error) { return "memory", nil }

// CacheID is constant: as long as the files can be opened, nothing was lost.
func (m *memFS) CacheID(string) string { return "memory" }

// memFile is an open file.
type memFile struct {
	node     *memNode
	name     string
	writable bool
}

func (f *memFile) Write(p []byte) (int, error) {
	if !f.writable {
		return 0, pathError("write", f.name, fs.ErrPermission)
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	f.node.data = append(f.node.data, p...)
	return len(p), nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return readBytesAt(f.node.data, p, off, f.name)
}

func readBytesAt(data, p []byte, off int64, name string) (int, error) {
	if off < 0 {
		return 0, pathError("read", name, fs.ErrInvalid)
	}
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Sync() error { return nil }

func (f *memFile) Size() (int64, error) {
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return int64(len(f.node.data)), nil
}

func (f *memFile) Close() error { return nil }

// memLog is an open log.
type memLog struct {
	node *memNode
	name string
}

func (l *memLog) Extend(size int64) error {
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	if grow := size - int64(len(l.node.data)); grow > 0 {
		l.node.data = append(l.node.data, make([]byte, grow)...)
	}
	return nil
}

func (l *memLog) WriteMapped(p []byte, off int64) error {
	_, err := l.WriteAt(p, off)
	return err
}

func (l *memLog) WriteAt(p []byte, off int64) (int, error) {
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	size := int64(len(l.node.data))
	if off < 0 || off > size || int64(len(p)) > size-off {
		return 0, pathError("write", l.name, errOutsideLog)
	}
	return copy(l.node.data[off:], p), nil
}

func (l *memLog) ReadAt(p []byte, off int64) (int, error) {
	l.node.mu.RLock()
	defer l.node.mu.RUnlock()
	return readBytesAt(l.node.data, p, off, l.name)
}

func (l *memLog) Datasync() error { return nil }

func (l *memLog) Size() int64 {
	l.node.mu.RLock()
	defer l.node.mu.RUnlock()
	return int64(len(l.node.data))
}

func (l *memLog) Close() error { return nil }

// memMapping lends a finished file's own bytes.
type memMapping struct {
	node *memNode
	view []byte
}

func (m *memMapping) Bytes() []byte { return m.view }

func (m *memMapping) Len() int64 { return int64(len(m.view)) }

func (m *memMapping) ReadAt(p []byte, off int64) (int, error) {
	return readBytesAt(m.view, p, off, "mapping")
}

func (m *memMapping) Populate(int64, int64) error { return nil }

func (m *memMapping) Announce(int64, int64) {}

func (m *memMapping) Close() error { return nil }
