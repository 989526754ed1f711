package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
	"golang.org/x/exp/mmap"
)

const (
	fileMode = 0o600 // every file of a store, whatever the umask
	dirMode  = 0o700 // every directory of a store, whatever the umask
)

// OS returns the operating system's file system.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	f, err := createExclusive(name, os.O_WRONLY)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Open(name string) (File, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) CreateLog(name string) (Log, error) {
	f, err := createExclusive(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	return newOSLog(f), nil
}

// Map maps the file with x/exp/mmap. Where that package copies instead, or where the system has
// no room for another mapping, the file is read by system calls.
func (osFS) Map(name string) (Mapping, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m, err := mapView(name, info.Size())
	switch {
	case err != nil:
		return nil, errors.Join(err, f.Close())
	case m == nil:
		return readMapping{File: f, size: info.Size()}, nil
	}
	if err := f.Close(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// mapView maps a file of the given size, or returns nil where it cannot be seen as memory.
func mapView(name string, size int64) (*osMapping, error) {
	reader, err := mmap.Open(name)
	if err != nil {
		return nil, nil // there is a way without
	}
	if view := viewOf(reader); view != nil && int64(len(view)) == size {
		scatter(view)
		return &osMapping{reader: reader, view: view, name: name}, nil
	}
	return nil, reader.Close()
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// FollowLinks returns a path without links that leads to the same file. Not every file system has it.
func (osFS) FollowLinks(path string) (string, error) { return filepath.EvalSymlinks(path) }

func (osFS) List(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

func (osFS) Stat(name string) (Info, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return Info{}, err
	}
	return Info{SizeBytes: info.Size(), IsDir: info.IsDir(), IsRegular: info.Mode().IsRegular()}, nil
}

func (fsys osFS) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDirectory}
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := fsys.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil // somebody else was quicker; what stands there is judged when it is used
		}
		return err
	}
	if err := os.Chmod(dir, dirMode); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

var errNotDirectory = errors.New("a file stands where a directory is needed")

func (osFS) Lock(name string) (io.Closer, error) {
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrNotRegular}
	}
	f, err := createExclusive(name, os.O_WRONLY) // so that the mode is right under any umask
	switch {
	case err == nil:
		if err := f.Close(); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	lock := flock.New(name, flock.SetFlag(os.O_RDWR|openNoFollow))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: fmt.Errorf("%w%s", ErrLocked, holder(name))}
	}
	recordHolder(name)
	return lock, nil
}

func (osFS) LockShared(name string) (io.Closer, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrNotRegular}
	}
	lock := flock.New(name, flock.SetFlag(os.O_RDONLY|openNoFollow))
	ok, err := lock.TryRLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: fmt.Errorf("%w%s", ErrLocked, holder(name))}
	}
	return lock, nil
}

// recordHolder writes our process number into a lock file, for the message others see. It is a
// courtesy: where it cannot be written (Windows, a full disk) the lock holds all the same.
func recordHolder(name string) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC|openNoFollow, 0)
	if err != nil {
		return
	}
	_, _ = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	_ = f.Close()
}

// holder reads who holds a lock, as words for an error message; empty when it cannot be told.
func holder(name string) string {
	f, err := openRegular(name)
	if err != nil {
		return ""
	}
	text := make([]byte, 32)
	n, err := io.ReadFull(f, text)
	_ = f.Close()
	if text = text[:n]; !errors.Is(err, io.ErrUnexpectedEOF) {
		return "" // nothing, or more than a number
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil:
		return ""
	case pid == os.Getpid():
		return fmt.Sprintf(": already open in this process (pid %d)", pid)
	default:
		return fmt.Sprintf(": held by process %d", pid)
	}
}

// createExclusive makes a file that must not exist yet and gives it fileMode. O_EXCL also refuses links,
// dangling ones included, and package os has every file closed in child processes.
func createExclusive(name string, access int) (*os.File, error) {
	f, err := os.OpenFile(name, access|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(fileMode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.Join(err, f.Close(), os.Remove(name))
	}
	return f, nil
}

// openRegular opens a plain file for reading and nothing else: it neither follows a link nor
// waits for the other end of a pipe.
func openRegular(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|openNoFollow, 0)
	if err != nil {
		if info, lerr := os.Lstat(name); lerr == nil && !info.Mode().IsRegular() {
			err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// osFile is a File of the operating system.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return datasync(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// osMapping is a file mapped by x/exp/mmap.
type osMapping struct {
	reader *mmap.ReaderAt // owns the mapping; a finalizer unmaps when it becomes unreachable
	view   []byte
	name   string
}

func (m *osMapping) Bytes() []byte { return m.view }

func (m *osMapping) Len() int64 { return int64(len(m.view)) }

func (m *osMapping) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(m.view)) {
		return 0, &fs.PathError{Op: "read", Path: m.name, Err: fs.ErrInvalid}
	}
	n := min(len(p), len(m.view)-int(off))
	if err := copyGuarded(p[:n], m.view[off:], m.view, m.name); err != nil {
		return 0, m.failed(fmt.Errorf("%w: %w", err, syscall.EIO)) // what a system call would say
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *osMapping) Populate(off, n int64) error {
	if err := populate(m.view, off, n); err != nil {
		return m.failed(&fs.PathError{Op: "read", Path: m.name, Err: err})
	}
	return nil
}

// failed returns what to say of an access that the system refused: if the file has become shorter,
// that is why.
func (m *osMapping) failed(err error) error {
	info, serr := os.Lstat(m.name)
	if serr != nil || info.Size() >= int64(len(m.view)) {
		return err
	}
	return &fs.PathError{Op: "read", Path: m.name, Err: fmt.Errorf("file was cut from %d to %d bytes while in use: %w", len(m.view), info.Size(), io.ErrUnexpectedEOF)}
}

func (m *osMapping) Announce(off, n int64) { announce(m.view, off, n) }

func (m *osMapping) Close() error {
	m.view = nil
	return m.reader.Close()
}

// readMapping stands in for a mapping where there is none: every access is a system call.
type readMapping struct {
	*os.File
	size int64
}

func (m readMapping) Bytes() []byte { return nil }

func (m readMapping) Len() int64 { return m.size }

func (m readMapping) Populate(int64, int64) error { return nil }

func (m readMapping) Announce(int64, int64) {}
