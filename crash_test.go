package tinykv_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// The crash model. A workload runs on a simulated file system, with background work inline, so that
// every run makes the same file operations in the same order. After each of them the system
// crashes, in every way that package simfs knows; each crash leaves an image, and the image must
// open, without a flag, to a state that the store had:
//
//   - a prefix of the commit order, batches whole;
//   - with every acknowledged commit, where only the process died;
//   - with every synced commit, where the power was cut.

const crashDir = "/store"

// counterKey is set by every commit to its number, so that a state tells which one it is.
var counterKey = []byte("#")

// crashRun is one run of a workload.
type crashRun struct {
	inTx bool // commits are transactions

	*testing.T
	enginetest.Random
	seed    uint64
	fs      *simfs.FS
	options tinykv.Options
	db      *tinykv.DB
	perKind int // images of each policy that has many, after each operation

	states   []*enginetest.Model // states[n]: after n commits; the last may be under way; nil once it must not come back
	tip      int                 // the state that reads show
	dropping *enginetest.Model   // what that becomes while a bucket is dropped
	acked    int                 // the last commit that returned nil
	synced   int                 // the last commit that a power cut must leave

	where      string // for messages
	refused    bool   // a call returned ErrFailed
	lateAcks   int    // commits that returned nil all the same
	cacheLost  bool   // the page cache may have lost what was not synced, though the power is on
	stable     bool   // every image is used and crashes once more
	reported   int    // openings that said so
	watched    bool   // the system crashes after every operation
	rotate     int    // and then in one of so many ways; 0 and 1 are all
	openings   int
	images     int
	operations int
}

func newCrashRun(t *testing.T, seed uint64) *crashRun {
	r := &crashRun{T: t, Random: enginetest.NewRandom(seed), seed: seed, fs: simfs.New(), perKind: *images}
	r.options = crashOptions(r.fs, 0)
	r.states = []*enginetest.Model{{}}
	return r
}

// crashOptions make a store small, and its runs equal. Openings with different numbers draw
// different random numbers.
func crashOptions(fsys *simfs.FS, opening int) tinykv.Options {
	rng := enginetest.NewRandom(1)
	o := tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, CacheSize: 64 << 10, MaxBackground: 3, MergeOperator: tinykv.MergeAppend}
	return *o.With(tinykv.Internal{
		Inline: func() bool { return rng.OneIn(4) }, ManifestGrowth: 512,
		Random: crashRandom(opening),
	})
}

// crashRandom returns a source of random numbers that are the same in every run, and different for
// every opening.
func crashRandom(opening int) func() uint64 {
	var last atomic.Uint64
	last.Store(uint64(opening) << 32)
	return func() uint64 { return last.Add(1) * 0x9e3779b97f4a7c15 }
}

// betweenCalls returns the policies for crashes while no call is under way.
func betweenCalls() []simfs.Policy {
	return slices.DeleteFunc(simfs.Policies(), func(p simfs.Policy) bool { return p == simfs.KillInWrite })
}

// watch has the system crash after every operation from now on.
func (r *crashRun) watch() {
	r.watched = true
	r.fs.SetHook(func(op simfs.Op) {
		r.operations++
		for i, policy := range simfs.Policies() {
			if r.rotate > 1 && (i+r.operations)%r.rotate != 0 {
				continue
			}
			for label, image := range r.fs.Images(policy, r.seed+uint64(op.Index), r.perKind) {
				r.check(image, simfs.Crash{Seed: r.seed, Op: op, Policy: policy, Label: label})
			}
		}
	})
}

// check opens an image and compares what is in it with what must be.
func (r *crashRun) check(image *simfs.FS, crash simfs.Crash) {
	r.Helper()
	r.images++
	least := r.synced
	if !crash.Policy.CutsPower() && !r.cacheLost {
		least = r.acked
	}
	seen := -1
	if r.images%8 == 0 {
		seen = r.readOnly(image, least, crash)
	}
	db, err := tinykv.Open(crashDir, optionsOn(image, 10+r.images))
	if r.cacheLost && !crash.Policy.CutsPower() && errors.Is(err, tinykv.ErrCorrupt) {
		r.reported++ // what was acknowledged is gone, and said to be
		return
	}
	if err != nil {
		r.Fatalf("%s%v: %v\n%s", r.where, crash, err, r.tail())
	}
	n := r.recovered(db, least, crash)
	if seen >= 0 && n != seen {
		r.Fatalf("%s%v: recovered %d commits, but a reader saw %d", r.where, crash, n, seen)
	}
	if r.stable || r.images%16 == 0 { // what was recovered stays, whatever comes after
		r.checkStable(image, db, n, crash)
		return
	}
	if err := db.Close(); err != nil {
		r.Fatalf("%s%v: close: %v", r.where, crash, err)
	}
}

// readOnly opens an image for reading, which must not change it, and returns which state it is in.
func (r *crashRun) readOnly(image *simfs.FS, least int, crash simfs.Crash) int {
	r.Helper()
	ops := image.Ops()
	options := optionsOn(image, 1)
	options.ReadOnly = true
	db, err := tinykv.Open(crashDir, options)
	if errors.Is(err, tinykv.ErrMissing) && least == 0 || r.cacheLost && errors.Is(err, tinykv.ErrCorrupt) {
		return -1
	}
	if err != nil {
		r.Fatalf("%s%v: read only: %v", r.where, crash, err)
	}
	n := r.recovered(db, least, crash)
	if r.images%32 == 0 { // no crash is damage
		if report, err := db.Verify(context.Background(), nil); err != nil || report.Err() != nil {
			r.Fatalf("%s%v: verify: %v\n%v", r.where, crash, err, report)
		}
	}
	if err := db.Close(); err != nil || image.Ops() != ops {
		r.Fatalf("%s%v: read only: close: %v; operations: %v", r.where, crash, err, image.Trace())
	}
	return n
}

func optionsOn(image *simfs.FS, opening int) *tinykv.Options {
	o := crashOptions(image, opening)
	return &o
}

// recovered returns which state the store is in.
func (r *crashRun) recovered(db *tinykv.DB, least int, crash simfs.Crash) int {
	r.Helper()
	n := 0
	v, err := db.Get(counterKey)
	switch {
	case err == nil:
		n = int(binary.BigEndian.Uint32(v))
	case !errors.Is(err, tinykv.ErrNotFound):
		r.Fatalf("%s%v: %v", r.where, crash, err)
	}
	if n < least || n >= len(r.states) || r.states[n] == nil {
		r.Fatalf("%s%v: recovered %d commits, want %d to %d\n%s", r.where, crash, n, least, len(r.states)-1, r.tail())
	}
	if err := r.sameContents(db, n); err != nil {
		r.Fatalf("%s%v: %v", r.where, crash, err)
	}
	return n
}

// checkStable writes to a recovered store, has it crash and recover once more, and close in order.
func (r *crashRun) checkStable(image *simfs.FS, db *tinykv.DB, n int, crash simfs.Crash) {
	r.Helper()
	if err := db.Put([]byte("more"), []byte("written"), tinykv.Sync); err != nil {
		r.Fatalf("%s%v: write after recovery: %v", r.where, crash, err)
	}
	want := r.states[n].Clone()
	want.Put("more", "written")
	again, err := tinykv.Open(crashDir, optionsOn(image.Image(simfs.DropAll, r.seed), 1))
	if err != nil {
		r.Fatalf("%s%v: second crash: %v", r.where, crash, err)
	}
	for _, db := range []*tinykv.DB{db, again} {
		got, err := enginetest.Collect(db.Scan(tinykv.All()))
		if err != nil || !slices.Equal(got, want.Entries(tinykv.All())) {
			r.Fatalf("%s%v: after recovery and another crash: %d entries, %v", r.where, crash, len(got), err)
		}
		if err := db.Close(); err != nil {
			r.Fatalf("%s%v: %v", r.where, crash, err)
		}
	}
}

// tail returns the last file operations.
func (r *crashRun) tail() string {
	trace := r.fs.Trace()
	var b strings.Builder
	for _, op := range trace[max(0, len(trace)-40):] {
		fmt.Fprintln(&b, op)
	}
	return b.String()
}

func (r *crashRun) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// The steps of workloads.

func (r *crashRun) open() {
	db, err := tinykv.Open(crashDir, &r.options)
	r.must(err)
	r.db = db
}

func (r *crashRun) close() {
	r.must(r.db.Close())
	r.synced = r.acked
}

// commit runs a write that sets the counter and makes the given changes.
func (r *crashRun) commit(b *tinykv.Batch, opts ...tinykv.WriteOption) {
	r.Helper()
	r.must(r.tryCommit(b, opts...))
}

// tryCommit is commit where the write may fail.
func (r *crashRun) tryCommit(b *tinykv.Batch, opts ...tinykv.WriteOption) error {
	n := len(r.states)
	r.must(b.Put(counterKey, binary.BigEndian.AppendUint32(nil, uint32(n))))
	next := r.states[r.tip].Clone()
	next.Apply(b)
	r.states = append(r.states, next)
	before := r.tip
	r.tip = n // for commits that are made while this one runs
	if err := r.apply(b, opts); err != nil {
		r.tip = before
		return err
	}
	if r.refused {
		r.lateAcks++
		r.Errorf("commit %d was acknowledged after the store had failed", n)
	}
	r.acknowledged(n, opts)
	return nil
}

func (r *crashRun) acknowledged(n int, opts []tinykv.WriteOption) {
	r.acked, r.tip = max(r.acked, n), max(r.tip, n)
	if slices.Contains(opts, tinykv.Sync) || r.options.Durability == tinykv.DurabilitySync && len(opts) == 0 {
		r.synced = max(r.synced, n)
	}
}

// puts commits n batches of a few operations with values of about so many bytes.
func (r *crashRun) puts(n, valueBytes int, opts ...tinykv.WriteOption) {
	for range n {
		r.commit(r.batch(valueBytes), opts...)
	}
}

// farAway makes a value one that expires, but not while a test runs.
var farAway = tinykv.ExpireAt(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))

// batch returns a few operations with values of about so many bytes.
func (r *crashRun) batch(valueBytes int) *tinykv.Batch {
	b := r.db.NewBatch()
	for range r.IntN(4) {
		k := fmt.Appendf(nil, "%03d", r.IntN(60))
		switch r.IntN(8) {
		case 0, 1:
			r.must(b.Delete(k))
		case 2, 3:
			r.must(b.Merge(k, fmt.Appendf(nil, "%0*d", 1+r.IntN(valueBytes), r.Uint32())))
		case 4:
			r.must(b.Put(k, fmt.Appendf(nil, "%0*d", 1+r.IntN(2*valueBytes), r.Uint32()), farAway))
		default:
			r.must(b.Put(k, fmt.Appendf(nil, "%0*d", 1+r.IntN(2*valueBytes), r.Uint32())))
		}
	}
	return b
}

// singles commits n single operations, the counter itself.
func (r *crashRun) singles(n int, opts ...tinykv.WriteOption) {
	for range n {
		number := len(r.states)
		v := binary.BigEndian.AppendUint32(nil, uint32(number))
		next := r.states[number-1].Clone()
		next.Put(string(counterKey), string(v))
		r.states = append(r.states, next)
		r.must(r.db.Put(counterKey, v, opts...))
		r.acknowledged(number, opts)
	}
}

// large commits a batch that is larger than the memtable.
func (r *crashRun) large() {
	r.commit(r.largeBatch())
	r.synced = r.acked // it is a table
}

func (r *crashRun) largeBatch() *tinykv.Batch {
	b := r.db.NewBatch()
	for i := range 40 {
		r.must(b.Put(fmt.Appendf(nil, "%03d", (i*7)%60), fmt.Appendf(nil, "%02000d", r.Uint32())))
	}
	return b
}

// swaps commits n conditional writes of the counter.
func (r *crashRun) swaps(n int) {
	for range n {
		number := len(r.states)
		old, found := r.states[number-1].Get(string(counterKey))
		v := binary.BigEndian.AppendUint32(nil, uint32(number))
		next := r.states[number-1].Clone()
		next.Put(string(counterKey), string(v))
		r.states = append(r.states, next)
		var done bool
		var err error
		if found {
			done, err = r.db.CompareAndSwap(counterKey, []byte(old), v)
		} else {
			done, err = r.db.PutIfAbsent(counterKey, v)
		}
		r.must(err)
		if !done {
			r.Fatal("the counter is not what it was")
		}
		r.acknowledged(number, nil)
	}
}

// deleteRange commits a batch that deletes a range, and what else it holds.
func (r *crashRun) deleteRange(lower, upper []byte, opts ...tinykv.WriteOption) {
	b := r.db.NewBatch()
	r.must(b.Put([]byte("010"), []byte("before")))
	r.must(b.DeleteRange(lower, upper))
	r.must(b.Put([]byte("020"), []byte("behind")))
	r.commit(b, opts...)
}

func (r *crashRun) sync() {
	r.must(r.db.Sync())
	r.synced = r.acked
}

func (r *crashRun) flush() {
	r.must(r.db.Flush(context.Background()))
	r.synced = r.acked
}

func (r *crashRun) compact() {
	r.must(r.db.Compact(context.Background(), tinykv.All()))
	r.synced = r.acked
}

// crashWorkloads are what a store does in its life. Each begins with a store that is not open.
var crashWorkloads = []struct {
	name string
	run  func(r *crashRun)
}{
	{"open and close", func(r *crashRun) { r.open(); r.close(); r.open(); r.close() }},
	{"unsynced writes", func(r *crashRun) { r.open(); r.singles(10); r.puts(20, 20); r.close() }},
	{"synced writes", func(r *crashRun) { r.open(); r.puts(8, 20, tinykv.Sync); r.singles(4, tinykv.Sync); r.close() }},
	{"synced among unsynced writes", func(r *crashRun) {
		r.open()
		for range 5 {
			r.puts(3, 50)
			r.puts(1, 50, tinykv.Sync)
		}
		r.puts(3, 50)
		r.sync()
		r.puts(2, 50)
		r.close()
	}},
	{"rotation", func(r *crashRun) { r.open(); r.puts(30, 5000); r.close() }},
	{"rotation with syncs", func(r *crashRun) {
		r.options.Durability = tinykv.DurabilitySync
		r.open()
		r.puts(24, 5000)
		r.puts(3, 5000, tinykv.NoSync)
		r.close()
	}},
	{"sync after a rotation without", func(r *crashRun) {
		r.options = *r.options.With(tinykv.Internal{Inline: func() bool { return false }}) // no flush
		r.open()
		for sealed := 0; sealed < 2; sealed = r.db.Metrics().SealedMemTables {
			r.puts(1, 5000)
		}
		r.puts(2, 50, tinykv.Sync)
		r.puts(2, 50)
		r.close()
	}},
	{"flush", func(r *crashRun) {
		r.open()
		for range 4 {
			r.puts(4, 300)
			r.flush()
		}
		r.close()
	}},
	{"range deletions", func(r *crashRun) {
		r.open()
		for range 3 {
			r.puts(4, 2000)
			r.deleteRange([]byte("005"), []byte("040"))
			r.puts(2, 2000)
			r.flush()
		}
		r.deleteRange([]byte("030"), nil, tinykv.Sync)
		r.compact()
		r.close()
	}},
	{"clearing", func(r *crashRun) {
		r.open()
		for range 3 {
			r.puts(8, 5000)
			r.deleteRange(nil, nil)
			r.puts(2, 50)
		}
		r.close()
	}},
	{"compaction", func(r *crashRun) {
		r.open()
		for range 6 {
			r.puts(6, 2000)
			r.flush()
		}
		r.compact()
		r.puts(3, 100)
		r.compact()
		r.close()
	}},
	{"compaction, by zstd", func(r *crashRun) {
		r.options.Compression = tinykv.CompressionZstd
		r.open()
		for range 3 {
			r.puts(6, 2000)
			r.flush()
		}
		r.compact()
		if l := r.db.Metrics().Levels[6]; l.Bytes >= l.DataBytes {
			r.Fatalf("%d bytes of data are stored in %d", l.DataBytes, l.Bytes)
		}
		r.puts(3, 100)
		r.close()
		r.options.Compression = tinykv.CompressionNone
		r.open()
		r.compact()
		r.close()
	}},
	{"compaction under a snapshot", func(r *crashRun) {
		r.open()
		r.puts(5, 500)
		s, err := r.db.NewSnapshot()
		r.must(err)
		for range 4 {
			r.puts(5, 500)
			r.flush()
		}
		r.must(s.Close())
		r.compact()
		r.close()
	}},
	{"large batches", func(r *crashRun) {
		r.open()
		r.large()
		r.puts(3, 100)
		r.large()
		r.puts(2, 100, tinykv.Sync)
		r.close()
	}},
	{"manifest renewal", func(r *crashRun) {
		r.open()
		for range 16 {
			r.puts(1, 100)
			r.flush()
		}
		if r.db.Metrics().ManifestRenewals == 0 {
			r.Fatal("the manifest was not renewed")
		}
		r.close()
	}},
	{"edits while the manifest is renewed", func(r *crashRun) {
		steps, nested := map[string]int{}, false
		rng := enginetest.NewRandom(1)
		r.options = *r.options.With(tinykv.Internal{
			Inline: func() bool { return !nested && rng.OneIn(4) }, ManifestGrowth: 512, Random: crashRandom(7),
			Hook: func(step string, begins bool) {
				if !begins || nested || !strings.HasPrefix(step, "manifest ") {
					return
				}
				nested = true
				steps[step]++
				for range 2 {
					r.puts(1, 100)
					r.flush()
				}
				nested = false
			},
		})
		r.open()
		for range 16 {
			r.puts(1, 100)
			r.flush()
		}
		for _, step := range []string{"manifest made", "manifest switch", "manifest switched"} {
			if steps[step] == 0 {
				r.Fatalf("nothing was written at the step %q", step)
			}
		}
		r.close()
	}},
	{"closing and opening again", func(r *crashRun) {
		for range 4 {
			r.open()
			r.puts(3, 1000)
			r.close()
		}
	}},
	{"dropping whole tables", func(r *crashRun) {
		r.open()
		for range 3 {
			r.puts(6, 2000)
			r.flush()
		}
		r.compact()
		r.deleteRange([]byte("000"), []byte("9"))
		r.puts(2, 50)
		r.flush()
		r.compact()
		r.close()
	}},
	{"many range deletions in one batch", func(r *crashRun) {
		r.open()
		r.puts(6, 1000)
		for range 2 {
			b := r.db.NewBatch()
			for i := range 300 {
				r.must(b.DeleteRange(fmt.Appendf(nil, "%03d", i%50), fmt.Appendf(nil, "%03d", i%50+3)))
				r.must(b.Put(fmt.Appendf(nil, "%03d", i%60), fmt.Appendf(nil, "%d", r.Uint32())))
			}
			r.commit(b, tinykv.Sync)
			r.puts(2, 1000)
		}
		r.close()
	}},
	{"verifying while writing", func(r *crashRun) {
		r.open()
		r.puts(4, 2000)
		r.flush()
		r.puts(4, 2000)
		written := 0
		report, err := r.db.Verify(context.Background(), &tinykv.VerifyOptions{Progress: func(tinykv.VerifyProgress) {
			if written++; written <= 4 {
				r.puts(1, 3000)
			}
		}})
		r.must(err)
		r.must(report.Err())
		r.close()
	}},
	{"reading between writers", func(r *crashRun) {
		for range 3 {
			r.open()
			r.puts(2, 500)
			r.close()
			r.options.ReadOnly = true
			r.open()
			r.must(r.db.Close())
			r.options.ReadOnly = false
		}
	}},
	{"iterators and snapshots held", func(r *crashRun) {
		r.open()
		r.puts(4, 1000)
		r.flush()
		it, err := r.db.NewIter(tinykv.All())
		r.must(err)
		s, err := r.db.NewSnapshot()
		r.must(err)
		r.deleteRange([]byte("010"), []byte("050"))
		r.puts(4, 1000)
		r.flush()
		r.compact()
		r.must(it.Close())
		r.must(s.Close())
		r.compact()
		r.close()
	}},
	{"opening with other options", func(r *crashRun) {
		r.open()
		r.puts(6, 5000)
		r.close()
		for _, change := range []func(o *tinykv.Options){
			func(o *tinykv.Options) {
				o.MemTableSize, o.TableSize, o.Compression = 256<<10, 128<<10, tinykv.CompressionNone
			},
			func(o *tinykv.Options) {
				o.BlockSize, o.Mapping, o.Durability = 256, tinykv.MapOff, tinykv.DurabilitySync
			},
			func(o *tinykv.Options) { o.BloomBitsPerKey, o.MaxBackground, o.CacheSize = -1, 1, -1 },
		} {
			r.openings++
			r.options = crashOptions(r.fs, r.openings)
			change(&r.options)
			r.open()
			r.puts(4, 5000)
			r.flush()
			r.puts(2, 500)
			r.close()
		}
	}},
	{"opening on a full disk", func(r *crashRun) {
		r.open()
		r.puts(6, 5000)
		r.die()
		r.puts(6, 5000)
		dead := r.db
		r.fs.SetHook(nil)
		r.fs = r.fs.Image(simfs.KillProcess, 1)
		r.must(dead.Close())
		r.watch()
		r.options = crashOptions(r.fs, 5)
		for nth := 1; nth <= 4; nth++ {
			r.fs.FailCall(simfs.Fault{Nth: nth, Always: true, Err: simfs.NoSpace, Match: simfs.Kinds(simfs.OpCreate, simfs.OpExtend, simfs.OpWrite)})
			if db, err := tinykv.Open(crashDir, &r.options); !errors.Is(err, simfs.NoSpace) {
				r.Fatalf("opened on a full disk: %v, %v", db, err)
			}
			r.fs.Clear()
		}
		r.open()
		r.synced = r.acked
		r.puts(2, 100)
		r.close()
	}},
	{"going on after a failure", func(r *crashRun) {
		r.open()
		r.puts(4, 3000)
		r.fs.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpSync), DropDirty: true})
		if err := r.tryCommit(r.batch(100), tinykv.Sync); !errors.Is(err, tinykv.ErrFailed) {
			r.Fatalf("the store has not failed: %v", err)
		}
		r.must(r.db.Resume())
		r.states = append(r.states[:r.acked+1], nil) // what failed is gone for good
		r.synced = r.acked
		r.puts(3, 3000)
		r.puts(1, 100, tinykv.Sync)
		r.flush()
		r.close()
	}},
	{"conditional writes", func(r *crashRun) { r.open(); r.swaps(8); r.puts(4, 50); r.swaps(4); r.close() }},
	{"recovery", func(r *crashRun) {
		hookless := r.fs
		hookless.SetHook(nil)
		r.open()
		r.puts(10, 3000)
		r.puts(4, 3000, tinykv.Sync)
		r.puts(6, 3000)
		// The process dies; its successors recover, and crash while they do.
		r.fs = hookless.Image(simfs.KillProcess, 1)
		r.options = crashOptions(r.fs, 1)
		r.watch()
		r.open()
		r.synced = r.acked // recovery makes durable what it found
		r.puts(3, 100)
		r.close()
	}},
	{"buckets", buckets},
	{"transactions", transactions},
	{"recovery of recoveries", recoveries},
}

// recoveries is a workload of its own kind: a store crashes while it recovers, at every operation, and again
// while what that left is recovered.
func recoveries(r *crashRun) {
	r.open()
	r.puts(5, 5000)
	r.puts(2, 500, tinykv.Sync)
	r.puts(5, 5000)
	dead := r.db
	r.fs.SetHook(nil)
	first := r.fs.Image(simfs.KillProcess, 1)
	r.must(dead.Close())
	type half struct {
		image  *simfs.FS
		policy simfs.Policy
	}
	var halves []half // what crashes of the first recovery left
	first.SetHook(func(op simfs.Op) {
		policy := simfs.Policies()[op.Index%len(simfs.Policies())]
		halves = append(halves, half{first.Image(policy, uint64(op.Index)), policy})
	})
	r.options = crashOptions(first, 1)
	r.open()
	first.SetHook(nil)
	r.must(r.db.Close())
	states, acked, synced := r.states, r.acked, r.synced
	for i, h := range halves {
		if i%tally.Pick(4, 2, 1) != 0 {
			continue
		}
		r.fs, r.acked, r.synced = h.image, acked, synced
		r.states = slices.Clone(states)
		if h.policy.CutsPower() {
			r.acked = synced
		}
		r.options = crashOptions(r.fs, 2+i)
		r.watch()
		r.open()
		n, err := counterOf(r.db)
		r.must(err)
		r.acked, r.synced, r.tip = n, n, n
		r.states = r.states[:n+1] // those behind it may not come back
		r.puts(1, 100, tinykv.Sync)
		r.fs.SetHook(nil)
		r.must(r.db.Close())
	}
}

// Promise 1 of docs/GUARANTEES.md, and row A1 of docs/RELIABILITY.md.
func TestCrash_EveryImageOpensToAStateTheStoreHad(t *testing.T) {
	var images, operations, ran atomic.Int64
	t.Run("workloads", func(t *testing.T) {
		for i, w := range crashWorkloads {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				r := newCrashRun(t, uint64(i)+*firstSeed)
				if testing.Short() {
					r.perKind = 1
				}
				if tally.Level() == tally.Quick {
					r.rotate = 2
				}
				r.watch()
				w.run(r)
				images.Add(int64(r.images))
				operations.Add(int64(r.operations))
				ran.Add(1)
			})
		}
	})
	tally.Row{
		ID: "A1", Suite: "crashes at every file operation", Load: fmt.Sprintf("%d workloads, %d ways to crash", len(crashWorkloads), len(simfs.Policies())),
		Faults: images.Load(), Unit: "crash images", Seed: *firstSeed,
		Counts: []tally.Count{{Name: "file operations", N: operations.Load()}},
		Replay: "go test -run TestCrash_EveryImage .",
	}.Record(t)
	if want := int64(tally.Pick(15_000, 60_000, 100_000)); !testing.Short() && ran.Load() == int64(len(crashWorkloads)) && images.Load() < want {
		t.Errorf("%d images are too few to be called exhaustive, want %d", images.Load(), want)
	}
}

// A process may die between any two stores of a copy into the mapped log, whichever way the copy runs. What is
// left may look like the end of the log, but never like damage.
func TestCrash_InTheMiddleOfACopyIntoTheLog(t *testing.T) {
	r := newCrashRun(t, 5)
	r.open()
	r.fs.SetHook(func(op simfs.Op) {
		for label, image := range r.fs.Images(simfs.KillInWrite, r.seed+uint64(op.Index), 16) {
			r.check(image, simfs.Crash{Seed: r.seed, Op: op, Policy: simfs.KillInWrite, Label: label})
		}
	})
	r.puts(12, 5000) // some of them reach over the end of a block
	r.fs.SetHook(nil)
	r.close()
}

// With background work running freely no run equals another, but in each of them a crash at any
// moment leaves every commit that was acknowledged, or synced, before.
func TestCrash_FreeRunningStoreLosesNothing(t *testing.T) {
	operations := 300
	if testing.Short() {
		operations = 100
	}
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			r := newCrashRun(t, seed)
			r.options = *r.options.With(tinykv.Internal{ManifestGrowth: 512})
			var mu sync.Mutex // what follows, and the fields of r
			var crashes []func()
			r.fs.SetHook(func(op simfs.Op) {
				mu.Lock()
				defer mu.Unlock()
				if op.Index%3 != 0 {
					return
				}
				policy := simfs.Policies()[op.Index/3%len(simfs.Policies())]
				acked, synced := r.acked, r.synced
				image := r.fs.Image(policy, seed+uint64(op.Index))
				if policy == simfs.KillInWrite && r.fs.Ops() != op.Index {
					return // the newest operation, in which the process died, was not this one any more: its commit may have been acknowledged
				}
				crashes = append(crashes, func() {
					r.acked, r.synced = acked, synced
					r.check(image, simfs.Crash{Seed: seed, Op: op, Policy: policy})
				})
			})
			r.open()
			for n := range operations {
				opt := tinykv.NoSync
				if n%9 == 0 {
					opt = tinykv.Sync
				}
				if n%70 == 69 {
					r.largeWithin(&mu)
				} else {
					r.putWithin(&mu, 2000, opt)
				}
			}
			r.fs.SetHook(nil)
			r.must(r.db.Close())
			for _, crash := range crashes {
				crash()
			}
			t.Logf("%d images", r.images)
		})
	}
}

// putWithin is puts(1, ...) with the fields of r guarded by mu.
func (r *crashRun) putWithin(mu *sync.Mutex, valueBytes int, opt tinykv.WriteOption) {
	b := r.db.NewBatch()
	for range r.IntN(4) {
		r.must(b.Put(fmt.Appendf(nil, "%03d", r.IntN(60)), fmt.Appendf(nil, "%0*d", 1+r.IntN(2*valueBytes), r.Uint32())))
	}
	r.commitWithin(mu, b, opt)
}

func (r *crashRun) largeWithin(mu *sync.Mutex) {
	b := r.db.NewBatch()
	for i := range 40 {
		r.must(b.Put(fmt.Appendf(nil, "%03d", (i*7)%60), fmt.Appendf(nil, "%02000d", r.Uint32())))
	}
	r.commitWithin(mu, b, tinykv.Sync)
}

func (r *crashRun) commitWithin(mu *sync.Mutex, b *tinykv.Batch, opt tinykv.WriteOption) {
	mu.Lock()
	n := len(r.states)
	r.must(b.Put(counterKey, binary.BigEndian.AppendUint32(nil, uint32(n))))
	next := r.states[n-1].Clone()
	next.Apply(b)
	r.states = append(r.states, next)
	mu.Unlock()
	r.must(r.db.Apply(b, opt))
	mu.Lock()
	defer mu.Unlock()
	r.acknowledged(n, []tinykv.WriteOption{opt})
}

// A flush gives up the log of the memtable that it wrote, and of no other: those that were sealed
// while it ran are in the log alone.
func TestCrash_FlushLeavesTheLogOfMemtablesSealedMeanwhile(t *testing.T) {
	r := newCrashRun(t, 1)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.options = *r.options.With(tinykv.Internal{Hook: func(step string, begins bool) {
		if step == "flush" && begins {
			once.Do(func() { close(begun); <-goOn })
		}
	}})
	r.open()
	for sealed := 0; sealed < 1; sealed = r.db.Metrics().SealedMemTables {
		r.puts(1, 5000)
	}
	<-begun
	for sealed := 1; sealed < 2; sealed = r.db.Metrics().SealedMemTables {
		r.puts(1, 5000)
	}
	r.puts(3, 100)
	close(goOn)
	for r.db.Metrics().Flushes == 0 {
		runtime.Gosched()
	}
	r.check(r.fs.Image(simfs.KillProcess, 1), simfs.Crash{Policy: simfs.KillProcess})
	r.close()
}
