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
	seeds     = flag.Uint64("seeds", 3, "number of seeds of the tests that draw at random")
)

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

// Crashes in the middle of a history, on the process and on the power, leave a state that it had, and
// it goes on from there.
func TestHistory_GoesOnAfterCrashes(t *testing.T) {
	operations := 3000
	if testing.Short() {
		operations = 1000
	}
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			fsys, draw := simfs.New(), enginetest.NewRandom(seed+1)
			options := *tiny.With(tinykv.Internal{Inline: func() bool { return draw.OneIn(4) }, ManifestGrowth: 1 << 10})
			open := func(readOnly bool) func() (*tinykv.DB, error) {
				return func() (*tinykv.DB, error) {
					o := options
					o.FS, o.ReadOnly = fsys, readOnly
					return tinykv.Open(crashDir, &o)
				}
			}
			h := &enginetest.History{
				T: t, Random: enginetest.NewRandom(seed), Open: open(false), OpenReadOnly: open(true),
				Crash: func() bool {
					policy := betweenCalls()[draw.IntN(len(betweenCalls()))]
					fsys = fsys.Image(policy, draw.Uint64())
					return policy.CutsPower()
				},
			}
			h.Run(operations)
		})
	}
}

func runHistory(t *testing.T, config storeConfig, seed uint64, operations int) (log string) {
	t.Run(config.name, func(t *testing.T) {
		dir, options := "/store", config.options
		if config.fs == nil {
			dir = t.TempDir() + "/store"
		} else {
			options.FS = config.fs()
		}
		h := &enginetest.History{
			T: t, Random: enginetest.NewRandom(seed),
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
