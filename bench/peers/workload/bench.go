package workload

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/bench/internal/draw"
	"github.com/tinykv/tinykv/bench/internal/meter"
	"github.com/tinykv/tinykv/bench/peers/engine"
)

// Bench runs rows on a store.
type Bench struct {
	Store  engine.Store
	Keys   *Keys
	Values *Values
	Limits Limits
	Seed   uint64

	streams uint64 // of random numbers, given out so far
	inserts *draw.Inserts
}

// New returns what runs rows on a store, with keys and values that depend on the seed alone.
func New(store engine.Store, entries, valueBytes int, seed uint64, limits Limits) *Bench {
	return &Bench{
		Store: store, Keys: NewKeys(entries, seed), Values: NewValues(valueBytes, seed), Limits: limits, Seed: seed,
		inserts: draw.NewInserts(uint64(entries)),
	}
}

// Outcome is what the threads of a row did together.
type Outcome struct {
	Ops, Found uint64
	Seconds    float64 // on the wall
	CutOff     bool
	Latencies  meter.Latencies // in nanoseconds
	Every      uint64
	PutBytes   uint64 // of keys and values that all threads put, the one beside included
	BesideOps  uint64
}

// Run runs a row by so many threads, and calls begin right before they begin. The end of ctx ends it early, with the error of ctx.
func (b *Bench) Run(ctx context.Context, row Row, threads int, begin func() error) (*Outcome, error) {
	var stop, stopBeside atomic.Bool
	defer context.AfterFunc(ctx, func() { stop.Store(true); stopBeside.Store(true) })()
	workers, err := b.workers(row, threads, &stop)
	if err != nil {
		return nil, err
	}
	runtime.GC() // what was allocated before is not for this row to pay
	if err := begin(); err != nil {
		return nil, err
	}
	beside := func() (*worker, error) { return &worker{Meter: &meter.Meter{}}, nil }
	if row.beside != nil {
		if beside, err = b.startBeside(row, &stopBeside); err != nil {
			return nil, err
		}
	}
	begun := time.Now()
	errs := runAll(workers, row.loop, &stop)
	wall := time.Since(begun)
	stopBeside.Store(true)
	other, err := beside()
	out := b.outcome(row, workers)
	out.Seconds = wall.Seconds() // threads may begin late where there are more of them than processors
	out.BesideOps = other.Ops
	out.PutBytes += other.putBytes
	return out, errors.Join(errs, err, ctx.Err())
}

func (b *Bench) workers(row Row, threads int, stop *atomic.Bool) ([]*worker, error) {
	workers := make([]*worker, threads)
	for i := range workers {
		w, err := b.newWorker(row, threads, i, stop)
		if err != nil {
			return nil, err
		}
		workers[i] = w
	}
	return workers, nil
}

// runAll runs a loop by all workers at once. The first that fails stops the others.
func runAll(workers []*worker, loop func(*worker) error, stop *atomic.Bool) error {
	errs := make([]error, len(workers))
	var running sync.WaitGroup
	for i, w := range workers {
		running.Go(func() {
			if errs[i] = w.run(loop); errs[i] != nil {
				stop.Store(true)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// startBeside starts one more thread, and returns what waits for its end.
func (b *Bench) startBeside(row Row, stop *atomic.Bool) (wait func() (*worker, error), err error) {
	w, err := b.newWorker(Row{every: someCalls}, 1, 0, stop)
	if err != nil {
		return nil, err
	}
	w.Total, w.Limit = meter.Unlimited, 0
	done := make(chan error, 1)
	go func() { done <- w.run(row.beside) }()
	return func() (*worker, error) {
		err := <-done
		return w, err
	}, nil
}

// newWorker makes all that a loop needs before the clock starts.
func (b *Bench) newWorker(row Row, threads, i int, stop *atomic.Bool) (*worker, error) {
	session, err := b.Store.NewSession(threads)
	if err != nil {
		return nil, err
	}
	b.streams++ // no two threads of any row draw the same numbers
	w := &worker{
		Bench:   b,
		Meter:   meter.New(meter.Unlimited, row.every, stop),
		session: session,
		rng:     rand.New(rand.NewPCG(b.Seed, b.streams)),
		numbers: draw.Uniform(b.Keys.Len()),
		key:     make([]byte, KeyBytes),
		value:   make([]byte, b.Values.size),
	}
	if row.draws != nil {
		w.numbers = row.draws(b)
	}
	if row.mixed {
		w.Writes = meter.NewLatencies()
	}
	total := b.Keys.Len() / max(row.share, 1)
	w.from = total * uint64(i) / uint64(threads)
	w.Limit = b.Limits.Reads
	if !row.timed {
		w.Total, w.Limit = total*uint64(i+1)/uint64(threads)-w.from, b.Limits.Writes
	}
	w.look, w.lookAny = w.checkValue, w.takeValue
	return w, nil
}

func (b *Bench) outcome(row Row, workers []*worker) *Outcome {
	out := &Outcome{Latencies: meter.NewLatencies(), Every: row.every}
	for _, w := range workers {
		out.Ops += w.Ops
		out.Found += w.Found
		out.PutBytes += w.putBytes
		out.CutOff = out.CutOff || !row.timed && w.Ops < w.Total
		out.Latencies.Merge(w.Calls)
		if row.mixed {
			out.Latencies.Merge(w.Writes)
		}
	}
	return out
}

func hot(b *Bench) draw.Numbers { return draw.Uniform((b.Keys.Len() + 99) / 100) }

// zipfExponent is YCSB's.
const zipfExponent = 0.99

func zipfian(b *Bench) draw.Numbers { return draw.NewScrambled(b.Keys.Len(), zipfExponent) }

func latest(b *Bench) draw.Numbers { return draw.NewLatest(b.inserts, zipfExponent) }
