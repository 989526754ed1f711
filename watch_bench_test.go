package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
)

// BenchmarkWatch_Put measures what watchers cost those who write: 100-byte values under random keys with a hundred prefixes, by one
// writer that never pauses. told is how many events all watchers got per write, lags how often one had to begin anew.
func BenchmarkWatch_Put(b *testing.B) {
	for _, c := range []struct {
		watchers int
		all      bool
	}{{0, false}, {1, true}, {1, false}, {100, false}, {100, true}} {
		name := fmt.Sprintf("watchers=%d", c.watchers)
		if c.watchers > 0 {
			name += map[bool]string{true: "/of=everything", false: "/of=prefix"}[c.all]
		}
		b.Run(name, func(b *testing.B) { benchmarkWatch(b, c.watchers, c.all) })
	}
}

func benchmarkWatch(b *testing.B, watchers int, all bool) {
	db := mustOpen(b, b.TempDir(), nil)
	defer db.Close()
	ctx, cancel := context.WithCancel(b.Context())
	var told, lags atomic.Uint64
	var running sync.WaitGroup
	for i := range watchers {
		r := tinykv.All()
		if !all {
			r = tinykv.Prefix(fmt.Appendf(nil, "user%02d/", i))
		}
		running.Go(func() {
			n, lagged := count(ctx, db, r)
			told.Add(n)
			lags.Add(lagged)
		})
	}
	watching(b, db, watchers)
	value := make([]byte, 100)
	x := uint64(1)
	b.SetBytes(int64(len(value)) + 20)
	for b.Loop() {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		k := fmt.Appendf(nil, "user%02d/%012d", x%100, x>>32)
		must(b, db.Put(k, value))
	}
	cancel()
	running.Wait()
	b.ReportMetric(float64(told.Load())/float64(b.N), "told/op")
	b.ReportMetric(float64(lags.Load()), "lags")
}

// count watches until ctx ends, and begins anew when it has fallen behind.
func count(ctx context.Context, db *tinykv.DB, r tinykv.Range) (told, lagged uint64) {
	for {
		for _, err := range db.Watch(ctx, r, 0) {
			switch {
			case errors.Is(err, tinykv.ErrLagged):
				lagged++
			case err != nil:
				return told, lagged
			default:
				told++
			}
		}
	}
}
