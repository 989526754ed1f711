package tinykv_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// The crash model again, for systems that fail before they crash: in small lives of a store one call
// after the other is made to fail, in every way, once or from then on. The life goes on as well as it can.
// Whatever was answered then must hold, while the store is open, after a crash, and after closing and
// another crash, as if nothing had failed; and a store that has once refused a write as failed
// acknowledges none any more.

// failure is a way in which calls fail.
type failure struct {
	name  string
	fault simfs.Fault
}

// failures are the ways in which calls that change something fail.
var failures = []failure{
	{"nothing done", simfs.Fault{}},
	{"done in part", simfs.Fault{ShortBytes: 20}},
	{"done and reported as failed", simfs.Fault{ShortBytes: 1 << 40}},
	{"unsynced bytes dropped", simfs.Fault{DropDirty: true}},
	{"disk full from then on", simfs.Fault{Always: true, Err: simfs.NoSpace, Match: simfs.Kinds(simfs.OpCreate, simfs.OpExtend)}},
	{"disk dead from then on", simfs.Fault{Always: true}},
}

// waysToFail are all of them, by kind of call.
var waysToFail = func() []failure {
	all := []failure{
		{"nothing done", simfs.Fault{}},
		{"done in part", simfs.Fault{ShortBytes: 20, Match: simfs.Kinds(simfs.OpWrite, simfs.OpExtend)}},
		{"done and reported as failed", simfs.Fault{ShortBytes: 1 << 40, Match: simfs.Kinds(simfs.OpWrite, simfs.OpExtend)}},
		{"sync drops what it was to write", simfs.Fault{DropDirty: true, Match: simfs.Kinds(simfs.OpSync, simfs.OpSyncDir)}},
		{"sync drops the page cache too", simfs.Fault{Revert: true, Match: simfs.Kinds(simfs.OpSync)}},
		{"syncs drop what they were to write from then on", simfs.Fault{Always: true, DropDirty: true, Match: simfs.Kinds(simfs.OpSync, simfs.OpSyncDir)}},
		{"disk full once", simfs.Fault{Err: simfs.NoSpace, Match: simfs.Kinds(simfs.OpCreate, simfs.OpExtend, simfs.OpWrite)}},
		{"disk full from then on", simfs.Fault{Always: true, Err: simfs.NoSpace, Match: simfs.Kinds(simfs.OpCreate, simfs.OpExtend)}},
		{"disk dead from then on", simfs.Fault{Always: true}},
	}
	for _, kind := range []simfs.Kind{
		simfs.OpCreate, simfs.OpWrite, simfs.OpExtend, simfs.OpSync, simfs.OpSyncDir, simfs.OpRename, simfs.OpRemove,
		simfs.OpOpen, simfs.OpMap, simfs.OpRead, simfs.OpStat, simfs.OpList, simfs.OpLock, simfs.OpClose,
	} {
		if !kind.Changes() { // once, the others are in the first line
			all = append(all, failure{kind.String() + " once", simfs.Fault{Match: simfs.Kinds(kind)}})
		}
		all = append(all, failure{kind.String() + " from then on", simfs.Fault{Always: true, Match: simfs.Kinds(kind)}})
	}
	return all
}()

// failRun is one life with one failing call.
type failRun struct {
	*crashRun
	on     atomic.Bool // calls may fail
	fired  *simfs.Injection
	point  simfs.Kind // of the first call that failed
	resume bool       // a failed store is asked to go on

	resumes int
}

// failLives are lives of a store. Each is prepared while nothing fails.
var failLives = []struct {
	name    string
	prepare func(r *failRun)
	live    func(r *failRun)
}{
	{"first opening", func(*failRun) {}, func(r *failRun) {
		if r.tryOpen() {
			r.try(r.tryCommit(r.batch(100), tinykv.Sync))
			r.try(r.tryCommit(r.batch(100)))
			r.tryClose()
		}
	}},
	{"work", (*failRun).begin, func(r *failRun) {
		for range 2 {
			r.try(r.tryCommit(r.batch(100), tinykv.NoSync))
			r.try(r.tryCommit(r.batch(100), tinykv.Sync))
			r.try(r.tryCommit(r.batch(100), tinykv.NoSync))
			r.tryFlush()
			r.try(r.tryCommit(r.batch(100), tinykv.NoSync))
			r.try(r.tryCommit(r.largeBatch(), tinykv.Sync))
			r.try(r.tryCommit(r.batch(100), tinykv.NoSync))
			r.tryCompact()
			r.try(r.tryCommit(r.batch(100), tinykv.NoSync))
		}
	}},
	{"rotations", (*failRun).begin, func(r *failRun) {
		for n := range 14 {
			r.try(r.tryCommit(r.batch(5000)))
			if n%4 == 3 {
				r.trySync()
			}
		}
	}},
	{"manifest renewals", (*failRun).begin, func(r *failRun) {
		for range 7 {
			r.try(r.tryCommit(r.batch(100)))
			r.tryFlush()
		}
		r.try(r.tryCommit(r.batch(100), tinykv.Sync))
	}},
	{"range deletions", func(r *failRun) {
		r.begin()
		for range 3 {
			r.puts(4, 2000)
			r.flush()
		}
		r.compact()
	}, func(r *failRun) {
		wide := r.db.NewBatch()
		r.must(wide.DeleteRange([]byte("005"), []byte("050")))
		r.try(r.tryCommit(wide))
		r.try(r.tryCommit(r.batch(100)))
		clears := r.db.NewBatch()
		r.must(clears.DeleteRange(nil, nil))
		r.try(r.tryCommit(clears, tinykv.Sync))
		r.try(r.tryCommit(r.batch(100)))
		r.tryCompact()
		r.try(r.tryCommit(r.batch(100), tinykv.Sync))
	}},
	{"conditional writes and long values", (*failRun).begin, func(r *failRun) {
		for n := range 8 {
			r.trySwap(n%3 == 0)
			if n%4 == 2 {
				long := r.db.NewBatch()
				r.must(long.Put([]byte("007"), make([]byte, 80_000)))
				r.try(r.tryCommit(long))
			}
		}
		r.tryFlush()
		r.trySwap(true)
	}},
	{"iterators and snapshots held", func(r *failRun) {
		r.begin()
		for range 2 {
			r.puts(4, 2000)
			r.flush()
		}
	}, func(r *failRun) {
		past := r.states[r.tip]
		s, err := r.db.NewSnapshot()
		r.must(err)
		it, err := r.db.NewIter(tinykv.All())
		r.must(err)
		clears := r.db.NewBatch()
		r.must(clears.DeleteRange([]byte("010"), nil))
		r.try(r.tryCommit(clears, tinykv.Sync))
		r.try(r.tryCommit(r.batch(2000)))
		r.tryFlush()
		r.tryCompact()
		var seen []enginetest.Entry
		for it.Next() {
			seen = append(seen, enginetest.Entry{Key: string(it.Key()), Value: string(it.Value())})
		}
		sameButExpiry := func(a, b enginetest.Entry) bool { return a.Key == b.Key && a.Value == b.Value } // which an iterator does not tell
		if r.try(it.Err()) && !slices.EqualFunc(seen, past.Entries(tinykv.All()), sameButExpiry) {
			r.Errorf("%sthe iterator saw %d entries, want those of commit %d", r.where, len(seen), r.tip)
		}
		got, err := enginetest.Collect(s.Scan(tinykv.All()))
		if r.try(err) && !slices.Equal(got, past.Entries(tinykv.All())) {
			r.Errorf("%sthe snapshot has changed", r.where)
		}
		r.try(it.Close())
		r.try(s.Close())
		r.tryCompact()
		r.try(r.tryCommit(r.batch(100), tinykv.Sync))
	}},
	{"closing", func(r *failRun) {
		r.begin()
		r.puts(3, 2000)
		r.flush()
		r.puts(6, 5000)
	}, func(r *failRun) {
		r.try(r.tryCommit(r.batch(100)))
		r.tryClose()
	}},
	{"opening after a close", func(r *failRun) {
		r.begin()
		r.puts(5, 500)
		r.flush()
		r.puts(5, 500)
		r.close()
		r.db = nil
	}, (*failRun).openAndWork},
	{"opening after a crash", (*failRun).crashed, (*failRun).openAndWork},
	{"opening to read", (*failRun).crashed, func(r *failRun) {
		r.options.ReadOnly = true
		if r.tryOpen() {
			r.tryReads()
			r.tryClose()
		}
		r.options.ReadOnly = false
	}},
	{"reading", func(r *failRun) {
		r.begin()
		for range 3 {
			r.puts(4, 2000)
			r.flush()
		}
		r.compact()
		r.puts(3, 500)
		r.flush()
		r.close()
		r.open()
	}, func(r *failRun) {
		r.tryReads()
		r.try(r.tryCommit(r.batch(100), tinykv.Sync))
		r.tryReads()
		r.tryCompact()
		r.tryReads()
	}},
}

// failOptions are the ways to keep a store that fails.
var failOptions = []struct {
	name   string
	change func(o *tinykv.Options)
}{
	{"as shipped", func(*tinykv.Options) {}},
	{"without mappings, synced", func(o *tinykv.Options) { o.Mapping, o.Durability = tinykv.MapOff, tinykv.DurabilitySync }},
	{"compressed, without cache", func(o *tinykv.Options) { o.Compression, o.CacheSize = tinykv.CompressionZstd, -1 }},
	{"without filters, uncompressed", func(o *tinykv.Options) { o.BloomBitsPerKey, o.Compression = -1, tinykv.CompressionNone }},
}

// Row A3 of docs/RELIABILITY.md.
func TestFailed_WhicheverCallFailsTheStoreKeepsItsWord(t *testing.T) {
	options := failOptions[:tally.Pick(1, 2, len(failOptions))]
	var total failTally
	t.Run("lives", func(t *testing.T) {
		for i, o := range options {
			for j, life := range failLives {
				t.Run(o.name+", "+life.name, func(t *testing.T) {
					t.Parallel()
					for k, f := range waysToFail {
						step := tally.Pick(29, 3, 1)
						if testing.Short() {
							step = 67
						}
						first := 1 + (i+j+k)%min(step, 5)
						for nth, fired := first, true; fired; nth += step {
							r := &failRun{crashRun: newCrashRun(t, tally.Seed()), resume: nth%2 == 0}
							o.change(&r.options)
							fired = r.run(f, nth, life.prepare, life.live)
							total.add(r)
						}
					}
				})
			}
		}
	})
	tally.Row{
		ID: "A3", Suite: "each call of the file system fails, once and from then on",
		Load:   fmt.Sprintf("%d lives of a store under %d sets of options, %d ways to fail", len(failLives), len(options), len(waysToFail)),
		Faults: int64(total.points), Unit: "fault points", Violations: int64(total.lateAcks), Seed: tally.Seed(),
		Counts: total.counts(), Replay: "go test -run TestFailed_WhicheverCallFails .",
	}.Record(t)
}

// failTally adds up what was done.
type failTally struct {
	mu       sync.Mutex
	points   int
	images   int
	lateAcks int
	reported int
	resumes  int
	kinds    map[simfs.Kind]int
}

func (c *failTally) add(r *failRun) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.images += r.images
	c.lateAcks += r.lateAcks
	c.reported += r.reported
	c.resumes += r.resumes
	if r.point == 0 {
		return
	}
	if c.kinds == nil {
		c.kinds = map[simfs.Kind]int{}
	}
	c.points++
	c.kinds[r.point]++
}

func (c *failTally) counts() []tally.Count {
	counts := []tally.Count{
		{Name: "with the process alive", N: int64(c.points)},
		{Name: "acknowledgements after a latched failure", N: int64(c.lateAcks)},
		{Name: "failed stores resumed", N: int64(c.resumes)},
		{Name: "crash images", N: int64(c.images)},
		{Name: "openings that report what a lost page cache took", N: int64(c.reported)},
	}
	for _, kind := range slices.Sorted(maps.Keys(c.kinds)) {
		counts = append(counts, tally.Count{Name: "points of " + kind.String(), N: int64(c.kinds[kind])})
	}
	return counts
}

// run lives a life in which the nth call fails, and tells whether one did.
func (r *failRun) run(f failure, nth int, prepare, live func(*failRun)) bool {
	r.where = fmt.Sprintf("%s, call %d: ", f.name, nth)
	prepare(r)
	r.inject(f.fault, nth)
	r.on.Store(true)
	live(r)
	r.verdict(nth)
	return r.fired.Fired() > 0
}

// inject asks for a fault that comes only while the switch is on.
func (r *failRun) inject(fault simfs.Fault, nth int) {
	match := fault.Match
	if match == nil {
		match = func(op simfs.Op) bool { return op.Kind.Changes() }
	}
	left := nth
	fault.Nth = nth
	fault.Match = func(op simfs.Op) bool {
		if !r.on.Load() || !match(op) {
			return false
		}
		if left--; left == 0 {
			r.point = op.Kind
			r.cacheLost = fault.Revert
		}
		return true
	}
	r.fired = r.fs.FailCall(fault)
}

// verdict looks at what a life left: open, crashed, closed, and crashed again.
func (r *failRun) verdict(nth int) {
	r.Helper()
	between := betweenCalls()
	policies := []simfs.Policy{simfs.KillProcess, simfs.DropAll, between[2+nth%(len(between)-2)]}
	crash := func() {
		r.Helper()
		for _, policy := range policies {
			r.stable = policy == simfs.KillProcess && nth%2 == 0
			r.check(r.fs.Image(policy, r.seed+uint64(nth)), simfs.Crash{Seed: r.seed, Policy: policy})
		}
	}
	if r.db != nil {
		r.reads()
		crash()
		r.tryClose()
	}
	r.on.Store(false)
	crash()
}

// reads wants an open store to show its state while nothing fails.
func (r *failRun) reads() {
	r.Helper()
	on := r.on.Swap(false)
	defer r.on.Store(on)
	n, err := counterOf(r.db)
	if err != nil || n != r.tip && n != len(r.states)-1 || r.states[n] == nil {
		r.Fatalf("%sread commit %d, %v, want %d or %d", r.where, n, err, r.tip, len(r.states)-1)
	}
	r.tip = n
	got, err := enginetest.Collect(r.db.Scan(tinykv.All()))
	if err != nil || !slices.Equal(got, r.states[n].Entries(tinykv.All())) {
		r.Fatalf("%s%d entries after commit %d: %v", r.where, len(got), n, err)
	}
}

// try takes the outcome of a call, and tells whether it went well.
func (r *failRun) try(err error) bool {
	r.Helper()
	if err == nil {
		return true
	}
	r.wantFault(err)
	r.refused = r.refused || errors.Is(err, tinykv.ErrFailed)
	if r.db != nil {
		r.reads()
		if r.resume && r.refused {
			r.mend()
		}
	}
	return false
}

// mend has a failed store go on while nothing fails. What returned an error is gone for good, or there for
// good.
func (r *failRun) mend() {
	r.Helper()
	on := r.on.Swap(false)
	defer r.on.Store(on)
	if err := r.db.Resume(); err != nil {
		r.Fatalf("%sresume: %v\n%s", r.where, err, r.tail())
	}
	r.reads()
	r.refused, r.cacheLost = false, false
	r.resumes++
	r.synced = r.acked
	for n := range r.states {
		if n > r.acked && n != r.tip {
			r.states[n] = nil
		}
	}
}

func (r *failRun) tryOpen() bool {
	r.Helper()
	db, err := tinykv.Open(crashDir, &r.options)
	if !r.try(err) {
		return false
	}
	r.db = db
	if !r.options.ReadOnly {
		r.synced = r.acked // recovery makes durable what it found
	}
	return true
}

func (r *failRun) tryClose() {
	r.Helper()
	db := r.db
	r.db = nil
	if r.try(db.Close()) && !r.options.ReadOnly {
		r.synced = r.acked
	}
}

// trySwap replaces the counter.
func (r *failRun) trySwap(sync bool) {
	r.Helper()
	n, before := len(r.states), r.tip
	old, _ := r.states[before].Get(string(counterKey))
	v := binary.BigEndian.AppendUint32(nil, uint32(n))
	next := r.states[before].Clone()
	next.Put(string(counterKey), string(v))
	r.states = append(r.states, next)
	var opts []tinykv.WriteOption
	if sync {
		opts = []tinykv.WriteOption{tinykv.Sync}
	}
	r.tip = n
	done, err := r.db.CompareAndSwap(counterKey, []byte(old), v, opts...)
	if err != nil {
		r.tip = before
		r.try(err)
		return
	}
	if r.refused || !done {
		r.lateAcks++
		r.Errorf("%sswap %d: %v after a failure (%v)", r.where, n, done, r.refused)
	}
	r.acknowledged(n, opts)
}

func (r *failRun) trySync() { r.durable(r.db.Sync()) }

func (r *failRun) tryFlush() { r.durable(r.db.Flush(context.Background())) }

func (r *failRun) tryCompact() { r.durable(r.db.Compact(context.Background(), tinykv.All())) }

func (r *failRun) durable(err error) {
	r.Helper()
	if r.try(err) {
		r.synced = r.acked
	}
}

// tryReads reads in every way. What is read is right or an error.
func (r *failRun) tryReads() {
	r.Helper()
	want := r.states[r.tip].Entries(tinykv.All())
	got, err := enginetest.Collect(r.db.Scan(tinykv.All()))
	if r.try(err) && !slices.Equal(got, want) {
		r.Errorf("%sscan: %d entries, want %d", r.where, len(got), len(want))
	}
	backward, err := enginetest.Collect(r.db.Scan(tinykv.All(), tinykv.Reverse))
	slices.Reverse(backward)
	if r.try(err) && !slices.Equal(backward, want) {
		r.Errorf("%sreverse: %d entries, want %d", r.where, len(backward), len(want))
	}
	n, err := r.db.Count(context.Background(), tinykv.All())
	if r.try(err) && n != uint64(len(want)) {
		r.Errorf("%scounted %d entries, want %d", r.where, n, len(want))
	}
	for i := range 60 {
		r.tryGet(fmt.Appendf(nil, "%03d", i))
	}
	_, err = r.db.EstimateSize(tinykv.All())
	r.try(err)
	report, err := r.db.Verify(context.Background(), nil)
	if r.try(err) {
		r.try(report.Err())
	}
}

func (r *failRun) tryGet(k []byte) {
	r.Helper()
	want, found := r.states[r.tip].Get(string(k))
	v, err := r.db.Get(k)
	if errors.Is(err, tinykv.ErrNotFound) {
		if found {
			r.Errorf("%s%s is missing", r.where, k)
		}
		return
	}
	if r.try(err) && (!found || string(v) != want) {
		r.Errorf("%s%s = %.40q, want %.40q, %v", r.where, k, v, want, found)
	}
}

// begin opens a store and writes a little.
func (r *failRun) begin() {
	r.open()
	r.puts(2, 100)
}

// crashed leaves a directory as a process does that died.
func (r *failRun) crashed() {
	r.begin()
	r.puts(6, 5000)
	r.puts(2, 500, tinykv.Sync)
	r.puts(8, 5000)
	dead := r.db
	r.fs, r.db = r.fs.Image(simfs.KillProcess, 1), nil
	r.options.FS = r.fs
	r.must(dead.Close())
}

func (r *failRun) openAndWork() {
	opened := r.tryOpen()
	if !opened && !r.tryOpen() { // a second attempt may find what the first left
		return
	}
	r.try(r.tryCommit(r.batch(100), tinykv.Sync))
	r.try(r.tryCommit(r.batch(5000)))
	r.tryFlush()
	r.tryClose()
}

// live makes a store do all that it ever does, up to the first call that fails.
func (r *crashRun) live() error {
	ctx := context.Background()
	durable := func(err error) error {
		if err == nil {
			r.synced = r.acked
		}
		return err
	}
	for range 3 {
		for _, step := range []func() error{
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return r.tryCommit(r.batch(100), tinykv.Sync) },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return durable(r.db.Flush(ctx)) },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return r.tryCommit(r.largeBatch(), tinykv.Sync) },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return durable(r.db.Compact(ctx, tinykv.All())) },
			func() error { return r.tryCommit(r.inBuckets(100, "a", "b"), tinykv.NoSync) },
			func() error { return r.tryDrop("a") },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
	}
	if r.db.Metrics().ManifestRenewals == 0 {
		r.Error("the manifest was not renewed")
	}
	return nil
}

// wantFault wants an error to say what failed.
func (r *crashRun) wantFault(err error) {
	r.Helper()
	if !errors.Is(err, simfs.IOError) && !errors.Is(err, simfs.NoSpace) {
		r.Errorf("%s%v: does not say what failed", r.where, err)
	}
}

// crashNow has the system crash as things are, and checks what that leaves.
func (r *crashRun) crashNow() {
	r.Helper()
	for _, policy := range betweenCalls() {
		r.check(r.fs.Image(policy, r.seed), simfs.Crash{Seed: r.seed, Policy: policy})
	}
}
