package disk

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// places are the blocks that fail.
var places = []struct {
	name string
	fail func(v *Volume) (broken int64)
}{
	{"log", func(v *Volume) int64 { return v.breakTails("*.wal") }},
	{"manifest", func(v *Volume) int64 { return v.breakTails("MANIFEST-*") }},
	{"free space", (*Volume).BreakFree},
	{"all", func(v *Volume) int64 { return v.BreakFree() + v.breakTails("*.wal") + v.breakTails("MANIFEST-*") }},
}

// breakTails breaks the ends of the store's files with names of a pattern.
func (v *Volume) breakTails(pattern string) (broken int64) {
	v.t.Helper()
	names, err := filepath.Glob(filepath.Join(v.Store(), pattern))
	v.must(err)
	for _, name := range names {
		broken += v.BreakTail(name)
	}
	return broken
}

// failRun is a store on a disk whose blocks begin to fail.
type failRun struct {
	*testing.T
	volume  *Volume
	lanes   *lanes
	db      *tinykv.DB
	options *tinykv.Options
	least   marks // that the disk must hold
	failed  bool  // the store refuses writes
}

// endings are what comes after the failure. All end with a store that is closed, and a disk that is whole again.
var endings = []struct {
	name string
	end  func(r *failRun)
}{
	{"resumed, then a power cut", func(r *failRun) {
		r.volume.FreeGround()
		r.goOn()
		r.least, _ = r.lanes.least()
		r.volume.must(r.volume.Cut())
		_ = r.db.Close() // what it says on a disk without power is told by other tests
		r.volume.Remount()
	}},
	{"closed", func(r *failRun) {
		r.volume.FreeGround()
		r.close()
		r.volume.DropCaches()
	}},
	{"closed, then a power cut", func(r *failRun) {
		r.volume.FreeGround()
		r.close()
		r.volume.must(r.volume.Cut())
		r.volume.Remount()
	}},
	{"closed while blocks fail", func(r *failRun) {
		r.close()
		r.volume.DropCaches()
		r.volume.FreeGround()
	}},
	{"power cut", func(r *failRun) {
		r.volume.must(r.volume.Cut())
		r.close()
		r.volume.FreeGround()
		r.volume.Remount()
	}},
}

// close closes the store. One that has failed says so.
func (r *failRun) close() {
	r.Helper()
	if err := r.db.Close(); r.failed && !errors.Is(err, tinykv.ErrFailed) {
		r.Errorf("close of a failed store: %v", err)
	}
}

// write has commits made until so many are acknowledged, which must work.
func (r *failRun) write(commits int) {
	r.Helper()
	if err := r.writeAsLongAs(commits); err != nil {
		r.Fatal(err)
	}
}

// writeAsLongAs has commits made until so many are acknowledged or one fails.
func (r *failRun) writeAsLongAs(commits int) error {
	stop := make(chan struct{})
	r.lanes.after(commits, func() { close(stop) })
	return r.lanes.run(r.db, 3, stop)
}

// goOn has the store take writes again, by Resume where it has failed, and otherwise by itself, soon.
func (r *failRun) goOn() {
	r.Helper()
	if r.failed {
		if err := r.db.Put([]byte("early"), nil); !errors.Is(err, tinykv.ErrFailed) {
			r.Errorf("a failed store takes writes before Resume: %v", err)
		}
		seen := r.lanes.sees()
		if err := r.db.Resume(); err != nil {
			r.Fatalf("resume: %v", err)
		}
		r.lanes.goesOn(seen) // what failed has not taken effect, for good
		r.lanes.synced(seen)
		r.failed = false
	}
	const patience = 10 * time.Second
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; <-ticker.C {
		err := r.writeAsLongAs(60)
		if err == nil {
			return
		}
		if errors.Is(err, tinykv.ErrFailed) || time.Now().After(deadline) {
			r.Fatalf("the disk is whole again, but not the store: %v", err)
		}
	}
}

// settle has the store come to rest, so that nothing is written while blocks are broken.
func (r *failRun) settle() {
	r.Helper()
	if err := r.db.Compact(r.Context(), tinykv.All()); err != nil {
		r.Fatal(err)
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for m := r.db.Metrics(); m.SealedMemTables > 0 || m.RunningCompactions > 0 || m.GarbageBytes > 0; m = r.db.Metrics() {
		<-ticker.C
	}
}

// fail has the store write until it reports a failure, and compares what it says and shows afterwards.
func (r *failRun) fail() {
	r.Helper()
	const plenty = 4000 // commits fill all memory by far
	err := r.writeAsLongAs(plenty)
	if err == nil { // the manifest was renewed before it came to its end, and moved to blocks that work
		r.settle()
		r.volume.FreeGround()
		r.volume.BreakFree()
		r.volume.FillGround()
		err = r.writeAsLongAs(plenty)
	}
	if err == nil {
		r.Fatal("blocks fail, but the store does not tell")
	}
	r.failed = errors.Is(err, tinykv.ErrFailed)
	for w := range 2 * writers {
		if err := r.lanes.write(r.db, w%writers, w < writers); r.failed && !errors.Is(err, tinykv.ErrFailed) {
			r.Errorf("a write after the failure: %v", err)
		}
	}
	least, acked := r.lanes.least()
	r.least = least
	found := r.lanes.check(r, r.db, acked) // reads go on
	if found != acked {
		r.Errorf("readers see commits %v, acknowledged are %v", found, acked)
	}
}

func TestSync_ThatFailedIsNeverBelieved(t *testing.T) {
	rounds := tally.Pick(1, 1, 2)
	for round := range rounds {
		for p, place := range places {
			for e, ending := range endings {
				if tally.Level() == tally.Quick && (p+e)%5 != 0 {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s, %d", place.name, ending.name, round), func(t *testing.T) {
					t.Parallel()
					seed := tally.Seed() + uint64(round)
					r := &failRun{T: t, volume: New(t, Settings{Kind: Ext4, Bytes: 16 << 20}), lanes: newLanes(seed)}
					r.volume.Allocate()
					r.options = smallOptions(nil, tinykv.DurabilityPeriodic)
					r.reopen(marks{})
					r.write(100 + 50*round)
					r.settle()
					broken := place.fail(r.volume)
					r.volume.FillGround()
					r.fail()
					latched := r.failed
					ending.end(r)
					checkFiles(t, r.volume.Store())
					r.reopen(r.least)
					r.write(50)
					if err := r.db.Close(); err != nil {
						t.Error(err)
					}
					r.volume.Remount()
					checkFiles(t, r.volume.Store())
					r.reopen(r.lanes.acked)
					if err := r.db.Close(); err != nil {
						t.Error(err)
					}
					r.record(seed, latched, broken)
				})
			}
		}
	}
}

// reopen opens the store, which must hold what it must.
func (r *failRun) reopen(least marks) {
	r.Helper()
	var err error
	if r.db, err = tinykv.Open(r.volume.Store(), r.options); err != nil {
		r.Fatal(err)
	}
	found := r.lanes.check(r, r.db, least)
	r.lanes.goesOn(found)
	r.lanes.settled(found)
}

func (r *failRun) record(seed uint64, latched bool, broken int64) {
	stopped := int64(0)
	if latched {
		stopped = 1
	}
	tally.Row{
		ID: "A8", Suite: "real syncs that fail", Load: "3 writers, one sync in 3 commits, on ext4", Faults: 1, Unit: "disks with failing blocks",
		Counts: []tally.Count{
			{Name: "stores that stopped writing for good", N: stopped},
			{Name: "acknowledged batches", N: int64(r.lanes.acknowledged())},
			{Name: "KiB of blocks that failed", N: broken >> 10},
		},
		Seed: seed, Replay: "go test -run TestSync ./reliability/disk",
	}.Record(r)
}

// The writers are another process here, which is killed when the store has failed, or closes it. The one after it may find in the
// cache what is not on the disk.
func TestSync_ThatFailedIsNotBelievedByTheNextProcess(t *testing.T) {
	rounds := tally.Pick(1, 2, 5)
	for round := range rounds {
		for p, place := range []int{0, 3} {
			place := places[place]
			for _, killed := range []bool{true, false} {
				if tally.Level() == tally.Quick && (p == 0) != killed {
					continue
				}
				t.Run(fmt.Sprintf("%s, killed %v, %d", place.name, killed, round), func(t *testing.T) {
					t.Parallel()
					v := New(t, Settings{Kind: Ext4, Bytes: 24 << 20})
					v.Allocate()
					config := load.Config{
						Dir: v.Store(), Ledger: filepath.Join(t.TempDir(), "ledger"), Seed: tally.Seed() + uint64(round),
						Writers: 3, SyncEvery: 3, Lossy: true,
					}
					oracle, child := load.NewOracle(config), load.Start(t, config)
					if !child.Until(func() bool { return child.Acks() > uint64(100+50*round) }) {
						t.Fatal(child.Wait())
					}
					v.must(child.Pause()) // nobody may write while blocks are broken
					place.fail(v)
					v.FillGround()
					v.must(syscall.Kill(child.PID(), syscall.SIGCONT))
					const often = 100 // a store that may go on by itself tells each time that it does not
					const enough = 3000
					met := child.Acks() + enough // the blocks of a segment that the store had no use for any more are not met
					if !child.Until(func() bool { return child.State() >= load.Failed || child.Failures() > often || child.Acks() > met }) {
						t.Fatal(child.Wait())
					}
					least := child.SyncedBy()
					if killed {
						child.Kill()
					} else if err := child.Stop(); err != nil {
						t.Fatal(err)
					}
					if err := child.Sound(); err != nil {
						t.Fatal(err)
					}
					v.FreeGround()
					if round%2 == 0 {
						v.DropCaches()
					}
					found, err := oracle.Check(least, child.IssuedBy())
					if err != nil {
						t.Fatal(err)
					}
					v.must(v.Cut()) // what the check has recovered is on the disk
					v.Remount()
					if _, err := oracle.Check(found, found); err != nil {
						t.Fatalf("recovered, and then lost: %v", err)
					}
					tally.Row{
						ID: "A8", Suite: "real syncs that fail", Load: "3 writers, one sync in 3 commits, on ext4", Faults: 1, Unit: "disks with failing blocks",
						Counts: []tally.Count{{Name: "stores that stopped writing for good", N: 1}, {Name: "acknowledged batches", N: int64(child.Acks())}},
						Seed:   config.Seed, Replay: "go test -run TestSync ./reliability/disk",
					}.Record(t)
				})
			}
		}
	}
}
