package tinykv

import (
	"context"
	"errors"
	"fmt"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// install makes a version edit durable and publishes the state that follows from it. Tables that the
// edit adds are on stable storage with their names. change, which may be nil, runs with db.mu held
// and returns the sealed memtables of the new state, given those of the old.
//
// When it fails, the store is as before; if nothing is known of the manifest any more, the store
// has failed.
func (db *DB) install(e *manifest.Edit, change func(sealed []*mem) []*mem) error {
	old, err := db.installEdit(e, change)
	if err != nil {
		db.tellFailure()
		return err
	}
	old.unref()
	db.tellCreated(e)
	return nil
}

// installEdit is install up to where nobody may hold a lock any more. It returns the state that was
// replaced.
func (db *DB) installEdit(e *manifest.Edit, change func(sealed []*mem) []*mem) (old *readState, err error) {
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	e.NextFile, e.Expiry = manifest.FileNum(db.nextFile.Load()), db.expiryState()
	if err := db.appendEdit(e); err != nil {
		if db.manifest.Err() != nil {
			return nil, db.latch(err)
		}
		return nil, err
	}

	db.expirySaved(e.Expiry)
	db.stats.flushedSeq.Store(uint64(db.manifest.State().LastSeq))

	db.mu.Lock()
	now := db.state.Load()
	tr := newTree(db.manifest.State().Version, now.tree, db.handleLocked, db.files.cache)
	for _, d := range e.Deleted {
		db.forgetLocked(d.Num, tr.version)
	}
	sealed := now.sealed
	if change != nil {
		sealed = change(sealed)
	}
	old = db.publishLocked(newReadState(now.active, sealed, tr))
	if tr.rangeDeletes {
		db.mayCover.Store(true)
	}
	db.paceLocked()
	db.scheduleCompactionLocked()
	db.changed.Broadcast()
	db.mu.Unlock()
	db.scheduleRenewal()
	return old, nil
}

// handleLocked returns the table for a description.
func (db *DB) handleLocked(m *manifest.Table) *table {
	t := db.tables[m.Num]
	if t == nil {
		t = &table{meta: m, files: db.files}
		db.tables[m.Num] = t
	}
	return t
}

// forgetLocked has a table's file removed with its last reference, unless the version still has the
// table.
func (db *DB) forgetLocked(num manifest.FileNum, v *manifest.Version) {
	for _, tables := range v.Levels {
		for _, t := range tables {
			if t.Num == num {
				return // it moved to another level
			}
		}
	}
	if t := db.tables[num]; t != nil {
		t.obsolete.Store(true)
		delete(db.tables, num)
	}
}

func (db *DB) manifestOptions() manifest.Options {
	return manifest.Options{FS: db.fs, Dir: db.dir, CacheID: db.cacheID}
}

// newFileNum returns a file number never used before.
func (db *DB) newFileNum() manifest.FileNum { return manifest.FileNum(db.nextFile.Add(1) - 1) }

// tableMaker implements compaction.Files.
type tableMaker struct {
	db    *DB
	ctx   context.Context // no table waits for its turn behind the end of this
	waits bool            // keeps to the rate of Options.CompactionRate
}

func (m tableMaker) Create() (manifest.FileNum, uint64, string, vfs.File, error) {
	num := m.db.newFileNum()
	path := m.db.files.path(num)
	f, err := m.db.fs.Create(path)
	if err == nil && m.db.pace.rate > 0 {
		f = &pacedFile{File: f, ctx: m.ctx, bucket: &m.db.pace, waits: m.waits}
	}
	return num, m.db.opts.internal.random(), path, f, err
}

func (m tableMaker) Remove(path string) error { return m.db.fs.Remove(path) }

// newOutputs returns what writes tables of a level. Only what goes below level 0 waits for its turn:
// writers wait for the rest.
func (db *DB) newOutputs(ctx context.Context, level manifest.Level) *compaction.Outputs {
	return compaction.NewOutputs(tableMaker{db: db, ctx: ctx, waits: level > 0}, compaction.TableOptions{
		BlockSize:   int(db.opts.BlockSize),
		BitsPerKey:  db.opts.BloomBitsPerKey,
		Compression: db.opts.Compression.levels()[level],
		Later:       db.later,
	})
}

// aborter removes tables that it made.
type aborter interface{ Abort() error }

// adopt makes the names of new tables durable and opens the tables, to see that they can be read
// before anything depends on them. When it fails, it removes them.
func (db *DB) adopt(outputs aborter, tables []*manifest.Table) error {
	if err := db.fs.SyncDir(db.dir); err != nil {
		_ = outputs.Abort()
		if errors.Is(err, vfs.ErrNotTried) {
			return fmt.Errorf("sync directory: %w", err)
		}
		return db.fail(fmt.Errorf("sync directory: %w", err))
	}
	if err := db.openNew(tables); err != nil {
		db.disown(outputs, tables)
		return err
	}
	return nil
}

// openNew opens tables that were just made.
func (db *DB) openNew(tables []*manifest.Table) error {
	for _, m := range tables {
		db.mu.Lock()
		t := db.handleLocked(m)
		db.mu.Unlock()
		if _, err := t.open(); err != nil {
			return fmt.Errorf("new table cannot be read: %w", err)
		}
	}
	return nil
}

// made are files that may have become part of a store or not, as what failed was the writing of that. manifest
// and log are nil, or those of a Resume.
type made struct {
	outputs  aborter
	tables   []*manifest.Table
	manifest *manifest.Manifest
	log      *wal.Log
}

// disown removes tables that were adopted and could not be installed. When the store has failed they
// stay until a new manifest is in force: the edit that names them may be on stable storage.
func (db *DB) disown(outputs aborter, tables []*manifest.Table) {
	m := made{outputs: outputs, tables: tables}
	if !db.uncertainNow(m) {
		db.discard(m)
	}
}

// uncertainNow keeps what was made for later if the store has failed, and reports whether it has.
func (db *DB) uncertainNow(m made) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.failure.Load() == nil {
		return false
	}
	db.uncertain = append(db.uncertain, m)
	return true
}

// discard removes what no manifest in force names. What is left over is removed at the next opening.
func (db *DB) discard(m made) {
	db.forget(m.tables)
	_ = m.outputs.Abort()
	if m.log != nil {
		_ = m.log.Remove()
	}
	if m.manifest != nil {
		_ = m.manifest.Close()
		db.scheduleRemoval(m.manifest.Path(), 0)
	}
}

// close leaves the files to the next opening.
func (m *made) close(db *DB) (err error) {
	db.forget(m.tables)
	if m.log != nil {
		err = m.log.Close()
	}
	if m.manifest != nil {
		err = errors.Join(err, m.manifest.Close())
	}
	return err
}

// forget closes tables that no version has.
func (db *DB) forget(tables []*manifest.Table) {
	var unmap []*sstable.Reader
	db.mu.Lock()
	for _, m := range tables {
		if t := db.tables[m.Num]; t != nil && t.refs.Load() == 0 {
			delete(db.tables, m.Num)
			if r := t.reader.Swap(nil); r != nil {
				unmap = append(unmap, r)
			}
		}
	}
	db.mu.Unlock()
	for _, r := range unmap {
		_ = r.Close()
	}
}

// rules say what readers can tell apart.
func (db *DB) rules() compaction.Rules {
	rules := db.rulesWithout()
	rules.Snapshots, rules.Expired = db.snapshotSeqs(), db.expired()
	return rules
}

// rulesWithout is rules where there are no snapshots.
func (db *DB) rulesWithout() compaction.Rules {
	op := db.opts.MergeOperator
	if op == nil {
		return compaction.Rules{}
	}
	return compaction.Rules{Merge: func(older, newer []byte) ([]byte, error) { return merge(op, older, newer) }}
}

// snapshotSeqs returns the sequence numbers at which open snapshots read, in ascending order.
func (db *DB) snapshotSeqs() []key.SeqNum {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.snapshots.seqs()
}
