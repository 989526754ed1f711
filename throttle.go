package tinykv

import (
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/manifest"
)

// Writers can be faster than compactions. What these are behind is debt: tables of level 0, which
// make every read slower, and bytes that are still to be rewritten, which take space. Both have a
// limit up to which writers run free, and one above it towards which they are slowed down more and
// more. Only at a far number of tables in level 0 they wait.
const (
	l0CompactTables = 4  // a compaction is due
	l0FreeTables    = 8  // writers run free, with memtables of freeBytes/l0FreeTables and more
	maxFreeTables   = 24 // the same with small memtables, of which more make up freeBytes
	stopFactor      = 3  // times as many tables stop writers

	freeBytes = 32 << 20 // of level 0

	// Debt of this many times what the base level holds, and at least so many bytes, is free; the
	// second limit is debtFactor times that.
	freeDebtBases = 8
	freeDebtBytes = 1 << 30
	debtFactor    = 4

	// So many sealed memtables, or more that are small, up to sealedBytes, may wait for their flush
	// before writers wait.
	minSealed, maxSealed = 2, 8
	sealedBytes          = 8 << 20
)

const (
	minPause = 500 * time.Microsecond // shorter sleeps are saved up
	maxPause = 20 * time.Millisecond

	// minRate is the least that writers are let write, in bytes per second.
	minRate = 1 << 20
)

// limits are where writers are slowed down and stopped.
type limits struct {
	freeTables, stopTables int
	freeDebt, maxDebt      int64
	maxSealed              int
}

func limitsFor(o *Options) limits {
	free := int(min(max(freeBytes/o.MemTableSize, l0FreeTables), maxFreeTables))
	debt := max(freeDebtBases*l0CompactTables*o.MemTableSize, freeDebtBytes)
	return limits{
		freeTables: free, stopTables: stopFactor * free,
		freeDebt: debt, maxDebt: debtFactor * debt,
		maxSealed: int(min(max(sealedBytes/o.MemTableSize, minSealed), maxSealed)),
	}
}

// pressure tells how far a store is between its limits: 0 at those up to which writers run free, 1
// at those that they should not reach.
func (l *limits) pressure(l0Tables int, debt int64) float64 {
	tables := float64(l0Tables-l.freeTables) / float64(l.stopTables-l.freeTables)
	bytes := float64(debt-l.freeDebt) / float64(l.maxDebt-l.freeDebt)
	return min(max(tables, bytes), 1)
}

// throttle slows writers down smoothly, so that they do not have to be stopped. It lets them write at
// a rate around the one at which compactions lately took bytes out of level 0: above it
// while pressure is low, below it when it is high. So the pressure settles where both rates meet.
type throttle struct {
	limits limits // fixed after Open
	off    bool   // for tests: no delay, only stops

	// nanosPerKiB is what each KiB written costs; 0 while writers run free.
	nanosPerKiB atomic.Int64

	// For the committer alone.
	owed time.Duration

	pausedNanos atomic.Int64 // for metrics

	// Guarded by DB.mu.
	last time.Time // when a compaction last took tables out of level 0
	rate float64   // bytes per second, moving average
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
	t.owed = max(t.owed-paused, -maxPause) // sleeping too long, as on a busy machine, is paid back
}

// drained records that a compaction took bytes out of level 0. DB.mu is held.
func (t *throttle) drained(bytes int64, now time.Time) {
	if since := now.Sub(t.last).Seconds(); !t.last.IsZero() && since > 0 {
		const weight = 0.3
		rate := float64(bytes) / since
		if t.rate == 0 {
			t.rate = rate
		}
		t.rate += weight * (rate - t.rate)
	}
	t.last = now
}

// adjust sets the price for a version. DB.mu is held.
func (t *throttle) adjust(v *manifest.Version, shape compaction.Options) {
	debt := compaction.Debt(v, shape)
	pressure := t.limits.pressure(len(v.Levels[0]), debt)
	if pressure <= 0 || t.rate == 0 || t.off {
		t.nanosPerKiB.Store(0)
		return
	}
	share := 2 - 1.5*pressure // of the measured rate
	t.nanosPerKiB.Store(int64(1024 * 1e9 / max(t.rate*share, minRate)))
}
