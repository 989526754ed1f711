package tinykv

import (
	"sync/atomic"
	"time"
)

// Level 0 grows with every flush, and every table in it makes reads slower. Its size in tables
// decides how writers are held back: not at all, by a little at each write, or until a compaction
// is done.
const (
	l0CompactTables = 4  // a compaction is due
	l0DelayTables   = 8  // writers are slowed down
	l0StopTables    = 24 // writers wait

	// maxSealed is how many sealed memtables may wait for their flush before writers wait.
	maxSealed = 2
)

const (
	minPause = 500 * time.Microsecond // shorter sleeps are saved up
	maxPause = 20 * time.Millisecond
)

// throttle slows writers down smoothly, so that they do not have to be stopped. Between the two
// limits it lets them write at a rate around the one at which compactions lately took tables out of
// level 0: above it while level 0 is small, below it when it is large. So the size settles where
// both rates meet.
type throttle struct {
	// nanosPerKiB is what each KiB written costs; 0 while writers run free.
	nanosPerKiB atomic.Int64

	// For the committer alone.
	owed time.Duration

	pausedNanos atomic.Int64 // for metrics

	// Guarded by DB.mu.
	drained time.Time // when a compaction last took tables out of level 0
	rate    float64   // bytes per second, moving average
}

// pace makes the committer pay for what it is going to write.
func (t *throttle) pace(bytes int64) {
	cost := t.nanosPerKiB.Load()
	if cost == 0 {
		return
	}
	t.owed += time.Duration(cost * bytes / 1024)
	if t.owed < minPause {
		return
	}
	start := time.Now()
	time.Sleep(min(t.owed, maxPause))
	paused := time.Since(start)
	t.pausedNanos.Add(int64(paused))
	t.owed = max(t.owed-paused, -minPause) // sleeping too long is paid back
}

// compacted records that a compaction took bytes out of level 0. DB.mu is held.
func (t *throttle) compacted(bytes int64, now time.Time) {
	if since := now.Sub(t.drained).Seconds(); !t.drained.IsZero() && since > 0 {
		const weight = 0.3
		rate := float64(bytes) / since
		if t.rate == 0 {
			t.rate = rate
		}
		t.rate += weight * (rate - t.rate)
	}
	t.drained = now
}

// adjust sets the price for a level 0 of so many tables. DB.mu is held.
func (t *throttle) adjust(l0Tables int) {
	if l0Tables < l0DelayTables || t.rate == 0 {
		t.nanosPerKiB.Store(0)
		return
	}
	// The share of the measured rate goes from 2 at the first limit to 1/2 at the second.
	part := min(float64(l0Tables-l0DelayTables)/float64(l0StopTables-l0DelayTables), 1)
	share := 2 - 1.5*part
	t.nanosPerKiB.Store(int64(1024 * 1e9 / (t.rate * share)))
}
