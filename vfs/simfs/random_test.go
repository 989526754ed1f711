package simfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

// walker makes random calls and keeps the promises up to date with them.
type walker struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	fsys  *FS
	model *promises
	files map[int64]vfs.File // open for writing
	logs  map[int64]vfs.Log
}

func newWalker(t *testing.T, seed uint64) *walker {
	return &walker{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 99)), fsys: New(), model: newPromises(),
		files: map[int64]vfs.File{}, logs: map[int64]vfs.Log{},
	}
}

var (
	walkDirs  = []string{".", "d", "e"}
	walkPaths = []string{"a", "b", "c", "d/a", "d/b", "e/a"}
)

func (w *walker) path() string { return walkPaths[w.rng.IntN(len(walkPaths))] }

// id returns the inode that programs see under a path, or 0.
func (w *walker) id(path string) int64 {
	if node := w.fsys.live[path]; node != nil {
		return node.id
	}
	return 0
}

// step makes one call that can succeed, or none.
func (w *walker) step() {
	path := w.path()
	switch w.rng.IntN(20) {
	case 0, 1, 2:
		w.create(path)
	case 3, 4, 5, 6, 7, 8:
		w.write(path)
	case 9, 10, 11:
		w.sync(path)
	case 12, 13:
		w.syncDir(walkDirs[w.rng.IntN(3)])
	case 14, 15, 16:
		w.rename(path, w.path())
	case 17:
		w.remove(path)
	case 18:
		w.mkdir([]string{"d", "e"}[w.rng.IntN(2)])
	case 19:
		w.remove("e")
	}
}

func (w *walker) create(path string) {
	if w.rng.IntN(2) == 0 {
		if file, err := w.fsys.Create(path); err == nil {
			w.files[w.id(path)] = file
			w.model.create(path, w.id(path))
		}
		return
	}
	if log, err := w.fsys.CreateLog(path); err == nil {
		w.logs[w.id(path)] = log
		w.model.create(path, w.id(path))
	}
}

// write appends to a file, or extends and overwrites a log; now and then a part of it only.
func (w *walker) write(path string) {
	id := w.id(path)
	data := bytes.Repeat([]byte{byte('A' + w.rng.IntN(26))}, 1+w.rng.IntN(1300))
	done := w.maybeFail(Fault{Match: Kinds(OpWrite, OpExtend), ShortBytes: w.rng.Int64N(1000)})
	defer done()
	if file := w.files[id]; file != nil {
		n, _ := file.Write(data)
		w.model.write(id, int(w.fsys.live[path].cache.size)-n, data[:n])
	}
	if log := w.logs[id]; log != nil {
		before := int(w.fsys.live[path].cache.size)
		_ = log.Extend(log.Size() + int64(w.rng.IntN(2)*w.rng.IntN(1500)))
		if grown := int(w.fsys.live[path].cache.size) - before; grown > 0 {
			w.model.write(id, before, make([]byte, grown))
		}
		if room := log.Size() - int64(len(data)); room >= 0 {
			off := w.rng.Int64N(room + 1)
			n, _ := log.WriteAt(data, off)
			w.model.write(id, int(off), data[:n])
		}
	}
}

func (w *walker) sync(path string) {
	id := w.id(path)
	var sync func() error
	if file := w.files[id]; file != nil {
		sync = file.Sync
	} else if log := w.logs[id]; log != nil {
		sync = log.Datasync
	} else {
		return
	}
	defer w.maybeFail(Fault{Match: Kinds(OpSync), DropDirty: w.rng.IntN(2) == 0})()
	if sync() == nil {
		w.model.sync(id)
	} else {
		w.model.syncFailed(id)
	}
}

func (w *walker) syncDir(dir string) {
	if !w.fsys.live.isDir(dir) {
		return
	}
	defer w.maybeFail(Fault{Match: Kinds(OpSyncDir), DropDirty: w.rng.IntN(2) == 0})()
	if w.fsys.SyncDir(dir) == nil {
		w.model.syncDir(dir)
	} else {
		w.model.syncDirFailed(dir)
	}
}

func (w *walker) rename(from, to string) {
	if from != to && w.fsys.Rename(from, to) == nil {
		w.model.rename(from, to)
	}
}

func (w *walker) remove(path string) {
	if w.fsys.Remove(path) == nil {
		w.model.remove(path)
	}
}

func (w *walker) mkdir(dir string) {
	if w.id(dir) == 0 && w.fsys.MkdirAll(dir) == nil {
		w.model.mkdir(dir, w.id(dir))
	}
}

// maybeFail makes the next call that matches fail in one of four seeds, one time in eight.
func (w *walker) maybeFail(fault Fault) (done func()) {
	if w.seed%4 == 0 && w.rng.IntN(8) == 0 {
		w.fsys.FailCall(fault)
	}
	return w.fsys.Clear
}

// crash takes images at this moment, checks them, and now and then goes on with one of them.
func (w *walker) crash() {
	for _, policy := range Policies() {
		if policy == Garbled { // leaves bytes that nobody wrote
			continue
		}
		for label, image := range w.fsys.Images(policy, w.rng.Uint64(), 3) {
			if err := w.verdict(policy, image); err != nil {
				w.t.Fatalf("%v: %v\n%v",
					Crash{w.seed, w.fsys.trace[max(len(w.fsys.trace)-1, 0)], policy, label}, err, w.fsys.Trace())
			}
		}
	}
	if w.rng.IntN(10) > 0 {
		return
	}
	policy := Policies()[w.rng.IntN(int(LostNames))]
	w.fsys = w.fsys.Image(policy, w.rng.Uint64())
	clear(w.files)
	clear(w.logs)
	if policy != KillProcess {
		w.model = promisesAfter(w.fsys)
	}
}

func (w *walker) verdict(policy Policy, image *FS) error {
	if w.seed%3 == 0 && policy.CutsPower() {
		if err := w.fsys.Allows(image, "."); err != nil {
			return fmt.Errorf("Allows: %w", err)
		}
	}
	switch {
	case policy == KillProcess:
		if err := w.model.checkIs(image, false); err != nil {
			return err
		}
		return w.model.check(image.Image(RandomSubset, w.rng.Uint64()))
	case policy == KeepAll && w.model.exactBytes && w.model.exactNames:
		return w.model.checkIs(image, false)
	case policy == DropAll && w.model.exactBytes && w.model.exactNames:
		return w.model.checkIs(image, true)
	default:
		return w.model.check(image)
	}
}

// TestRandom_EveryImageKeepsThePromises walks many random scripts: some 200,000 images.
func TestRandom_EveryImageKeepsThePromises(t *testing.T) {
	walks := uint64(1500)
	if testing.Short() {
		walks = 500
	}
	for seed := range walks {
		w := newWalker(t, seed)
		w.mkdir("d")
		if seed%2 == 1 {
			w.mkdir("e")
		}
		for range 40 {
			w.step()
			if w.rng.IntN(6) == 0 && w.fsys.Ops() > 0 {
				w.crash()
			}
		}
	}
}

// TestRandom_SameSeedsGiveTheSameImages walks some scripts twice.
func TestRandom_SameSeedsGiveTheSameImages(t *testing.T) {
	record := func(seed uint64) (lines []string) {
		w := newWalker(t, seed)
		for range 40 {
			w.step()
		}
		for _, policy := range Policies() {
			for label, image := range w.fsys.Images(policy, seed, 10) {
				lines = append(lines, label.String())
				for _, path := range walkPaths {
					if node := image.live[path]; node != nil {
						lines = append(lines, fmt.Sprintf("%s %q", path, node.cache.bytes()))
					}
				}
			}
		}
		return append(lines, w.fsys.Trace().String())
	}
	for seed := range uint64(50) {
		if first, second := record(seed), record(seed); !slices.Equal(first, second) {
			t.Fatalf("seed %d: two runs differ:\n%q\n%q", seed, first, second)
		}
	}
}
