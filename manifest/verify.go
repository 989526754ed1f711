package manifest

import (
	"bytes"
	"cmp"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/wal"
)

// Check verifies what a version does not know of itself: no table has a file number that is still to
// be given out, or a sequence number behind the last one.
func (s *State) Check() error {
	if err := cmp.Or(s.Version.Check(), s.Spaces.check(s.Version)); err != nil {
		return err
	}
	for level, tables := range s.Version.Levels {
		for _, t := range tables {
			if t.Num >= s.NextFile {
				return corrupt.Errorf("version", "table %d of level %d, but the next file number is %d", t.Num, level, s.NextFile)
			}
			if t.LargestSeq > s.LastSeq {
				return corrupt.Errorf("version", "table %d of level %d reaches up to sequence number %d, the last one is %d", t.Num, level, t.LargestSeq, s.LastSeq)
			}
		}
	}
	return nil
}

// Mark is a manifest as it was at one moment.
type Mark struct {
	opts   Options
	num    FileNum
	state  State
	synced int64
}

// Mark returns the manifest as it is now. Like Append, it is for one goroutine at a time.
func (m *Manifest) Mark() Mark {
	return Mark{opts: m.opts, num: m.num, state: m.state, synced: m.log.Synced()}
}

// Size returns how many bytes the manifest had.
func (m *Mark) Size() int64 { return m.synced }

// Path returns the path of the file.
func (m *Mark) Path() string { return m.opts.path(Name(FileManifest, m.num)) }

// Num returns the file number of the manifest.
func (m *Mark) Num() FileNum { return m.num }

// Verify reads the file of the manifest anew, and checks that it led to the state that was known. It
// returns how many edits it had. Edits may be appended meanwhile.
func (m *Mark) Verify() (edits int, err error) {
	path := m.Path()
	read := State{Store: m.state.Store, Version: &Version{}}
	err = wal.RecoverSingleTo(m.opts.single(path, m.state.Store, m.num), m.synced, func(record []byte) error {
		e, err := DecodeEdit(record)
		if err != nil {
			return err
		}
		edits++
		read, err = read.Apply(e)
		return err
	})
	if err != nil {
		return edits, err
	}
	if !bytes.Equal(read.snapshot().Encode(), m.state.snapshot().Encode()) {
		return edits, corrupt.Errorf("manifest", "what was written to it cannot be read in full: it ends after %d edits, at sequence number %d of %d",
			edits, read.LastSeq, m.state.LastSeq).At(wal.HeaderLen).In(path)
	}
	return edits, corrupt.Locate(m.state.Check(), path, wal.HeaderLen)
}

// VerifyCurrent checks that CURRENT names the manifest. Nobody may switch it meanwhile.
func (m *Manifest) VerifyCurrent() error {
	c, err := readCurrent(m.opts.FS, m.opts.Dir)
	if err != nil {
		return err
	}
	want := current{store: m.store, manifest: m.num}
	if c == nil || c.store != want.store || c.manifest != want.manifest || c.seal != nil {
		return corrupt.Errorf("CURRENT", "does not name %s, the manifest in force", Name(FileManifest, m.num)).At(0).
			In(m.opts.path(CurrentName))
	}
	return nil
}
