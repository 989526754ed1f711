package tinykv

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// directoryBytes returns the size of everything in a directory.
func directoryBytes(b *testing.B, dir string) (total int64) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil {
			total += info.Size()
		}
	}
	return total
}

// waitForRest waits until background work has settled and the store has given back what it kept ready.
func (db *DB) waitForRest() {
	_ = db.waitUntil(context.Background(), func() (bool, error) {
		return len(db.state.Load().sealed) == 0 && db.jobs.running == 0 && db.pickNextLocked() == nil && len(db.garbage) == 0 && !db.removals.running, nil
	})
	<-time.After(3 * restAfter)
}

// BenchmarkSpace overwrites a million keys ten times over and lets background work settle, with no call
// from the user. It reports the size of the directory, in parts of what it is when the same data is
// fully compacted; promise 6 is 1.25. Run it once: -bench Space -benchtime 1x.
func BenchmarkSpace(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		db, err := Open(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		var k [16]byte
		value := make([]byte, 100)
		for n := range uint64(11 * benchEntries) {
			number := n
			if n >= benchEntries {
				number = rng.Uint64N(benchEntries)
			}
			for i := range value[:50] { // the other half shrinks
				value[i] = byte(rng.Uint32())
			}
			if err := db.Put(benchKey(k[:], number), value); err != nil {
				b.Fatal(err)
			}
		}
		start := time.Now()
		db.waitForRest()
		b.ReportMetric(time.Since(start).Seconds(), "s-to-settle")
		settled := directoryBytes(b, dir)
		b.Log("\n" + db.Metrics().String())
		if err := db.Compact(context.Background(), All()); err != nil {
			b.Fatal(err)
		}
		db.waitForRest()
		open := directoryBytes(b, dir)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		closed := directoryBytes(b, dir)
		b.ReportMetric(float64(settled)/1e6, "MB-settled")
		b.ReportMetric(float64(settled)/float64(open), "x-compacted")
		b.ReportMetric(float64(settled)/float64(closed), "x-compacted-and-closed")
	}
}

// BenchmarkDelay writes with and without the smooth delay faster than compactions, which are held to a
// rate, can follow, and reports how long the slowest writes took. Run it once: -bench Delay -benchtime 1x.
func BenchmarkDelay(b *testing.B) {
	for name, off := range map[string]bool{"smooth": false, "stops": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				db, err := Open(b.TempDir(), (&Options{MemTableSize: 1 << 20, CompactionRate: 32 << 20}).With(Internal{NoDelay: off}))
				if err != nil {
					b.Fatal(err)
				}
				rng := rand.New(rand.NewPCG(1, 2))
				var k [16]byte
				value := make([]byte, 100)
				took := make([]time.Duration, 3*benchEntries)
				for i := range took {
					start := time.Now()
					if err := db.Put(benchKey(k[:], rng.Uint64()), value); err != nil {
						b.Fatal(err)
					}
					took[i] = time.Since(start)
				}
				reportSlowest(b, took)
				m := db.Metrics()
				b.ReportMetric(m.DelayTime.Seconds(), "s-delayed")
				b.ReportMetric(m.LongestStall.Seconds(), "s-longest-stop")
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func reportSlowest(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	n := len(took)
	b.ReportMetric(float64(took[n-n/1000].Microseconds()), "µs-p99.9")
	b.ReportMetric(float64(took[n-n/10000].Microseconds()), "µs-p99.99")
	b.ReportMetric(float64(took[n-1].Microseconds()), "µs-max")
}
