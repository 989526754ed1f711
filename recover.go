package tinykv

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/memtable"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// Every opening is a recovery; after an orderly close there is just nothing to replay.
//
//  1. CURRENT names the manifest, which says what tables there are and where the log begins.
//  2. The log is replayed into memtables, and these are written to tables. What was read from a log
//     may exist in the system's cache alone, whatever a sync said before the crash; so it is
//     written anew before anybody is served from it.
//  3. A new log segment is made, then a new manifest with all of this, then CURRENT is switched.
//     Until then, the next opening finds what this one found.
//  4. Files that the new manifest does not name are removed.
//
// What fails before the switch of CURRENT removes the files it made.

// listing is the files of a store's directory, sorted by kind.
type listing struct {
	logs, manifests, tables []manifest.FileNum
	hasCurrent, hasTemp     bool
	unknown                 []string // names that no store made
	highest                 manifest.FileNum
}

func list(o *Options, dir string) (*listing, error) {
	return listDespite(o, dir, func(_ string, err error) error { return err })
}

// listDespite is list, but where something other than a file has the name of one, it asks whether that is in the way; if not, it
// lists it as if it were one.
func listDespite(o *Options, dir string, odd func(path string, err error) error) (*listing, error) {
	names, err := o.FS.List(dir)
	if err != nil {
		return nil, err
	}
	l := &listing{}
	for _, name := range names {
		kind, num := manifest.ParseName(name)
		l.highest = max(l.highest, num)
		if kind != manifest.FileUnknown && kind != manifest.FileLock { // that one is judged when it is taken
			path := filepath.Join(dir, name)
			ours, err := isFile(o, path)
			if errors.Is(err, vfs.ErrNotRegular) {
				ours, err = true, odd(path, err)
			}
			if err != nil {
				return nil, err
			}
			if !ours {
				kind = manifest.FileUnknown
			}
		}
		switch kind {
		case manifest.FileCurrent:
			l.hasCurrent = true
		case manifest.FileCurrentTemp:
			l.hasTemp = true
		case manifest.FileLock:
		case manifest.FileLog:
			l.logs = append(l.logs, num)
		case manifest.FileManifest:
			l.manifests = append(l.manifests, num)
		case manifest.FileTable:
			l.tables = append(l.tables, num)
		default:
			l.unknown = append(l.unknown, name)
		}
	}
	return l, nil
}

// isFile tells a file with a name that a store gives from a directory, which is somebody else's. Anything
// else is refused: a link may lead to what was a file of the store, and what a store needs must not be passed over.
func isFile(o *Options, path string) (bool, error) {
	info, err := o.FS.Stat(path)
	switch {
	case errors.Is(err, errNotExist):
		return true, nil // gone meanwhile; so nothing is in the way
	case err != nil:
		return false, err
	case info.IsRegular, info.IsDir && !isSingular(path):
		return info.IsRegular, nil
	}
	return false, fmt.Errorf("%s: %w, although a store's file has that name; put the file back in its place, or move away what stands there",
		path, vfs.ErrNotRegular)
}

// isSingular tells whether a store has just one name for such a file, so that it cannot take another.
func isSingular(path string) bool {
	_, num := manifest.ParseName(filepath.Base(path))
	return num == 0
}

// lostAndFound is the directory that a fresh file system holds.
const lostAndFound = "lost+found"

// inspect looks at a directory before anything is done to it.
func inspect(dir string, o *Options) error {
	info, err := o.FS.Stat(dir)
	if errors.Is(err, errNotExist) {
		if o.ErrorIfMissing {
			return errMissing
		}
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsRegular {
		return fmt.Errorf("%w: a file stands where the directory should be; choose another path", ErrExists)
	}
	l, err := list(o, dir)
	if err != nil && !info.IsDir { // most likely a symbolic link
		return fmt.Errorf("%w: what stands there is neither a directory nor a link to one; mend the link or choose another path: %w", ErrExists, err)
	}
	if err != nil {
		return err
	}
	switch {
	case l.hasCurrent && o.ErrorIfExists:
		return fmt.Errorf("%w: it holds a store; open it without Options.ErrorIfExists, or choose another directory", ErrExists)
	case !l.hasCurrent && slices.Contains(l.unknown, repairMarker):
		return errRepairLeft
	case !l.hasCurrent && o.ErrorIfMissing:
		return errMissing
	case !l.hasCurrent && slices.Equal(l.unknown, []string{lostAndFound}):
		return fmt.Errorf("%w: it holds %q, so it is where a file system is mounted; choose a directory below it, such as %s",
			ErrExists, lostAndFound, filepath.Join(dir, "db"))
	case !l.hasCurrent && len(l.unknown) > 0:
		return fmt.Errorf("%w: it holds %q, which is no part of a store; choose an empty directory", ErrExists, l.unknown[0])
	}
	return nil
}

// errRepairLeft is what the place of a repair gives that was interrupted.
var errRepairLeft = fmt.Errorf("%w: %s", ErrExists, repairLeft)

// recover brings the store to the state that its files say, and makes it ready to serve.
func (db *DB) recover() (err error) {
	defer db.step("recover")()
	l, err := list(db.opts, db.dir)
	if err != nil {
		return err
	}
	made := l.highest + 1
	db.nextFile.Store(uint64(made))
	undo := true
	defer func() {
		if err != nil && undo {
			db.removeFrom(made)
		}
	}()
	loaded, err := manifest.Load(db.manifestOptions())
	if err != nil {
		return err
	}
	if loaded == nil {
		loaded, err = db.createNew(l)
		if err != nil {
			return err
		}
	}
	db.nextFile.Store(max(db.nextFile.Load(), uint64(loaded.NextFile)))
	if err := db.checkTables(loaded.Version); err != nil {
		return err
	}
	state := loaded.State
	if err := db.chooseOperator(&state); err != nil {
		return err
	}
	found, err := db.replay(&replayer{db: db, state: &state}, loaded.Sealed, l)
	if err != nil {
		return err
	}
	db.findExpiring(&state)
	if err := db.begin(&state, max(state.Log.First, found.Last+1)); err != nil {
		return err
	}
	fresh, err := db.firstManifest(&state)
	if err == nil {
		undo = false // a switch that fails leaves unknown which manifest is in force
		err = db.serve(fresh, state)
	}
	if err != nil {
		return errors.Join(err, db.log.Load().Close(), db.active.table.Free())
	}
	db.tellOpened(&state, found)
	db.removeLeftovers(l)
	db.mu.Lock()
	db.scheduleCompactionLocked()
	db.mu.Unlock()
	db.settle()
	return nil
}

// createNew returns the state of an empty store. A directory without CURRENT may hold what an
// opening left that crashed before it had made one; anything beyond that is the rest of a store.
func (db *DB) createNew(l *listing) (*manifest.Loaded, error) {
	if err := findRest(db.opts, db.dir, l); err != nil {
		return nil, err
	}
	db.removeLeftovers(l)
	l.logs, l.manifests = nil, nil
	return &manifest.Loaded{State: manifest.State{
		Store:   db.opts.internal.random(),
		Version: &manifest.Version{},
		Log:     manifest.LogState{First: 1},
	}}, nil
}

// findRest returns an error when a directory without CURRENT holds something of a store.
func findRest(o *Options, dir string, l *listing) error {
	lost := func(name string) error {
		return corrupt.Errorf("store", "%s is there, but %s, which every store has, is missing", name, manifest.CurrentName).In(dir)
	}
	if slices.Contains(l.unknown, repairMarker) {
		return errRepairLeft
	}
	if len(l.tables) > 0 {
		return lost(manifest.Name(manifest.FileTable, l.tables[0]))
	}
	for _, num := range l.logs {
		name := manifest.Name(manifest.FileLog, num)
		holds, err := wal.HoldsRecords(o.FS, filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if holds {
			return lost(name)
		}
	}
	return nil
}

// checkTables sees that every table is there and has its length; what is in it is verified when it
// is read.
func (db *DB) checkTables(v *manifest.Version) error {
	for _, tables := range v.Levels {
		for _, t := range tables {
			path := db.files.path(t.Num)
			info, err := db.fs.Stat(path)
			switch {
			case errors.Is(err, errNotExist):
				return corrupt.Errorf("store", "table is missing").At(0).In(path)
			case err != nil:
				return err
			case !info.IsRegular:
				return corrupt.Errorf("store", "table is not a regular file").At(0).In(path)
			case info.SizeBytes != t.Size:
				return corrupt.Errorf("table", "file has %d bytes, want %d", info.SizeBytes, t.Size).
					At(min(info.SizeBytes, t.Size)).In(path)
			}
		}
	}
	return nil
}

// replay brings the log's records into tables and adds these to state. It returns what was found in the
// log.
func (db *DB) replay(r *replayer, sealed bool, l *listing) (wal.Recovered, error) {
	var paths []string
	for _, num := range l.logs {
		paths = append(paths, filepath.Join(db.dir, manifest.Name(manifest.FileLog, num)))
	}
	found, err := wal.Recover(wal.RecoverOptions{
		FS: db.fs, Paths: paths, Store: r.state.Store, CacheID: db.cacheID,
		First: r.state.Log.First, FirstExists: r.state.Log.Exists,
	}, r.record)
	if err == nil && sealed && found.Records > 0 {
		err = corrupt.Errorf("write-ahead log", "holds %d records, although the store was closed in order", found.Records)
	}
	if err == nil {
		err = r.flush()
	}
	if r.mem != nil {
		err = errors.Join(err, r.mem.Free())
	}
	if err != nil {
		return wal.Recovered{}, corrupt.Locate(err, db.dir, 0)
	}
	if found.Records > 0 {
		db.opts.Logger.Info("tinykv: recovered", "dir", db.dir, "records", found.Records, "bytes", found.Bytes, "end", found.End.String())
	}
	return found, nil
}

// replayer brings log records into tables or, for a store that is read only, into memtables.
type replayer struct {
	db    *DB
	state *manifest.State
	mem   *memtable.Table // nil before the first record

	keep bool // memtables are kept instead of flushed
	kept []*memtable.Table
}

// record replays a batch and returns its last sequence number.
func (r *replayer) record(payload []byte) (uint64, error) {
	seq, ops, err := batchrepr.Read(payload)
	if err != nil {
		return 0, err
	}
	if want := r.state.LastSeq + 1; seq != want {
		return 0, corrupt.Errorf("batch", "sequence number is %d, want %d", seq, want).At(0)
	}
	if err := batchrepr.Validate(payload); err != nil {
		return 0, err
	}
	_, count := batchrepr.Header(payload)
	if err := r.makeRoom(memtable.Need(int(count), int64(len(payload))) + int64(count)*mergeSlack); err != nil {
		return 0, err
	}
	in := inserter{db: r.db, table: r.mem, scratch: &r.db.merging}
	for op, ok, _ := ops.Next(); ok; op, ok, _ = ops.Next() {
		if !r.state.Spaces.Given(op.Stored) {
			return 0, unknownSpace(op)
		}
		if op.Kind == key.KindSetExpiring {
			r.db.mayExpire.Store(true)
		}
		in.insert(op, seq)
		seq++
	}
	in.finish()
	r.state.LastSeq = seq - 1
	return uint64(seq - 1), nil
}

func unknownSpace(op batchrepr.Op) error {
	return corrupt.Errorf("batch", "key %s is of a keyspace that the manifest does not know", key.FormatStored(op.Stored)).At(0)
}

// makeRoom flushes the memtable when it is too full, or gets the first one. The batch may be larger
// than the memtables of this opening.
func (r *replayer) makeRoom(need int64) (err error) {
	if r.mem != nil && r.mem.Fits(need) {
		return nil
	}
	if err := r.flush(); err != nil {
		return err
	}
	if r.mem != nil && r.mem.Capacity() < need {
		if err := r.mem.Free(); err != nil {
			return err
		}
		r.mem = nil
	}
	if r.mem == nil {
		size := max(r.db.opts.MemTableSize<<min(len(r.kept), 4), need+need/8+memtable.MinSize)
		size = min(size, max(memtable.MaxSize, need))
		r.mem, err = memtable.New(size)
		return err
	}
	r.mem.Reset(nil)
	return nil
}

// flush writes the memtable to a table and adds that to the state. The names of the tables become
// durable with the new manifest.
func (r *replayer) flush() error {
	if r.mem == nil || r.mem.Empty() {
		return nil
	}
	if r.keep {
		r.kept, r.mem = append(r.kept, r.mem), nil
		return nil
	}
	tables, err := compaction.Flush(r.db.background, r.mem.NewIter(), r.mem.Ranges(), r.db.rulesWithout(), r.db.newOutputs(r.db.background, 0))
	if err != nil {
		return err
	}
	e := &manifest.Edit{}
	for _, t := range tables {
		e.Added = append(e.Added, manifest.AddedTable{Level: 0, Table: t})
	}
	*r.state, err = r.state.Apply(e)
	r.mem.Reset(nil)
	return err
}

// firstManifest makes a manifest with the state, and completes that.
func (db *DB) firstManifest(state *manifest.State) (*manifest.Manifest, error) {
	num := db.newFileNum()
	state.NextFile = manifest.FileNum(db.nextFile.Load())
	return manifest.New(db.manifestOptions(), num, db.opts.internal.random(), *state)
}

// serve puts a new manifest in force and publishes the state that it holds.
func (db *DB) serve(m *manifest.Manifest, state manifest.State) error {
	if err := m.Switch(); err != nil {
		return errors.Join(err, m.Close())
	}
	db.manifest = m
	db.knowSpaces(state.Spaces)
	db.mu.Lock()
	defer db.mu.Unlock()
	tr := newTree(state.Version, nil, db.handleLocked, db.files.cache)
	db.mayCover.Store(tr.rangeDeletes)
	db.publishLocked(newReadState(db.active, nil, tr))
	return nil
}

// removeFrom removes the files with numbers from the given one on: what an opening made that failed. The
// next one would not need them, and if all fail they would fill the disk.
func (db *DB) removeFrom(made manifest.FileNum) {
	names, err := db.fs.List(db.dir)
	if err != nil {
		db.report("list the files of an opening that failed", err)
	}
	for _, name := range names {
		if kind, num := manifest.ParseName(name); kind != manifest.FileUnknown && num >= made {
			db.removeFile(garbage{path: filepath.Join(db.dir, name)})
		}
	}
}

// removeLeftovers removes the files of a store that its manifest does not name: those that this
// opening has replaced, and those that an earlier one left half made. Other files stay.
func (db *DB) removeLeftovers(l *listing) {
	var names []string
	for _, num := range l.logs {
		names = append(names, manifest.Name(manifest.FileLog, num))
	}
	for _, num := range l.manifests {
		names = append(names, manifest.Name(manifest.FileManifest, num))
	}
	for _, num := range l.tables {
		if db.tables[num] == nil {
			names = append(names, manifest.Name(manifest.FileTable, num))
		}
	}
	if l.hasTemp {
		names = append(names, manifest.CurrentName+".tmp")
	}
	for _, name := range names {
		db.removeFile(garbage{path: filepath.Join(db.dir, name)})
	}
}
