package tinykv_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// More of what a store does when something fails, each test for a bug that nothing else noticed.

func isLog(op simfs.Op) bool { return strings.HasSuffix(op.Name, ".wal") }

// Whoever writes next is told anyway; but perhaps nobody does.
func TestFailed_ASyncInTheBackgroundIsToldAtOnce(t *testing.T) {
	fsys := simfs.New()
	var told atomic.Int64
	db := mustOpen(t, "/s", &tinykv.Options{FS: fsys, SyncInterval: time.Millisecond, Events: &tinykv.Events{
		BackgroundError: func(info tinykv.BackgroundErrorInfo) {
			if info.Fatal && errors.Is(info.Err, simfs.IOError) {
				told.Add(1)
			}
		},
	}})
	fsys.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && isLog(op) }})
	must(t, db.Put([]byte("a"), nil))
	for deadline := time.Now().Add(10 * time.Second); told.Load() == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nobody was told")
		}
	}
	wantError(t, db.Put([]byte("b"), nil), tinykv.ErrFailed)
}

// A table that was written and synced, but cannot be opened, takes the place of nothing.
func TestFailed_ATableThatCannotBeReadBackIsWrittenAgain(t *testing.T) {
	fsys := simfs.New()
	db := smallStore(t, fsys, tinykv.Internal{Inline: func() bool { return false }})
	must(t, db.Put([]byte("a"), []byte("v"), tinykv.Sync))
	fault := fsys.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpMap && isTable(op) }})
	wantError(t, db.Flush(context.Background()), simfs.IOError)
	if n := db.Metrics().Levels[0].Tables; n != 0 || fault.Fired() != 1 {
		t.Errorf("%d tables after %d failures", n, fault.Fired())
	}
	must(t, db.Flush(context.Background()))
	if v, err := db.Get([]byte("a")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	must(t, db.Close())
}

// longKey is a key as large as may be: an edit that has it needs more room than a new manifest has.
func longKey(c byte) []byte { return bytes.Repeat([]byte{c}, 65_535) }

// growing picks calls that give a manifest more room.
func growing(op simfs.Op) bool { return op.Kind == simfs.OpExtend && isManifest(op) }

// An edit for which one of two manifests has no room goes to neither, and the store goes on.
func TestFailed_AFullDiskLeavesBothManifestsOfARenewalAlike(t *testing.T) {
	for nth := 1; nth <= 2; nth++ {
		r := newCrashRun(t, 1)
		nested, failed := false, 0
		r.options = *r.options.With(tinykv.Internal{
			Inline: func() bool { return !nested }, ManifestGrowth: 512, Random: crashRandom(7),
			Hook: func(step string, begins bool) {
				if nested || !begins || step != "manifest switch" {
					return
				}
				nested = true
				b := r.db.NewBatch()
				must(t, b.Put(longKey('a'), nil))
				must(t, b.Put(longKey('b'), nil))
				fault := r.fs.FailCall(simfs.Fault{Match: growing, Nth: nth, Err: simfs.NoSpace})
				err := r.tryCommit(b)
				if wantError(t, err, simfs.NoSpace); errors.Is(err, tinykv.ErrFailed) {
					t.Errorf("the store has failed: %v", err)
				}
				failed = int(fault.Fired())
				r.fs.Clear()
				r.states = r.states[:len(r.states)-1] // it has no effect
				r.crashNow()
				r.puts(1, 100)
				r.flush()
				r.crashNow()
				nested = false
			},
		})
		r.open()
		for range 16 {
			r.puts(1, 100)
			r.flush()
		}
		if failed != 1 {
			t.Errorf("%d calls failed", failed)
		}
		r.close()
		r.crashNow()
	}
}

// A large batch for whose edit there is no room has used no sequence number: what is written next follows on what is there.
func TestFailed_ALargeBatchThatIsNotInstalledIsNotSeen(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(2, 100)
	b := r.db.NewBatch()
	for i := range byte(3) {
		must(t, b.Put(longKey('a'+i), nil))
	}
	r.flush()
	before := r.db.Metrics().LastSeq
	r.fs.FailCall(simfs.Fault{Match: growing, Err: simfs.NoSpace})
	err := r.db.Apply(b)
	if wantError(t, err, simfs.NoSpace); errors.Is(err, tinykv.ErrFailed) {
		t.Errorf("the store has failed: %v", err)
	}
	if now := r.db.Metrics().LastSeq; now != before {
		t.Errorf("the last sequence number is %d, and was %d before the batch that failed", now, before)
	}
	r.puts(2, 100, tinykv.Sync)
	r.crashNow()
	r.close()
}

func TestClose_HoldsTheLockUntilItHasDoneItsWork(t *testing.T) {
	fsys := simfs.New()
	hook, reached, release := heldStep("flush")
	db := smallStore(t, fsys, tinykv.Internal{Hook: hook})
	must(t, db.Put([]byte("a"), nil))
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	<-reached
	_, err := tinykv.Open("/s", &tinykv.Options{FS: fsys})
	wantError(t, err, tinykv.ErrLocked)
	release()
	must(t, <-closed)
	must(t, mustOpen(t, "/s", &tinykv.Options{FS: fsys}).Close())
}

// What a store wrote after Resume is in its new log; so the next opening must not do without.
func TestResume_TheNewLogMustBeThere(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(3, 100)
	r.breakLog()
	r.resumed()
	r.puts(2, 100, tinykv.Sync)
	image := r.fs.Image(simfs.KillProcess, 1)
	names, err := image.List(crashDir)
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".wal") {
			must(t, image.Remove(filepath.Join(crashDir, name)))
		}
	}
	_, err = tinykv.Open(crashDir, optionsOn(image, 1))
	wantError(t, err, tinykv.ErrCorrupt)
	r.close()
}

func TestResume_WaitsForBackgroundWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := simfs.New()
		hook, reached, release := heldStep("flush")
		db := smallStore(t, fsys, tinykv.Internal{Hook: hook})
		must(t, putUntil(db, func() bool { return db.Metrics().SealedMemTables == 1 }))
		<-reached
		fsys.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpSync)})
		wantError(t, db.Put([]byte("a"), nil, tinykv.Sync), tinykv.ErrFailed)
		resumed := make(chan error, 1)
		go func() { resumed <- db.Resume() }()
		synctest.Wait()
		if len(resumed) > 0 {
			t.Error("it does not wait for the flush")
		}
		release()
		must(t, <-resumed)
		must(t, db.Put([]byte("a"), nil, tinykv.Sync))
		must(t, db.Flush(t.Context())) // background work begins again
		must(t, db.Close())
	})
}

func TestResume_HasAFullDiskTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := simfs.New()
		db := smallStore(t, fsys, tinykv.Internal{})
		fsys.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpExtend }, Always: true, Err: simfs.NoSpace})
		wantError(t, putUntil(db, nil), simfs.NoSpace)
		fsys.Clear()
		wantError(t, putUntil(db, nil), simfs.NoSpace) // a moment ago there was no room
		must(t, db.Resume())
		n := 0
		must(t, putUntil(db, func() bool { n++; return n > 20 }))
		must(t, db.Close())
	})
}

// A switch of CURRENT that failed may have happened. Then whichever of two manifests is in force, and both logs, must stay until the
// next Resume has put a third in force; and no crash on the way there may meet two logs of one number.
func TestResume_BehindASwitchThatFailedBothStatesOpen(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(4, 3000)
	r.breakLog()
	for range 2 {
		renamed := false
		r.fs.FailCall(simfs.Fault{Match: func(op simfs.Op) bool {
			renamed = renamed || op.Kind == simfs.OpRename
			return renamed && op.Kind == simfs.OpSyncDir
		}})
		wantError(t, r.db.Resume(), simfs.IOError)
		r.fs.Clear()
		r.crashNow()
	}
	r.watch()
	r.resumed()
	r.puts(2, 100, tinykv.Sync)
	r.fs.SetHook(nil)
	r.close()
	r.crashNow()
}

// What was not brought into force by a Resume that failed before its switch is no longer there.
func TestResume_ThatFailsBeforeItsSwitchLeavesNoFiles(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(4, 3000)
	r.breakLog()
	r.fs.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpCreate && isManifest(op) }, Always: true})
	files := func() []string {
		names, err := r.fs.List(crashDir)
		must(t, err)
		slices.Sort(names)
		return names
	}
	wantError(t, r.db.Resume(), simfs.IOError)
	first := files()
	for range 3 {
		wantError(t, r.db.Resume(), simfs.IOError)
		if now := files(); !slices.Equal(now, first) {
			t.Errorf("left after the first: %v, now: %v", first, now)
		}
	}
	r.resumed()
	r.close()
}

// A header that was written in part, of a file that could not be removed either, would be taken for damage.
func TestResume_RemovesALogThatCouldNotBeBegun(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.fs.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpWrite && isLog(op) && op.Off == 0 }, ShortBytes: 20})
	r.fs.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpRemove && isLog(op) }, Always: true})
	var err error
	for err == nil {
		err = r.tryCommit(r.batch(5000))
	}
	wantError(t, err, tinykv.ErrFailed)
	r.resumed()
	r.puts(2, 100, tinykv.Sync)
	r.crashNow()
	r.close()
}

// An edit whose sync failed may be on stable storage all the same: the tables that it names must stay.
func TestFailed_TablesOfAnEditThatMayBeDurableStay(t *testing.T) {
	for what, write := range map[string]func(r *crashRun) error{
		"flush":       func(r *crashRun) error { return r.db.Flush(context.Background()) },
		"large batch": func(r *crashRun) error { return r.tryCommit(r.largeBatch()) },
		"compaction":  func(r *crashRun) error { return r.db.Compact(context.Background(), tinykv.All()) },
	} {
		t.Run(what, func(t *testing.T) {
			r := newCrashRun(t, 1)
			r.options = *r.options.With(tinykv.Internal{Inline: func() bool { return false }, Random: crashRandom(0)})
			r.open()
			for range 2 {
				r.puts(3, 100)
				r.flush()
			}
			if what == "flush" {
				r.puts(3, 100, tinykv.Sync)
			}
			r.fs.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && isManifest(op) }})
			wantError(t, write(r), tinykv.ErrFailed)
			r.fs.Clear()
			r.crashNow()
			wantError(t, r.db.Close(), tinykv.ErrFailed)
			r.crashNow()
		})
	}
}

// Of a switch of CURRENT that failed it is not known whether it happened: nothing is acknowledged any more.
func TestFailed_ASwitchOfTheManifestEndsWriting(t *testing.T) {
	for _, kind := range []simfs.Kind{simfs.OpRename, simfs.OpSyncDir} {
		r := newCrashRun(t, 1)
		r.options = *r.options.With(tinykv.Internal{Inline: func() bool { return true }, ManifestGrowth: 512, Random: crashRandom(0)})
		r.open()
		renamed := false
		fault := r.fs.FailCall(simfs.Fault{Match: func(op simfs.Op) bool {
			renamed = renamed || op.Kind == simfs.OpRename
			return renamed && op.Kind == kind
		}})
		for range 100 {
			if err := r.tryCommit(r.batch(100), tinykv.Sync); err != nil {
				break
			}
			_ = r.db.Flush(context.Background())
		}
		if fault.Fired() != 1 {
			t.Fatalf("%v: no switch has failed", kind)
		}
		wantError(t, r.db.Put([]byte("refused"), nil), tinykv.ErrFailed)
		r.crashNow()
		wantError(t, r.db.Close(), tinykv.ErrFailed)
		r.crashNow()
	}
}

func TestClose_SealsTheManifestOrSaysThatItCannot(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(3, 100)
	r.close()
	if !loadManifest(t, r.fs).Sealed {
		t.Error("the manifest of a store that was closed in order is not sealed")
	}
	r.open()
	r.puts(3, 100)
	r.fs.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpRename)})
	wantError(t, r.db.Close(), simfs.IOError)
	r.fs.Clear()
	r.crashNow()
}

// A copy is on stable storage when Repair returns; and one that could not be made does not come back.
func TestRepair_IsDurableWhenItReturns(t *testing.T) {
	w := wreckStore(t, tinykv.CompressionDefault, closeInOrder)
	want := w.states[w.last()].Entries(tinykv.All())
	image := w.fs.Image(simfs.KillProcess, 1)
	must(t, repaired(t, image, tinykv.RepairOptions{}).Err())
	db := mustOpen(t, copyDir, &tinykv.Options{FS: image.Image(simfs.DropAll, 1)})
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d of %d entries, %v", len(got), len(want), err)
	}
	must(t, db.Close())

	image = w.fs.Image(simfs.KillProcess, 1)
	image.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpRename && filepath.Base(op.NewName) == "CURRENT" }})
	_, err = tinykv.Repair(t.Context(), crashDir, copyDir, &tinykv.RepairOptions{FS: image})
	wantError(t, err, simfs.IOError)
	if names, err := image.Image(simfs.DropAll, 1).List(copyDir); err != nil || len(names) > 0 {
		t.Errorf("after a failure and a power cut there are %q, %v", names, err)
	}
}

// What Close could not bring to tables is in the log, and the log on stable storage.
func TestClose_ThatCannotSealLeavesALogThatIsSynced(t *testing.T) {
	for what, match := range map[string]func(op simfs.Op) bool{
		"no room for a table":       isNewTable,
		"no room for a log segment": func(op simfs.Op) bool { return op.Kind == simfs.OpExtend && isLog(op) },
	} {
		fsys := simfs.New()
		db := mustOpen(t, "/s", &tinykv.Options{FS: fsys, SyncInterval: time.Hour})
		must(t, db.Put([]byte("a"), []byte("v")))
		fsys.FailCall(simfs.Fault{Match: match, Always: true, Err: simfs.NoSpace})
		wantError(t, db.Close(), simfs.NoSpace)
		for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.DropAll, simfs.KeepAll} {
			after := mustOpen(t, "/s", &tinykv.Options{FS: fsys.Image(policy, 1)})
			if v, err := after.Get([]byte("a")); string(v) != "v" || err != nil {
				t.Errorf("%s, %v: %q, %v", what, policy, v, err)
			}
			must(t, after.Close())
		}
	}
}

func TestClose_WaitsForBackgroundWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook, reached, release := heldStep("compact")
		db := smallStore(t, nil, tinykv.Internal{Hook: hook})
		must(t, putUntil(db, func() bool {
			select {
			case <-reached:
				return true
			default:
				return false
			}
		}))
		closed := make(chan error, 1)
		go func() { closed <- db.Close() }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Error("it does not wait for the compaction")
		}
		release()
		must(t, <-closed)
	})
}
