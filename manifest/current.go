package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// CURRENT says which manifest is in force and, after an orderly close, of which bytes it consists.
// It is five lines of text, replaced as a whole and never changed in place:
//
//	tinykv 1                              format of the whole store
//	store 00c0ffee00c0ffee                id of the store
//	manifest MANIFEST-000007
//	sealed 4321 0123456789abcdef          length and xxhash64 of the manifest; or: open
//	checksum 0123456789abcdef             xxhash64 of the four lines before

const (
	currentVersion = 1
	maxCurrentLen  = 256
)

// current is the decoded CURRENT.
type current struct {
	store    uint64
	manifest FileNum
	seal     *wal.Seal // nil while the store is open
}

func (c *current) encode() []byte {
	state := "open"
	if c.seal != nil {
		state = fmt.Sprintf("sealed %d %016x", c.seal.Length, c.seal.Checksum)
	}
	text := fmt.Sprintf("tinykv %d\nstore %016x\nmanifest %s\n%s\n",
		currentVersion, c.store, Name(FileManifest, c.manifest), state)
	return fmt.Appendf([]byte(text), "checksum %016x\n", xxhash.Sum64String(text))
}

// decodeCurrent accepts exactly what encode writes.
func decodeCurrent(text []byte) (*current, error) {
	body, sum, _ := strings.Cut(string(text), "checksum ")
	if want := fmt.Sprintf("%016x\n", xxhash.Sum64String(body)); sum != want {
		return nil, corrupt.Errorf("CURRENT", "checksum is %q, want %q", sum, want).At(0)
	}
	var version int
	if _, err := fmt.Sscanf(body, "tinykv %d\n", &version); err == nil && version > currentVersion {
		return nil, fmt.Errorf("store format %d, this version knows %d: %w", version, currentVersion, corrupt.ErrTooNew)
	}
	c := &current{}
	lines := strings.Split(body, "\n")
	if len(lines) != 5 {
		return nil, corrupt.Errorf("CURRENT", "%d lines, want 5", len(lines)).At(0)
	}
	_, _ = fmt.Sscanf(lines[1], "store %x", &c.store)
	_, c.manifest = ParseName(strings.TrimPrefix(lines[2], "manifest "))
	if strings.HasPrefix(lines[3], "sealed ") {
		c.seal = &wal.Seal{}
		_, _ = fmt.Sscanf(lines[3], "sealed %d %x", &c.seal.Length, &c.seal.Checksum)
	}
	if string(c.encode()) != string(text) {
		return nil, corrupt.Errorf("CURRENT", "malformed: %q", text).At(0)
	}
	return c, nil
}

// readCurrent returns nil without an error when there is no CURRENT.
func readCurrent(fsys vfs.FS, dir string) (*current, error) {
	path := filepath.Join(dir, CurrentName)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text := make([]byte, maxCurrentLen)
	n, err := f.ReadAt(text, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	c, err := decodeCurrent(text[:n])
	if errors.Is(err, corrupt.ErrCorrupt) {
		return nil, corrupt.Locate(err, path, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// writeCurrent switches CURRENT durably: the new text is on stable storage before it gets the name,
// and the name is before this returns.
func writeCurrent(fsys vfs.FS, dir string, c *current) error {
	temp := filepath.Join(dir, currentTempName)
	if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(c.encode())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(temp, filepath.Join(dir, CurrentName)); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}
