package tinykv

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/memtable"
)

// A store that is open for reading only changes nothing in its directory, not even after a crash: what
// the log holds is replayed into memtables and stays there. So it needs as much memory as the log
// is long, and some of what it shows may be gone after a power cut, as no sync has vouched for it.

// openReadOnly is open for Options.ReadOnly.
func openReadOnly(dir string, o *Options) (*DB, error) {
	info, err := o.FS.Stat(dir)
	switch {
	case errors.Is(err, errNotExist) || err == nil && info.IsRegular:
		return nil, errMissingToRead
	case err != nil:
		return nil, err
	}
	return openLocked(dir, o, sharedLock, (*DB).recoverInMemory)
}

// sharedLock takes the lock that keeps writers away. Where the file cannot be opened, as on a medium
// that was written before there was one, nobody is kept away: nobody can be expected to write there.
func sharedLock(o *Options, name string) (closer, error) {
	lock, err := o.FS.LockShared(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return noLock{}, nil
	}
	return lock, err
}

type noLock struct{}

func (noLock) Close() error { return nil }

// recoverInMemory is recover without a change of any file.
func (db *DB) recoverInMemory() error {
	defer db.step("recover")()
	l, err := list(db.opts, db.dir)
	if err != nil {
		return err
	}
	loaded, err := manifest.Load(db.manifestOptions())
	if err != nil {
		return err
	}
	if loaded == nil {
		if err := findRest(db.opts, db.dir, l); err != nil {
			return err
		}
		return errMissingToRead
	}
	if err := db.checkTables(loaded.Version); err != nil {
		return err
	}
	state := loaded.State
	if err := db.chooseOperator(&state); err != nil {
		return err
	}
	r := &replayer{db: db, state: &state, keep: true}
	found, err := db.replay(r, loaded.Sealed, l)
	if err != nil {
		return errors.Join(err, freeAll(r.kept))
	}
	db.findExpiring(&state)
	active, err := memtable.New(memtable.MinSize)
	if err != nil {
		return errors.Join(err, freeAll(r.kept))
	}
	db.stats.flushedSeq.Store(uint64(loaded.LastSeq))
	db.visible.Store(uint64(state.LastSeq))
	db.knowSpaces(state.Spaces)
	db.active = &mem{table: active}
	var sealed []*mem
	used := active.Used()
	for _, t := range slices.Backward(r.kept) {
		sealed = append(sealed, &mem{table: t})
		used += t.Used()
	}
	db.mems.count((used + db.opts.MemTableSize - 1) / db.opts.MemTableSize) // what they take, the cache must leave
	db.mu.Lock()
	db.publishLocked(newReadState(db.active, sealed, newTree(state.Version, nil, db.handleLocked, db.files.cache)))
	db.mu.Unlock()
	db.tellOpened(&state, found)
	return nil
}

func freeAll(tables []*memtable.Table) (err error) {
	for _, t := range tables {
		err = errors.Join(err, t.Free())
	}
	return err
}

// shutDownReadOnly is shutDown for a store that has neither log nor manifest to give up.
func (db *DB) shutDownReadOnly() {
	db.mu.Lock()
	old := db.publishLocked(nil)
	db.closed = true
	db.changed.Broadcast()
	db.mu.Unlock()
	old.unref()
	db.mems.close()
	db.ownTables.close()
	db.files.cache.Unref() // iterators that are still open hold it too
}

// exclusiveLock takes the lock that a store which is written to needs.
func exclusiveLock(o *Options, name string) (closer, error) { return o.FS.Lock(name) }

// lockFunc tries once to take a lock.
type lockFunc func(o *Options, name string) (closer, error)

// closer is a held lock.
type closer interface{ Close() error }

// lockName returns the path of a store's lock file.
func lockName(dir string) string { return filepath.Join(dir, manifest.LockName) }
