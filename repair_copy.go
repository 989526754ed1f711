package tinykv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
)

const (
	// repairMarker stands in place of CURRENT in a copy that is not finished.
	repairMarker = "REPAIR-INCOMPLETE"

	repairLeft = "it holds what a repair left that was interrupted: delete it and repair again, or choose another directory"

	// repairBatchBytes is how large batches are in which entries are copied: large enough to become
	// tables without the log, see large.go.
	repairBatchBytes = 4 << 20
)

// repairCopy is the new store in the making: one like any other, but that CURRENT goes by another name
// until the end. So Open refuses what an interrupted repair leaves.
type repairCopy struct {
	fs     *markedFS
	dir    string
	db     *DB
	batch  Batch
	spaces repairSpaces

	last     []byte // the stored key that was put last
	straddle bool   // the batch begins with a key that the one before it ended with
}

// newRepairCopy makes an empty store in a directory that is empty or does not exist.
func newRepairCopy(fsys vfs.FS, dir string, op MergeOperator, spaces repairSpaces) (*repairCopy, error) {
	info, err := fsys.Stat(dir)
	switch {
	case errors.Is(err, errNotExist):
	case err != nil:
		return nil, err
	case info.IsRegular:
		return nil, fmt.Errorf("%w: a file stands where the copy should go: %s", ErrExists, dir)
	default:
		names, err := fsys.List(dir)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names, repairMarker) {
			return nil, fmt.Errorf("%w: %s: %s", ErrExists, dir, repairLeft)
		}
		if len(names) > 0 {
			return nil, fmt.Errorf("%w: %s holds %q; choose another for the copy", ErrExists, dir, names[0])
		}
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, err
	}
	c := &repairCopy{fs: &markedFS{FS: fsys, dir: dir}, dir: dir, spaces: spaces}
	marker, err := fsys.Create(c.fs.marker()) // from here on the directory is ours
	if err != nil {
		return nil, err
	}
	if err = errors.Join(marker.Close(), fsys.SyncDir(dir)); err == nil {
		c.db, err = Open(dir, &Options{FS: c.fs, MemTableSize: repairBatchBytes, CacheSize: -1, MergeOperator: op, Clock: atNoTime})
	}
	if err == nil {
		err = c.makeSpaces()
	}
	if err != nil {
		return nil, errors.Join(err, c.abandon())
	}
	return c, nil
}

// atNoTime is the clock of a copy in the making: what has expired is for those to say who have the store's clock, see repair.hidden.
func atNoTime() time.Time { return time.Unix(0, 0) }

// put adds an entry. They come in the order of their keys, and those of one key oldest first.
func (c *repairCopy) put(kind key.Kind, stored, value []byte) error {
	if c.spaces.isStray(stored) {
		return c.putStray(batchrepr.Op{Kind: kind, Stored: stored, Value: value})
	}
	if c.batch.Len() > 0 && c.batch.Size()+len(stored)+len(value) > repairBatchBytes {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if c.batch.Len() == 0 {
		c.straddle = bytes.Equal(stored, c.last)
	}
	c.last = append(c.last[:0], stored...)
	if err := c.batch.addStored(batchrepr.Op{Kind: kind, Stored: stored, Value: value}); err != nil || c.batch.Size() < repairBatchBytes {
		return err
	}
	return c.flush() // now: a long value need not be at hand twice
}

// flush writes what was put. As it comes in order, it goes where it would end up, and nothing is merged. But where the entries of one key
// are divided, the newer ones go above the older.
func (c *repairCopy) flush() error {
	if !c.db.isLarge(&write{batch: &c.batch}) {
		return c.apply()
	}
	level := manifest.Level(manifest.NumLevels - 1)
	if c.straddle {
		level = 0
	}
	err := c.db.commitLarge(&c.batch, level)
	c.batch.Reset()
	return err
}

// apply writes a batch like any other.
func (c *repairCopy) apply() error {
	if c.batch.Len() == 0 {
		return nil
	}
	err := c.db.Apply(&c.batch)
	c.batch.Reset()
	return err
}

// finish makes the copy a store.
func (c *repairCopy) finish() error {
	err := c.db.Close()
	c.db = nil
	if err != nil {
		return err
	}
	if err := c.fs.FS.Rename(c.fs.marker(), c.fs.current()); err != nil {
		return err
	}
	return c.fs.SyncDir(c.dir)
}

// abandon removes the copy. The directory was empty before; what else came into it meanwhile stays, and so
// does the marker then.
func (c *repairCopy) abandon() error {
	var err error
	if c.db != nil {
		_ = c.db.Close() // what it says of files that go is no matter
	}
	names, err := c.fs.FS.List(c.dir)
	for _, name := range names {
		if kind, _ := manifest.ParseName(name); kind != manifest.FileUnknown {
			err = errors.Join(err, c.fs.FS.Remove(filepath.Join(c.dir, name)))
		}
	}
	if err == nil {
		err = c.fs.FS.Remove(c.fs.marker())
	}
	return errors.Join(err, c.fs.SyncDir(c.dir))
}

// markedFS is a file system in which CURRENT of one directory goes by the name of the marker.
type markedFS struct {
	vfs.FS
	dir      string
	switched atomic.Bool // there is one; before, the marker says nothing
}

func (f *markedFS) marker() string  { return filepath.Join(f.dir, repairMarker) }
func (f *markedFS) current() string { return filepath.Join(f.dir, manifest.CurrentName) }

// Open implements vfs.FS.
func (f *markedFS) Open(name string) (vfs.File, error) {
	if name != f.current() {
		return f.FS.Open(name)
	}
	if !f.switched.Load() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.FS.Open(f.marker())
}

// Rename implements vfs.FS.
func (f *markedFS) Rename(oldname, newname string) error {
	if newname != f.current() {
		return f.FS.Rename(oldname, newname)
	}
	err := f.FS.Rename(oldname, f.marker())
	if err == nil {
		f.switched.Store(true)
	}
	return err
}

// List implements vfs.FS. Nobody looks for CURRENT there.
func (f *markedFS) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	if dir == f.dir {
		names = slices.DeleteFunc(names, func(name string) bool { return name == repairMarker })
	}
	return names, err
}
