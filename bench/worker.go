package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tinykv/tinykv"
)

// worker is one thread of a benchmark. All that its loop needs is made before the clock starts, so
// that nothing in the loop allocates but what the engine itself does.
type worker struct {
	*meter
	ctx context.Context
	db  *tinykv.DB

	rng  *rand.Rand
	num  uint64 // keys are those of the numbers below
	turn uint64 // number of the next key where they go in order

	key           []byte
	value         []byte // room for a value that is read
	values        values // to write
	opts          []tinykv.WriteOption
	batch         *tinykv.Batch // nil: every operation is a call of its own
	batchSize     int
	reuseIterator bool
}

func (s *session) newWorker(ctx context.Context, b *benchmark, stop *atomic.Bool) *worker {
	s.streams++ // no two threads of any benchmark draw the same numbers
	w := &worker{
		meter:         newMeter(b.ops(s.config), b.every, stop),
		ctx:           ctx,
		db:            s.db,
		rng:           rand.New(rand.NewPCG(s.config.seed, s.streams)),
		num:           uint64(s.config.num),
		key:           newKey(s.config.keySize),
		value:         make([]byte, 0, s.config.valueSize),
		values:        values{pool: s.pool, size: s.config.valueSize},
		batchSize:     b.batchSize(s.config),
		reuseIterator: s.config.reuseIterator,
	}
	if b.sync {
		w.opts = []tinykv.WriteOption{tinykv.Sync}
	}
	if w.batchSize > 1 {
		w.batch = s.db.NewBatch()
		w.every = 1
	}
	return w
}

// random returns the number of a random key.
func (w *worker) random() uint64 { return w.rng.Uint64N(w.num) }

// inOrder returns the number of the key after the last one.
func (w *worker) inOrder() uint64 {
	w.turn++
	return w.turn - 1
}

// measure runs the threads of a benchmark and returns what they measured, also after a failure. The
// first of them to fail stops the others; so does ctx, which is no failure.
func (s *session) measure(ctx context.Context, b *benchmark) (*result, error) {
	var stop atomic.Bool
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	workers := make([]*worker, b.threads(s.config))
	meters := make([]*meter, len(workers))
	for i := range workers {
		workers[i] = s.newWorker(ctx, b, &stop)
		meters[i] = workers[i].meter
	}
	defer s.progress.watch(b.name, b.status(s.db, meters))()
	runtime.GC() // what was allocated before is not for this benchmark to pay

	var running sync.WaitGroup
	errs := make([]error, len(workers))
	for i, w := range workers {
		running.Go(func() {
			w.begin()
			if errs[i] = b.loop(w); errs[i] != nil {
				stop.Store(true)
			}
			w.finish()
		})
	}
	running.Wait()
	return sum(meters), errors.Join(errs...)
}
