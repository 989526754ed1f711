package tinykv

import (
	"context"
	"errors"
	"time"
)

// Background work runs in goroutines that exist only while there is something to do: an idle store
// has none. Each kind of work runs in one goroutine at a time:
//
//	flushes      sealed memtables to level 0, oldest first
//	removals     files that nobody needs any more, see pacing.go
//	prepare      the next memtable, and the next log segment filled with zeros
//
// and compactions in several, see jobs.go. The first two are workers. A worker that fails is started
// again after a pause that grows, or sooner when somebody has to wait for it, who then gets the
// outcome of that attempt. A writer does not wait for an attempt when the last one failed a moment
// ago: it gets that failure at once.

const (
	minRetryPause = 100 * time.Millisecond
	maxRetryPause = 5 * time.Second

	// maxHurriedPause is how long the pause may get for somebody who waits.
	maxHurriedPause = time.Second
)

// worker is one kind of background work. All fields are guarded by DB.mu.
type worker struct {
	what     string // fixed after Open
	running  bool
	err      error // of the last run, until one succeeds or there is nothing to do
	failures int   // runs that failed
	failedAt time.Time
	pause    time.Duration
	retry    *time.Timer // until it fires
}

// settled forgets past failures: the work is done, by whomever.
func (w *worker) settled() { w.err, w.pause = nil, 0 }

// rest returns how long even somebody who waits leaves the worker alone after its last failure.
func (w *worker) rest() time.Duration {
	return min(w.pause, maxHurriedPause) - time.Since(w.failedAt)
}

// spawnLocked starts fn in a goroutine that Close waits for.
func (db *DB) spawnLocked(fn func()) {
	if db.opts.internal.inline != nil {
		db.inline = append(db.inline, fn)
		return
	}
	db.running.Add(1)
	go func() {
		defer db.running.Done()
		fn()
	}()
}

// enter announces work on files by a caller's goroutine, for which Close waits; the caller ends it by
// db.running.Done. It fails with ErrClosed once Close was called.
func (db *DB) enter() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closing {
		return ErrClosed
	}
	db.running.Add(1)
	return nil
}

// settle runs what was spawned, where background work runs inline.
func (db *DB) settle() {
	if now := db.opts.internal.inline; now == nil || !now() {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	for db.runInlineLocked() {
	}
}

// runInlineLocked runs the oldest spawned function and reports whether there was one. After Close, which
// waits for goroutines, there is nothing to run it on.
func (db *DB) runInlineLocked() bool {
	if len(db.inline) == 0 || db.closed {
		return false
	}
	fn := db.inline[0]
	db.inline = db.inline[1:]
	db.mu.Unlock()
	defer db.mu.Lock()
	fn()
	return true
}

// waitLocked waits for a change of the store. db.mu is held, and given up meanwhile.
func (db *DB) waitLocked() {
	if !db.runInlineLocked() {
		db.changed.Wait()
	}
}

// startLocked starts a worker unless it runs already, waits for its retry, or the store is closing.
// work is called again and again until it reports that nothing is left to do.
func (db *DB) startLocked(w *worker, work func() (more bool, err error), hasWork func() bool) {
	switch {
	case w.running || db.closing || db.resuming || db.opts.ReadOnly:
	case !hasWork():
		w.settled()
	case w.retry == nil:
		w.running = true
		db.spawnLocked(func() { db.runWorker(w, work, hasWork) })
	}
}

func (db *DB) runWorker(w *worker, work func() (more bool, err error), hasWork func() bool) {
	more, err := true, error(nil)
	for more && err == nil {
		more, err = work()
		if err == nil {
			db.mu.Lock()
			w.settled()
			more = more && !db.closing
			db.mu.Unlock()
		}
	}
	failed := err != nil && !errors.Is(err, context.Canceled)
	if failed {
		db.tellWorkerFailure(w, err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	w.running = false
	defer db.changed.Broadcast()
	if failed {
		db.retryLocked(w, err, func() { db.startLocked(w, work, hasWork) })
		return
	}
	if db.opts.internal.inline == nil { // work that came up since the last look
		db.startLocked(w, work, hasWork)
	}
}

// tellWorkerFailure tells those who may use the store: so no lock is held.
func (db *DB) tellWorkerFailure(w *worker, err error) {
	db.opts.Logger.Error("tinykv: background work failed", "dir", db.dir, "error", err)
	db.met(err)
	emit(db, db.opts.Events.BackgroundError, BackgroundErrorInfo{Work: w.what, Fatal: db.failure.Load() != nil, Err: err})
}

// retryLocked notes that a worker failed and has it started again after a pause.
func (db *DB) retryLocked(w *worker, err error, again func()) {
	w.err, w.failedAt = err, time.Now()
	w.failures++
	if db.closing || db.failure.Load() != nil || db.opts.internal.inline != nil {
		return
	}
	w.pause = min(max(2*w.pause, minRetryPause), maxRetryPause)
	w.retry = time.AfterFunc(w.pause, func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		w.retry = nil
		again()
	})
}

// hurryLocked starts a worker that waits for its retry, or as soon as it has had its rest.
func (db *DB) hurryLocked(w *worker, start func()) {
	if w.retry != nil {
		if !w.retry.Stop() {
			return // it fires at this moment
		}
		if rest := w.rest(); rest > 0 {
			w.retry.Reset(rest)
			return
		}
		w.retry = nil
	}
	start()
}

// patience is what somebody goes by who has to wait for a worker.
type patience struct {
	worker *worker
	start  func() // starts the worker; db.mu is held

	begun bool
	seen  int // failures before the wait
}

// outcomeLocked returns the failure of a run that ended during the wait, and sees to it that another
// run comes if an earlier one failed. It is for the condition of waitUntil.
func (db *DB) outcomeLocked(p *patience) error {
	if !p.begun {
		p.begun, p.seen = true, p.worker.failures
	}
	if p.worker.err == nil {
		return nil
	}
	if p.worker.failures != p.seen {
		return p.worker.err
	}
	db.hurryLocked(p.worker, p.start)
	return nil
}

// promptOutcomeLocked is outcomeLocked for a writer: it returns a failure of a moment ago too, so that
// writers are answered at once.
func (db *DB) promptOutcomeLocked(p *patience) error {
	if w := p.worker; w.err != nil && w.retry != nil && w.rest() > 0 {
		return w.err
	}
	return db.outcomeLocked(p)
}

// stopLocked keeps a worker from being started again.
func (w *worker) stopLocked() {
	if w.retry != nil {
		w.retry.Stop()
	}
}

// prepareAhead has the next memtable and the next log segment made ready once the present ones are
// half full, so that the committer need not wait for them. Only the committer calls it.
func (db *DB) prepareAhead() {
	log := db.log.Load()
	segmentDue := log.HalfFull() && !log.Ready()
	memtableDue := db.active.table.Used() > db.opts.MemTableSize/2 && !db.mems.ready()
	if !segmentDue && !memtableDue || db.preparing.Swap(true) {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.closing {
		db.spawnLocked(db.prepare)
	}
}

// prepare does what prepareAhead wants. When it fails, the committer tries again by itself; the log
// sees to it that it does so not too often.
func (db *DB) prepare() {
	if err := errors.Join(db.log.Load().Prepare(), db.mems.prepare()); err != nil {
		db.report("prepare memtable and log segment", err)
	}
	db.rester.arm()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.preparing.Store(false)
	db.changed.Broadcast()
}

// step tells tests that a step begins; the result tells them that it ends.
func (db *DB) step(name string) (end func()) {
	db.opts.internal.hook(name, true)
	return func() { db.opts.internal.hook(name, false) }
}
