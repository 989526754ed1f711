package tinykv_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

// bytesIn returns the size of everything in a directory.
func bytesIn(t *testing.T, dir string) (total int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err == nil {
			total += info.Size()
		}
	}
	return total
}

// compactedBytes returns the size of a new store with the same data, fully compacted.
func compactedBytes(t *testing.T, db *tinykv.DB, opts *tinykv.Options) int64 {
	t.Helper()
	dir := t.TempDir()
	twin := mustOpen(t, dir, opts)
	for item, err := range db.Scan(tinykv.All()) {
		must(t, err)
		must(t, twin.Put(item.Key, item.Value, tinykv.ExpireAt(item.ExpiresAt)))
	}
	must(t, twin.Compact(context.Background(), tinykv.All()))
	twin.SettleDown()
	defer twin.Close()
	return bytesIn(t, dir)
}

// One hour of simulated time, in which every value lives for a minute: the directory stays within what the same
// live data takes when it is fully compacted, and a quarter more.
func TestExpiry_SpaceComesBackInSteadyState(t *testing.T) {
	for _, keys := range []string{"random", "ordered by time"} {
		t.Run(keys, func(t *testing.T) {
			clock := newClock()
			opts := (&tinykv.Options{Clock: clock.now, MemTableSize: 64 << 10, TableSize: 32 << 10}).
				With(tinykv.Internal{ManifestGrowth: 32 << 10}) // as small as all the rest
			dir := t.TempDir()
			db := mustOpen(t, dir, opts)
			defer db.Close()
			rng := rand.New(rand.NewPCG(1, 2))
			perSecond, minutes := 400, 60
			if testing.Short() {
				perSecond, minutes = 200, 10
			}
			value := make([]byte, 100)
			n := uint64(0)
			worst := 0.0
			for second := range minutes * 60 {
				for range perSecond {
					number := n
					if keys == "random" {
						number = rng.Uint64()
					}
					n++
					for i := range value[:50] {
						value[i] = byte(rng.Uint32())
					}
					must(t, db.Put(binary.BigEndian.AppendUint64(nil, number), value, tinykv.TTL(time.Minute)))
					clock.step(time.Second / time.Duration(perSecond))
				}
				db.LookForExpired()
				if second >= 100 && second%(minutes*3) == second/60%60 { // at different moments of a minute
					db.SettleDown()
					have, compacted := bytesIn(t, dir), compactedBytes(t, db, opts)
					worst = max(worst, float64(have)/float64(compacted))
					t.Logf("minute %d: %d KB, compacted %d KB: %.2f", second/60, have>>10, compacted>>10, float64(have)/float64(compacted))
				}
			}
			if worst > 1.25 || worst == 0 {
				t.Errorf("%.2f times of the same data compacted\n%s", worst, db.Metrics())
			}
			clock.step(time.Minute)
			must(t, db.Flush(context.Background()))
			db.LookForExpired()
			db.SettleDown()
			if m := db.Metrics(); bytesIn(t, dir) > 256<<10 {
				t.Errorf("all has expired, and it still takes %d KB\n%s", bytesIn(t, dir)>>10, m)
			}
		})
	}
}
