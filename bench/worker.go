package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/draw"
	"github.com/tinykv/tinykv/bench/internal/meter"
	"github.com/tinykv/tinykv/bench/internal/values"
)

// worker is one thread of a benchmark. All that its loop needs is made before the clock starts, so
// that nothing in the loop allocates but what the engine itself does.
type worker struct {
	*meter.Meter
	ctx    context.Context
	config *config
	dir    string // of the store
	db     *tinykv.DB

	rng     *rand.Rand
	numbers draw.Numbers  // of keys
	inserts *draw.Inserts // numbers above those that were there
	turn    uint64        // number of the next key where they go in order

	key       []byte
	value     []byte        // room for a value that is read
	values    values.Values // to write
	opts      []tinykv.WriteOption
	batch     *tinykv.Batch // nil: every operation is a call of its own
	batchSize int
}

func (s *session) newWorker(ctx context.Context, b *benchmark, stop *atomic.Bool) *worker {
	s.streams++ // no two threads of any benchmark draw the same numbers
	w := &worker{
		Meter:     meter.New(b.ops(s.config), b.every, stop),
		ctx:       ctx,
		config:    s.config,
		dir:       s.dir,
		db:        s.db,
		rng:       rand.New(rand.NewPCG(s.config.seed, s.streams)),
		numbers:   b.numbers(s),
		inserts:   s.inserts,
		key:       newKey(s.config.keySize),
		value:     make([]byte, 0, s.config.valueSize),
		values:    s.newValues(b),
		batchSize: b.batchSize(s.config),
	}
	if w.Limit = b.limit(s.config); w.Limit > 0 {
		w.Total = meter.Unlimited
	}
	if b.mixed {
		w.Writes = meter.NewLatencies()
	}
	if b.sync {
		w.opts = []tinykv.WriteOption{tinykv.Sync}
	}
	if w.batchSize > 1 {
		w.batch = s.db.NewBatch()
		w.Every = 1
	}
	return w
}

// random returns the number of a random key.
func (w *worker) random() uint64 { return w.numbers.Draw(w.rng) }

// inOrder returns the number of the key after the last one.
func (w *worker) inOrder() uint64 {
	w.turn++
	return w.turn - 1
}

// crew is the threads of a benchmark.
type crew struct {
	workers []*worker
	beside  *worker // or nil

	stop       atomic.Bool // set to stop workers
	stopBeside atomic.Bool // set when they are done
	wakeBeside func()      // ends a pause of it
}

func (s *session) newCrew(ctx context.Context, b *benchmark) *crew {
	c := &crew{workers: make([]*worker, b.threads(s.config))}
	for i := range c.workers {
		c.workers[i] = s.newWorker(ctx, b, &c.stop)
	}
	if b.beside != nil {
		ctx, c.wakeBeside = context.WithCancel(ctx)
		c.beside = s.newWorker(ctx, b, &c.stopBeside)
		c.beside.Total, c.beside.Limit = meter.Unlimited, 0
	}
	return c
}

func (c *crew) meters() []*meter.Meter {
	meters := make([]*meter.Meter, len(c.workers))
	for i, w := range c.workers {
		meters[i] = w.Meter
	}
	return meters
}

// run runs the threads. The first of them to fail stops the others.
func (c *crew) run(b *benchmark) error {
	endBeside := c.runBeside(b)
	var running sync.WaitGroup
	errs := make([]error, len(c.workers))
	for i, w := range c.workers {
		running.Go(func() { errs[i] = c.drive(w, b.loop) })
	}
	running.Wait()
	return errors.Join(append(errs, endBeside())...)
}

// runBeside starts the thread beside the others, waits until it is at work, and returns what ends it.
func (c *crew) runBeside(b *benchmark) (end func() error) {
	if c.beside == nil {
		return func() error { return nil }
	}
	begun, ended := make(chan struct{}), make(chan error, 1)
	begin := sync.OnceFunc(func() { close(begun) })
	go func() {
		defer begin()
		ended <- c.drive(c.beside, func(w *worker) error { return b.beside(w, begin) })
	}()
	<-begun
	return func() error {
		c.stopBeside.Store(true)
		c.wakeBeside()
		return <-ended
	}
}

// drive runs one thread.
func (c *crew) drive(w *worker, loop func(*worker) error) error {
	w.Begin()
	err := loop(w)
	w.Finish()
	if err != nil {
		c.stop.Store(true)
	}
	return err
}

// result returns what the threads measured.
func (c *crew) result() *result {
	r := sum(c.meters())
	if c.beside != nil {
		r.beside = sum([]*meter.Meter{c.beside.Meter})
	}
	return r
}

// measure runs the threads of a benchmark and returns what they measured, also after a failure. ctx
// stops them, which is no failure.
func (s *session) measure(ctx context.Context, b *benchmark) (*result, error) {
	c := s.newCrew(ctx, b)
	defer context.AfterFunc(ctx, func() { c.stop.Store(true) })()
	defer s.progress.watch(b.name, b.status(s.db, c.meters()))()
	runtime.GC() // what was allocated before is not for this benchmark to pay

	before := s.db.Metrics()
	err := c.run(b)
	r := c.result()
	r.stalls = stallsSince(before, s.db.Metrics())
	return r, err
}
