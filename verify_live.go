package tinykv

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

// liveManifest reads the manifest.
func (v *verification) liveManifest(db *DB) error {
	path, size, problems, err := v.readManifest(db)
	if err != nil || path == "" {
		return err
	}
	v.at.Total += size
	v.begin("manifest", path) // not before: whoever is told may wait for others who change the manifest
	for _, p := range problems {
		v.problem(p)
	}
	v.progress(size)
	return nil
}

// readManifest verifies the manifest while nobody can append to it. That of a store that has failed is left
// alone, since it is not known what must be in it; path is empty then.
func (v *verification) readManifest(db *DB) (path string, size int64, problems []error, err error) {
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	m := db.manifest
	switch {
	case db.background.Err() != nil:
		return "", 0, nil, ErrClosed
	case m.Err() != nil || db.failure.Load() != nil:
		return "", 0, nil, nil
	}
	if v.report.Edits, err = m.Verify(); err != nil {
		problems = append(problems, err)
	}
	if !db.renewsNow() { // else CURRENT may be switched now
		if err := m.VerifyCurrent(); err != nil {
			problems = append(problems, err)
		}
	}
	size, _ = m.Size()
	return m.Path(), size, problems, nil
}
