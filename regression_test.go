package tinykv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// What was wrong once. Each test says in its name what holds since.

// smallStore opens a store of small memtables on a file system, by default one in memory.
func smallStore(t testing.TB, fsys vfs.FS, in tinykv.Internal) *tinykv.DB {
	t.Helper()
	if fsys == nil {
		fsys = vfs.NewMem()
	}
	o := &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, SyncInterval: time.Hour}
	return mustOpen(t, "/s", o.With(in))
}

func TestRead_StartsAnewWhenALargeBatchComesBetweenStateAndSequenceNumber(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	large := db.NewBatch()
	must(t, large.Put([]byte("large"), make([]byte, 60<<10)))
	for _, c := range []struct {
		what    string
		between func()
		goesOn  bool
	}{
		{"nothing", func() {}, true},
		{"a write", func() { must(t, db.Put([]byte("later"), nil)) }, true},
		{"a large batch and a write", func() {
			must(t, db.Apply(large))
			must(t, db.Put([]byte("later"), nil)) // into the memtable of the old state
		}, false},
	} {
		if got := db.HalfOpenedRead(c.between); got != c.goesOn {
			t.Errorf("%s in between: the read goes on with the old state: %v, want %v", c.what, got, c.goesOn)
		}
	}
}

// isManifest picks calls on manifests.
func isManifest(op simfs.Op) bool { return strings.HasPrefix(filepath.Base(op.Name), "MANIFEST") }

func isTable(op simfs.Op) bool { return filepath.Ext(op.Name) == ".sst" }

func TestFailed_WhatWasAcknowledgedIsSyncedUnlessTheLogFailed(t *testing.T) {
	for _, c := range []struct {
		by   string
		wait func(db *tinykv.DB)
	}{
		{"the interval", func(db *tinykv.DB) {
			for db.Metrics().DurableSeq < 2 {
				runtime.Gosched()
			}
		}},
		{"Sync", func(db *tinykv.DB) { must(t, db.Sync()) }},
		{"Close", func(db *tinykv.DB) { wantError(t, db.Close(), tinykv.ErrFailed) }},
	} {
		t.Run(c.by, func(t *testing.T) {
			fsys := simfs.New()
			interval := time.Hour
			if c.by == "the interval" {
				interval = time.Millisecond
			}
			db := mustOpen(t, "/s", &tinykv.Options{FS: fsys, SyncInterval: interval})
			must(t, db.Put([]byte("a"), nil))
			var once sync.Once
			fsys.SetHook(func(op simfs.Op) {
				if op.Kind == simfs.OpWrite && isManifest(op) {
					once.Do(func() { // the flush has synced the log and writes its edit
						must(t, db.Put([]byte("b"), nil))
						fsys.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && isManifest(op) }})
					})
				}
			})
			wantError(t, db.Flush(context.Background()), tinykv.ErrFailed)
			wantError(t, db.Put([]byte("c"), nil), tinykv.ErrFailed)
			c.wait(db)
			after := mustOpen(t, "/s", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
			if _, err := after.Get([]byte("b")); err != nil {
				t.Errorf("after a power cut: %v", err)
			}
		})
	}
}

func isNewTable(op simfs.Op) bool { return op.Kind == simfs.OpCreate && isTable(op) }

func openingTables(op simfs.Op) bool { return op.Kind == simfs.OpOpen && isTable(op) }

// putUntil puts values of 1 KB until it fails or stop, which may be nil, returns true.
func putUntil(db *tinykv.DB, stop func() bool) error {
	for i := 0; stop == nil || !stop(); i++ {
		if err := db.Put(fmt.Appendf(nil, "%08d", i*7919%100003), make([]byte, 1000)); err != nil {
			return err
		}
	}
	return nil
}

func TestFailed_CompactionsFailWritesOnlyWhenLevel0IsFull(t *testing.T) {
	fsys := simfs.New()
	db := smallStore(t, fsys, tinykv.Internal{})
	fsys.FailCall(simfs.Fault{Match: openingTables, Always: true})
	wantError(t, putUntil(db, nil), simfs.IOError)
	if n := db.Metrics().Levels[0].Tables; n < 24 {
		t.Errorf("a write failed for a compaction with %d tables in level 0", n)
	}
}

func TestFailed_CompactionsFailureIsForgottenWhenSomebodyElseDidTheWork(t *testing.T) {
	fsys := simfs.New()
	db := smallStore(t, fsys, tinykv.Internal{})
	fsys.FailCall(simfs.Fault{Match: openingTables, Always: true})
	must(t, putUntil(db, func() bool { return db.CompactionFailure() != nil }))
	fsys.Clear()
	must(t, db.Compact(context.Background(), tinykv.All()))
	for db.CompactionFailure() != nil {
		runtime.Gosched() // a worker that found nothing to do is about to say so
	}
}

func TestFailed_WhoWaitsForAFlushGetsTheOutcomeOfAnAttemptOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := simfs.New()
		db := smallStore(t, fsys, tinykv.Internal{})
		defer db.Close()
		must(t, db.Put([]byte("a"), nil))
		fault := fsys.FailCall(simfs.Fault{Match: isNewTable, Always: true, Err: simfs.NoSpace})
		for range 10 {
			wantError(t, db.Flush(t.Context()), simfs.NoSpace)
		}
		if n := fault.Fired(); n < 10 {
			t.Errorf("10 calls of Flush got the outcome of %d attempts", n)
		}
		fsys.Clear()
		start := time.Now()
		must(t, db.Flush(t.Context()))
		if took := time.Since(start); took > time.Second {
			t.Errorf("Flush succeeds %v after the disk has room again", took)
		}
	})
}

func TestFailed_AFullDiskIsTriedAtABoundedRate(t *testing.T) {
	for name, match := range map[string]func(op simfs.Op) bool{
		"no room for a log segment": func(op simfs.Op) bool { return op.Kind == simfs.OpExtend },
		"no room for a table":       func(op simfs.Op) bool { return isTable(op) && op.Kind == simfs.OpWrite },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fsys := simfs.New()
				db := smallStore(t, fsys, tinykv.Internal{})
				defer db.Close()
				fault := fsys.FailCall(simfs.Fault{Match: match, Always: true, Err: simfs.NoSpace})
				wantError(t, putUntil(db, nil), simfs.NoSpace)
				start, before := time.Now(), fault.Fired()
				for range 1000 {
					wantError(t, putUntil(db, nil), simfs.NoSpace)
				}
				if n, took := fault.Fired()-before, time.Since(start); n > 10 || took > time.Second {
					t.Errorf("1000 writes took %v and made %d attempts", took, n)
				}
				fsys.Clear()
				<-time.After(time.Second) // of the bubble
				n := 0
				must(t, putUntil(db, func() bool { n++; return n > 200 }))
			})
		})
	}
}

// loggerFunc calls itself for every message.
type loggerFunc func(message string)

func (f loggerFunc) Enabled(context.Context, slog.Level) bool { return true }

func (f loggerFunc) Handle(_ context.Context, r slog.Record) error {
	f(r.Message)
	return nil
}

func (f loggerFunc) WithAttrs([]slog.Attr) slog.Handler { return f }

func (f loggerFunc) WithGroup(string) slog.Handler { return f }

func TestLogger_MayAskTheStoreForItsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := simfs.New()
		var db *tinykv.DB
		told := 0
		logger := slog.New(loggerFunc(func(string) { told += len(db.Metrics().String()) }))
		db = mustOpen(t, "/s", &tinykv.Options{FS: fsys, Logger: logger})
		defer db.Close()
		fsys.FailCall(simfs.Fault{Match: isNewTable})
		must(t, db.Put([]byte("a"), nil))
		wantError(t, db.Flush(t.Context()), simfs.IOError)
		if told == 0 {
			t.Error("the logger was not told")
		}
	})
}

// heldStep returns a hook that holds steps of a name up until release is called. reached is closed
// when the first begins.
func heldStep(name string) (hook func(step string, begins bool), reached chan struct{}, release func()) {
	reached = make(chan struct{})
	free := make(chan struct{})
	var once sync.Once
	return func(step string, begins bool) {
		if step == name && begins {
			once.Do(func() { close(reached) })
			<-free
		}
	}, reached, sync.OnceFunc(func() { close(free) })
}

func TestClose_ASecondCallWaitsForTheFirstAndReturnsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := simfs.New()
		hook, reached, release := heldStep("flush")
		db := smallStore(t, fsys, tinykv.Internal{Hook: hook})
		must(t, db.Put([]byte("a"), nil))
		fsys.FailCall(simfs.Fault{Match: isNewTable, Always: true})
		results := make(chan error, 2)
		go func() { results <- db.Close() }()
		<-reached
		go func() { results <- db.Close() }()
		synctest.Wait()
		if len(results) > 0 {
			t.Error("a call of Close returned before the store was closed")
		}
		release()
		wantError(t, <-results, simfs.IOError)
		wantError(t, <-results, simfs.IOError)
		wantError(t, db.Close(), simfs.IOError)
	})
}

func TestFlush_GivesUpWhenItsContextEnds(t *testing.T) {
	for name, fill := range map[string]func(t *testing.T, db *tinykv.DB){
		"waiting for its flush": func(t *testing.T, db *tinykv.DB) { must(t, db.Put([]byte("a"), nil)) },
		"waiting for room": func(t *testing.T, db *tinykv.DB) {
			must(t, putUntil(db, func() bool { return db.Metrics().SealedMemTables == 2 }))
		},
		"waiting for the lead": func(t *testing.T, db *tinykv.DB) {
			go func() { _ = putUntil(db, nil) }()
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hook, _, release := heldStep("flush")
				db := smallStore(t, nil, tinykv.Internal{Hook: hook})
				fill(t, db)
				ctx, cancel := context.WithCancel(t.Context())
				result := make(chan error, 1)
				go func() { result <- db.Flush(ctx) }()
				synctest.Wait()
				cancel()
				synctest.Wait()
				select {
				case err := <-result:
					wantError(t, err, context.Canceled)
				default:
					t.Error("Flush goes on")
				}
				release()
				must(t, db.Close())
				synctest.Wait()
			})
		})
	}
}

// filesOf returns the names in the store's directory, without LOCK.
func filesOf(t *testing.T, fsys vfs.FS) []string {
	t.Helper()
	names, err := fsys.List("/s")
	must(t, err)
	return slices.DeleteFunc(names, func(n string) bool { return n == "LOCK" })
}

func TestOpen_ThatFailsLeavesNoFileBehind(t *testing.T) {
	fsys := simfs.New()
	db := mustOpen(t, "/s", &tinykv.Options{FS: fsys})
	must(t, db.Put([]byte("a"), make([]byte, 1<<20)))
	fsys = fsys.Image(simfs.KillProcess, 1)
	before := filesOf(t, fsys)
	for name, match := range map[string]func(op simfs.Op) bool{
		"no table":       isNewTable,
		"no log segment": func(op simfs.Op) bool { return op.Kind == simfs.OpExtend },
		"no manifest":    func(op simfs.Op) bool { return op.Kind == simfs.OpCreate && isManifest(op) },
	} {
		fsys.FailCall(simfs.Fault{Match: match, Always: true, Err: simfs.NoSpace})
		_, err := tinykv.Open("/s", &tinykv.Options{FS: fsys})
		wantError(t, err, simfs.NoSpace)
		if after := filesOf(t, fsys); !slices.Equal(after, before) {
			t.Errorf("%s: %v became %v", name, before, after)
		}
		fsys.Clear()
	}
	db = mustOpen(t, "/s", &tinykv.Options{FS: fsys})
	if ok, err := db.Has([]byte("a")); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

// A switch of CURRENT that failed may have happened: what it switched to must stay.
func TestOpen_ThatFailsAtAnyCallLosesNothing(t *testing.T) {
	for nth := 1; ; nth++ {
		fsys := simfs.New()
		db := mustOpen(t, "/s", &tinykv.Options{FS: fsys})
		must(t, db.Put([]byte("a"), make([]byte, 1000), tinykv.Sync))
		fsys = fsys.Image(simfs.KillProcess, 1)
		fault := fsys.FailCall(simfs.Fault{Nth: nth})
		if db, err := tinykv.Open("/s", &tinykv.Options{FS: fsys}); err == nil {
			_ = db.Close()
		}
		fsys.Clear()
		for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.DropAll, simfs.KeepAll} {
			after := mustOpen(t, "/s", &tinykv.Options{FS: fsys.Image(policy, 1)})
			if ok, err := after.Has([]byte("a")); !ok || err != nil {
				t.Errorf("call %d fails, then %v: %v, %v", nth, policy, ok, err)
			}
		}
		if fault.Fired() == 0 {
			return
		}
	}
}

func TestOpen_NamesTheRemedyWhereADirectoryIsExpected(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(path("file"), nil, 0o600))
	must(t, os.Symlink("file", path("link")))
	must(t, os.Symlink("nowhere", path("dangling")))
	must(t, os.MkdirAll(path("mount/lost+found"), 0o700))
	for name, remedy := range map[string]string{
		"file": "choose another path", "link": "mend the link", "dangling": "mend the link", "mount": path("mount/db"),
	} {
		_, err := tinykv.Open(path(name), nil)
		wantError(t, err, tinykv.ErrExists, remedy)
	}
}

func TestClosed_ComesBeforeWhateverElseIsWrongWithACall(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	must(t, db.Close())
	long, option := make([]byte, 1<<16), tinykv.WriteOption(99)
	inverted := tinykv.Between([]byte("b"), []byte("a"))
	second := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"Put of a long key":        db.Put(long, nil),
		"Delete with an option":    db.Delete(nil, option),
		"DeleteRange inverted":     db.DeleteRange([]byte("b"), []byte("a")),
		"DeleteRange, an option":   db.DeleteRange(nil, nil, option),
		"Apply of nil":             db.Apply(nil),
		"Apply with an option":     db.Apply(&tinykv.Batch{}, option),
		"PutIfAbsent, a long key":  second(db.PutIfAbsent(long, nil)),
		"CompareAndDelete, option": second(db.CompareAndDelete(nil, nil, option)),
		"NewIter inverted":         second(db.NewIter(inverted)),
		"Count inverted":           second(db.Count(t.Context(), inverted)),
		"Compact inverted":         db.Compact(t.Context(), inverted),
		"EstimateSize inverted":    second(db.EstimateSize(inverted)),
		"Peek without a function":  db.Peek(nil, nil),
		"PeekItem without one":     db.PeekItem(nil, nil),
	} {
		wantError(t, fmt.Errorf("%s: %w", name, err), tinykv.ErrClosed)
	}
	for _, err := range db.Scan(inverted, tinykv.Limit(-1)) {
		wantError(t, err, tinykv.ErrClosed)
	}
}

func TestContext_ThatIsNilIsAnError(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	var none context.Context
	_, err := db.Count(none, tinykv.All())
	for _, err := range []error{err, db.Flush(none), db.Compact(none, tinykv.All())} {
		wantError(t, err, tinykv.ErrInvalidOption, "context.Background")
	}
}

func TestWrite_EndsBeforeSequenceNumbersDo(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	db.SetLastSeq(1<<56 - 1<<33)
	large := db.NewBatch()
	must(t, large.Put(nil, make([]byte, 60<<10)))
	for _, err := range []error{db.Put(nil, nil), db.Apply(large)} {
		wantError(t, err, tinykv.ErrReadOnly, "sequence numbers")
	}
}

// openTables is a file system that counts the tables that are being written or are mapped.
type openTables struct {
	vfs.FS
	count atomic.Int64
}

func (f *openTables) Create(name string) (vfs.File, error) {
	file, err := f.FS.Create(name)
	if err != nil {
		return nil, err
	}
	f.count.Add(1)
	return &openTable{file, f}, nil
}

type openTable struct {
	vfs.File
	fs *openTables
}

func (f *openTable) Close() error {
	f.fs.count.Add(-1)
	return f.File.Close()
}

func (f *openTables) Map(name string) (vfs.Mapping, error) {
	m, err := f.FS.Map(name)
	if err != nil {
		return nil, err
	}
	f.count.Add(1)
	return &mappedTable{m, f}, nil
}

type mappedTable struct {
	vfs.Mapping
	fs *openTables
}

func (m *mappedTable) Close() error {
	m.fs.count.Add(-1)
	return m.Mapping.Close()
}

// The tables of a flush whose edit failed stayed mapped for ever.
func TestFailed_TablesThatCouldNotBeInstalledAreUnmapped(t *testing.T) {
	sim := simfs.New()
	fsys := &openTables{FS: sim}
	db := smallStore(t, fsys, tinykv.Internal{})
	must(t, db.Put([]byte("k"), []byte("v")))
	sim.FailCall(simfs.Fault{Always: true, Match: func(op simfs.Op) bool { return isManifest(op) && op.Kind.Changes() }})
	if err := db.Flush(context.Background()); !errors.Is(err, tinykv.ErrFailed) {
		t.Error(err)
	}
	if err := db.Close(); !errors.Is(err, tinykv.ErrFailed) {
		t.Error(err)
	}
	if n := fsys.count.Load(); n != 0 {
		t.Errorf("%d tables are open after Close", n)
	}
}

// A large batch wrote its table when the store failed for another reason. It kept the file open for ever.
func TestFailed_ALargeBatchWhoseTableFailsTooLeavesNoFileOpen(t *testing.T) {
	sim := simfs.New()
	fsys := &openTables{FS: sim}
	db := smallStore(t, fsys, tinykv.Internal{})
	must(t, db.Put([]byte("k"), []byte("v"), tinykv.NoSync))
	large := db.NewBatch()
	for i := range 100 {
		must(t, large.Put(fmt.Appendf(nil, "%03d", i), make([]byte, 1<<10)))
	}
	var once sync.Once
	sim.SetHook(func(op simfs.Op) {
		if isTable(op) {
			once.Do(func() {
				sim.FailCall(simfs.Fault{Always: true})
				if err := db.Sync(); !errors.Is(err, tinykv.ErrFailed) {
					t.Errorf("sync on a dead disk: %v", err)
				}
			})
		}
	})
	if err := db.Apply(large); err == nil {
		t.Error("a batch was acknowledged by a dead disk")
	}
	if err := db.Close(); !errors.Is(err, tinykv.ErrFailed) {
		t.Error(err)
	}
	if n := fsys.count.Load(); n != 0 {
		t.Errorf("%d files are open after Close", n)
	}
}

// Found by the metamorphic histories: Resume had a full disk tried again for the log alone, and a write that needed a
// flush still got the failure of a moment ago.
func TestResume_OfAFullDiskHasTablesTriedAgainAtOnce(t *testing.T) {
	fsys := simfs.New()
	db := mustOpen(t, "/s", &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10})
	large := db.NewBatch()
	for i := range 40 {
		must(t, large.Put(fmt.Appendf(nil, "%03d", i), make([]byte, 2000)))
	}
	must(t, db.Put([]byte("k"), []byte("v")))
	for range 10 {
		fsys.FailCall(simfs.Fault{Match: isNewTable, Always: true, Err: simfs.NoSpace})
		wantError(t, db.Flush(t.Context()), simfs.NoSpace)
		fsys.Clear()
		must(t, db.Resume())
		must(t, db.Apply(large))
		must(t, db.Put([]byte("k"), []byte("v")))
	}
}

// After a failed sync the system may give up pages that it shows as written. Of a log that had lost one before records that were
// still there, the next opening said that it was damaged, since only the process had died.
func TestFailed_AProcessThatDiesAfterAFailedSyncLeavesALogThatOpensWhateverPagesAreLost(t *testing.T) {
	const page = 4096
	sim := simfs.New()
	db := smallStore(t, sim, tinykv.Internal{})
	must(t, db.Put([]byte("synced"), nil, tinykv.Sync))
	for i := range 12 {
		must(t, db.Put(fmt.Appendf(nil, "%02d", i), make([]byte, 1<<10), tinykv.NoSync))
	}
	sim.FailCall(simfs.Fault{DropDirty: true, Match: simfs.Kinds(simfs.OpSync)})
	if err := db.Sync(); !errors.Is(err, tinykv.ErrFailed) {
		t.Fatal(err)
	}
	names, err := sim.List("/s")
	must(t, err)
	for lost := page; lost <= 2*page; lost += page {
		image := sim.Image(simfs.KillProcess, 1)
		for _, name := range names {
			if filepath.Ext(name) == ".wal" {
				data := readFile(t, image, "/s/"+name)
				clear(data[lost:min(lost+page, len(data))])
				writeFile(t, image, "/s/"+name, data)
			}
		}
		again := smallStore(t, image, tinykv.Internal{})
		if _, err := again.Get([]byte("synced")); err != nil {
			t.Error(err)
		}
		_, first := again.Get([]byte("00"))
		_, last := again.Get([]byte("11"))
		if first != nil || !errors.Is(last, tinykv.ErrNotFound) {
			t.Errorf("page %d lost: the first write is there: %v, the last is not: %v", lost/page, first, last)
		}
		must(t, again.Close())
	}
	_ = db.Close() // it has failed
}

// A table that goes to another level as it is leaves one level and comes to another by the same edit. Its file stays.
func TestCompact_ATableThatOnlyMovesStays(t *testing.T) {
	var moves atomic.Int64
	dir := t.TempDir()
	o := &tinykv.Options{Compression: tinykv.CompressionNone, Events: &tinykv.Events{CompactionEnd: func(i tinykv.CompactionInfo) {
		if i.Kind == "move" && i.Err == nil {
			moves.Add(1)
		}
	}}}
	db := mustOpen(t, dir, o)
	for n := range 100 {
		must(t, db.Put(fmt.Appendf(nil, "%02d", n), bytes.Repeat([]byte("v"), 100)))
	}
	must(t, db.Compact(t.Context(), tinykv.All()))
	if moves.Load() == 0 {
		t.Fatal("no table has moved")
	}
	must(t, db.Close())
	db = mustOpen(t, dir, o)
	for n := range 100 {
		if v, err := db.Get(fmt.Appendf(nil, "%02d", n)); len(v) != 100 || err != nil {
			t.Fatalf("%02d: %d bytes, %v", n, len(v), err)
		}
	}
	must(t, db.Close())
}
