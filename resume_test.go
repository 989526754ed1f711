package tinykv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// checkContents wants the store to hold what the commits up to the last acknowledged one left, and nothing else.
func (r *crashRun) checkContents() {
	r.Helper()
	if err := r.sameContents(r.db, r.acked); err != nil {
		r.Fatal(err)
	}
}

// resumed has the disk mended and the store go on. Commits that returned an error are gone for good.
func (r *crashRun) resumed() {
	r.Helper()
	r.fs.Clear()
	if err := r.db.Resume(); err != nil {
		r.Fatalf("resume: %v\n%s", err, r.tail())
	}
	r.states = r.states[:r.acked+1]
	r.synced = r.acked
	r.settleBuckets()
	r.checkContents()
}

// Promise 3: whatever call fails, in whatever way, a store whose disk is mended goes on, and a write that
// returned an error never comes back behind newer ones.
func TestResume_GoesOnWhicheverCallFailed(t *testing.T) {
	var points, latched, images atomic.Int64
	t.Run("failures", func(t *testing.T) {
		for _, f := range failures {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				step, watched := tally.Pick(20, 5, 1), tally.Pick(10, 10, 3)
				for nth, fired := 1, true; fired; nth += step {
					r := newCrashRun(t, 1)
					r.open()
					fault := f.fault
					fault.Nth = nth
					injected := r.fs.FailCall(fault)
					if err := r.live(); err != nil {
						r.wantFault(err)
					}
					if fired = injected.Fired() > 0; fired {
						points.Add(1)
					}
					r.fs.Clear()
					if err := r.db.Put([]byte("refused?"), nil); errors.Is(err, tinykv.ErrFailed) {
						latched.Add(1)
					} else if err == nil {
						r.must(r.db.Delete([]byte("refused?")))
					}
					if nth%watched == 0 {
						r.watch()
					}
					r.resumed()
					r.fs.SetHook(nil)
					r.must(r.live())
					r.checkContents()
					r.crashNow()
					r.close()
					r.crashNow()
					images.Add(int64(r.images))
				}
			})
		}
	})
	tally.Row{
		ID: "A3", Suite: "Resume after a failing call", Load: "a life of a store with commits, large batches, flushes, compactions and renewals; each call fails in six ways",
		Faults: points.Load(), Unit: "fault points",
		Counts: []tally.Count{{Name: "stores resumed", N: latched.Load()}, {Name: "crash images during and after", N: images.Load()}},
		Replay: "go test -run TestResume_GoesOnWhicheverCallFailed .",
	}.Record(t)
	if latched.Load() == 0 {
		t.Error("no store ever failed")
	}
}

// breakLog makes a store fail while a commit of its own is under way.
func (r *crashRun) breakLog() {
	r.Helper()
	r.fs.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpSync), DropDirty: true})
	err := r.tryCommit(r.batch(100), tinykv.Sync)
	r.fs.Clear()
	if !errors.Is(err, tinykv.ErrFailed) {
		r.Fatalf("the store has not failed: %v", err)
	}
}

func TestResume_ThatFailsAtAnyCallMayBeCalledAgain(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			failed, step := 0, tally.Pick(4, 2, 1)
			for nth, fired := 1, true; fired; nth += step {
				r := newCrashRun(t, 1)
				r.open()
				r.puts(3, 3000)
				r.flush()
				r.puts(6, 3000)
				r.breakLog()
				fault := f.fault
				fault.Nth = nth
				injected := r.fs.FailCall(fault)
				err := r.db.Resume()
				if fired = injected.Fired() > 0; err != nil {
					failed++
					r.wantFault(err)
					r.fs.Clear()
					r.checkContents()
					if err := r.db.Put([]byte("x"), nil); !errors.Is(err, tinykv.ErrFailed) {
						r.Fatalf("a store that could not be resumed answers %v", err)
					}
					r.crashNow()
				}
				r.resumed()
				r.puts(3, 100)
				r.puts(1, 100, tinykv.Sync)
				r.crashNow()
				r.close()
				r.crashNow()
			}
			if failed == 0 {
				t.Error("it never failed")
			}
		})
	}
}

// What it cannot bring into force it leaves, until something newer is in force, and then removes it.
func TestResume_LeavesNoFilesBehind(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(3, 3000)
	for range 3 {
		r.breakLog()
		r.fs.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpRename)})
		if err := r.db.Resume(); err == nil {
			t.Fatal("it succeeds although CURRENT cannot be switched")
		}
		r.resumed()
	}
	if n := r.db.Metrics().Resumes; n != 3 {
		t.Errorf("%d times resumed, want 3", n)
	}
	r.close()
	names, err := r.fs.List(crashDir)
	r.must(err)
	kinds := map[string]int{}
	for _, name := range names {
		kind, _, _ := strings.Cut(strings.TrimLeft(name, "0123456789"), "-")
		kinds[kind]++
	}
	if tables := r.db.Metrics(); kinds["MANIFEST"] != 1 || kinds[".wal"] != 0 || kinds[".sst"] > 8 {
		t.Errorf("left over: %v\n%v", names, tables)
	}
	r.open()
	r.checkContents()
	r.close()
}

func TestResume_OfAStoreThatIsNotToBeResumedSaysSo(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(3, 100)
	operations := r.fs.Ops()
	r.must(r.db.Resume())
	if r.fs.Ops() != operations || r.db.Metrics().Resumes != 0 {
		t.Error("resuming a store that has not failed does something")
	}
	r.close()
	if err := r.db.Resume(); !errors.Is(err, tinykv.ErrClosed) {
		t.Error(err)
	}
	r.options.ReadOnly = true
	r.open()
	if err := r.db.Resume(); !errors.Is(err, tinykv.ErrReadOnly) || errors.Is(err, tinykv.ErrFailed) {
		t.Error(err)
	}
	r.must(r.db.Close())
}

// A store says that it has failed, for whoever watches over it, until it goes on.
func TestResume_MetricsTellWhetherItIsNeeded(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(3, 100)
	if r.db.Metrics().Failed {
		t.Error("failed before anything has")
	}
	r.breakLog()
	m := r.db.Metrics()
	var page bytes.Buffer
	r.must(m.WritePrometheus(&page))
	if !m.Failed || !strings.Contains(m.String(), "FAILED") || !strings.Contains(page.String(), "\ntinykv_failed 1\n") {
		t.Errorf("not told: %v\n%s", m.Failed, m)
	}
	r.must(r.db.Resume())
	if r.db.Metrics().Failed {
		t.Error("failed after Resume")
	}
	r.close()
}

// A store that has failed closes with its failure, and with all that was acknowledged on stable storage, if
// the disk lets it.
func TestClose_OfAFailedStoreBringsHomeWhatWasAcknowledged(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(5, 3000)
	r.breakLog()
	if err := r.db.Close(); !errors.Is(err, tinykv.ErrFailed) || !errors.Is(err, simfs.IOError) {
		t.Errorf("close: %v", err)
	}
	r.states = r.states[:r.acked+1]
	r.synced = r.acked
	r.crashNow()
}

// Writers, readers and background work go on while the disk fails again and again and the store is resumed.
func TestResume_AmongWritersAndReaders(t *testing.T) {
	fsys := simfs.New()
	o := tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10}
	db := mustOpen(t, "/s", o.With(tinykv.Internal{ManifestGrowth: 512}))
	const writers, rounds = 4, 30
	var stop atomic.Bool
	var acked, refused [writers]map[string]bool
	var running sync.WaitGroup
	for w := range writers {
		acked[w], refused[w] = map[string]bool{}, map[string]bool{}
		running.Go(func() {
			for n := 0; !stop.Load(); n++ {
				k := fmt.Sprintf("%d/%06d", w, n)
				var err error
				switch b := db.NewBatch(); {
				case n%50 == 49: // larger than a memtable
					must(t, b.Put([]byte(k), make([]byte, 100_000)))
					err = db.Apply(b)
				case n%3 == 0:
					err = db.Put([]byte(k), make([]byte, 300), tinykv.Sync)
				default:
					err = db.Put([]byte(k), make([]byte, 300))
				}
				if err == nil {
					acked[w][k] = true
					if v, err := db.Get([]byte(k)); err != nil || len(v) == 0 {
						t.Errorf("%s was acknowledged and is %d bytes, %v", k, len(v), err)
					}
				} else {
					refused[w][k] = true
				}
			}
		})
	}
	running.Go(func() {
		for !stop.Load() {
			if err := db.Sync(); err != nil && !errors.Is(err, tinykv.ErrFailed) { // Resume in between is no reason
				t.Error(err)
			}
			_ = db.Compact(context.Background(), tinykv.All())
			_, _ = db.Verify(context.Background(), nil)
		}
	})
	rng := enginetest.NewRandom(tally.Seed())
	for range rounds {
		injected := fsys.FailCall(simfs.Fault{Nth: 1 + rng.IntN(60), DropDirty: rng.OneIn(2), Always: rng.OneIn(3)})
		for i := 0; injected.Fired() == 0; i++ {
			_ = db.Put(fmt.Appendf(nil, "main/%d", i%10), nil)
		}
		fsys.Clear()
		must(t, db.Resume())
	}
	stop.Store(true)
	running.Wait()
	must(t, db.Resume())
	check := func(db *tinykv.DB) {
		t.Helper()
		for w := range writers {
			for k := range acked[w] {
				if has, err := db.Has([]byte(k)); !has || err != nil {
					t.Errorf("%s was acknowledged and is lost: %v", k, err)
				}
			}
			for k := range refused[w] {
				if has, err := db.Has([]byte(k)); has || err != nil {
					t.Errorf("%s was refused and is there: %v", k, err)
				}
			}
		}
	}
	check(db)
	t.Logf("%d resumed, %d acknowledged and %d refused by the first writer", db.Metrics().Resumes, len(acked[0]), len(refused[0]))
	must(t, db.Close())
	db = mustOpen(t, "/s", &o)
	check(db)
	must(t, db.Close())
}

// breakStore fails the sync of a write, and no other, as that of a table that a compaction makes meanwhile, and mends the disk.
func breakStore(t *testing.T, db *tinykv.DB, fsys *simfs.FS) {
	t.Helper()
	fsys.FailCall(simfs.Fault{DropDirty: true, Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && strings.HasSuffix(op.Name, ".wal") }})
	wantError(t, db.Put([]byte("refused"), nil, tinykv.Sync), tinykv.ErrFailed)
	fsys.Clear()
}

// A compaction that CompactionRate slows down takes a minute here. Resume does not wait for it, and writers not for Resume.
func TestResume_GivesUpCompactionsUnderWay(t *testing.T) {
	fsys := simfs.New()
	begun := make(chan struct{}, 100)
	var whole atomic.Int64
	o := tinykv.Options{FS: fsys, Compression: tinykv.CompressionNone}
	db := mustOpen(t, "/s", &o)
	for half := range 2 {
		for i := range 4000 {
			must(t, db.Put(fmt.Appendf(nil, "%04d", i*2+half), make([]byte, 1000)))
		}
		must(t, db.Close())
		o.CompactionRate = 64 << 10
		o.Events = &tinykv.Events{CompactionBegin: func(i tinykv.CompactionInfo) {
			if i.InputBytes > 1<<20 {
				begun <- struct{}{}
			}
		}, CompactionEnd: func(i tinykv.CompactionInfo) {
			if i.Err == nil && i.InputBytes > 1<<20 {
				whole.Add(1)
			}
		}}
		db = mustOpen(t, "/s", &o)
	}
	compacted := make(chan error, 1)
	go func() { compacted <- db.Compact(context.Background(), tinykv.All()) }()
	<-begun
	breakStore(t, db, fsys)
	must(t, db.Resume())
	if whole.Load() > 0 {
		t.Error("Resume waited until a compaction was done")
	}
	must(t, db.Put([]byte("k"), []byte("v"), tinykv.Sync))
	must(t, db.Close())
	if err := <-compacted; !errors.Is(err, tinykv.ErrFailed) && !errors.Is(err, tinykv.ErrClosed) {
		t.Errorf("a compaction that was given up: %v", err)
	}
}

func TestResume_KeepsWhatSnapshotsAndIteratorsSee(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	for i := range 20 {
		r.must(r.db.Put(fmt.Appendf(nil, "%02d", i), []byte("old")))
	}
	s, err := r.db.NewSnapshot()
	r.must(err)
	it, err := r.db.NewIter(tinykv.All())
	r.must(err)
	r.must(r.db.DeleteRange([]byte("05"), []byte("10")))
	for i := range 20 {
		r.must(r.db.Put(fmt.Appendf(nil, "%02d", i), []byte("new")))
	}
	r.must(r.db.Delete([]byte("03")))
	breakStore(t, r.db, r.fs)
	r.must(r.db.Resume())
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		v, err := s.Get(it.Key())
		if string(it.Value()) != "old" || string(v) != "old" || err != nil {
			t.Errorf("%s: iterator %q, snapshot %q, %v", it.Key(), it.Value(), v, err)
		}
		n++
	}
	if n != 20 || it.Err() != nil {
		t.Errorf("the iterator sees %d keys, %v", n, it.Err())
	}
	r.must(errors.Join(it.Close(), s.Close(), r.db.Close()))
}

func TestResume_EachFailureIsTold(t *testing.T) {
	fsys := simfs.New()
	told := 0
	db := mustOpen(t, "/s", &tinykv.Options{FS: fsys, Events: &tinykv.Events{BackgroundError: func(i tinykv.BackgroundErrorInfo) {
		if i.Fatal && i.Work == "store" {
			told++
		}
	}}})
	for n := range 3 {
		breakStore(t, db, fsys)
		must(t, db.Resume())
		if told != n+1 {
			t.Errorf("%d failures were told after %d", told, n+1)
		}
	}
	must(t, db.Close())
}

// A renewal of the manifest that goes on behind the back of Resume would put in force what Resume has replaced.
func TestResume_WaitsForARenewalOfTheManifest(t *testing.T) {
	fsys := simfs.New()
	made, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o := tinykv.Options{FS: fsys, MemTableSize: 64 << 10}
	db := mustOpen(t, "/s", o.With(tinykv.Internal{ManifestGrowth: 512, Hook: func(step string, begins bool) {
		if step == "manifest made" && begins {
			once.Do(func() {
				close(made)
				<-release
			})
		}
	}}))
	for n := 0; ; n++ {
		must(t, db.Put(fmt.Appendf(nil, "%d", n), make([]byte, 100)))
		must(t, db.Flush(context.Background()))
		select {
		case <-made:
		default:
			continue
		}
		break
	}
	must(t, db.Put([]byte("in memory"), nil))
	breakStore(t, db, fsys)
	resumed := make(chan error, 1)
	go func() { resumed <- db.Resume() }()
	select { // it should wait; if it does not, it has the time to do harm
	case err := <-resumed:
		t.Errorf("Resume ends while a renewal is under way: %v", err)
		resumed <- err
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	must(t, <-resumed)
	must(t, db.Put([]byte("after"), nil, tinykv.Sync))
	again := mustOpen(t, "/s", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
	for _, k := range []string{"0", "in memory", "after"} {
		if has, err := again.Has([]byte(k)); !has || err != nil {
			t.Errorf("%q is lost: %v", k, err)
		}
	}
	must(t, errors.Join(db.Close(), again.Close()))
}
