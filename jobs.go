package tinykv

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Several compactions run at once, up to Options.MaxBackground; a flush never waits for one of them.
// Each is a job with a plan that claims its input tables and the keys of its outputs, so that
// no job that is begun while it runs gets in its way (compaction.Claims). One that must take all of
// level 0 is itself divided by key into parts that run at once.

// jobs are the compactions under way. All fields are guarded by DB.mu.
type jobs struct {
	claims  compaction.Claims
	running int // goroutines, of the jobs that the store began by itself

	// manual is how many calls of Compact wait for jobs to end. Meanwhile none begins.
	manual int

	// dropping says that one of the goroutines looks for tables to drop whole. Meanwhile no job begins.
	dropping bool

	// heldBack says that snapshots may have kept a compaction from being due.
	heldBack bool

	state worker // failures and retries, of all jobs together
}

// scheduleCompactionLocked starts compactions as long as one is due and may run.
func (db *DB) scheduleCompactionLocked() {
	j := &db.jobs
	if db.opts.ReadOnly || db.resuming {
		return
	}
	defer db.awaitExpiryLocked()
	for j.running < db.opts.MaxBackground && j.manual == 0 && !j.dropping && j.state.retry == nil && !db.closing {
		if db.mayCover.Swap(false) { // first, as what is dropped need not be merged
			j.running++
			j.dropping = true
			db.spawnLocked(db.runDrop)
			return
		}
		p := db.pickNextLocked()
		if p == nil {
			j.heldBack = db.snapshots.oldest != nil
			if j.running == 0 {
				j.state.settled()
			}
			break
		}
		spans := db.split(p)
		j.claims.Add(p)
		j.running += len(spans)
		ctx := db.work
		db.spawnLocked(func() { db.runJob(ctx, p, spans) })
	}
}

// pickNextLocked returns the compaction that is due most, nil when there is none.
func (db *DB) pickNextLocked() *compaction.Plan {
	s := db.state.Load()
	if s == nil {
		return nil
	}
	return compaction.Pick(s.tree.version, db.shapeLocked(), &db.jobs.claims)
}

// runJob carries out the plan of a job and looks for more to do.
func (db *DB) runJob(ctx context.Context, p *compaction.Plan, spans []compaction.Span) {
	err := db.compact(ctx, p, spans)
	failed := err != nil && !errors.Is(err, context.Canceled)
	if failed {
		db.tellWorkerFailure(&db.jobs.state, err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	j := &db.jobs
	j.claims.Remove(p)
	j.running -= len(spans)
	db.endedLocked(err, failed)
}

// runDrop is runJob for the dropping of tables.
func (db *DB) runDrop() {
	err := db.dropCovered()
	failed := err != nil && !errors.Is(err, context.Canceled)
	if failed {
		db.tellWorkerFailure(&db.jobs.state, err)
		db.mayCover.Store(true)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.jobs.running--
	db.jobs.dropping = false
	db.endedLocked(err, failed)
}

// endedLocked looks for more to do after a job, now or, if it failed, after a pause.
func (db *DB) endedLocked(err error, failed bool) {
	j := &db.jobs
	defer db.changed.Broadcast()
	switch {
	case !failed:
		j.state.settled()
		db.scheduleCompactionLocked()
		db.paceLocked()
	case j.state.retry != nil: // another one failed a moment ago
		j.state.err = err
		j.state.failures++
	default:
		db.retryLocked(&j.state, err, db.scheduleCompactionLocked)
	}
}

// minPartTables is how many tables' worth of input a part of a job should at least have.
const minPartTables = 4

// split returns the parts that a plan is carried out in. Only a plan that nothing else can help with
// is divided: one from level 0, or one of Compact.
func (db *DB) split(p *compaction.Plan) []compaction.Span {
	if p.Move || p.Start == p.Output || p.Start > 0 && p.Score > 0 {
		return []compaction.Span{{}}
	}
	parts := min(int64(db.opts.MaxBackground), p.InputBytes()/(minPartTables*db.opts.TableSize))
	return compaction.Split(p, int(max(parts, 1)))
}

// parts are the outputs of a job, by part.
type parts []*compaction.Outputs

// Abort removes all tables.
func (ps parts) Abort() (err error) {
	for _, o := range ps {
		err = errors.Join(err, o.Abort())
	}
	return err
}

// merge merges the inputs of a plan, all parts at once, and returns the tables in order of their
// keys.
func (db *DB) merge(ctx context.Context, job compaction.Job, spans []compaction.Span) (parts, []*manifest.Table, compaction.Stats, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outputs := make(parts, len(spans))
	tables := make([][]*manifest.Table, len(spans))
	stats := make([]compaction.Stats, len(spans))
	errs := make([]error, len(spans))
	run := func(i int) {
		part := job
		part.Span, part.Outputs = spans[i], outputs[i]
		if tables[i], stats[i], errs[i] = compaction.Run(ctx, &part); errs[i] != nil {
			cancel()
		}
	}
	var running sync.WaitGroup
	for i := range spans {
		outputs[i] = db.newOutputs(ctx, job.Plan.Output)
		if i == len(spans)-1 || db.opts.internal.inline != nil {
			run(i)
			continue
		}
		running.Go(func() { run(i) })
	}
	running.Wait()
	var all []*manifest.Table
	total := compaction.Stats{BytesIn: job.Plan.InputBytes()}
	for i := range spans {
		all = append(all, tables[i]...)
		total.EntriesIn += stats[i].EntriesIn
		total.EntriesOut += stats[i].EntriesOut
		total.BytesOut += stats[i].BytesOut
	}
	if err := firstCause(errs); err != nil {
		_ = outputs.Abort() // what is left over is removed at the next opening
		return nil, nil, compaction.Stats{}, err
	}
	return outputs, all, total, nil
}

// firstCause returns the error that made parts of a job fail: of those that were then cancelled only
// if there is no other.
func firstCause(errs []error) (first error) {
	for _, err := range errs {
		if first == nil || errors.Is(first, context.Canceled) {
			if err != nil {
				first = err
			}
		}
	}
	return first
}

// shapeLocked returns the options of the compaction picker.
func (db *DB) shapeLocked() compaction.Options {
	o := db.shape()
	o.Settled, o.Now = db.settledLocked(), db.expiredByLocked()
	return o
}

// settledLocked returns the sequence number up to which every reader sees the same.
func (db *DB) settledLocked() key.SeqNum {
	if oldest := db.snapshots.oldest; oldest != nil {
		return oldest.seq
	}
	return key.MaxSeqNum
}

// later runs work in a goroutine and returns a function that waits for its result; inline at once.
func (db *DB) later(work func() error) (wait func() error) {
	if db.opts.internal.inline != nil {
		err := work()
		return func() error { return err }
	}
	result := make(chan error, 1)
	go func() { result <- work() }()
	return func() error { return <-result }
}

// claim waits until a plan of Compact gets in no job's way, and claims what it needs. plan is asked
// anew after each wait and may return nil when there is nothing to do.
func (db *DB) claim(ctx context.Context, plan func(*manifest.Version, compaction.Options) *compaction.Plan) (p *compaction.Plan, err error) {
	db.mu.Lock()
	db.jobs.manual++
	db.mu.Unlock()
	defer func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		db.jobs.manual--
		db.scheduleCompactionLocked()
	}()
	err = db.waitUntil(ctx, func() (bool, error) {
		if err := db.writable(); err != nil {
			return false, err
		}
		s := db.state.Load()
		p = plan(s.tree.version, db.shapeLocked())
		if p != nil && db.jobs.claims.Conflict(p) {
			return false, nil
		}
		if p != nil {
			db.jobs.claims.Add(p)
		}
		return true, nil
	})
	return p, err
}

// release gives up claims.
func (db *DB) release(plans ...*compaction.Plan) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, p := range plans {
		db.jobs.claims.Remove(p)
	}
	db.scheduleCompactionLocked()
	db.changed.Broadcast()
}

// paceLocked has the throttle look at how far compactions are behind.
func (db *DB) paceLocked() {
	if s := db.state.Load(); s != nil {
		v := s.tree.version
		db.throttle.adjust(len(v.Levels[0]), compaction.Debt(v, db.shapeLocked()), time.Now())
	}
}
