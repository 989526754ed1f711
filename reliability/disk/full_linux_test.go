package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs"
)

const (
	// answerWithin is the promise of a store on a full disk.
	answerWithin = time.Second

	// spare is what is freed when there is to be room again: enough for the compactions that were put off.
	spare = 40 << 20
)

// fullRun is a store on a disk that has no room any more.
type fullRun struct {
	*testing.T
	volume *Volume
	lanes  *lanes
	db     *tinykv.DB
	fs     *watchedFS
	grow   func()

	resumed, openedFull, refusedFull int64
}

func (r *fullRun) ballast() string { return filepath.Join(r.volume.Dir, "ballast") }

// free returns how much room there is.
func (v *Volume) free() int64 {
	v.t.Helper()
	space, err := vfs.OS().Space(v.Dir)
	v.must(err)
	return space.FreeBytes
}

// open opens the store, which must hold all that was acknowledged: no power was cut.
func (r *fullRun) open() error {
	r.Helper()
	r.fs = watched()
	options := smallOptions(r.fs, tinykv.DurabilityPeriodic)
	options.Compression = tinykv.CompressionNone // or the values would never fill a disk
	db, err := tinykv.Open(r.volume.Store(), options)
	if err != nil {
		return err
	}
	r.db = db
	_, acked := r.lanes.least()
	r.lanes.goesOn(r.lanes.check(r, db, acked))
	return nil
}

// isFull tells whether an error says that the disk is full.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// fill has the store write until the disk is full.
func (r *fullRun) fill() {
	r.Helper()
	const enough = 100_000 // commits, of some 8 KB each
	var err error
	for i := 0; err == nil && i < enough; i++ {
		err = r.lanes.write(r.db, i%writers, i%5 == 0)
	}
	if !isFull(err) {
		r.Fatalf("on a disk that should be full: %v", err)
	}
}

// stay has writers ask again and again for a while. They get an answer each time, and the store does not wear itself out. They
// write little at a time: a large batch makes its table at once, however often its caller tries.
func (r *fullRun) stay(hold time.Duration) {
	r.Helper()
	const pause = 5 * time.Millisecond
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	full, began, longest := r.fs.full.Load(), time.Now(), time.Duration(0)
	for time.Since(began) < hold {
		<-ticker.C
		start := time.Now()
		if err := r.db.Put([]byte("poke"), make([]byte, 500), tinykv.Sync); err != nil && !isFull(err) {
			r.Fatalf("on a full disk: %v", err)
		}
		longest = max(longest, time.Since(start))
	}
	if longest > answerWithin {
		r.Errorf("a write was answered after %v", longest)
	}
	// A log segment, a flush and compactions are each tried at most every 100 ms; a compaction has up to three parts.
	const kinds = 5
	tries := int64(time.Since(began)/(100*time.Millisecond)) + 2
	if met := r.fs.full.Load() - full; met > kinds*tries {
		r.Errorf("the store met the full disk %d times in %v", met, time.Since(began))
	}
}

// answered looks at how long writers waited to be told.
func (r *fullRun) answered() {
	r.Helper()
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	if r.lanes.longest > answerWithin {
		r.Errorf("a write was answered after %v", r.lanes.longest)
	}
}

// readOn wants readers to see what was acknowledged, and no more.
func (r *fullRun) readOn() {
	r.Helper()
	_, acked := r.lanes.least()
	if found := r.lanes.check(r, r.db, acked); found != acked {
		r.Errorf("readers see commits %v, acknowledged are %v", found, acked)
	}
}

// goOn has the open store take writes again once there is room.
func (r *fullRun) goOn() {
	r.Helper()
	const patience = 10 * time.Second
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; <-ticker.C {
		stop := make(chan struct{})
		r.lanes.after(200, func() { close(stop) })
		err := r.lanes.run(r.db, 5, stop)
		switch {
		case err == nil:
			return
		case errors.Is(err, tinykv.ErrFailed):
			r.resumed++
			if err := r.db.Resume(); err != nil {
				r.Fatalf("resume: %v", err)
			}
			_, acked := r.lanes.least()
			r.lanes.goesOn(acked)
		case !isFull(err) || time.Now().After(deadline):
			r.Fatalf("there is room again, but: %v", err)
		}
	}
}

// reopenFull closes the store and opens it again while the disk is full. It may be that there is no room for that; then it says so.
func (r *fullRun) reopenFull() {
	r.Helper()
	if err := r.db.Close(); err != nil && !isFull(err) {
		r.Errorf("close on a full disk: %v", err)
	}
	for range 2 {
		switch err := r.open(); {
		case err == nil:
			r.openedFull++
			if err := r.db.Close(); err != nil && !isFull(err) {
				r.Errorf("close on a full disk: %v", err)
			}
		case isFull(err):
			r.refusedFull++
		default:
			r.Fatalf("open on a full disk: %v", err)
		}
	}
}

// live is the whole story.
func (r *fullRun) live(hold time.Duration, reopen bool) {
	r.Helper()
	err := r.open()
	switch {
	case err != nil && !isFull(err):
		r.Fatal(err)
	case err != nil: // full from the beginning
		r.refusedFull++
		reopen = true
	default:
		r.fill()
		r.stay(hold)
		r.readOn()
		r.answered()
		if reopen {
			r.reopenFull()
		}
	}
	r.grow()
	if reopen {
		if err := r.open(); err != nil {
			r.Fatalf("there is room again, but: %v", err)
		}
	}
	r.goOn()
	if err := r.db.Close(); err != nil {
		r.Error(err)
	}
	checkFiles(r, r.volume.Store())
	if err := r.open(); err != nil {
		r.Fatal(err)
	}
	if err := r.db.Close(); err != nil {
		r.Error(err)
	}
}

func (r *fullRun) record(suite string) {
	tally.Row{
		ID: "A9", Suite: suite, Load: "3 writers, one sync in 5 commits", Faults: 1, Unit: "full disks",
		Counts: []tally.Count{
			{Name: "acknowledged batches", N: int64(r.lanes.acknowledged())},
			{Name: "openings while full that worked", N: r.openedFull},
			{Name: "that said why not", N: r.refusedFull},
			{Name: "stores that took a Resume", N: r.resumed},
		},
		Seed: tally.Seed(), Replay: "go test -run TestFull ./reliability/disk",
	}.Record(r)
}

func TestFull_DiskIsToldWithinASecondAndSurvivedWithoutARestart(t *testing.T) {
	hold := time.Duration(tally.Pick(100, 300, 1000)) * time.Millisecond
	const points = 30
	for _, size := range []int64{4 << 20, 8 << 20, 16 << 20} {
		for point := range points {
			if point%tally.Pick(15, 6, 1) != 0 || tally.Level() == tally.Quick && size != 4<<20 {
				continue
			}
			t.Run(fmt.Sprintf("%d MiB, %d of %d taken", size>>20, point, points), func(t *testing.T) {
				t.Parallel()
				kind := []Kind{Tmpfs, Ext4Small}[point%4/2]
				r := &fullRun{T: t, volume: New(t, Settings{Kind: kind, Bytes: size + spare}), lanes: newLanes(tally.Seed() + uint64(point))}
				r.lanes.keys, r.lanes.value = 10_000, 4000
				r.volume.must(fill(r.ballast(), r.volume.free()-size*int64(points-point)/points))
				r.grow = func() { r.volume.must(os.Remove(r.ballast())) }
				if kind == Tmpfs {
					r.grow = func() { r.volume.Resize(fmt.Sprintf("size=%d", size+2*spare)) }
				}
				r.live(hold, point%2 == 1)
				r.record("full disks, " + string(kind))
			})
		}
	}
}

// A disk may also be out of files.
func TestFull_OfFilesIsToldAndSurvivedToo(t *testing.T) {
	hold := time.Duration(tally.Pick(100, 300, 1000)) * time.Millisecond
	for files := 3; files < 15; files += tally.Pick(6, 4, 1) {
		t.Run(fmt.Sprintf("%d files", files), func(t *testing.T) {
			t.Parallel()
			r := &fullRun{T: t, lanes: newLanes(tally.Seed() + uint64(files))}
			r.volume = New(t, Settings{Kind: Tmpfs, Bytes: 64 << 20, Options: fmt.Sprintf("nr_inodes=%d", files)})
			r.grow = func() { r.volume.Resize("nr_inodes=10000") }
			r.live(hold, files%2 == 1)
			r.record("disks full of files, tmpfs")
		})
	}
}
