package process_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
)

const (
	racers       = 2   // of each kind
	racerOps     = 40  // of each racer, at most
	racerKeys    = 100 // of each writer
	freshEvery   = 25  // interleavings of one store
	racePatience = 2 * time.Minute
)

// triggers are what a Close is called at, beside a number of operations. The callback holds up whatever tells of the event until
// Close has been called.
var triggers = []string{"operations", "flush begins", "flush ended", "compaction begins", "compaction ended", "table made", "table removed", "log synced"}

// closing is one interleaving: everything that a store does, while it is closed.
type closing struct {
	*testing.T
	seed    uint64
	dir     string
	db      *tinykv.DB
	trigger string
	at      int64 // how often the trigger must come up

	armed   atomic.Bool // somebody waits for the trigger
	came    atomic.Int64
	once    sync.Once
	now     chan struct{} // closed when Close is to be called
	called  chan struct{} // closed just before the first call
	closed  chan struct{} // closed when the first call returned
	results [racers]error

	issued, acked [racers]uint64 // commits of each writer

	operations, refused atomic.Int64
}

// Each call that meets a Close is done, or returns ErrClosed. Nothing waits for ever, every Close returns the same, what iterators lent stays
// readable, and the store can be opened at once and has all that was acknowledged.
func TestClose_RacesWithEverything(t *testing.T) {
	t.Parallel()
	total := tally.Pick(60, 400, 2000)
	var operations, refused int64
	var mu sync.Mutex
	byTrigger := map[string]int64{}
	t.Run("lanes", func(t *testing.T) {
		for lane := range 2 {
			t.Run(strconv.Itoa(lane), func(t *testing.T) {
				t.Parallel()
				var dir string
				for i := range total / 2 {
					if i%freshEvery == 0 {
						dir = inMemory(t)
					}
					c := newClosing(t, dir, tally.Seed()<<32+uint64(2*i+lane), i%freshEvery == 0)
					c.run()
					mu.Lock()
					operations += c.operations.Load()
					refused += c.refused.Load()
					byTrigger[c.trigger]++
					mu.Unlock()
				}
			})
		}
	})
	row := tally.Row{
		ID: "A15", Suite: "Close against everything else", Load: "2 writers, 2 readers, 2 iterators, 2 that flush, compact, verify and look on, 2 that close; " + detector,
		Faults: int64(total), Unit: "interleavings", Seed: tally.Seed(), Replay: "go test -race -run TestClose_Races ./reliability/process",
		Counts: []tally.Count{{Name: "operations", N: operations}, {Name: "of them refused with ErrClosed", N: refused}},
	}
	for _, name := range triggers {
		row.Counts = append(row.Counts, tally.Count{Name: "closed when: " + name, N: byTrigger[name]})
	}
	row.Record(t)
}

func newClosing(t *testing.T, dir string, seed uint64, fresh bool) *closing {
	t.Helper()
	r := enginetest.NewRandom(seed)
	c := &closing{
		T: t, seed: seed, dir: dir, now: make(chan struct{}), called: make(chan struct{}), closed: make(chan struct{}),
		trigger: triggers[r.IntN(len(triggers))], at: 1 + int64(r.IntN(3)),
	}
	if c.trigger == "operations" {
		c.at = int64(r.IntN(8 * racerOps))
	}
	o := &tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 512, SyncInterval: time.Millisecond, Events: c.events()}
	if r.OneIn(4) {
		o.Mapping = tinykv.MapOff
	}
	var err error
	c.db, err = tinykv.Open(dir, o)
	c.must(err)
	if fresh { // something to read, in tables
		for i := range 2 * racerKeys {
			c.must(c.db.Put(racerKey(i%racers, i/racers), racerValue(i%racers, i/racers, 0)))
		}
		c.must(c.db.Compact(context.Background(), tinykv.All()))
	}
	for w := range racers {
		c.acked[w] = c.counter(w)
		c.issued[w] = c.acked[w]
	}
	return c
}

func (c *closing) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("seed %d: %v", c.seed, err)
	}
}

// inMemory returns a directory on a file system in memory, where there is one: races are not about disks.
func inMemory(t *testing.T) string {
	t.Helper()
	const shared = "/dev/shm"
	if _, err := os.Stat(shared); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shared, "tinykv-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// events are those that a Close can be called at.
func (c *closing) events() *tinykv.Events {
	hold := func(name string) {
		if !c.armed.Load() || c.trigger != name || c.came.Add(1) != c.at {
			return
		}
		c.pull()
		<-c.called
		runtime.Gosched()
	}
	return &tinykv.Events{
		FlushBegin:      func(tinykv.FlushInfo) { hold("flush begins") },
		FlushEnd:        func(tinykv.FlushInfo) { hold("flush ended") },
		CompactionBegin: func(tinykv.CompactionInfo) { hold("compaction begins") },
		CompactionEnd:   func(tinykv.CompactionInfo) { hold("compaction ended") },
		TableCreated:    func(tinykv.TableInfo) { hold("table made") },
		TableDeleted:    func(tinykv.TableInfo) { hold("table removed") },
		Sync:            func(tinykv.SyncInfo) { hold("log synced") },
	}
}

// pull has Close be called.
func (c *closing) pull() { c.once.Do(func() { close(c.now) }) }

func racerKey(w, i int) []byte { return fmt.Appendf(nil, "%d/%03d", w, i) }

// racerValue begins with its key, so that a value from elsewhere is noticed.
func racerValue(w, i int, n uint64) []byte {
	v := append(racerKey(w, i), make([]byte, 600)...)
	binary.BigEndian.PutUint64(v[8:], n)
	return v
}

func (c *closing) counter(w int) uint64 {
	c.Helper()
	v, err := c.db.Get(fmt.Appendf(nil, "%d#", w))
	if errors.Is(err, tinykv.ErrNotFound) {
		return 0
	}
	c.must(err)
	return binary.BigEndian.Uint64(v)
}

// run has all racers race, waits for them, and looks at what is left.
func (c *closing) run() {
	c.Helper()
	c.armed.Store(true)
	var racing, closers sync.WaitGroup
	for i := range racers {
		for kind, f := range []func(i int, op *racer){c.write, c.read, c.iterate, c.work} {
			racing.Go(func() {
				f(i, &racer{closing: c, Random: enginetest.NewRandom(c.seed*100 + uint64(kind*10+i))})
			})
		}
		closers.Go(func() { c.close(i) })
	}
	done := make(chan struct{})
	go func() {
		racing.Wait()
		c.pull() // if nothing else has
		closers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(racePatience):
		var stacks bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2)
		c.Fatalf("seed %d hangs:\n%s", c.seed, &stacks)
	}
	again := c.db.Close()
	if c.results[0] != c.results[1] || again != c.results[0] || again != nil {
		c.Errorf("seed %d: Close returned %v, %v and %v", c.seed, c.results[0], c.results[1], again)
	}
	c.reopen()
}

// reopen opens the store at once, as its lock must be free.
func (c *closing) reopen() {
	c.Helper()
	db, err := tinykv.Open(c.dir, &tinykv.Options{MemTableSize: 64 << 10})
	c.must(err)
	c.db = db
	for w := range racers {
		if n := c.counter(w); n < c.acked[w] || n > c.issued[w] {
			c.Errorf("seed %d: writer %d has %d commits, want %d to %d", c.seed, w, n, c.acked[w], c.issued[w])
		}
	}
	for item, err := range db.Scan(tinykv.All()) {
		c.must(err)
		c.wantOwn(item.Key, item.Value)
	}
	c.must(db.Close())
}

// wantOwn wants a value to be one of its key.
func (c *closing) wantOwn(k, v []byte) {
	c.Helper()
	if !bytes.HasSuffix(k, []byte("#")) && !bytes.HasPrefix(v, k) {
		c.Errorf("seed %d: value of %q: %.20q", c.seed, k, v)
	}
}

func (c *closing) close(i int) {
	<-c.now
	if i == 0 {
		close(c.called)
	} else {
		<-c.called
	}
	c.results[i] = c.db.Close()
	if i == 0 {
		close(c.closed)
	}
}

// racer is one goroutine that uses the store.
type racer struct {
	*closing
	enginetest.Random
	late int // operations that were refused; while Close runs, others may still be done
}

// more tells whether the racer should go on, and is called before each operation.
func (r *racer) more() bool {
	for range r.IntN(4) {
		runtime.Gosched()
	}
	if r.trigger == "operations" && r.came.Add(1) > r.at {
		r.pull()
	}
	return r.late < 3 && !r.Failed()
}

// isClosed tells whether Close has returned.
func (r *racer) isClosed() bool {
	select {
	case <-r.closed:
		return true
	default:
		return false
	}
}

// do runs one operation, which may return nil, an error that is among those given, or ErrClosed once Close was called.
func (r *racer) do(name string, op func() error, allowed ...error) error {
	wasClosed := r.isClosed()
	err := op()
	r.operations.Add(1)
	switch isAllowed := slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }); {
	case errors.Is(err, tinykv.ErrClosed):
		r.refused.Add(1)
		r.late++
		select {
		case <-r.called:
		default:
			r.Errorf("seed %d: %s: %v, before Close", r.seed, name, err)
		}
	case err != nil && !isAllowed:
		r.Errorf("seed %d: %s: %v", r.seed, name, err)
	case wasClosed:
		r.Errorf("seed %d: %s: %v, after Close", r.seed, name, err)
	}
	return err
}

func (c *closing) write(w int, r *racer) {
	b := c.db.NewBatch()
	for i := 0; i < racerOps && r.more(); i++ {
		n := c.acked[w] + 1
		b.Reset()
		for range r.IntN(12) {
			i := r.IntN(racerKeys)
			_ = b.Put(racerKey(w, i), racerValue(w, i, n))
		}
		if r.OneIn(20) {
			i := r.IntN(racerKeys)
			_ = b.DeleteRange(racerKey(w, i), racerKey(w, i+3))
		}
		if r.OneIn(60) { // more than a memtable
			for i := range 120 {
				_ = b.Put(racerKey(w, i%racerKeys), racerValue(w, i%racerKeys, n))
			}
		}
		_ = b.Put(fmt.Appendf(nil, "%d#", w), binary.BigEndian.AppendUint64(nil, n))
		opt := tinykv.NoSync
		if r.OneIn(4) {
			opt = tinykv.Sync
		}
		c.issued[w] = n
		if r.do("Apply", func() error { return c.db.Apply(b, opt) }) == nil {
			c.acked[w] = n
		}
	}
}

func (c *closing) read(_ int, r *racer) {
	for i := 0; i < racerOps && r.more(); i++ {
		k := racerKey(r.IntN(racers), r.IntN(racerKeys))
		switch r.IntN(6) {
		case 0:
			_ = r.do("Get", func() error { return r.own(k)(c.db.Get(k)) }, tinykv.ErrNotFound)
		case 1:
			_ = r.do("GetTo", func() error { return r.own(k)(c.db.GetTo(nil, k)) }, tinykv.ErrNotFound)
		case 2:
			_ = r.do("Peek", func() error {
				return c.db.Peek(k, func(v []byte) error { runtime.Gosched(); c.wantOwn(k, v); return nil })
			}, tinykv.ErrNotFound)
		case 3:
			_ = r.do("Has", func() error { _, err := c.db.Has(k); return err })
		case 4:
			_ = r.do("GetMulti", func() error {
				values, err := c.db.GetMulti(k, racerKey(0, 1), []byte("absent"))
				if err == nil && values[0] != nil {
					c.wantOwn(k, values[0])
				}
				return err
			})
		case 5:
			_ = r.do("snapshot", func() error { return r.snapshot(k) }, tinykv.ErrNotFound)
		}
	}
}

// own returns a function that wants a value to be one of k.
func (r *racer) own(k []byte) func(v []byte, err error) error {
	return func(v []byte, err error) error {
		if err == nil {
			r.wantOwn(k, v)
		}
		return err
	}
}

// snapshot takes a snapshot and reads it, twice the same.
func (r *racer) snapshot(k []byte) error {
	s, err := r.db.NewSnapshot()
	if err != nil {
		return err
	}
	first, err1 := s.Get(k)
	runtime.Gosched()
	second, err2 := s.Get(k)
	if err1 == nil && err2 == nil && !bytes.Equal(first, second) {
		r.Errorf("seed %d: a snapshot changed", r.seed)
	}
	return errors.Join(err2, s.Close())
}

func (c *closing) iterate(i int, r *racer) {
	for n := 0; n < racerOps/4 && r.more(); n++ {
		_ = r.do("iterator", func() error {
			it, err := c.db.NewIter(tinykv.All())
			if err != nil {
				return err
			}
			err = r.move(it)
			if i == 1 && n%4 == 3 && err == nil && it.Valid() {
				err = r.outlive(it)
			}
			cerr := it.Close()
			if again := it.Close(); again != cerr {
				c.Errorf("seed %d: closing an iterator twice: %v, %v", c.seed, cerr, again)
			}
			return errors.Join(err, cerr)
		})
	}
}

// move moves an iterator about.
func (r *racer) move(it *tinykv.Iterator) error {
	moves := []func() bool{
		it.First, it.Last, it.Next, it.Next, it.Next, it.Prev, it.Prev,
		func() bool { return it.SeekGE(racerKey(r.IntN(racers), r.IntN(racerKeys))) },
		func() bool { return it.SeekLT(racerKey(r.IntN(racers), r.IntN(racerKeys))) },
	}
	for range 20 {
		if moves[r.IntN(len(moves))]() {
			r.wantOwn(it.Key(), it.Value())
		} else if it.Err() != nil {
			return it.Err()
		}
		if r.OneIn(4) {
			runtime.Gosched()
		}
	}
	return nil
}

// outlive holds on to an iterator until the store is closed. What it lent is there until it moves.
func (r *racer) outlive(it *tinykv.Iterator) error {
	k, v := it.Key(), it.Value()
	key, value := bytes.Clone(k), bytes.Clone(v)
	r.pull()
	<-r.closed
	if !bytes.Equal(k, key) || !bytes.Equal(v, value) {
		r.Errorf("seed %d: what an iterator lent has changed with Close", r.seed)
	}
	if it.Next() || it.Valid() || it.Key() != nil {
		r.Errorf("seed %d: an iterator moved after Close", r.seed)
	}
	return it.Err()
}

func (c *closing) work(_ int, r *racer) {
	ctx := context.Background()
	for n := 0; n < racerOps/2 && r.more(); n++ {
		switch r.IntN(10) {
		case 0:
			_ = r.do("Flush", func() error { return c.db.Flush(ctx) })
		case 1:
			_ = r.do("Compact", func() error { return c.db.Compact(ctx, tinykv.All()) })
		case 2:
			_ = r.do("Verify", func() error {
				report, err := c.db.Verify(ctx, nil)
				if err == nil {
					err = report.Err()
				}
				return err
			})
		case 3:
			_ = r.do("Sync", c.db.Sync)
		case 4:
			_ = r.do("Count", func() error { _, err := c.db.Count(ctx, tinykv.All()); return err })
		case 5:
			_ = r.do("Scan", func() error {
				for item, err := range c.db.Scan(tinykv.All(), tinykv.Reverse) {
					if err != nil {
						return err
					}
					c.wantOwn(item.Key, item.Value)
				}
				return nil
			})
		case 6:
			_ = r.do("EstimateSize", func() error { _, err := c.db.EstimateSize(tinykv.All()); return err })
		case 7:
			_ = r.do("Explain", func() error { _, err := c.db.Explain(racerKey(0, r.IntN(racerKeys))); return err })
		case 8:
			_ = r.do("PutIfAbsent", func() error { _, err := c.db.PutIfAbsent([]byte("x#"), nil); return err })
		case 9:
			if m := c.db.Metrics(); m == nil || !strings.Contains(m.String(), "level") && m.String() == "" {
				c.Errorf("seed %d: no metrics", c.seed)
			}
		}
	}
}
