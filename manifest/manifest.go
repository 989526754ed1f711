// Package manifest keeps the books of a store: which tables make up which level, where the
// write-ahead log begins, which numbers are taken, which keyspaces have names.
//
// A [State] is all of it at one moment. It is kept as a log of edits, a wal.Single whose first
// record is an edit of the empty state that yields the whole state. The file CURRENT names the
// manifest in force. A [Manifest] appends; [Load] reads. The package opens no tables and decides
// nothing about them.
//
// Order that durability leans on, here and in the callers:
//
//  1. A table is synced, then the directory that holds its name.
//  2. The edit that adds it is synced. Now it is part of the store.
//  3. Only then may files be removed or reused that the edit made unnecessary.
//
// A manifest is replaced the same way: the new one is synced with its name, then CURRENT is
// switched, then the old one is removed.
package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// firstRoom is the first size of a manifest file in bytes.
const firstRoom = 64 << 10

// State is what a manifest says at one moment. The version is immutable; copies may share it.
type State struct {
	Store    uint64 // random id of the store
	NextFile FileNum
	LastSeq  key.SeqNum // every operation up to it is in a table
	Log      LogState
	Version  *Version
	Spaces   *Spaces

	MergeOperator string // name of what puts merge operands together; empty for none
	Expiry        ExpiryState
}

// Apply returns the state that follows from an edit.
func (s State) Apply(e *Edit) (State, error) {
	version, err := s.Version.Apply(e)
	if err != nil {
		return State{}, err
	}
	s.Version = version
	if err := s.take(e); err != nil {
		return State{}, err
	}
	return s, nil
}

// take takes in all of an edit but the tables.
func (s *State) take(e *Edit) (err error) {
	s.NextFile = max(s.NextFile, e.NextFile)
	s.LastSeq = max(s.LastSeq, e.LastSeq)
	if e.Log != nil {
		s.Log = *e.Log
	}
	if e.MergeOperator != "" {
		s.MergeOperator = e.MergeOperator
	}
	if e.Expiry != nil {
		s.Expiry = *e.Expiry
	}
	s.Spaces, err = s.Spaces.apply(e)
	return err
}

// snapshot returns the edit that makes the state from nothing.
func (s State) snapshot() *Edit {
	e := &Edit{NextFile: s.NextFile, LastSeq: s.LastSeq, Log: &s.Log, MergeOperator: s.MergeOperator}
	for level, tables := range s.Version.Levels {
		for _, t := range tables {
			e.Added = append(e.Added, AddedTable{Level: Level(level), Table: t})
		}
	}
	s.Spaces.AddTo(e)
	if s.Expiry.Reading > 0 {
		e.Expiry = &s.Expiry
	}
	return e
}

// Options say where a manifest lives.
type Options struct {
	FS      vfs.FS
	Dir     string
	CacheID string // vfs.FS.CacheID of Dir
}

func (o *Options) path(name string) string { return filepath.Join(o.Dir, name) }

// single describes the file of a manifest.
func (o *Options) single(path string, store uint64, num FileNum) wal.SingleOptions {
	return wal.SingleOptions{
		FS: o.FS, Path: path, Purpose: wal.PurposeManifest, Store: store, Number: wal.SegmentNum(num), CacheID: o.CacheID,
	}
}

// Loaded is what a directory's CURRENT leads to.
type Loaded struct {
	State
	Manifest FileNum
	Edits    int  // records of the manifest
	Sealed   bool // the store was closed in order
}

// Load reads the state of the store in a directory; nil when the directory has no CURRENT. It
// changes nothing.
func Load(opts Options) (*Loaded, error) {
	c, err := readCurrent(opts.FS, opts.Dir)
	if c == nil {
		return nil, err
	}
	return loadNamed(opts, c)
}

// loadNamed reads the manifest that a CURRENT names.
func loadNamed(opts Options, c *current) (*Loaded, error) {
	loaded := &Loaded{
		State:    State{Store: c.store},
		Manifest: c.manifest,
		Sealed:   c.seal != nil,
	}
	b := builder{state: &loaded.State, tables: map[FileNum]AddedTable{}}
	path := opts.path(Name(FileManifest, c.manifest))
	err := wal.RecoverSingle(opts.single(path, c.store, c.manifest), c.seal, func(record []byte) error {
		e, err := DecodeEdit(record)
		if err != nil {
			return err
		}
		loaded.Edits++
		return b.apply(e)
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, corrupt.Errorf("manifest", "is missing, but %s names it", CurrentName).At(0).In(path)
	case errors.Is(err, vfs.ErrNotRegular):
		return nil, corrupt.Errorf("manifest", "is not a regular file, but %s names it", CurrentName).At(0).In(path)
	}
	if err != nil {
		return nil, fmt.Errorf("manifest that CURRENT names: %w", err)
	}
	if loaded.Version, err = b.version(); err != nil {
		return nil, corrupt.Locate(err, path, wal.HeaderLen)
	}
	if loaded.Edits == 0 || loaded.NextFile == 0 || loaded.Log.First == 0 {
		return nil, corrupt.Errorf("manifest", "%d records do not make a whole state", loaded.Edits).At(wal.HeaderLen).In(path)
	}
	return loaded, nil
}

// Manifest appends edits to the manifest in force. It is for one goroutine at a time, but for Switch.
type Manifest struct {
	opts  Options
	num   FileNum
	store uint64
	log   *wal.Single
	state State
	base  int64 // its length when it was new
}

// New makes a manifest that begins with state, under a file number never used before. It is on
// stable storage, with its name and with the names of all files made before in the directory, but
// not in force before [Manifest.Switch]. epoch is random. On failure nothing is left of it.
func New(opts Options, num FileNum, epoch uint64, state State) (*Manifest, error) {
	path := opts.path(Name(FileManifest, num))
	file := opts.single(path, state.Store, num)
	file.Epoch, file.Room = epoch, firstRoom
	log, err := wal.CreateSingle(file)
	if err != nil {
		return nil, fmt.Errorf("new manifest: %w", err)
	}
	if err = log.Append(state.snapshot().Encode()); err == nil {
		err = opts.FS.SyncDir(opts.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("new manifest: %w", errors.Join(err, log.Close(), opts.FS.Remove(path)))
	}
	return &Manifest{opts: opts, num: num, store: state.Store, log: log, state: state, base: log.Size()}, nil
}

// Switch puts the manifest in force. Edits may be appended meanwhile. When it fails, it is not known whether it is.
func (m *Manifest) Switch() error {
	if err := writeCurrent(m.opts.FS, m.opts.Dir, &current{store: m.store, manifest: m.num}); err != nil {
		return fmt.Errorf("switch to new manifest: %w", err)
	}
	return nil
}

// Append makes an edit durable and part of the state. When it fails, the state is as before; what
// is on stable storage is not known any more if Err says so.
func (m *Manifest) Append(e *Edit) error {
	next, err := m.state.Apply(e)
	if err != nil {
		return err
	}
	return m.Follow(e, next)
}

// Follow is Append of an edit that is known to lead to a state: one that another manifest of the
// same store takes in, too.
func (m *Manifest) Follow(e *Edit, next State) error {
	if err := m.log.Append(e.Encode()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	next.NextFile = max(next.NextFile, m.state.NextFile) // as whoever reads the file applies it
	m.state = next
	return nil
}

// Reserve makes room for an edit, so that appending it cannot fail for want of that. When it fails,
// nothing has changed, unless Err says otherwise.
func (m *Manifest) Reserve(e *Edit) error {
	if err := m.log.Reserve(len(e.Encode())); err != nil {
		return fmt.Errorf("grow manifest: %w", err)
	}
	return nil
}

// State returns the state after the last edit.
func (m *Manifest) State() State { return m.state }

// Num returns the file number of the manifest.
func (m *Manifest) Num() FileNum { return m.num }

// Path returns the path of the file.
func (m *Manifest) Path() string { return m.opts.path(Name(FileManifest, m.num)) }

// Size returns how many bytes the manifest has, and how many of them it had when it was new.
func (m *Manifest) Size() (now, atFirst int64) { return m.log.Size(), m.base }

// Err returns the failed write or sync that ended the manifest, or nil.
func (m *Manifest) Err() error { return m.log.Err() }

// Seal states in CURRENT that the store was closed in order, and of which bytes the manifest
// consists. No edit may follow.
func (m *Manifest) Seal() error {
	seal, err := m.log.Seal()
	if err != nil {
		return err
	}
	return writeCurrent(m.opts.FS, m.opts.Dir, &current{store: m.state.Store, manifest: m.num, seal: &seal})
}

// Close closes the file.
func (m *Manifest) Close() error { return m.log.Close() }
