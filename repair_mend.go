package tinykv

import (
	"bytes"
	"errors"
	"path/filepath"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// Damage that is one flipped bit is put right: the checksum tells which bit it was (internal/onebit). Of tables that
// is done as they are read. CURRENT, manifests and log segments are mended as a whole beforehand, in memory, and from
// there on read in place of the files.

// mendFiles mends them. What cannot be read is told of by whoever needs it.
func (r *repair) mendFiles() {
	over := &mendedFS{FS: r.o.FS, files: map[string][]byte{}}
	mend := func(name string, mend func(data []byte) []int64) {
		path := filepath.Join(r.src, name)
		data, err := readSmall(r.o.FS, path)
		if err != nil || r.ctx.Err() != nil {
			return
		}
		for _, off := range mend(data) {
			r.mended(corrupt.Errorf("file", "one bit was flipped").At(off).In(path))
			over.files[path] = data
		}
	}
	mend(manifest.CurrentName, func(data []byte) []int64 {
		if manifest.MendCurrent(data) {
			return []int64{0}
		}
		return nil
	})
	segment := func(data []byte) []int64 { return wal.Mend(data, &r.mend) }
	for _, num := range r.list.manifests {
		mend(manifest.Name(manifest.FileManifest, num), segment)
	}
	for _, num := range r.list.logs {
		mend(manifest.Name(manifest.FileLog, num), segment)
	}
	if len(over.files) == 0 {
		return
	}
	o := *r.o
	o.FS = over
	r.o, r.opts = &o, &Options{FS: over}
}

// maxMendFile is the length of the longest file that is mended, in bytes: log segments and all but the
// largest manifests are shorter.
const maxMendFile = 64 << 20

// readSmall reads a file that is not too long.
func readSmall(fsys vfs.FS, path string) ([]byte, error) {
	f, err := openUnmapped(fsys, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.size > maxMendFile {
		return nil, errors.New("too long")
	}
	data := make([]byte, f.size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, err
	}
	return data, nil
}

// mendedFS is a file system in which some files read otherwise.
type mendedFS struct {
	vfs.FS
	files map[string][]byte
}

// Open implements vfs.FS.
func (f *mendedFS) Open(name string) (vfs.File, error) {
	file, err := f.FS.Open(name)
	if data, ok := f.files[name]; ok && err == nil {
		return mendedFile{file, bytes.NewReader(data)}, nil
	}
	return file, err
}

// mendedFile reads other bytes than the file has.
type mendedFile struct {
	vfs.File
	data *bytes.Reader
}

// ReadAt implements vfs.File.
func (f mendedFile) ReadAt(p []byte, off int64) (int, error) { return f.data.ReadAt(p, off) }
