package tinykv

import (
	"errors"
	"fmt"
	"sync"

	"github.com/tinykv/tinykv/internal/key"
)

// Tx is a transaction: it reads the store as it was when the transaction began, together with its own writes, and Commit makes
// all its writes take effect at once or not at all. Transactions are optimistic and serializable: nobody waits for one; if what it
// read (keys, present or not, and stretches of keys that it went over) was written by others since, its Commit gives ErrConflict.
//
// A Tx belongs to one goroutine. It must be ended by Commit or Rollback, and keeps old entries from being dropped until then, as
// a snapshot does. After its end every call gives ErrTxDone, but for Rollback, which does nothing.
type Tx struct {
	db       *DB
	snapshot Snapshot
	writable bool
	managed  bool // View or Update ends it
	done     bool

	parts *txParts   // nil in a transaction that only reads, and after the end
	own   *ownWrites // of parts; nil before the first write

	// The buckets that are used, see txn_bucket.go; nil for none.
	spaces  map[string]key.Space
	names   map[key.Space]string
	missing []string // that were not there when it began

	iters     []*Iterator // all that are open, and some that were
	openIters int         // how many were open when those that were not were last forgotten
}

// View calls fn with a transaction for reading: all that it reads is of one moment. It returns what fn returns. A write gives
// ErrReadOnly. A panic of fn goes through. Errors of its own: ErrClosed, and ErrInvalidOption for a nil function.
func (db *DB) View(fn func(*Tx) error) error {
	if fn == nil {
		return db.unlessClosed(errNoFunction)
	}
	tx, err := db.Begin(false)
	if err != nil {
		return err
	}
	defer tx.end()
	tx.managed = true
	return fn(tx)
}

// How often Update tries. The first tries are optimistic; from the second on, those that try again take turns, so that
// they do not keep overtaking each other; the last keeps all other Updates out.
const maxTries = 10

// Update calls fn with a transaction and commits it. When others wrote meanwhile what fn has read, fn is called again with a new
// transaction: it must have no effects but those on the transaction, and must not call Update, which may wait for itself then. After some tries, of which the last excludes other Updates, though
// not other writes, the error is ErrConflict. An error of fn rolls back and is returned as it is; a panic rolls back and goes through.
//
// Errors of its own: ErrConflict, ErrClosed, ErrInvalidOption for a nil function, and those of Put.
func (db *DB) Update(fn func(*Tx) error) error {
	if fn == nil {
		return db.unlessClosed(errNoFunction)
	}
	err := db.updateOnce(fn)
	if !errors.Is(err, errRetry) {
		return err
	}
	db.retries.Lock()
	defer db.retries.Unlock()
	for try := 2; errors.Is(err, errRetry); try++ {
		if try > maxTries {
			return errConflicts
		}
		if try == maxTries {
			err = db.updateLast(fn)
			continue
		}
		err = db.updateOnce(fn)
	}
	return err
}

// errConflicts is what Update gives when it has tried often enough.
var errConflicts = fmt.Errorf("%w, as Update did %d times; make the transaction shorter, or have it read less", ErrConflict, maxTries)

// errRetry is what a try returns whose own commit, and nothing that the function did, met a conflict.
var errRetry = fmt.Errorf("%w: tried again", ErrConflict)

// updateOnce is one try of many. Others wait for its commit alone, not for the function, which may take long or wait for them.
func (db *DB) updateOnce(fn func(*Tx) error) error { return db.update(fn, db.updates.RLocker()) }

// updateLast is the last try, during which no other commits.
func (db *DB) updateLast(fn func(*Tx) error) error {
	db.updates.Lock()
	defer db.updates.Unlock()
	return db.update(fn, nil)
}

// update is one try. It commits with a lock held, unless that is nil.
func (db *DB) update(fn func(*Tx) error, committing sync.Locker) error {
	tx, err := db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.end()
	tx.managed = true
	if err := fn(tx); err != nil {
		return err
	}
	if committing != nil {
		committing.Lock()
		defer committing.Unlock()
	}
	if err := tx.commit(nil); err != nil {
		if err == ErrConflict {
			return errRetry
		}
		return err
	}
	return nil
}

// Begin begins a transaction, which the caller ends by Commit or Rollback. One that is not writable only reads. See [DB.Update] for
// one that ends itself and is tried again. Errors: ErrClosed; for a writable one ErrReadOnly in a store opened so, and ErrFailed.
func (db *DB) Begin(writable bool) (*Tx, error) {
	if writable {
		if err := db.writable(); err != nil {
			return nil, err
		}
	}
	tx := &Tx{db: db, writable: writable}
	tx.snapshot.db, tx.snapshot.tx = db, tx
	if err := db.open(&tx.snapshot); err != nil {
		return nil, err
	}
	if writable {
		tx.parts = txPartsPool.Get().(*txParts)
		tx.parts.commit = txCommit{db: db, tx: tx, reads: &tx.parts.reads}
	}
	return tx, nil
}

// txParts is the memory of a transaction that writes, for use by one after the other.
type txParts struct {
	own    ownWrites
	reads  readSet
	batch  Batch
	commit txCommit
}

var txPartsPool = sync.Pool{New: func() any { return &txParts{} }}

// maxKeptTx bounds the memory that is kept, in bytes of each part.
const maxKeptTx = 64 << 10

// release gives the parts back, emptied.
func (p *txParts) release() {
	p.own.release()
	p.reads.reset()
	if p.batch.bound == nil {
		p.batch.Reset()
	} else { // what a batch for buckets is copied to may be large
		p.batch = Batch{}
	}
	p.commit = txCommit{}
	if cap(p.batch.repr) <= maxKeptTx && cap(p.reads.buf) <= maxKeptTx && cap(p.own.stored)+cap(p.own.headed) <= maxKeptTx {
		txPartsPool.Put(p)
	}
}

// Commit makes the writes of the transaction take effect. Options: [Sync], [NoSync]. A transaction that has written nothing has
// nothing to check. Whatever it returns, the transaction has ended.
//
// Errors: ErrConflict, after which nothing was written; ErrTxDone; ErrInvalidOption within View and Update, which end their transaction
// themselves, and for other options (then it has not ended); and those of Put.
func (tx *Tx) Commit(opts ...WriteOption) error {
	switch {
	case tx.done:
		return ErrTxDone
	case tx.managed:
		return errManaged
	}
	if _, err := tx.db.opts.wantsSync(opts); err != nil {
		return err
	}
	defer tx.end()
	return tx.commit(opts)
}

// Rollback ends the transaction without effect. After its end it does nothing and returns nil. Error: ErrInvalidOption within View and Update.
func (tx *Tx) Rollback() error {
	switch {
	case tx.done:
		return nil
	case tx.managed:
		return errManaged
	}
	tx.end()
	return nil
}

var errManaged = fmt.Errorf("%w: View and Update end their transaction themselves; return an error to roll back", ErrInvalidOption)

// end gives up all that the transaction holds. A second call does nothing.
func (tx *Tx) end() {
	if tx.done {
		return
	}
	tx.done = true
	for _, i := range tx.iters {
		i.end(ErrTxDone)
	}
	tx.iters = nil
	if tx.parts != nil {
		tx.parts.release()
		tx.parts, tx.own = nil, nil
	}
	_ = tx.snapshot.Close() // which never fails
}

// readable returns why the transaction cannot be read, or nil.
func (tx *Tx) readable() error {
	if tx.done {
		return ErrTxDone
	}
	return nil
}

// Seq returns the number of the last write, in commit order, that the transaction sees beside its own.
func (tx *Tx) Seq() uint64 { return uint64(tx.snapshot.seq) }

// reader returns what reads the store as the transaction sees it, without its own writes.
func (tx *Tx) reader(space key.Space) reader {
	return reader{db: tx.db, snapshot: &tx.snapshot, space: space}
}
