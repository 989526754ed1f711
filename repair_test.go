package tinykv_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

const copyDir = "/copy"

// wreck is the files of a store that is not open, what it held after each commit, and when.
type wreck struct {
	keptStore
	seqs []uint64 // seqs[n]: the last sequence number after n commits
}

// wreckStore runs a life of a store that leaves tables in several levels, large batches, range tombstones,
// overwritten and deleted keys and, unless it is closed, a log.
func wreckStore(t *testing.T, c tinykv.Compression, end func(r *crashRun)) *wreck {
	t.Helper()
	r := newCrashRun(t, 1)
	r.options.Compression = c
	r.options = *r.options.With(tinykv.Internal{Inline: func() bool { return false }, Random: crashRandom(0)})
	w := &wreck{seqs: []uint64{0}}
	r.open()
	note := func() {
		for len(w.seqs) < len(r.states) {
			w.seqs = append(w.seqs, r.db.Metrics().LastSeq)
		}
	}
	puts := func(n, valueBytes int, opts ...tinykv.WriteOption) {
		for range n {
			r.puts(1, valueBytes, opts...)
			note()
		}
	}
	for range 3 {
		r.large()
		note()
		puts(10, 100)
		r.flush()
	}
	r.compact()
	puts(15, 60)
	r.deleteRange([]byte("012"), []byte("017"))
	note()
	r.flush()
	r.must(r.db.Compact(t.Context(), tinykv.Between([]byte("000"), []byte("020"))))
	puts(10, 60)
	r.flush()
	r.deleteRange([]byte("040"), []byte("047"))
	note()
	r.large()
	note()
	puts(8, 60)
	r.flush()
	puts(3, 60)
	puts(2, 60, tinykv.Sync)
	puts(3, 60)
	r.deleteRange([]byte("030"), []byte("033"))
	note()
	puts(2, 60)
	end(r)
	w.fs, w.states = r.fs, r.states
	return w
}

// state returns the number of the commit that ended at a sequence number.
func (w *wreck) state(t *testing.T, seq uint64) int {
	t.Helper()
	n := slices.Index(w.seqs, seq)
	if n < 0 {
		t.Fatalf("the store never was at sequence number %d", seq)
	}
	for n+1 < len(w.seqs) && w.seqs[n+1] == seq {
		n++
	}
	return n
}

func repaired(t *testing.T, fsys vfs.FS, opts tinykv.RepairOptions) *tinykv.RepairReport {
	t.Helper()
	opts.FS = fsys
	report, err := tinykv.Repair(context.Background(), crashDir, copyDir, &opts)
	must(t, err)
	return report
}

// copied returns what the copy holds.
func copied(t *testing.T, fsys vfs.FS) []enginetest.Entry {
	t.Helper()
	db, err := tinykv.Open(copyDir, &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, CacheSize: -1, ReadOnly: true})
	must(t, err)
	defer db.Close()
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	must(t, err)
	return got
}

// check repairs a damaged store and holds the copy against what the store held. It returns the report.
func (w *wreck) check(t *testing.T, image *simfs.FS, what string) *tinykv.RepairReport {
	t.Helper()
	report := repaired(t, image, tinykv.RepairOptions{})
	got := copied(t, image)
	n := w.last()
	if !report.StateUnknown {
		n = w.state(t, report.LastSeq)
	}
	want := w.states[n]
	for _, e := range got {
		if v, ok := want.Get(e.Key); !ok || v != e.Value {
			t.Fatalf("%s: the copy has %q = %.20q, want %.20q, %v\n%s", what, e.Key, e.Value, v, ok, report)
		}
	}
	switch {
	case report.StateUnknown && len(got) > 0:
		t.Fatalf("%s: %d entries of an unknown state\n%s", what, len(got), report)
	case report.Complete && len(got) != len(want.Entries(tinykv.All())):
		t.Fatalf("%s: %d of %d entries and no word of that\n%s", what, len(got), len(want.Entries(tinykv.All())), report)
	case report.Complete != (report.Err() == nil) || !report.Complete && report.DamageCount == 0:
		t.Fatalf("%s: %v\n%s", what, report.Err(), report)
	case !report.StateUnknown:
		w.checkMissing(t, want, got, report, what)
	}
	return report
}

// checkMissing sees that what is not there lies in a range that the report names.
func (w *wreck) checkMissing(t *testing.T, want *enginetest.Model, got []enginetest.Entry, report *tinykv.RepairReport, what string) {
	t.Helper()
	have := map[string]bool{}
	for _, e := range got {
		have[e.Key] = true
	}
	for _, e := range want.Entries(tinykv.All()) {
		if !have[e.Key] && !slices.ContainsFunc(report.Damages, func(d *tinykv.RepairDamage) bool {
			return d.Hides && string(d.Lower) <= e.Key && (d.Upper == nil || e.Key < string(d.Upper))
		}) {
			t.Fatalf("%s: %q is missing, which no damage hides\n%s", what, e.Key, report)
		}
	}
}

// checkDoubtful repairs with what is in doubt: every value was once that of its key.
func (w *wreck) checkDoubtful(t *testing.T, image *simfs.FS, what string) int {
	t.Helper()
	report := repaired(t, image, tinykv.RepairOptions{KeepDoubtful: true})
	got := copied(t, image)
	for _, e := range got {
		if !slices.ContainsFunc(w.states, func(m *enginetest.Model) bool {
			v, ok := m.Get(e.Key)
			return ok && v == e.Value
		}) {
			t.Fatalf("%s: the copy has %q = %.20q, which never was\n%s", what, e.Key, e.Value, report)
		}
	}
	return len(got)
}

// image returns the files with one of them replaced; nil data is none.
func (w *wreck) image(t *testing.T, name string, data []byte) *simfs.FS {
	t.Helper()
	image := w.fs.Image(simfs.KillProcess, 1)
	if name = filepath.Join(crashDir, name); data != nil {
		writeFile(t, image, name, data)
	} else if err := image.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return image
}

var wrecks = []struct {
	name        string
	compression tinykv.Compression
	end         func(r *crashRun)
	mayLose     bool // its log has an end that nothing vouches for
}{
	{"closed in order", tinykv.CompressionDefault, closeInOrder, false},
	{"process killed", tinykv.CompressionZstd, killed, true},
	{"power cut", tinykv.CompressionNone, powerCut, true},
}

func TestRepair_OfAHealthyStoreCopiesAllOfIt(t *testing.T) {
	for _, kept := range wrecks {
		t.Run(kept.name, func(t *testing.T) {
			w := wreckStore(t, kept.compression, kept.end)
			for _, doubtful := range []bool{false, true} {
				image := w.fs.Image(simfs.KillProcess, 1)
				before := w.files(t)
				report := repaired(t, image, tinykv.RepairOptions{KeepDoubtful: doubtful})
				must(t, report.Err())
				if got := copied(t, image); !slices.Equal(got, w.states[w.last()].Entries(tinykv.All())) {
					t.Errorf("%d entries, want %d\n%s", len(got), len(w.states[w.last()].Entries(tinykv.All())), report)
				}
				if !report.Complete || report.DamageCount != 0 || report.LastSeq != w.seqs[w.last()] || report.Tables < 3 {
					t.Errorf("%s", report)
				}
				must(t, verified(t, copyDir, image).Err())
				for name, data := range (&keptStore{fs: image}).files(t) {
					if !bytes.Equal(data, before[name]) {
						t.Errorf("%s was changed", name)
					}
				}
			}
			t.Log(w.version(t))
		})
	}
}

// version tells which levels hold tables.
func (w *wreck) version(t *testing.T) string {
	t.Helper()
	options := optionsOn(w.fs.Image(simfs.KillProcess, 1), 1)
	options.ReadOnly = true
	db := mustOpen(t, crashDir, options)
	defer db.Close()
	text := ""
	for i, l := range db.Metrics().Levels {
		text += fmt.Sprintf("L%d:%d ", i, l.Tables)
	}
	return text
}

// damagings are ways to damage a file at an offset. One flipped bit, several bytes, and what a lost sector looks like.
var damagings = []struct {
	name string
	do   func(data []byte, off int) []byte
}{
	{"bit", func(data []byte, off int) []byte { data[off] ^= 1 << (off % 8); return data }},
	{"bytes", func(data []byte, off int) []byte {
		for i := off; i < min(off+5, len(data)); i++ {
			data[i] ^= 0xa5
		}
		return data
	}},
	{"zeros", func(data []byte, off int) []byte { clear(data[off:min(off+512, len(data))]); return data }},
	{"cut", func(data []byte, off int) []byte { return data[:off] }},
}

// Whatever is damaged, the copy opens and holds nothing but what the store held in the end, or at the damage of the log;
// and what it does not hold, the report names.
func TestRepair_OfADamagedStoreCopiesNothingButWhatWasThere(t *testing.T) {
	every := tally.Pick(5003, 601, 101)
	var repairs, complete, part, unvouched atomic.Int64
	t.Cleanup(func() {
		tally.Row{
			ID: "A10", Suite: "Repair of damaged stores", Load: "3 stores with a log, level 0 and level 6, closed, killed and cut off; each file damaged in 4 ways",
			Unit: "damages", Faults: repairs.Load(), Counts: []tally.Count{
				{Name: "complete copies", N: complete.Load()}, {Name: "copies with a list of what is missing", N: part.Load()},
			},
			Exceptions: []tally.Count{{Name: "ends of logs that nothing vouches for", N: unvouched.Load()}},
			Replay:     "go test -run TestRepair_OfADamagedStore .",
		}.Record(t)
	})
	for _, kept := range wrecks {
		t.Run(kept.name, func(t *testing.T) {
			t.Parallel()
			w := wreckStore(t, kept.compression, kept.end)
			n := 0
			files := w.files(t)
			for _, name := range slices.Sorted(maps.Keys(files)) {
				data := files[name]
				for _, off := range interesting(data) {
					for _, d := range damagings {
						if n++; n%every != 0 && off > 2 {
							continue
						}
						what := fmt.Sprintf("%s, %s at %d", name, d.name, off)
						broken := d.do(bytes.Clone(data), off)
						image := w.image(t, name, broken)
						report := w.check(t, image, what)
						repairs.Add(1)
						switch {
						case report.Complete && report.LastSeq < w.seqs[w.last()]:
							unvouched.Add(1)
							n, err := w.read(t, w.image(t, name, broken))
							if lost := w.last() - w.state(t, report.LastSeq); !kept.mayLose || err != nil || n != w.last()-lost {
								t.Fatalf("%s: %d commits are lost without a word, although Open finds %d, %v\n%s", what, lost, n, err, report)
							}
						case report.Complete:
							complete.Add(1)
						default:
							w.checkDoubtful(t, w.image(t, name, broken), what)
							part.Add(1)
						}
					}
				}
			}
		})
	}
}

// A single flipped bit, wherever it is, costs nothing: its checksum tells which one it was.
func TestRepair_PutsAnyFlippedBitRight(t *testing.T) {
	every := tally.Pick(2003, 251, 29)
	var flips, mended atomic.Int64
	t.Cleanup(func() {
		tally.Row{
			ID: "A10", Suite: "Repair of a flipped bit", Load: "3 stores with a log, level 0 and level 6, closed, killed and cut off; a bit of a file flipped",
			Unit: "flips", Faults: flips.Load(), Counts: []tally.Count{{Name: "bits put right", N: mended.Load()}},
			Replay: "go test -run TestRepair_PutsAnyFlippedBitRight .",
		}.Record(t)
	})
	for _, kept := range wrecks {
		t.Run(kept.name, func(t *testing.T) {
			t.Parallel()
			w := wreckStore(t, kept.compression, kept.end)
			want := w.states[w.last()].Entries(tinykv.All())
			files, n := w.files(t), 0
			for _, name := range slices.Sorted(maps.Keys(files)) {
				for _, off := range interesting(files[name]) {
					small := name == "CURRENT" || off < 128 && filepath.Ext(name) != ".sst" || off >= len(files[name])-160
					if n++; n%every != 0 && !(small && n%(1+every/50) == 0) {
						continue
					}
					flipped := bytes.Clone(files[name])
					flipped[off] ^= 1 << (off % 8)
					image := w.image(t, name, flipped)
					report := repaired(t, image, tinykv.RepairOptions{})
					if got := copied(t, image); !report.Complete || report.DamageCount != report.Mended || !slices.Equal(got, want) {
						t.Fatalf("%s, byte %d: %d of %d entries\n%s", name, off, len(got), len(want), report)
					}
					flips.Add(1)
					mended.Add(int64(report.Mended))
				}
			}
		})
	}
}

func TestRepair_OfAStoreWithoutOneOfItsFiles(t *testing.T) {
	for _, kept := range wrecks {
		t.Run(kept.name, func(t *testing.T) {
			t.Parallel()
			w := wreckStore(t, kept.compression, kept.end)
			all := len(w.states[w.last()].Entries(tinykv.All()))
			for name := range w.files(t) {
				image := w.image(t, name, nil)
				report := w.check(t, image, "without "+name)
				got := w.checkDoubtful(t, w.image(t, name, nil), "without "+name)
				t.Logf("without %s: complete %v, %d of %d keys, with doubtful ones %d", name, report.Complete, report.Entries, all, got)
				switch kind := filepath.Ext(name); {
				case name == "CURRENT" && (!report.Complete || report.StateUnknown):
					t.Errorf("without CURRENT:\n%s", report)
				case strings.HasPrefix(name, "MANIFEST") && !report.StateUnknown:
					t.Errorf("without a manifest:\n%s", report)
				case kind == ".sst" && report.Complete:
					t.Errorf("without %s:\n%s", name, report)
				}
			}
		})
	}
}

// bigStore makes a closed store of many tables and levels, in a directory, and returns what is in it.
func bigStore(t *testing.T, dir string, seed uint64) map[string]string {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	o := tiny
	o.BlockSize = 1 << 10
	db := mustOpen(t, dir, &o)
	model := map[string]string{}
	for n := range 30_000 {
		k := fmt.Sprintf("%05d", rng.IntN(10_000))
		switch {
		case rng.IntN(5) == 0:
			must(t, db.Delete([]byte(k)))
			delete(model, k)
		case n%3000 == 2999:
			lower := rng.IntN(9900)
			must(t, db.DeleteRange(fmt.Appendf(nil, "%05d", lower), fmt.Appendf(nil, "%05d", lower+100)))
			maps.DeleteFunc(model, func(k, _ string) bool {
				return k >= fmt.Sprintf("%05d", lower) && k < fmt.Sprintf("%05d", lower+100)
			})
		default:
			v := fmt.Sprintf("%0*d", 20+rng.IntN(80), n)
			must(t, db.Put([]byte(k), []byte(v)))
			model[k] = v
		}
		if n == 20_000 {
			must(t, db.Compact(t.Context(), tinykv.Between([]byte("03000"), []byte("06000"))))
		}
	}
	must(t, db.Close())
	return model
}

// Damage in several blocks of several tables and levels: the keys beside them are all there, and no older version
// of one that was in them.
func TestRepair_KeepsAllThatLiesBesideDamagedBlocks(t *testing.T) {
	stores := tally.Pick(1, 4, 20)
	var blocks, kept int64
	for seed := range uint64(stores) {
		seed += tally.Seed()
		src := filepath.Join(t.TempDir(), "src")
		model := bigStore(t, src, seed)
		rng := rand.New(rand.NewPCG(seed, 2))
		for round := range 8 {
			for range 1 + round/2 {
				tables, err := filepath.Glob(filepath.Join(src, "*.sst"))
				must(t, err)
				spoil(t, tables[rng.IntN(len(tables))], rng)
				blocks++
			}
			dst := filepath.Join(t.TempDir(), "dst")
			report, err := tinykv.Repair(t.Context(), src, dst, nil)
			must(t, err)
			kept += int64(len(checkBeside(t, dst, model, report)))
			must(t, verified(t, dst, nil).Err())
		}
	}
	tally.Row{
		ID: "A10", Suite: "Repair beside damaged blocks", Load: "stores of 3 levels and some 70 tables, overwritten, with range deletions",
		Faults: blocks, Unit: "spoilt places", Counts: []tally.Count{{Name: "keys copied and compared", N: kept}}, Seed: tally.Seed(),
		Replay: "go test -run TestRepair_KeepsAllThatLies .",
	}.Record(t)
}

// spoil overwrites a few bytes somewhere in a file.
func spoil(t *testing.T, path string, rng *rand.Rand) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	off := rng.IntN(len(data) - 8)
	binary.LittleEndian.PutUint64(data[off:], rng.Uint64())
	must(t, os.WriteFile(path, data, 0o600))
}

// checkBeside compares a copy with what was in the store, and returns it.
func checkBeside(t *testing.T, dst string, model map[string]string, report *tinykv.RepairReport) map[string]string {
	t.Helper()
	db := mustOpen(t, dst, readOnlyOn(nil))
	defer db.Close()
	got := map[string]string{}
	for item, err := range db.Scan(tinykv.All()) {
		must(t, err)
		if got[string(item.Key)] = string(item.Value); model[string(item.Key)] != string(item.Value) {
			t.Fatalf("%q = %q, want %q\n%s", item.Key, item.Value, model[string(item.Key)], report)
		}
	}
	for k := range model {
		if _, ok := got[k]; !ok && !slices.ContainsFunc(report.Damages, func(d *tinykv.RepairDamage) bool {
			return d.Hides && string(d.Lower) <= k && (d.Upper == nil || k < string(d.Upper))
		}) {
			t.Fatalf("%q is missing, which no damage hides\n%s", k, report)
		}
	}
	if len(got) < len(model) != !report.Complete && report.Complete {
		t.Fatalf("%d of %d keys\n%s", len(got), len(model), report)
	}
	return got
}

func TestRepair_SaysWhyItCannot(t *testing.T) {
	dir, empty := filepath.Join(t.TempDir(), "store"), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	fails := func(src, dst string, ctx context.Context, opts *tinykv.RepairOptions, want error) {
		t.Helper()
		_, err := tinykv.Repair(ctx, src, dst, opts)
		wantError(t, err, want)
		if names := namesIn(t, empty); len(names) > 0 {
			t.Errorf("left behind: %q", names)
		}
	}
	db := fruitStore(t, dir, &tiny)
	fails(dir, empty, ctx, nil, tinykv.ErrLocked)
	must(t, db.Close())
	before := footprint(t, dir)
	fails(empty, filepath.Join(empty, "dst"), ctx, nil, tinykv.ErrInvalidOption) // within
	fails(dir, dir, ctx, nil, tinykv.ErrInvalidOption)
	fails(dir, filepath.Join(dir, "dst"), ctx, nil, tinykv.ErrInvalidOption)
	fails(dir, "", ctx, nil, tinykv.ErrInvalidOption)
	fails(dir, empty, nil, nil, tinykv.ErrInvalidOption) //nolint:staticcheck // that it is refused is the point
	fails(dir, empty, ctx, &tinykv.RepairOptions{MaxDamages: -1}, tinykv.ErrInvalidOption)
	fails("", empty, ctx, nil, tinykv.ErrInvalidOption)
	fails(filepath.Join(dir, "none"), empty, ctx, nil, tinykv.ErrMissing)
	fails(t.TempDir(), empty, ctx, nil, tinykv.ErrMissing)
	full := t.TempDir()
	must(t, os.WriteFile(filepath.Join(full, "notes.txt"), nil, 0o600))
	fails(dir, full, ctx, nil, tinykv.ErrExists)
	fails(dir, filepath.Join(full, "notes.txt"), ctx, nil, tinykv.ErrExists)
	for _, phase := range []string{"manifest", "log", "tables"} {
		ctx, cancel := context.WithCancel(t.Context())
		fails(dir, empty, ctx, &tinykv.RepairOptions{Progress: func(p tinykv.RepairProgress) {
			if p.Phase == phase {
				cancel()
			}
		}}, context.Canceled)
	}
	cancel()
	fails(dir, empty, ctx, nil, context.Canceled)
	if after := footprint(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// Others may read the store meanwhile, and a medium that was written before there was a LOCK is repaired as well.
func TestRepair_SharesTheStoreWithReaders(t *testing.T) {
	dir := t.TempDir()
	must(t, fruitStore(t, dir, &tiny).Close())
	reader := mustOpen(t, dir, readOnlyOn(nil))
	report, err := tinykv.Repair(t.Context(), dir, filepath.Join(t.TempDir(), "a"), nil)
	must(t, errors.Join(err, report.Err(), reader.Close(), os.Remove(filepath.Join(dir, "LOCK"))))
	report, err = tinykv.Repair(t.Context(), dir, filepath.Join(t.TempDir(), "a"), nil)
	must(t, errors.Join(err, report.Err()))
}

// The process may die, or the power fail, at any moment of a repair: what is left opens to the whole copy, or not at all.
func TestRepair_ThatWasInterruptedLeavesNothingThatPassesForACopy(t *testing.T) {
	w := wreckStore(t, tinykv.CompressionDefault, closeInOrder)
	image := w.fs.Image(simfs.KillProcess, 1)
	want := w.states[w.last()].Entries(tinykv.All())
	whole, refused := 0, 0
	var one sync.Mutex
	image.SetHook(func(op simfs.Op) {
		one.Lock() // the copy works in the background too
		defer one.Unlock()
		for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.DropAll, simfs.KeepAll} {
			crashed := image.Image(policy, 1)
			if names, _ := crashed.List(copyDir); len(names) == 0 {
				continue
			}
			db, err := tinykv.Open(copyDir, &tinykv.Options{FS: crashed, MemTableSize: 64 << 10})
			if errors.Is(err, tinykv.ErrExists) {
				refused++
				continue
			}
			if err != nil {
				t.Errorf("%v, %v: %v", op, policy, err)
				continue
			}
			whole++
			got, err := enginetest.Collect(db.Scan(tinykv.All()))
			if err = errors.Join(err, db.Close()); err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, %v: opens with %d of %d entries, %v", op, policy, len(got), len(want), err)
			}
		}
	})
	must(t, repaired(t, image, tinykv.RepairOptions{}).Err())
	image.SetHook(nil)
	if t.Logf("%d whole, %d refused", whole, refused); whole == 0 || refused == 0 {
		t.Error("nothing was interrupted")
	}
}

func TestRepair_TellsHowFarItIs(t *testing.T) {
	dir := t.TempDir()
	must(t, fruitStore(t, dir, &tiny).Close())
	var last tinykv.RepairProgress
	phases := ""
	report, err := tinykv.Repair(t.Context(), dir, filepath.Join(t.TempDir(), "dst"), &tinykv.RepairOptions{Progress: func(p tinykv.RepairProgress) {
		if p.Phase != last.Phase {
			phases += p.Phase + " "
		}
		if p.Done < last.Done || p.Done > p.Total && p.Total > 0 {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}})
	must(t, err)
	if phases != "manifest log tables " || last.Done != last.Total || report.Bytes != last.Total {
		t.Errorf("%s, at last %+v; report:\n%s", phases, last, report)
	}
}

// A manifest that was put back from a backup names tables whose entries were overwritten since: nothing of it passes
// for the store's last state.
func TestRepair_TrustsNoStaleManifest(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(5, 100)
	r.close()
	stale := (&keptStore{fs: r.fs.Image(simfs.KillProcess, 1)}).files(t)
	r.open()
	r.puts(5, 100)
	r.flush()
	r.puts(5, 100)
	w := &wreck{keptStore: keptStore{fs: r.fs.Image(simfs.KillProcess, 1), states: r.states}}
	image := w.fs.Image(simfs.KillProcess, 1)
	for name, data := range stale {
		if !strings.HasSuffix(name, ".sst") {
			writeFile(t, image, filepath.Join(crashDir, name), data)
		}
	}
	again := image.Image(simfs.KillProcess, 1)
	if report := w.check(t, image, "stale manifest"); !report.StateUnknown || report.Doubtful == 0 {
		t.Errorf("%s", report)
	}
	if n := w.checkDoubtful(t, again, "stale manifest"); n == 0 {
		t.Error("nothing is copied even if it may be doubtful")
	}
}

// Without CURRENT, the manifests tell which of them counts, unless one of them cannot be read.
func TestRepair_WithoutCurrentFindsTheManifestThatCounts(t *testing.T) {
	w := wreckStore(t, tinykv.CompressionDefault, killed)
	name, old := "", []byte(nil)
	for n, data := range w.files(t) {
		if strings.HasPrefix(n, "MANIFEST-") {
			name, old = n, data
		}
	}
	reopened := w.image(t, "CURRENT", readFile(t, w.fs, crashDir+"/CURRENT"))
	must(t, mustOpen(t, crashDir, optionsOn(reopened, 7)).Close()) // makes another manifest
	for _, c := range []struct {
		what    string
		old     []byte
		unknown bool
	}{
		{"one manifest", nil, false},
		{"an older one", old, false},
		{"an older one that is damaged", slices.Concat(old[:140], []byte{^old[140]}, old[141:]), true},
	} {
		image := reopened.Image(simfs.KillProcess, 1)
		must(t, image.Remove(crashDir+"/CURRENT"))
		if c.old != nil {
			writeFile(t, image, filepath.Join(crashDir, name), c.old)
		}
		report := w.check(t, image, c.what)
		if report.StateUnknown != c.unknown || report.Complete == c.unknown {
			t.Errorf("%s:\n%s", c.what, report)
		}
	}
}

// Two versions of a key may stand in different blocks of a table, where a snapshot saw the older one: that one does
// not pass for the last when the block of the newer one is lost.
func TestRepair_DoesNotTakeAnOlderVersionFromTheNextBlock(t *testing.T) {
	dir := t.TempDir()
	o := tinykv.Options{BlockSize: 256, Compression: tinykv.CompressionNone}
	db := mustOpen(t, dir, &o)
	must(t, db.Put([]byte("a"), bytes.Repeat([]byte("o"), 300)))
	snapshot, err := db.NewSnapshot()
	must(t, err)
	must(t, db.Put([]byte("a"), bytes.Repeat([]byte("n"), 300)))
	must(t, db.Put([]byte("b"), bytes.Repeat([]byte("b"), 300)))
	must(t, errors.Join(db.Flush(t.Context()), db.Close(), snapshot.Close()))
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	flip(t, tables[0], 40)
	flip(t, tables[0], 41)
	for _, doubtful := range []bool{false, true} {
		dst := filepath.Join(t.TempDir(), "dst")
		report, err := tinykv.Repair(t.Context(), dir, dst, &tinykv.RepairOptions{KeepDoubtful: doubtful})
		must(t, err)
		copied := mustOpen(t, dst, readOnlyOn(nil))
		v, err := copied.Get([]byte("a"))
		if (err == nil) != doubtful || err == nil && v[0] != 'o' || report.Doubtful != 1 || report.Lost != 1 || report.Damages[0].Doubtful != 1 {
			t.Errorf("%q, %v\n%s", v, err, report)
		}
		if _, err := copied.Get([]byte("b")); err != nil {
			t.Error(err)
		}
		must(t, copied.Close())
	}
}

// Whichever call of a repair fails: one that reads is damage, and one that writes ends the repair with nothing in the place of the
// copy, unless it was the very last.
func TestRepair_WithAFailingCallCopiesWhatIsRightOrSaysWhyNot(t *testing.T) {
	w := wreckStore(t, tinykv.CompressionDefault, closeInOrder)
	want := w.states[w.last()]
	for _, c := range []struct {
		what  string
		match func(op simfs.Op) bool
	}{
		{"writing", nil},
		{"reading", func(op simfs.Op) bool { return !op.Kind.Changes() }},
	} {
		points, whole := 0, 0
		for n := 1; ; n += tally.Pick(3, 1, 1) {
			image := w.fs.Image(simfs.KillProcess, 1)
			fault := image.FailCall(simfs.Fault{Nth: n, Match: c.match, Err: simfs.NoSpace})
			report, err := tinykv.Repair(t.Context(), crashDir, copyDir, &tinykv.RepairOptions{FS: image})
			if fault.Fired() == 0 {
				break
			}
			points++
			image.Clear()
			if names, _ := image.List(copyDir); err != nil && len(names) > 0 && !slices.Contains(names, "REPAIR-INCOMPLETE") && !slices.Contains(names, "CURRENT") {
				t.Errorf("%s, call %d: %v, and left are %q", c.what, n, err, names)
			}
			if err != nil {
				continue
			}
			got := copied(t, image)
			for _, e := range got {
				if v, ok := want.Get(e.Key); !ok || v != e.Value {
					t.Fatalf("%s, call %d: %q = %.20q, want %.20q, %v\n%s", c.what, n, e.Key, e.Value, v, ok, report)
				}
			}
			if report.Complete != (len(got) == len(want.Entries(tinykv.All()))) && report.Complete {
				t.Errorf("%s, call %d: %d entries\n%s", c.what, n, len(got), report)
			}
			whole++
		}
		if t.Logf("%s: %d points, %d copies", c.what, points, whole); points < 10 {
			t.Error("nothing failed")
		}
	}
}

// The range tombstones of a table are lost: what they may have deleted stays deleted.
func TestRepair_DoesNotBringBackWhatALostRangeTombstoneDeleted(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, (&tinykv.Options{}).With(tinykv.Internal{Inline: func() bool { return false }}))
	for n := range 10 {
		must(t, db.Put(fmt.Appendf(nil, "%d", n), []byte("old")))
	}
	must(t, db.Compact(t.Context(), tinykv.All()))
	b := db.NewBatch()
	must(t, errors.Join(b.DeleteRange([]byte("3"), []byte("6")), b.Put([]byte("7"), []byte("new"))))
	must(t, errors.Join(db.Apply(b), db.Flush(t.Context()), db.Close()))
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	table := slices.Max(tables)
	data, err := os.ReadFile(table)
	must(t, err)
	footer := data[len(data)-160:]
	data[binary.LittleEndian.Uint64(footer[72:])] ^= 0x11 // two bits: one would be put right
	must(t, os.WriteFile(table, data, 0o600))
	dst := filepath.Join(t.TempDir(), "dst")
	report, err := tinykv.Repair(t.Context(), dir, dst, nil)
	must(t, err)
	copied := mustOpen(t, dst, readOnlyOn(nil))
	defer copied.Close()
	got := ""
	for item, err := range copied.Scan(tinykv.All()) {
		must(t, err)
		got += fmt.Sprintf("%s:%s ", item.Key, item.Value)
	}
	if got != "0:old 1:old 2:old 7:new 8:old 9:old " || report.Doubtful != 4 {
		t.Errorf("%s\n%s", got, report)
	}
}

// What the store does not need is named and not used; the report fits a terminal.
func TestRepair_NamesFilesThatAreNoPartOfTheStore(t *testing.T) {
	dir, dst := t.TempDir(), filepath.Join(t.TempDir(), "dst")
	must(t, fruitStore(t, dir, &tiny).Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	data, err := os.ReadFile(tables[0])
	must(t, errors.Join(err, os.WriteFile(filepath.Join(dir, "999999.sst"), data, 0o600), os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600)))
	for _, table := range tables {
		flip(t, table, 40)
		flip(t, table, 41)
	}
	report, err := tinykv.Repair(t.Context(), dir, dst, &tinykv.RepairOptions{MaxDamages: 1})
	must(t, err)
	if fmt.Sprint(report.Unused) != "[999999.sst notes.txt]" || len(report.Damages) != 1 || report.DamageCount != len(tables) || report.Lost == 0 {
		t.Errorf("%+v", report)
	}
	wantError(t, report.Err(), tinykv.ErrCorrupt)
	report.Src, report.Dst = "src", "dst"
	text := report.String()
	for _, want := range []string{
		"no part of the store: 999999.sst\n", "offset 0\n", "may have held keys from ", "lost: ", "more places are damaged", "left out", "the copy is not complete\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 81 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
}

// Without any manifest, the tables are all that there is: with KeepDoubtful, sequence numbers decide.
func TestRepair_WithoutManifestTakesTablesBySequenceNumberIfAsked(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, (&tinykv.Options{}).With(tinykv.Internal{Inline: func() bool { return false }}))
	for _, v := range []string{"old", "new"} {
		for n := range 100 {
			must(t, db.Put(fmt.Appendf(nil, "%02d", n), []byte(v)))
		}
		must(t, db.Flush(t.Context()))
	}
	must(t, errors.Join(db.DeleteRange([]byte("50"), []byte("60")), db.Close(), os.Remove(filepath.Join(dir, "CURRENT")), os.Remove(filepath.Join(dir, manifestName(t, dir)))))
	for doubtful, want := range map[bool]uint64{false: 0, true: 90} {
		dst := filepath.Join(t.TempDir(), "dst")
		report, err := tinykv.Repair(t.Context(), dir, dst, &tinykv.RepairOptions{KeepDoubtful: doubtful})
		must(t, err)
		copied := mustOpen(t, dst, readOnlyOn(nil))
		n := uint64(0)
		for item, err := range copied.Scan(tinykv.All()) {
			must(t, err)
			if n++; string(item.Value) != "new" {
				t.Errorf("%s = %s", item.Key, item.Value)
			}
		}
		must(t, copied.Close())
		if n != want || !report.StateUnknown || report.Doubtful != 90 {
			t.Errorf("%d keys, want %d\n%s", n, want, report)
		}
	}
}

// Many batches, and a value that is larger than one.
func TestRepair_CopiesAnyAmount(t *testing.T) {
	const keys = 40
	value := func(n int) []byte {
		size := 150_000
		if n == 7 {
			size = 5 << 20
		}
		return bytes.Repeat([]byte{byte(n)}, size)
	}
	fsys := vfs.NewMem()
	db := mustOpen(t, "/src", &tinykv.Options{FS: fsys})
	for n := range keys {
		must(t, db.Put(fmt.Appendf(nil, "%03d", n), value(n)))
	}
	must(t, db.Close())
	report, err := tinykv.Repair(t.Context(), "/src", "/dst", &tinykv.RepairOptions{FS: fsys})
	must(t, errors.Join(err, report.Err()))
	copied := mustOpen(t, "/dst", &tinykv.Options{FS: fsys, ReadOnly: true})
	defer copied.Close()
	n := 0
	for item, err := range copied.Scan(tinykv.All()) {
		must(t, err)
		if string(item.Key) != fmt.Sprintf("%03d", n) || !bytes.Equal(item.Value, value(n)) {
			t.Fatalf("%s: %d bytes", item.Key, len(item.Value))
		}
		n++
	}
	if n != keys || report.Entries != keys {
		t.Errorf("%d keys\n%s", n, report)
	}
}

func TestRepair_SaysThatWhatAnInterruptedOneLeftMayBeDeleted(t *testing.T) {
	dir, dst := t.TempDir(), t.TempDir()
	must(t, fruitStore(t, dir, &tiny).Close())
	for _, name := range []string{"000003.sst", "REPAIR-INCOMPLETE"} {
		must(t, os.WriteFile(filepath.Join(dst, name), nil, 0o600))
	}
	_, err := tinykv.Repair(t.Context(), dir, dst, nil)
	wantError(t, err, tinykv.ErrExists, "interrupted: delete it")
	for _, o := range []*tinykv.Options{nil, {ReadOnly: true}, {ErrorIfMissing: true}} {
		_, err = tinykv.Open(dst, o)
		wantError(t, err, tinykv.ErrExists, "interrupted: delete it")
	}
	_, err = tinykv.Verify(t.Context(), dst, nil)
	wantError(t, err, tinykv.ErrExists, "interrupted: delete it")
}

func TestRepair_CallsNoLogDamagedForTheSakeOfAManifest(t *testing.T) {
	w := wreckStore(t, tinykv.CompressionDefault, closeInOrder)
	for name, data := range w.files(t) {
		if strings.HasPrefix(name, "MANIFEST-") {
			report := w.check(t, w.image(t, name, slices.Concat(data[:140], []byte("damage"), data[146:])), name)
			if !report.StateUnknown || report.LogDamaged || report.LogBehind > 0 || strings.Contains(report.String(), "log: ") {
				t.Errorf("%s", report)
			}
		}
	}
}
