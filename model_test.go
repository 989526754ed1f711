package tinykv_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// Longer runs, and the replay of a seed that failed: go test -run History -seed 17 -seeds 1
var (
	firstSeed = flag.Uint64("seed", tally.Seed(), "first seed of the tests that draw at random")
	images    = flag.Int("images", tally.Pick(1, 3, 6), "images of each kind of crash that has many, after each operation of the exhaustive crash test")
	seeds     = flag.Uint64("seeds", someSeeds, "number of seeds of the tests that draw at random")
)

// someSeeds is how many seeds there are of tests that do not have many more.
const someSeeds = 2

// storeConfig is a way to keep a store.
type storeConfig struct {
	name    string
	options tinykv.Options
	fs      func() vfs.FS // nil: the operating system's
}

// tiny makes flushes and compactions frequent.
var tiny = tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 256}

var storeConfigs = []storeConfig{
	{name: "default"},
	{name: "tiny", options: tiny},
	{name: "tiny, synced", options: tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 512, Durability: tinykv.DurabilitySync,
	}},
	{name: "tiny, many compactions at once", options: tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 256, MaxBackground: 8,
	}},
	{name: "tiny, one compaction at a time", options: tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, MaxBackground: 1}},
	{name: "no filters, large blocks", options: tinykv.Options{
		MemTableSize: 128 << 10, BlockSize: 64 << 10, BloomBitsPerKey: -1,
	}},
	{name: "in memory", options: tinykv.Options{MemTableSize: 256 << 10}, fs: vfs.NewMem},
	{name: "in memory, tiny", options: tiny, fs: vfs.NewMem},
	{name: "simulated, inline", options: *tiny.With(tinykv.Internal{Inline: always, ManifestGrowth: 1 << 10}), fs: func() vfs.FS { return simfs.New() }},
	{name: "mappings off", options: tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 256, Mapping: tinykv.MapOff,
	}},
	{name: "S2, tiny cache", options: tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 512, Compression: tinykv.CompressionS2, CacheSize: 64 << 10,
	}},
	{name: "zstd", options: tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 64 << 10, BlockSize: 1 << 10, Compression: tinykv.CompressionZstd,
	}, fs: vfs.NewMem},
	{name: "S2, no cache, mappings off", options: tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, Compression: tinykv.CompressionS2, CacheSize: -1,
		Mapping: tinykv.MapOff,
	}},
	{name: "nothing compressed, tiny", options: tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 256, Compression: tinykv.CompressionNone,
	}, fs: vfs.NewMem},
}

func always() bool { return true }

// Every way to keep a store gives the answers of the model, and so all give the same.
func TestHistory_IsThatOfTheModelUnderAllConfigurations(t *testing.T) {
	operations := 3000
	if testing.Short() {
		operations = 1000
	}
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			first := ""
			for _, config := range storeConfigs {
				log := runHistory(t, config, seed, operations)
				if first == "" {
					first = log
				}
				if log != first {
					t.Errorf("seed %d: %s answers differently from %s", seed, config.name, storeConfigs[0].name)
				}
			}
		})
	}
}

// Row A2 of docs/RELIABILITY.md. Crashes in a history, on the process and on the power, between operations and
// in the middle of them, leave a state that it had, and it goes on from there.
func TestHistory_GoesOnAfterCrashes(t *testing.T) {
	const operations, crashes = 500, 5
	count := uint64(tally.Pick(24, 300, 2000))
	if testing.Short() {
		count = 6
	}
	if *seeds != someSeeds {
		count = *seeds
	}
	const lanes = 8
	t.Run("seeds", func(t *testing.T) {
		for lane := range uint64(lanes) {
			t.Run(fmt.Sprintf("from %d", *firstSeed+lane), func(t *testing.T) {
				t.Parallel()
				for seed := *firstSeed + lane; seed < *firstSeed+count; seed += lanes {
					crashingHistory(t, seed, operations, crashes)
				}
			})
		}
	})
	tally.Row{
		ID: "A2", Suite: "random crashes, by seed", Load: fmt.Sprintf("%d seeds of %d operations", count, operations),
		Faults: int64(count * crashes), Unit: "crashes", Seed: *firstSeed,
		Counts: []tally.Count{{Name: "operations", N: int64(count * operations)}},
		Replay: "go test -run TestHistory_GoesOnAfterCrashes -seed N -seeds 1 .",
	}.Record(t)
}

func crashingHistory(t *testing.T, seed uint64, operations, crashes int) {
	t.Helper()
	draw := enginetest.NewRandom(seed + 1)
	k := newKept(storeConfigs[1+draw.IntN(len(storeConfigs)-1)].options, draw)
	if draw.OneIn(2) {
		k.options = *k.options.With(tinykv.Internal{Inline: func() bool { return draw.OneIn(4) }, ManifestGrowth: 1 << 10})
	}
	h := k.history(t, seed)
	h.Crash, h.CrashIn, h.Crashes = k.crash, k.crashIn, crashes
	h.Name = fmt.Sprintf("seed %d: ", seed)
	h.Run(operations)
}

func runHistory(t *testing.T, config storeConfig, seed uint64, operations int) (log string) {
	t.Run(config.name, func(t *testing.T) {
		dir, options := "/store", config.options
		clock := enginetest.NewClock()
		options.MergeOperator, options.Clock = appending{}, clock.Now
		if config.fs == nil {
			dir = t.TempDir() + "/store"
		} else {
			options.FS = config.fs()
		}
		h := &enginetest.History{
			T: t, Random: enginetest.NewRandom(seed), Clock: clock,
			Open: func() (*tinykv.DB, error) { return tinykv.Open(dir, &options) },
			OpenReadOnly: func() (*tinykv.DB, error) {
				reading := options
				reading.ReadOnly = true
				return tinykv.Open(dir, &reading)
			},
		}
		log = h.Run(operations)
	})
	return log
}
