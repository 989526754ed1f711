package tinykv_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// The same history under options that have nothing in common, with crashes, full disks and other options on
// the way: all answers are the same, since whatever a crash took is checked, and then written again.

// historyLength is for the replay of the shortest history that fails.
var historyLength = flag.Int("ops", 0, "operations of a history of the metamorphic test; 0 is as many as it has")

// kept is a store on a simulated file system, for histories.
type kept struct {
	options tinykv.Options
	draw    enginetest.Random // never the history's: what it gives depends on the options
	base    tinykv.Options
	clock   *enginetest.Clock

	mu sync.Mutex // fs, while background work runs
	fs *simfs.FS
}

func newKept(options tinykv.Options, draw enginetest.Random) *kept {
	clock := enginetest.NewClock()
	options.MergeOperator, options.Clock = appending{}, clock.Now
	return &kept{options: options, base: options, draw: draw, fs: simfs.New(), clock: clock}
}

// history returns a history of the store, without faults.
func (k *kept) history(t *testing.T, seed uint64) *enginetest.History {
	return &enginetest.History{
		T: t, Random: enginetest.NewRandom(seed), Clock: k.clock,
		Open:         func() (*tinykv.DB, error) { return k.open(false) },
		OpenReadOnly: func() (*tinykv.DB, error) { return k.open(true) },
	}
}

func (k *kept) open(readOnly bool) (*tinykv.DB, error) {
	o := k.options
	o.FS, o.ReadOnly = k.fs, readOnly
	return tinykv.Open(crashDir, &o)
}

// crash has open find what a crash between two calls leaves.
func (k *kept) crash() (powerLost bool) {
	policy := betweenCalls()[k.draw.IntN(len(betweenCalls()))]
	k.fs = k.fs.Image(policy, k.draw.Uint64())
	return policy.CutsPower()
}

// crashIn has open find what a crash leaves in the middle of some work.
func (k *kept) crashIn(work func()) (powerLost bool) {
	policy := simfs.Policies()[k.draw.IntN(len(simfs.Policies()))]
	left, seed := 1+k.draw.IntN(30), k.draw.Uint64()
	var image *simfs.FS
	fsys := k.fs
	fsys.SetHook(func(simfs.Op) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if left--; left == 0 {
			image = fsys.Image(policy, seed)
		}
	})
	work()
	fsys.SetHook(nil)
	k.mu.Lock()
	defer k.mu.Unlock()
	if image == nil {
		return k.crash()
	}
	k.fs = image
	return policy.CutsPower()
}

// fault has no table be made while work runs, or only the next few.
func (k *kept) fault(work func()) {
	k.fs.FailCall(simfs.Fault{
		Nth: 1 + k.draw.IntN(4), Always: k.draw.OneIn(2), Err: simfs.NoSpace, ShortBytes: int64(k.draw.IntN(5000)),
		Match: func(op simfs.Op) bool {
			made := op.Kind == simfs.OpCreate || op.Kind == simfs.OpWrite || op.Kind == simfs.OpSync
			return made && filepath.Ext(op.Name) == ".sst"
		},
	})
	work()
	k.fs.Clear()
}

// change draws other options.
func (k *kept) change() {
	o := &k.options
	o.MemTableSize = k.base.MemTableSize << k.draw.IntN(2)
	o.BlockSize = int64(256) << k.draw.IntN(6)
	o.TableSize = int64(32<<10) << k.draw.IntN(3)
	o.Compression = tinykv.Compression(k.draw.IntN(4))
	o.BloomBitsPerKey = []int{-1, 1, 10, 20}[k.draw.IntN(4)]
	o.Mapping = tinykv.Mapping(k.draw.IntN(2))
	o.Durability = tinykv.Durability(k.draw.IntN(2))
}

// metamorphicConfigs have nothing in common.
var metamorphicConfigs = []struct {
	name    string
	options tinykv.Options
	inline  int // background work runs inline after one write in so many; 0: it runs freely
}{
	{"small memtables and blocks", tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 256, MaxBackground: 2}, 1},
	{"large memtables and blocks", tinykv.Options{MemTableSize: 1 << 20, TableSize: 1 << 20, BlockSize: 64 << 10, MaxBackground: 1, Compression: tinykv.CompressionNone}, 16},
	{"many compactions at once", tinykv.Options{MemTableSize: 64 << 10, TableSize: 64 << 10, BlockSize: 1 << 10, MaxBackground: 8}, 0},
	{"mappings off, synced", tinykv.Options{
		MemTableSize: 128 << 10, TableSize: 32 << 10, BlockSize: 512, Mapping: tinykv.MapOff, Durability: tinykv.DurabilitySync,
		Compression: tinykv.CompressionNone,
	}, 4},
	{"S2, tiny cache", tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 512, Compression: tinykv.CompressionS2, CacheSize: 64 << 10}, 4},
	{"zstd, no cache, mappings off", tinykv.Options{
		MemTableSize: 256 << 10, TableSize: 64 << 10, BlockSize: 4 << 10, Compression: tinykv.CompressionZstd, CacheSize: -1, Mapping: tinykv.MapOff,
	}, 0},
	{"no filters, paced", tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 128 << 10, BlockSize: 2 << 10, BloomBitsPerKey: -1, CompactionRate: 1 << 30, MaxBackground: 1,
	}, 2},
	{"large filters, large tables", tinykv.Options{
		MemTableSize: 512 << 10, TableSize: 4 << 20, BlockSize: 16 << 10, BloomBitsPerKey: 40, Compression: tinykv.CompressionS2, MaxBackground: 4,
	}, 8},
}

// Row A4 of docs/RELIABILITY.md.
func TestMetamorphic_HistoriesAreTheSameUnderAllOptions(t *testing.T) {
	runs, operations := uint64(tally.Pick(1, 8, 40)), tally.Pick(2500, 5000, 5000)
	if testing.Short() {
		operations = 500
	}
	if *historyLength > 0 {
		runs, operations = 1, *historyLength
	}
	var mu sync.Mutex
	done := map[string]int{} // by operation
	t.Run("runs", func(t *testing.T) {
		for seed := *firstSeed; seed < *firstSeed+runs; seed++ {
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				t.Parallel()
				first := ""
				for i := range metamorphicConfigs {
					h, log := metamorphic(t, i, seed, operations)
					mu.Lock()
					for name, n := range h.Done() {
						done[name] += n
					}
					mu.Unlock()
					if i == 0 {
						first = log
					}
					sameLog(t, log, first, fmt.Sprintf("seed %d: %q answers differently from %q", seed, metamorphicConfigs[i].name, metamorphicConfigs[0].name))
				}
			})
		}
	})
	total := 0
	for _, n := range done {
		total += n
	}
	tally.Row{
		ID: "A4", Suite: "the same histories under all options",
		Load:   fmt.Sprintf("%d runs of %d operations under %d sets of options", runs, operations, len(metamorphicConfigs)),
		Faults: int64(total), Unit: "operations", Seed: *firstSeed,
		Counts: []tally.Count{
			{Name: "kinds of operations", N: int64(len(done))},
			{Name: "crashes", N: kindsOf(done, "crash")},
			{Name: "full disks", N: kindsOf(done, "full disk")},
			{Name: "openings with other options", N: kindsOf(done, "reopen with")},
		},
		Replay: "go test -run TestMetamorphic -seed N -ops N .",
	}.Record(t)
	if all := len(enginetest.Kinds()); all < 48 || !testing.Short() && *historyLength == 0 && len(done) < all*9/10 {
		t.Errorf("%d of %d kinds of operations were drawn", len(done), all)
	}
}

// kindsOf adds up the operations whose names begin in some way.
func kindsOf(done map[string]int, prefix string) (sum int64) {
	for name, n := range done {
		if strings.HasPrefix(name, prefix) {
			sum += int64(n)
		}
	}
	return sum
}

func metamorphic(t *testing.T, config int, seed uint64, operations int) (h *enginetest.History, log string) {
	c := metamorphicConfigs[config]
	t.Run(c.name, func(t *testing.T) {
		draw := enginetest.NewRandom(seed<<8 + uint64(config))
		in := tinykv.Internal{ManifestGrowth: 1 << 10}
		if c.inline > 0 {
			background := enginetest.NewRandom(seed)
			in.Inline = func() bool { return background.OneIn(c.inline) }
		}
		k := newKept(*c.options.With(in), draw)
		h = k.history(t, seed)
		h.Crash, h.CrashIn, h.Fault, h.Change, h.Same = k.crash, k.crashIn, k.fault, k.change, true
		h.Name = fmt.Sprintf("go test -run TestMetamorphic -seed %d -ops %d .: ", seed, operations)
		log = h.Run(operations)
	})
	return h, log
}

// sameLog wants two histories to be the same, and shows where they part.
func sameLog(t *testing.T, got, want, message string) {
	t.Helper()
	if got == want || t.Failed() {
		return
	}
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s, first in\n\t%.200s\n\t%.200s", message, a[i], b[i])
		}
	}
	t.Fatalf("%s: one is longer", message)
}
