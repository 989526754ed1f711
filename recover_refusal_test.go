package tinykv_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// leftByAKilledProcess returns a store of 50 keys of which half are in the log alone, as a process leaves them that is killed.
func leftByAKilledProcess(t *testing.T, options tinykv.Options) *simfs.FS {
	t.Helper()
	fsys := simfs.New()
	options.FS = fsys
	db := mustOpen(t, "/store", &options)
	for n := range 50 {
		must(t, db.Put(fmt.Appendf(nil, "%02d", n), make([]byte, 2000)))
		if n == 25 {
			must(t, db.Sync())
		}
	}
	return fsys.Image(simfs.KillProcess, 1)
}

// statedRoom returns how much room an error says that it wants, in bytes.
func statedRoom(t *testing.T, err error) float64 {
	t.Helper()
	m := regexp.MustCompile(`about ([0-9.]+) (B|KiB|MiB)`).FindStringSubmatch(err.Error())
	if m == nil {
		t.Fatalf("error %q does not say how much room there should be", err)
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return n * map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[m[2]]
}

// written counts the bytes that openings and what follows on them write to fsys.
func written(fsys *simfs.FS) *atomic.Int64 {
	sum := new(atomic.Int64)
	fsys.SetHook(func(op simfs.Op) {
		if op.Kind == simfs.OpExtend || op.Kind == simfs.OpWrite {
			sum.Add(int64(op.N))
		}
	})
	return sum
}

var needsRoom = simfs.Kinds(simfs.OpCreate, simfs.OpExtend, simfs.OpWrite)

// Whoever meets a full disk when it opens a store is told that nothing is lost, what to do, and how much room is enough.
func TestOpen_OnAFullDiskSaysHowMuchRoomItNeedsAndThatNothingIsLost(t *testing.T) {
	image := leftByAKilledProcess(t, tiny)
	later := image.Image(simfs.KillProcess, 1)
	options := tiny
	options.FS = image
	room := 0.0
	for nth := 1; ; nth++ {
		image.FailCall(simfs.Fault{Nth: nth, Always: true, Err: simfs.NoSpace, Match: needsRoom})
		db, err := tinykv.Open("/store", &options)
		if err == nil {
			_ = db.Close() // which may need room
			if nth < 5 {
				t.Errorf("%d calls of the opening needed room", nth-1)
			}
			break
		}
		wantError(t, err, simfs.NoSpace, "nothing is lost", "make room", "ReadOnly")
		room = statedRoom(t, err)
		image.Clear()

		readOnly := options
		readOnly.ReadOnly = true
		db = mustOpen(t, "/store", &readOnly)
		if items, err := enginetest.Collect(db.Scan(tinykv.All())); len(items) != 50 || err != nil {
			t.Fatalf("%d keys are read meanwhile, and %v", len(items), err)
		}
		must(t, db.Close())
	}

	options.FS = later
	sum := written(later)
	db := mustOpen(t, "/store", &options)
	if n := float64(sum.Load()); n > room || n < room/8 {
		t.Errorf("%.0f bytes were said to be needed, %.0f were", room, n)
	}
	must(t, db.Close())
}

func TestOpen_OfANewStoreOnAFullDiskSaysHowMuchRoomItNeeds(t *testing.T) {
	fsys := simfs.New()
	must(t, fsys.MkdirAll("/store"))
	fsys.FailCall(simfs.Fault{Nth: 3, Always: true, Err: simfs.NoSpace, Match: needsRoom})
	_, err := tinykv.Open("/store", &tinykv.Options{FS: fsys})
	wantError(t, err, simfs.NoSpace, "make room", "new store")
	room := statedRoom(t, err)
	fsys.Clear()
	sum := written(fsys)
	db := mustOpen(t, "/store", &tinykv.Options{FS: fsys})
	if n := float64(sum.Load()); n > room {
		t.Errorf("%.0f bytes were said to be needed, %.0f were", room, n)
	}
	must(t, db.Close())
}

func TestOpen_OnADiskThatFailsOtherwiseSaysNothingOfRoom(t *testing.T) {
	image := leftByAKilledProcess(t, tiny)
	image.FailCall(simfs.Fault{Always: true, Match: needsRoom})
	options := tiny
	options.FS = image
	_, err := tinykv.Open("/store", &options)
	wantError(t, err, simfs.IOError)
	if errors.Is(err, simfs.NoSpace) || regexp.MustCompile("room").MatchString(err.Error()) {
		t.Error(err)
	}
}
