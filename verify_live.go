package tinykv

import (
	"errors"

	"github.com/tinykv/tinykv/manifest"
)

// live verifies what a store that may be written to has on disk.
func (v *verification) live(db *DB, s *readState) (*VerifyReport, error) {
	l, err := list(v.opts, v.dir)
	if err != nil {
		return nil, err
	}
	v.report.Unreferenced = l.unknown
	v.at.Total = s.tree.version.TotalBytes()
	if err := v.liveManifest(db); err != nil {
		return nil, err
	}
	v.tables(s.tree.version)
	return v.finish()
}

// liveManifest reads the manifest as it was when that begins. Edits are appended meanwhile, and it may even be
// replaced by another, which is then read instead.
func (v *verification) liveManifest(db *DB) error {
	m, current, err := v.markManifest(db)
	if err != nil || m == nil {
		return err
	}
	size := m.Size()
	v.at.Total += size
	v.begin("manifest", m.Path())
	edits, err := m.Verify()
	for errors.Is(err, errNotExist) {
		again, _, err2 := v.markManifest(db)
		if err2 != nil || again == nil {
			return err2
		}
		if again.Num() == m.Num() {
			break
		}
		m = again
		v.begin("manifest", m.Path())
		edits, err = m.Verify()
	}
	v.report.Edits = edits
	for _, err := range []error{err, current} {
		if err != nil {
			v.problem(err)
		}
	}
	v.progress(size)
	return nil
}

// markManifest returns the manifest as it is now, and what is wrong with CURRENT. That of a store that has failed is left
// alone, since it is not known what must be in it: there is none then.
func (v *verification) markManifest(db *DB) (m *manifest.Mark, current, err error) {
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	switch {
	case db.background.Err() != nil:
		return nil, nil, ErrClosed
	case db.manifest.Err() != nil || db.failure.Load() != nil:
		return nil, nil, nil
	}
	if !db.renewsNow() { // else CURRENT may be switched now
		current = db.manifest.VerifyCurrent()
	}
	mark := db.manifest.Mark()
	return &mark, current, nil
}
