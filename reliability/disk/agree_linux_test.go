package disk

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// twins are a real disk and a simulated one that get the same calls, until the power of the real one is cut. What that leaves must be
// among what the simulator allows: otherwise the suites that lean on the simulator were tested on a disk kinder than real ones.
type twins struct {
	*testing.T
	enginetest.Random
	volume *Volume
	top    string
	real   vfs.FS
	sim    *simfs.FS
	open   []pair
	stored stored
	calls  []string // for messages
}

// stored is the last store into a log.
type stored struct {
	name       string
	off, bytes int64
}

// pair is an open file of both.
type pair struct {
	name      string
	real, sim vfs.File // or logs:

	realLog, simLog vfs.Log
}

// What scripts are about, below top.
var (
	agreeDirs  = []string{".", "d", "e"}
	agreeFiles = []string{"a", "b", "c", "d/a", "d/b", "e/a"}
)

func (w *twins) dir() string  { return filepath.Join(w.top, agreeDirs[w.IntN(len(agreeDirs))]) }
func (w *twins) file() string { return filepath.Join(w.top, agreeFiles[w.IntN(len(agreeFiles))]) }

// both makes a call on both disks, which must agree on whether it works.
func (w *twins) both(what string, call func(fsys vfs.FS) error) (worked bool) {
	w.Helper()
	w.calls = append(w.calls, what)
	rerr, serr := call(w.real), call(w.sim)
	if (rerr == nil) != (serr == nil) {
		w.Fatalf("%s: %v on the disk, %v in the simulator\n%s", what, rerr, serr, w.script())
	}
	return rerr == nil
}

func (w *twins) script() string {
	return strings.ReplaceAll(strings.Join(w.calls, "\n"), w.top+"/", "")
}

// step makes a random call.
func (w *twins) step() {
	switch at := w.IntN(100); {
	case at < 14:
		w.create()
	case at < 20:
		w.createLog()
	case at < 55:
		w.write()
	case at < 62:
		w.sync()
	case at < 65:
		dir := w.dir()
		w.both("sync "+dir, func(fsys vfs.FS) error { return fsys.SyncDir(dir) })
	case at < 76:
		if from, to := w.file(), w.file(); from != to {
			w.both("rename "+from+" to "+to, func(fsys vfs.FS) error { return fsys.Rename(from, to) })
		}
	case at < 82:
		name := w.file()
		w.both("remove "+name, func(fsys vfs.FS) error { return fsys.Remove(name) })
	case at < 84:
		dir := w.dir()
		if w.OneIn(2) && dir != w.top {
			w.both("remove "+dir, func(fsys vfs.FS) error { return fsys.Remove(dir) })
			return
		}
		w.both("make "+dir, func(fsys vfs.FS) error { return fsys.MkdirAll(dir) })
	default:
		w.writeBack()
	}
}

func (w *twins) create() {
	p := pair{name: w.file()}
	if w.both("create "+p.name, func(fsys vfs.FS) error {
		f, err := fsys.Create(p.name)
		if fsys == w.real {
			p.real = f
		} else {
			p.sim = f
		}
		return err
	}) {
		w.open = append(w.open, p)
	}
}

func (w *twins) createLog() {
	p := pair{name: w.file()}
	if w.both("create log "+p.name, func(fsys vfs.FS) error {
		l, err := fsys.CreateLog(p.name)
		if fsys == w.real {
			p.realLog = l
		} else {
			p.simLog = l
		}
		return err
	}) {
		w.open = append(w.open, p)
	}
}

// write appends to an open file, or lets a log grow or stores into it.
func (w *twins) write() {
	if len(w.open) == 0 {
		return
	}
	p := w.open[w.IntN(len(w.open))]
	data := bytes.Repeat([]byte{byte('!' + w.IntN(90))}, 1+w.IntN([]int{300, 3000, 30_000}[w.IntN(3)]))
	if p.real != nil {
		w.both(fmt.Sprintf("append %d bytes of %q to %s", len(data), data[:1], p.name), func(fsys vfs.FS) error {
			f := p.sim
			if fsys == w.real {
				f = p.real
			}
			_, err := f.Write(data)
			return err
		})
		return
	}
	log := func(fsys vfs.FS) vfs.Log {
		if fsys == w.real {
			return p.realLog
		}
		return p.simLog
	}
	size := p.simLog.Size()
	if size == 0 || w.OneIn(6) {
		size += 1 + w.Int64N(40_000)
		w.both(fmt.Sprintf("extend %s to %d", p.name, size), func(fsys vfs.FS) error { return log(fsys).Extend(size) })
		return
	}
	data = data[:min(int64(len(data)), size)]
	off, mapped := w.Int64N(size-int64(len(data))+1), w.OneIn(2)
	w.stored = stored{p.name, off, int64(len(data))}
	w.both(fmt.Sprintf("store %d bytes of %q at %d in %s, mapped %v", len(data), data[:1], off, p.name, mapped), func(fsys vfs.FS) error {
		if mapped {
			return log(fsys).WriteMapped(data, off)
		}
		_, err := log(fsys).WriteAt(data, off)
		return err
	})
}

func (w *twins) sync() {
	if len(w.open) == 0 {
		return
	}
	p := w.open[w.IntN(len(w.open))]
	w.both("sync "+p.name, func(fsys vfs.FS) error {
		switch {
		case p.real == nil && fsys == w.real:
			return p.realLog.Datasync()
		case p.real == nil:
			return p.simLog.Datasync()
		case fsys == w.real:
			return p.real.Sync()
		default:
			return p.sim.Sync()
		}
	})
}

// writeBack has the kernel do what it may do at any moment: bring some of what was written to the disk, without a word. The simulator is
// not told.
func (w *twins) writeBack() {
	const all = 1 << 20
	if w.OneIn(8) {
		w.calls = append(w.calls, "the kernel writes back everything")
		w.volume.syncAll()
		return
	}
	name, off, n := w.file(), int64(0), int64(all)
	switch {
	case w.OneIn(3):
	case w.stored.bytes > 0 && !w.OneIn(3): // some pages of a store, so that it is torn
		name, off, n = w.stored.name, (w.stored.off+w.Int64N(w.stored.bytes))&^4095, 4096
	default:
		off, n = w.Int64N(10)*4096, 4096
	}
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	w.calls = append(w.calls, fmt.Sprintf("the kernel writes back %d bytes at %d of %s", n, off, name))
	w.volume.must(unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER))
}

// cut takes the power away and gives it back.
func (w *twins) cut() {
	w.volume.must(w.volume.Cut())
	for _, p := range w.open {
		if p.real != nil {
			_ = p.real.Close() // what it says without power is for others to test
		} else {
			_ = p.realLog.Close()
		}
	}
	w.open = nil
	w.volume.Remount()
}

// contents returns what is below top: names of directories with a slash, and files with their bytes.
func (w *twins) contents(fsys vfs.FS) map[string]string {
	all := map[string]string{}
	var walk func(dir string)
	walk = func(dir string) {
		names, err := fsys.List(dir)
		w.volume.must(err)
		for _, name := range names {
			name = filepath.Join(dir, name)
			info, err := fsys.Stat(name)
			w.volume.must(err)
			if info.IsDir {
				all[name+"/"] = ""
				walk(name)
				continue
			}
			f, err := fsys.Open(name)
			w.volume.must(err)
			data := make([]byte, info.SizeBytes)
			if len(data) > 0 {
				_, err = f.ReadAt(data, 0)
			}
			w.volume.must(errors.Join(err, f.Close()))
			all[name] = string(data)
		}
	}
	walk(w.top)
	return all
}

// outcome is a kind of what a cut left.
type outcome string

const (
	noRisk     outcome = "with nothing at risk"
	allLeft    outcome = "that left all"
	noneLeft   outcome = "that left what was synced"
	firstLeft  outcome = "that left the first operations"
	mixedLeft  outcome = "that left some operations, and not the first ones"
	impossible outcome = "that left what cannot be"
)

// outcomeOf compares what a cut left with what the simulator makes of the moment. An image may be like several; the first in this
// order counts.
func (w *twins) outcomeOf() outcome {
	left := w.contents(w.real)
	like := func(policy simfs.Policy) bool {
		for _, image := range w.sim.Images(policy, 0, 0) {
			if maps.Equal(w.contents(image), left) {
				return true
			}
		}
		return false
	}
	switch {
	case len(w.sim.Unsynced()) == 0:
		return noRisk
	case like(simfs.DropAll):
		return noneLeft
	case like(simfs.KeepAll):
		return allLeft
	case like(simfs.Prefixes):
		return firstLeft
	default:
		return mixedLeft
	}
}

// run makes a script of calls, cuts the power and judges what is left. It returns how many operations were at risk.
func (w *twins) run() (outcome, int) {
	for _, dir := range []string{w.top, filepath.Join(w.top, "d")} {
		w.both("make "+dir, func(fsys vfs.FS) error { return fsys.MkdirAll(dir) })
	}
	for range 5 + w.IntN(70) {
		w.step()
	}
	if real, sim := w.contents(w.real), w.contents(w.sim); !maps.Equal(real, sim) {
		w.Errorf("before the cut, there are %v on the disk and %v in the simulator\n%s", names(real), names(sim), w.script())
	}
	w.cut()
	if err := w.sim.Allows(w.real, w.top); err != nil {
		w.Errorf("%s: a real cut left what the simulator takes for impossible: %v\n%s", w.top, err, w.script())
		return impossible, 0
	}
	return w.outcomeOf(), len(w.sim.Unsynced())
}

func names(contents map[string]string) []string { return slices.Sorted(maps.Keys(contents)) }

func TestSimulator_AllowsWhatPowerCutsOfRealDisksLeave(t *testing.T) {
	scripts := tally.Pick(8, 30, 300)
	for _, kind := range journaled {
		if tally.Level() == tally.Quick && kind != Ext4 {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			volume, seed := New(t, Settings{Kind: kind, Bytes: 32 << 20}), tally.Seed()
			kinds, risk := map[outcome]int64{}, 0
			for n := range scripts {
				w := &twins{
					T: t, Random: enginetest.NewRandom(seed<<32 + uint64(n)), volume: volume, real: vfs.OS(), sim: simfs.New(),
					top: filepath.Join(volume.Dir, fmt.Sprint("script", n)),
				}
				kind, unsynced := w.run()
				kinds[kind]++
				risk += unsynced
				volume.must(os.RemoveAll(w.top))
			}
			row := tally.Row{
				ID: "A19", Suite: "the simulator against " + string(kind), Load: "random scripts of file system calls, some pages written back behind their back",
				Faults: int64(scripts), Unit: "scripts cut at random moments", Violations: kinds[impossible],
				Counts: []tally.Count{{Name: "operations at risk", N: int64(risk)}},
				Seed:   seed, Replay: "go test -run TestSimulator ./reliability/disk",
			}
			for _, kind := range []outcome{noRisk, noneLeft, allLeft, firstLeft, mixedLeft} {
				row.Counts = append(row.Counts, tally.Count{Name: "cuts " + string(kind), N: kinds[kind]})
			}
			row.Record(t)
		})
	}
}
