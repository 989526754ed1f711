package tinykv

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/blockcache"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
)

// table is a table file of the store. It is opened when it is first read, and given up with the
// last tree that it is part of.
type table struct {
	meta  *manifest.Table
	files *tableFiles
	refs  atomic.Int64 // levels that hold it

	// obsolete is set once the table left the newest version: with the last reference the file goes
	// too.
	obsolete atomic.Bool

	reader  atomic.Pointer[sstable.Reader]
	opening sync.Mutex
}

// open returns the reader of the table. An error is not remembered: the next call tries again.
func (t *table) open() (*sstable.Reader, error) {
	if r := t.reader.Load(); r != nil {
		return r, nil
	}
	t.opening.Lock()
	defer t.opening.Unlock()
	if r := t.reader.Load(); r != nil {
		return r, nil
	}
	r, err := t.files.read(t.meta)
	if err != nil {
		return nil, err
	}
	t.reader.Store(r)
	return r, nil
}

// rangeDeletes returns the range tombstones of the table. Most tables have none, and are not opened to
// find that out.
func (t *table) rangeDeletes() (rangedel.List, error) {
	if t.meta.RangeDeletes == 0 {
		return nil, nil
	}
	r, err := t.open()
	if err != nil {
		return nil, err
	}
	return r.RangeDeletes(), nil
}

// stream returns an iterator that reads the table once, for a compaction.
func (t *table) stream() (iterator.Iterator, error) {
	r, err := t.open()
	if err != nil {
		return nil, err
	}
	f, err := t.files.fs.Open(t.files.path(t.meta.Num))
	if err != nil {
		return nil, err
	}
	return r.NewStreamIter(f), nil
}

func (t *table) unref() {
	if t.refs.Add(-1) > 0 {
		return
	}
	var err error
	if r := t.reader.Swap(nil); r != nil {
		err = r.Close()
	}
	if t.obsolete.Load() {
		t.files.drop(t.files.path(t.meta.Num), t.meta.Size)
	}
	if err != nil {
		t.files.report("unmap table", err)
	}
}

// tableFiles knows where tables lie and how to open them.
type tableFiles struct {
	fs        vfs.FS
	dir       string
	residency *sstable.Residency
	mapping   Mapping
	cache     *blockcache.Cache // nil for none

	drop   func(path string, sizeBytes int64) // deletes a file in the background
	report func(what string, err error)       // tells of a failure that harms nothing
}

func (f *tableFiles) path(num manifest.FileNum) string {
	return filepath.Join(f.dir, manifest.Name(manifest.FileTable, num))
}

// open opens a table file in the way that the options say.
func (f *tableFiles) open(path string) (vfs.Mapping, error) {
	if f.mapping == MapAuto {
		return f.fs.Map(path)
	}
	file, err := openUnmapped(f.fs, path)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func openUnmapped(fsys vfs.FS, path string) (*unmapped, error) {
	file, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := file.Size()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &unmapped{File: file, size: size}, nil
}

// unmapped is a table file that is read by system calls.
type unmapped struct {
	vfs.File
	size int64
}

func (unmapped) Bytes() []byte { return nil }

func (u unmapped) Len() int64 { return u.size }

func (unmapped) Populate(off, n int64) error { return nil }

func (unmapped) Announce(off, n int64) {}

// read opens a table.
func (f *tableFiles) read(meta *manifest.Table) (*sstable.Reader, error) {
	path := f.path(meta.Num)
	mapping, err := f.open(path)
	if err != nil {
		return nil, fmt.Errorf("open table: %w", err)
	}
	if mapping.Len() != meta.Size {
		err := &CorruptionError{
			File: path, Offset: min(mapping.Len(), meta.Size), What: "table",
			Detail: fmt.Sprintf("file has %d bytes, want %d", mapping.Len(), meta.Size),
		}
		return nil, errors.Join(err, mapping.Close())
	}
	return sstable.NewReader(mapping, sstable.ReaderOptions{
		Name: path, ID: meta.ID, SeqBase: meta.SeqBase, Residency: f.residency, Cache: f.cache,
	})
}
