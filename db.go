package tinykv

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// Where the parts of a store are told:
//
//	options.go     what can be chosen         errors.go       what can go wrong
//	budget.go      how much memory            range.go        from where to where
//	open.go        opening and closing        recover.go      what a crash left
//	readonly.go    opening to read only       resume.go       going on after a failure
//	write.go       Put, Delete, Apply, ...    batch.go        several at once
//	commit.go      how writers form groups    large.go        batches of any size
//	rotate.go      sealing a memtable         clear.go        dropping whole tables
//	get.go         reading a key              multi.go        reading many at once
//	iterator.go    going over keys            cursor.go       the levels under that
//	scan.go        the same as a loop         rangecursor.go  what range tombstones hide
//	snapshot.go    reading the past           readstate.go    what a reader holds on to
//	txn.go         transactions               txn_own.go      what they have written
//	merge.go       values from operands       expiry.go       values for a time
//	count.go       how many, how large        explain.go      how a read finds its key
//	tree.go        finding tables             table.go        a table file
//	fault.go       disks that fail under it   install.go      version edits
//	flush.go       memtable to table          compact.go      tables to better tables
//	background.go  who does all that, when    jobs.go         compactions side by side
//	backoff.go     not trying too often       throttle.go     not letting writers run away
//	pacing.go      not getting in the way     renew.go        a shorter manifest
//	alarm.go       what is due a while later  rest.go         giving back what is spare
//	verify.go      looking for damage         repair.go       copying what is good
//	metrics.go     numbers                    prometheus.go   and for machines
//	layout.go      every part, for pictures   doing.go        and every job
//	stats.go       counters                   histogram.go    how long things take
//	sampling.go    what reads and writes do   drawn.go        reads that are looked at
//	holders.go     what is open, since when   events.go       who is told of what
//	watch.go       following the changes      feed.go         where watchers read
//	bucket.go      keys under a name          buckets.go      which names there are
//
// A file whose name goes on behind that of another, as verify_live.go, is a part of that one.
//
// Locks are taken in this order: the lead of queue, manifestMu, mu. A reader takes none.

// DB is an open store, as [Open] makes it. Any number of goroutines may use it at once, also from within the functions that they
// gave to it, where nothing else is said there. It reads and writes the keys outside of buckets; see [DB.Bucket] for those within. [DB.Close] ends it, and
// everything that came from it.
type DB struct {
	// Fixed after Open.
	opts    *Options
	dir     string
	fs      vfs.FS
	cacheID string
	lock    io.Closer
	files   *tableFiles
	mems    *memPool
	log     atomic.Pointer[wal.Log] // replaced by Resume alone

	// largeNeed is the room in a memtable above which a write is large, see large.go.
	largeNeed int64

	// largeRanges is the number of range deletions above which a batch is large.
	largeRanges int

	// state is what readers read; nil once closed. visible is the last sequence number that readers
	// may see. A reader loads state first.
	state   atomic.Pointer[readState]
	visible atomic.Uint64

	// spaces are the buckets. The leader alone replaces it, with mu held.
	spaces atomic.Pointer[manifest.Spaces]

	// queue gives one writer at a time the lead. The leader alone uses active, record, stored, and
	// the committing half of log and throttle.
	queue   commitQueue
	active  *mem
	record  []byte // scratch: a log record
	stored  []byte // scratch: a stored key
	headed  []byte // scratch: a value with what it begins with
	merging mergeScratch

	// For transactions: see Update.
	ownTables *ownTables
	retries   sync.Mutex   // held by an Update that tries again
	updates   sync.RWMutex // held by an Update that commits; for writing during its last try
	throttle  throttle

	logFiles  backoff       // between attempts to make a log segment
	syncer    alarm         // for writes that did not wait for a sync
	rester    alarm         // see rest.go
	expirer   dueAlarm      // for tables with values that expire
	restedAt  atomic.Uint64 // the last sequence number at its last look
	preparing atomic.Bool   // prepare is running, or about to
	mayExpire atomic.Bool   // there are values that expire, or about to be
	clock     expiryClock
	mayCover  atomic.Bool // range tombstones may have come to lie on whole tables, see dropCovered
	nextFile  atomic.Uint64
	failure   atomic.Pointer[failedError]
	opened    atomic.Bool // events are told from now on
	jobNums   atomic.Uint64
	damages   damages
	pace      bucket // of what compactions write
	stats     stats
	sampler   sampler // fixed after Open
	iterators openIterators
	feed      feed // for Watch

	// manifestMu is held while a version edit is written and published.
	manifestMu sync.Mutex
	manifest   *manifest.Manifest // guarded by manifestMu
	renewal    renewal            // guarded by manifestMu

	// mu guards the fields below and every change of state. It is never held during I/O.
	mu        sync.Mutex
	changed   *sync.Cond // with mu: the state changed, or a worker stopped
	tables    map[manifest.FileNum]*table
	snapshots snapshotList
	garbage   []garbage // files to remove, oldest first
	closing   bool      // Close was called
	closed    bool      // Close has done its work
	resuming  bool      // no background work begins
	renewing  bool      // a goroutine renews the manifest, or is about to
	uncertain []made    // by a store that has failed

	garbageBytes int64

	flushes, removals worker
	jobs              jobs
	doing             []JobLayout // under way, see Layout
	inline            []func()    // see internalOptions.inline

	// background ends when the store closes; running counts its goroutines. work ends also when Resume has
	// compactions give up, and is guarded by mu.
	background context.Context
	cancel     context.CancelFunc
	running    sync.WaitGroup
	work       context.Context
	interrupt  context.CancelFunc

	closeDone chan struct{} // closed when Close has done its work
	closeErr  error         // set before that
}

// writable returns why the store takes no writes, or nil.
func (db *DB) writable() error {
	if db.state.Load() == nil {
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return errOpenReadOnly
	}
	if err := db.failure.Load(); err != nil {
		return err
	}
	return nil
}

// unlessClosed returns err, or ErrClosed when the store is closed, which comes before anything that is
// wrong with a call.
func (db *DB) unlessClosed(err error) error {
	if db.state.Load() == nil {
		return ErrClosed
	}
	return err
}

// fail makes the store refuse writes from now on, tells of it, and returns the error that it answers
// with. Only the first cause counts. No lock is held.
func (db *DB) fail(cause error) error {
	defer db.tellFailure()
	return db.latch(cause)
}

// latch is fail without telling. db.mu is not held; who holds another lock tells later.
func (db *DB) latch(cause error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.latchLocked(cause)
}

func (db *DB) latchLocked(cause error) error {
	var failed *failedError
	if errors.As(cause, &failed) {
		return cause
	}
	if db.failure.CompareAndSwap(nil, &failedError{cause: cause}) {
		db.changed.Broadcast()
	}
	return db.failure.Load()
}

// tellFailure tells, once, that the store has failed, if it has. Those who are told may use the store:
// so no lock is held.
func (db *DB) tellFailure() {
	failed := db.failure.Load()
	if failed == nil || failed.told.Swap(true) {
		return
	}
	db.opts.Logger.Error("tinykv: store has failed", "dir", db.dir, "error", failed.cause)
	emit(db, db.opts.Events.BackgroundError, BackgroundErrorInfo{Work: "store", Fatal: true, Err: failed.cause})
}

// logFailure returns what a writer is told when a write-ahead log returned err. If the log cannot go on,
// neither can the store, unless another log has taken its place.
func (db *DB) logFailure(log *wal.Log, err error) error {
	if db.state.Load() == nil {
		return ErrClosed
	}
	defer db.tellFailure()
	db.mu.Lock()
	defer db.mu.Unlock()
	if log.Err() != nil && db.log.Load() == log {
		return db.latchLocked(err)
	}
	return err
}

// report logs a failure that harms nothing.
func (db *DB) report(what string, err error) {
	db.opts.Logger.Warn("tinykv: "+what, "dir", db.dir, "error", err)
}
