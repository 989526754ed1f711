package simfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/tinykv/tinykv/vfs"
)

// diskBytes is how large the simulated disk claims to be. It is never full; [NoSpace] is.
const diskBytes = 1 << 40

var errNotDirectory = errors.New("a file stands where a directory is needed")

// Create implements [vfs.FS].
func (f *FS) Create(name string) (vfs.File, error) {
	node, err := f.create(name)
	if err != nil {
		return nil, err
	}
	return &file{handle: handle{fsys: f, node: node}, writable: true}, nil
}

// CreateLog implements [vfs.FS].
func (f *FS) CreateLog(name string) (vfs.Log, error) {
	node, err := f.create(name)
	if err != nil {
		return nil, err
	}
	return &log{handle: handle{fsys: f, node: node}}, nil
}

func (f *FS) create(name string) (node *inode, err error) {
	name = filepath.Clean(name)
	err = f.change(Op{Kind: OpCreate, Name: name}, func() error {
		node, err = f.createLocked(name)
		return err
	})
	return node, err
}

func (f *FS) createLocked(name string) (*inode, error) {
	if f.live[name] != nil || isRoot(name) {
		return nil, pathError("create", name, fs.ErrExist)
	}
	if !f.live.isDir(filepath.Dir(name)) {
		return nil, pathError("create", name, fs.ErrNotExist)
	}
	node := f.newInodeLocked(name)
	f.renameLocked(nameOp{newName: name, node: node})
	return node, nil
}

func (f *FS) newInodeLocked(name string) *inode {
	f.nextID++
	return &inode{id: f.nextID, name: name}
}

// renameLocked carries out an operation on names that has been found to be possible.
func (f *FS) renameLocked(op nameOp) {
	op.index = f.nextIndexLocked()
	op.parted = f.parted[op.oldName] || f.parted[op.newName]
	op.apply(f.live)
	if op.newName != "" {
		op.node.name = op.newName
	}
	f.names = append(f.names, op)
}

// Open implements [vfs.FS].
func (f *FS) Open(name string) (vfs.File, error) {
	name = filepath.Clean(name)
	var node *inode
	err := f.look(Op{Kind: OpOpen, Name: name}, func() (err error) {
		node, err = f.fileLocked("open", name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &file{handle: handle{fsys: f, node: node}}, nil
}

func (f *FS) fileLocked(op, name string) (*inode, error) {
	if f.live.isDir(name) {
		return nil, pathError(op, name, vfs.ErrNotRegular)
	}
	node := f.live[name]
	if node == nil {
		return nil, pathError(op, name, fs.ErrNotExist)
	}
	return node, nil
}

// Map implements [vfs.FS]. The mapping is the content at this time.
func (f *FS) Map(name string) (vfs.Mapping, error) {
	name = filepath.Clean(name)
	m := &mapping{}
	err := f.look(Op{Kind: OpMap, Name: name}, func() error {
		node, err := f.fileLocked("map", name)
		if err != nil {
			return err
		}
		m.handle = handle{fsys: f, node: node}
		m.view = node.cache.bytes()
		m.size = int64(len(m.view))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Remove implements [vfs.FS]. It removes files and empty directories.
func (f *FS) Remove(name string) error {
	name = filepath.Clean(name)
	return f.change(Op{Kind: OpRemove, Name: name}, func() error {
		node := f.live[name]
		switch {
		case isRoot(name):
			return pathError("remove", name, fs.ErrInvalid)
		case node == nil:
			return pathError("remove", name, fs.ErrNotExist)
		case node.isDir && len(f.live.list(name)) > 0:
			return pathError("remove", name, syscall.ENOTEMPTY)
		}
		f.renameLocked(nameOp{oldName: name, node: node})
		return nil
	})
}

// Rename implements [vfs.FS] for files.
func (f *FS) Rename(oldname, newname string) error {
	oldname, newname = filepath.Clean(oldname), filepath.Clean(newname)
	return f.change(Op{Kind: OpRename, Name: oldname, NewName: newname}, func() error {
		node, err := f.fileLocked("rename", oldname)
		if err != nil {
			return err
		}
		if f.live.isDir(newname) {
			return pathError("rename", newname, fs.ErrExist)
		}
		if !f.live.isDir(filepath.Dir(newname)) {
			return pathError("rename", newname, fs.ErrNotExist)
		}
		f.renameLocked(nameOp{oldName: oldname, newName: newname, node: node, replaced: f.live[newname]})
		return nil
	})
}

// List implements [vfs.FS]. The names are sorted.
func (f *FS) List(dir string) (names []string, err error) {
	dir = filepath.Clean(dir)
	err = f.look(Op{Kind: OpList, Name: dir}, func() error {
		if !f.live.isDir(dir) {
			return pathError("list", dir, fs.ErrNotExist)
		}
		names = f.live.list(dir)
		return nil
	})
	return names, err
}

// Stat implements [vfs.FS].
func (f *FS) Stat(name string) (info vfs.Info, err error) {
	name = filepath.Clean(name)
	err = f.look(Op{Kind: OpStat, Name: name}, func() error {
		if f.live.isDir(name) {
			info = vfs.Info{IsDir: true}
			return nil
		}
		node, err := f.fileLocked("stat", name)
		if err != nil {
			return err
		}
		info = vfs.Info{SizeBytes: node.cache.size, IsRegular: true}
		return nil
	})
	return info, err
}

// MkdirAll implements [vfs.FS]. It is one operation however many directories it makes, and none
// when it has nothing to make.
func (f *FS) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if f.isDir(dir) {
		return nil
	}
	return f.change(Op{Kind: OpMkdir, Name: dir}, func() error {
		var missing []string
		for ; !f.live.isDir(dir); dir = filepath.Dir(dir) {
			if f.live[dir] != nil {
				return pathError("mkdir", dir, errNotDirectory)
			}
			missing = append(missing, dir)
		}
		for _, dir := range missing {
			f.mkdirLocked(dir)
		}
		return nil
	})
}

func (f *FS) isDir(dir string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.access != Denied && f.live.isDir(dir)
}

// mkdirLocked makes a directory whose name is durable at once, and so is what had to happen before
// the name was free.
func (f *FS) mkdirLocked(dir string) {
	f.syncNamesLocked(dir)
	node := f.newInodeLocked(dir)
	node.isDir = true
	f.live[dir] = node
	f.disk[dir] = node
}

// SyncDir implements [vfs.FS].
func (f *FS) SyncDir(dir string) error {
	dir = filepath.Clean(dir)
	return f.changeOr(Op{Kind: OpSyncDir, Name: dir}, func() error {
		if !f.live.isDir(dir) {
			return pathError("dirsync", dir, fs.ErrNotExist)
		}
		f.syncNamesLocked(dir)
		return nil
	}, func(_ *Op, fault Fault) {
		if fault.DropDirty || fault.Revert {
			f.forgetNamesLocked(dir)
		}
	})
}

// Lock implements [vfs.FS]. Locks are held within this FS only: no image has any.
func (f *FS) Lock(name string) (io.Closer, error) {
	name = filepath.Clean(name)
	var held *lock
	err := f.look(Op{Kind: OpLock, Name: name}, func() (err error) {
		if f.live[name] != nil {
			held, err = f.lockLocked(name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if held != nil {
		return held, nil
	}
	err = f.change(Op{Kind: OpCreate, Name: name}, func() error {
		if f.live[name] == nil {
			if _, err := f.createLocked(name); err != nil {
				return err
			}
		}
		held, err = f.lockLocked(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}

func (f *FS) lockLocked(name string) (*lock, error) {
	node, err := f.fileLocked("lock", name)
	if err != nil {
		return nil, err
	}
	if node.locks != 0 {
		return nil, pathError("lock", name, fmt.Errorf("%w: already open in this process", vfs.ErrLocked))
	}
	node.locks = -1
	return &lock{fsys: f, node: node}, nil
}

// LockShared implements [vfs.FS].
func (f *FS) LockShared(name string) (io.Closer, error) {
	name = filepath.Clean(name)
	held := &lock{fsys: f}
	err := f.look(Op{Kind: OpLock, Name: name}, func() error {
		node, err := f.fileLocked("lock", name)
		if err != nil {
			return err
		}
		if node.locks < 0 {
			return pathError("lock", name, fmt.Errorf("%w: already open in this process", vfs.ErrLocked))
		}
		node.locks++
		held.node = node
		return nil
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}

// Space implements [vfs.FS] with a large, empty disk.
func (f *FS) Space(string) (vfs.Space, error) {
	return vfs.Space{TotalBytes: diskBytes, FreeBytes: diskBytes}, nil
}

// Type implements [vfs.FS].
func (f *FS) Type(string) (string, error) { return "simulated", nil }
