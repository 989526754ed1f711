package tinykv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tinykv/tinykv/internal/blockcache"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/offheap"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/memtable"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

const (
	// The log begins with a small segment, as many stores stay small, and grows from there.
	firstLogSegment = 256 << 10
	maxLogSegment   = 8 << 20
	minLogSegment   = 64 << 10
	maxLogSpares    = 8

	// pageCachePart is the part of the memory that there is in which the system is trusted to keep tables after
	// they were touched, see sstable.Residency; pageCacheBytes where nothing is known of the memory.
	pageCachePart  = 2
	pageCacheBytes = 4 << 30
)

// Open opens the store in a directory, creating both where they do not exist. Nil options mean
// defaults. After a crash the store is brought back to a state that it had, without being asked;
// see docs/GUARANTEES.md for which one.
//
// Errors: ErrLocked at once when anyone has it open (unless Options.LockTimeout says to wait);
// ErrInvalidOption; ErrExists for a directory with files that are no part of a store, which is left
// untouched; ErrMissing where Options ask for a store that is there; ErrFormatTooNew; for damaged files one that matches ErrCorrupt; and those of the file
// system.
func Open(dir string, opts *Options) (*DB, error) {
	o, err := opts.complete()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, errNoDirectory
	}
	db, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return db, nil
}

func open(dir string, o *Options) (*DB, error) {
	if o.ReadOnly {
		return openReadOnly(dir, o)
	}
	if err := inspect(dir, o); err != nil {
		return nil, err
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, err
	}
	db, err := openLocked(dir, o, exclusiveLock, (*DB).recover)
	if err != nil {
		return nil, errorOfDisk(dir, o, err)
	}
	return db, nil
}

// openLocked takes a lock and brings a store back. When that fails, it gives everything up again.
func openLocked(dir string, o *Options, try lockFunc, recover func(*DB) error) (_ *DB, err error) {
	lock, err := takeLock(dir, o, try)
	if err != nil {
		return nil, err
	}
	db := newDB(dir, o)
	db.lock = lock
	defer func() {
		if err != nil {
			db.cancel()
			db.files.cache.Unref()
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := recover(db); err != nil {
		return nil, err
	}
	return db, nil
}

// takeLock locks the directory, waiting for as long as the options allow.
func takeLock(dir string, o *Options, try lockFunc) (lock closer, err error) {
	const pause = 10 * time.Millisecond
	for deadline := time.Now().Add(o.LockTimeout); ; time.Sleep(pause) {
		lock, err = try(o, lockName(dir))
		if errors.Is(err, vfs.ErrNotRegular) {
			err = fmt.Errorf("%w; move away what stands there, a store makes its own", err)
		}
		if err == nil || !errors.Is(err, ErrLocked) {
			return lock, err
		}
		if !time.Now().Before(deadline) {
			return nil, fmt.Errorf("%w; use or close that one, or have Options.LockTimeout wait for it", err)
		}
	}
}

func newDB(dir string, o *Options) *DB {
	db := &DB{opts: o, clock: expiryClock{source: o.Clock}, dir: dir, fs: o.FS, tables: map[manifest.FileNum]*table{}}
	db.changed = sync.NewCond(&db.mu)
	db.closeDone = make(chan struct{})
	db.background, db.cancel = context.WithCancel(context.Background())
	db.work, db.interrupt = context.WithCancel(db.background)
	db.cacheID = o.FS.CacheID(dir)
	db.mems = &memPool{sizeBytes: o.MemTableSize, changed: db.memoryChanged}
	db.files = &tableFiles{
		fs: o.FS, dir: dir,
		residency: sstable.NewResidency(cmp.Or(offheap.Limit()/pageCachePart, pageCacheBytes)),
		mapping:   o.Mapping,
		cache:     blockcache.New(o.CacheSize, o.BlockSize),
		drop:      db.scheduleRemoval,
		report:    db.report,
	}
	db.feed.init(db)
	db.ownTables = newOwnTables()
	db.sampler = newSampler(o.internal.sampleEvery)
	db.flushes.what, db.removals.what, db.jobs.state.what = "flush", "removal", "compaction"
	db.throttle.limits = limitsFor(o)
	db.pace.rate = o.CompactionRate
	db.throttle.off = o.internal.noDelay
	db.syncer.ring, db.rester.ring, db.expirer.ring = db.syncPeriodically, db.rest, db.lookForExpired
	if o.internal.inline == nil {
		db.syncer.after, db.rester.after = o.SyncInterval, restAfter
	}
	return db
}

// syncPeriodically is what the syncer does. A store that failed for another reason than its log still
// owes its writers the sync.
func (db *DB) syncPeriodically() {
	log := db.log.Load()
	if log.Err() != nil {
		return
	}
	if err := log.Sync(); err != nil {
		_ = db.logFailure(log, err) // whoever writes next is told
	}
}

// begin gives an opened store its first memtable and log segment. state is what the manifest says,
// and is completed here; the store serves nobody yet.
func (db *DB) begin(state *manifest.State, firstSegment wal.SegmentNum) error {
	table, err := db.mems.create()
	if err != nil {
		return err
	}
	db.largeNeed = min(table.Capacity(), db.maxSegment()) / 2
	db.largeRanges = table.MaxRangeDeletes()
	log, err := db.createLog(state.Store, firstSegment, state.LastSeq)
	if err != nil {
		return errors.Join(fmt.Errorf("begin write-ahead log: %w", err), table.Free())
	}
	db.log.Store(log)
	db.active = &mem{table: table, pool: db.mems, first: firstSegment}
	db.visible.Store(uint64(state.LastSeq))
	state.Log = manifest.LogState{First: firstSegment, Exists: true}
	return nil
}

// maxSegment returns how large log segments get, in bytes.
func (db *DB) maxSegment() int64 {
	return min(max(db.opts.MemTableSize/2, minLogSegment), maxLogSegment)
}

// createLog begins a log behind everything up to a sequence number.
func (db *DB) createLog(store uint64, first wal.SegmentNum, last key.SeqNum) (*wal.Log, error) {
	maxSegment := db.maxSegment()
	return wal.Create(wal.Options{
		FS: db.fs, Dir: db.dir, Store: store, CacheID: db.cacheID,
		First: first, Mark: uint64(last),
		NewName:           func() string { return manifest.Name(manifest.FileLog, db.newFileNum()) },
		NewEpoch:          db.opts.internal.random,
		MakeFile:          db.logFiles.try,
		Synced:            db.synced,
		Now:               db.sampler.now,
		FirstSegmentBytes: min(firstLogSegment, maxSegment),
		MaxSegmentBytes:   maxSegment,
		Spares:            int(min(db.opts.MemTableSize/maxSegment, maxLogSpares)),
	})
}

// Close ends the store: it writes what is in memory to a table, waits for background work, and gives
// up the lock. It does not wait for iterators and snapshots; they return ErrClosed from now on, and
// an iterator that is never closed keeps its memory. Every call returns when that is done, with the
// same result.
//
// When Close returns nil, everything acknowledged is on stable storage. Otherwise it returns the first failure;
// what was acknowledged and synced is recovered by the next Open. A store that has failed tries to bring the rest
// home too, as Resume does, and returns its failure all the same.
func (db *DB) Close() error {
	db.mu.Lock()
	first := !db.closing
	db.closing = true
	db.mu.Unlock()
	if first {
		db.closeErr = db.close()
		close(db.closeDone)
	}
	<-db.closeDone
	return db.closeErr
}

func (db *DB) close() error {
	db.mu.Lock()
	for _, w := range []*worker{&db.flushes, &db.jobs.state, &db.removals} {
		w.stopLocked()
	}
	db.changed.Broadcast()
	db.mu.Unlock()
	db.feed.close()

	var err error
	_ = db.exclusively(func() error { // returns only once no commit is under way
		db.cancel()
		db.running.Wait()
		db.syncer.stop()
		db.rester.stop()
		db.expirer.stop()
		err = db.shutDown()
		return nil
	})
	return errors.Join(err, db.lock.Close())
}

// shutDown writes everything to tables and gives up all files. Only the committer calls it, and no
// background work is running any more.
func (db *DB) shutDown() error {
	if db.opts.ReadOnly {
		db.shutDownReadOnly()
		return nil
	}
	sealed, err := db.bringHome()
	log := db.log.Load()
	if !sealed && log.Err() == nil {
		err = errors.Join(err, log.Sync()) // the next opening finds there what did not get into tables
	}

	db.mu.Lock()
	old := db.publishLocked(nil)
	garbage, uncertain := db.garbage, db.uncertain
	db.garbage, db.uncertain, db.closed = nil, nil, true
	db.changed.Broadcast()
	db.mu.Unlock()
	old.unref()

	if sealed {
		err = errors.Join(err, log.Remove())
	} else {
		err = errors.Join(err, log.Close())
	}
	err = errors.Join(err, db.manifest.Close(), db.renewal.close())
	for _, m := range uncertain {
		err = errors.Join(err, m.close(db))
	}
	db.mems.close()
	db.ownTables.close()
	db.files.cache.Unref()      // iterators that are still open hold it too
	for _, g := range garbage { // at once
		db.removeFile(g)
	}
	return err
}

// bringHome brings all that is in memory to tables and seals the store, which it reports. A store that has failed
// is resumed for that, if it can be, and answers with its failure all the same.
func (db *DB) bringHome() (sealed bool, err error) {
	failed := db.failure.Load()
	if failed == nil {
		err := db.seal()
		return err == nil, err
	}
	err = db.startAnew()
	if err == nil {
		err = db.seal()
	}
	return err == nil, errors.Join(failed, err)
}

// sealLast seals the active memtable for the last flush. The one that takes its place stays empty.
func (db *DB) sealLast() error {
	log := db.log.Load()
	segment, err := log.Rotate()
	if err != nil {
		return db.logFailure(log, err)
	}
	table, err := memtable.New(memtable.MinSize)
	if err != nil {
		return err
	}
	db.mems.count(1)
	db.replaceActive(&mem{table: table, pool: db.mems, first: segment})
	return nil
}

// seal brings all that is in memory to tables, says in the manifest that there is no log, and in
// CURRENT that the manifest is complete.
func (db *DB) seal() error {
	if !db.active.table.Empty() {
		if err := db.sealLast(); err != nil {
			return err
		}
	}
	for more := true; more; {
		var err error
		if more, err = db.flushOldest(context.Background()); err != nil {
			return err
		}
	}
	defer db.tellFailure() // after the lock is given up
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	err := db.manifest.Append(&manifest.Edit{
		NextFile: manifest.FileNum(db.nextFile.Load()),
		LastSeq:  key.SeqNum(db.visible.Load()),
		Log:      &manifest.LogState{First: db.log.Load().Number() + 1},
		Expiry:   db.expiryState(),
	})
	if err == nil {
		err = db.manifest.Seal()
	}
	if err != nil {
		return db.latch(err)
	}
	return nil
}
