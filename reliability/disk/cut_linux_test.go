package disk

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// cutRun is one store on one disk whose power is cut again and again.
type cutRun struct {
	*testing.T
	enginetest.Random
	volume    *Volume
	lanes     *lanes
	options   tinykv.Options
	everySync uint64

	least marks // what the last cut must have left

	// Of all cuts.
	cuts, inOpen, inClose int
	unsynced              uint64
	kinds                 map[call]int
}

// moment is when the power is cut.
type moment int

const (
	atCommit moment = iota // once so many commits are acknowledged
	atCall                 // at a call that the store makes while it serves
	inOpen                 // at a call that it makes while it opens, after the last cut
	inClose                // at a call that it makes while it closes
)

// openingCalls is about how many calls an opening makes that recovers.
const openingCalls = 25

// cut is one cut of the power.
type cut struct {
	run   *cutRun
	once  sync.Once
	halt  sync.Once
	stop  chan struct{} // closed once writers are to stop
	begun chan struct{} // closed once calls may fail
	done  chan struct{} // closed once all of them do

	// Set before done is closed.
	what         call // at which it is made, if at any
	least, acked marks
}

func (r *cutRun) newCut() *cut {
	return &cut{run: r, stop: make(chan struct{}), begun: make(chan struct{}), done: make(chan struct{})}
}

// now cuts the power. What was acknowledged is taken down before, as a sync that is under way may return success and be lost.
func (c *cut) now(what call) {
	c.once.Do(func() {
		c.what = what
		c.least, c.acked = c.run.lanes.least()
		close(c.begun)
		if err := c.run.volume.Cut(); err != nil {
			c.run.Errorf("cut: %v", err)
		}
		close(c.done)
	})
	c.enough()
}

// enough has the writers stop.
func (c *cut) enough() { c.halt.Do(func() { close(c.stop) }) }

// made tells whether the power is gone.
func (c *cut) made() bool {
	select {
	case <-c.begun:
		<-c.done
		return true
	default:
		return false
	}
}

// round opens the store, has it serve and close, cuts the power at some moment of that, and mounts the disk anew.
func (r *cutRun) round() {
	m := [...]moment{atCommit, atCommit, atCommit, atCall, atCall, atCall, inOpen, inOpen, inClose, inClose}[r.IntN(10)]
	var what call // any
	if r.OneIn(2) {
		what = calls[r.IntN(len(calls))]
	}
	c, fsys := r.newCut(), watched()
	if m == inOpen {
		fsys.at("", 1+r.IntN(openingCalls), r.OneIn(2), c.now)
	}
	o := r.options
	o.FS = fsys
	db, err := tinykv.Open(r.volume.Store(), &o)
	fsys.never()
	switch {
	case c.made():
		r.inOpen++
	case err != nil:
		r.Fatalf("seed %d: open after cut %d: %v", r.lanes.seed, r.cuts, err)
	default:
		r.serve(db, c, func() { fsys.at(what, 1+r.IntN(30), r.OneIn(2), c.now) }, m)
	}
	if m == inClose && !c.made() {
		fsys.at(what, 1+r.IntN(12), r.OneIn(2), c.now)
	}
	if db != nil {
		r.close(db, c)
	}
	r.finish(c)
}

// serve looks at what the last cut left, and has the store serve until the power goes or the store is to close.
func (r *cutRun) serve(db *tinykv.DB, c *cut, arm func(), m moment) {
	found := r.lanes.check(r, db, r.least)
	r.lanes.goesOn(found)
	r.lanes.settled(found)
	r.least = found
	commits := 50 + r.IntN(200)
	switch m {
	case atCommit, inOpen:
		r.lanes.after(commits, func() { c.now("") })
	case atCall:
		r.lanes.after(2*commits, func() { c.now("") })
		arm()
	case inClose:
		r.lanes.after(commits, c.enough)
	}
	err := r.lanes.run(db, r.everySync, c.stop)
	switch {
	case !c.made() && err != nil:
		r.Fatalf("seed %d, before cut %d: %v", r.lanes.seed, r.cuts, err)
	case c.made():
		if err := db.Put([]byte("after"), nil, tinykv.Sync); err == nil {
			r.Errorf("seed %d, cut %d: a synced write was acknowledged without power", r.lanes.seed, r.cuts)
		}
	}
}

// close closes the store, which cannot succeed on a disk that has no power.
func (r *cutRun) close(db *tinykv.DB, c *cut) {
	before := c.made()
	err := db.Close()
	switch {
	case before && err == nil:
		r.Errorf("seed %d, cut %d: Close says that all is on a disk that had no power", r.lanes.seed, r.cuts)
	case before:
	case c.made():
		r.inClose++
		if err == nil { // all is there but what is removed at the end
			c.least = c.acked
		}
	case err != nil:
		r.Errorf("seed %d, before cut %d: close: %v", r.lanes.seed, r.cuts, err)
	default:
		r.lanes.synced(r.lanes.sees())
	}
}

// finish cuts the power if that has not come yet, and mounts the disk anew.
func (r *cutRun) finish(c *cut) {
	c.now("")
	r.cuts++
	if c.what != "" {
		r.kinds[c.what]++
	}
	for w := range writers {
		r.unsynced += c.acked[w] - c.least[w]
	}
	r.least = c.least
	r.volume.Remount()
	checkFiles(r, r.volume.Store())
}

func TestPower_CutAtAnyMomentLeavesWhatWasSynced(t *testing.T) {
	cuts := tally.Pick(4, 25, 100)
	for _, disk := range []Settings{
		{Kind: Ext4, Bytes: 32 << 20},
		{Kind: Ext4Small, Bytes: 32 << 20},
		{Kind: XFS, Bytes: 32 << 20},
	} {
		for _, mode := range []struct {
			name       string
			everySync  uint64
			durability tinykv.Durability
		}{
			{"every commit synced", 1, tinykv.DurabilitySync},
			{"every seventh commit synced", 7, tinykv.DurabilityPeriodic},
		} {
			if tally.Level() == tally.Quick && (disk.Kind == Ext4Small || (disk.Kind == XFS) == (mode.everySync == 1)) {
				continue
			}
			t.Run(fmt.Sprintf("%s, %s", disk.Kind, mode.name), func(t *testing.T) {
				t.Parallel()
				seed := tally.Seed()
				r := &cutRun{
					T: t, Random: enginetest.NewRandom(seed), volume: New(t, disk), lanes: newLanes(seed),
					options: *smallOptions(nil, mode.durability), everySync: mode.everySync, kinds: map[call]int{},
				}
				for range cuts {
					r.round()
				}
				tally.Row{
					ID: "A7", Suite: "real power cuts on " + string(disk.Kind), Load: "3 writers; of each half of the cuts every commit was synced, every seventh", Faults: int64(r.cuts), Unit: "cuts",
					Counts: []tally.Count{
						{Name: "acknowledged batches", N: int64(r.lanes.acknowledged())},
						{Name: "cuts during recovery", N: int64(r.inOpen)},
						{Name: "cuts during Close", N: int64(r.inClose)},
						{Name: "batches at risk, as not synced yet", N: int64(r.unsynced)},
					},
					Seed: seed, Replay: "go test -run TestPower ./reliability/disk",
				}.Record(t)
				t.Logf("cuts at calls: %v", r.kinds)
			})
		}
	}
}

// The writers are another process here, which the cut takes with it, and the next one of its kind recovers.
func TestPower_CutWithAProcessLeavesWhatItWasToldIsSynced(t *testing.T) {
	cuts := tally.Pick(2, 15, 50)
	for _, kind := range []Kind{Ext4, XFS} {
		for _, syncEvery := range []int{1, 7} {
			if tally.Level() == tally.Quick && (kind == XFS) == (syncEvery == 1) {
				continue
			}
			t.Run(fmt.Sprintf("%s, one sync in %d", kind, syncEvery), func(t *testing.T) {
				t.Parallel()
				volume, rng := New(t, Settings{Kind: kind, Bytes: 64 << 20}), enginetest.NewRandom(tally.Seed())
				config := load.Config{
					Dir: volume.Store(), Ledger: filepath.Join(t.TempDir(), "ledger"), Seed: tally.Seed(),
					Writers: 4, SyncEvery: syncEvery, ReopenEvery: 100, Lossy: true,
				}
				oracle, acks := load.NewOracle(config), uint64(0)
				for n := range cuts {
					child := load.Start(t, config)
					before, more := child.Acks(), uint64(rng.IntN(600))
					if !child.Until(func() bool { return child.Acks() >= before+more }) {
						t.Fatalf("cut %d: the child ended: %v", n, child.Wait())
					}
					least := child.SyncedBy()
					volume.must(volume.Cut())
					child.Kill()
					acks += child.Acks() - before
					volume.Remount()
					if late := child.AckedLate(); late > 0 || strings.Contains(child.Output(), "goroutine ") {
						t.Fatalf("cut %d: %d writes were acknowledged after the store had failed\n%s", n, late, child.Output())
					}
					found, err := oracle.Check(least, child.IssuedBy())
					if err != nil {
						t.Fatalf("cut %d: %v", n, err)
					}
					child.Found(found)
				}
				tally.Row{
					ID: "A7", Suite: "real power cuts on " + string(kind) + ", with the process", Load: "a process with 4 writers; of each half of the cuts every commit was synced, every seventh",
					Faults: int64(cuts), Unit: "cuts", Counts: []tally.Count{{Name: "acknowledged batches", N: int64(acks)}},
					Seed: tally.Seed(), Replay: "go test -run TestPower ./reliability/disk",
				}.Record(t)
			})
		}
	}
}
