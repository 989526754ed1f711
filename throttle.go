package tinykv

import (
	"sync/atomic"
	"time"
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
	maxPause = 100 * time.Millisecond

	// maxOwed bounds what large groups leave behind for others to pay, and maxCredit what pauses that
	// were too long save them.
	maxOwed   = time.Second
	maxCredit = 20 * time.Millisecond

	// minRate is the least that writers are let write, in bytes per second.
	minRate = 128 << 10

	// minInterval is the least that is reckoned with between compactions of level 0, in seconds.
	minInterval = 0.1
)

// limits are where writers are slowed down and stopped.
type limits struct {
	freeTables, stopTables int
	freeDebt, maxDebt      int64
	maxSealed              int
	tableBytes             int64 // about what a table of level 0 holds
}

func limitsFor(o *Options) limits {
	free := int(min(max(freeBytes/o.MemTableSize, l0FreeTables), maxFreeTables))
	debt := max(freeDebtBases*l0CompactTables*o.MemTableSize, freeDebtBytes)
	return limits{
		freeTables: free, stopTables: stopFactor * free,
		freeDebt: debt, maxDebt: debtFactor * debt,
		maxSealed:  int(min(max(sealedBytes/o.MemTableSize, minSealed), maxSealed)),
		tableBytes: o.MemTableSize,
	}
}

// pressures tell how far a store is between its limits, by tables of level 0 and by debt: 0 and less at
// those up to which writers run free, 1 at those that they should not reach.
func (l *limits) pressures(l0Tables int, debt int64) (tables, bytes float64) {
	tables = float64(l0Tables-l.freeTables) / float64(l.stopTables-l.freeTables)
	bytes = float64(debt-l.freeDebt) / float64(l.maxDebt-l.freeDebt)
	return min(tables, 1), min(bytes, 1)
}

// throttle slows writers down smoothly, so that they do not have to be stopped.
//
// What is left below the number of tables that stops writers must last until the next compaction takes
// tables out of level 0. So writers get it at a rate at which it would last about as long as these
// compactions take; since there is less of it from flush to flush, the rate falls too, and the stop
// is approached but not reached. Pressure settles where both rates meet.
//
// Debt has no such end. There the rate is around the one at which compactions lately took bytes out of
// level 0: above it while pressure is low, below it when it is high.
type throttle struct {
	limits limits // fixed after Open
	off    bool   // for tests: no delay, only stops

	// nanosPerKiB is what each KiB written costs; 0 while writers run free.
	nanosPerKiB atomic.Int64

	// For the committer alone.
	owed time.Duration

	pausedNanos atomic.Int64 // for metrics

	// Guarded by DB.mu.
	since    time.Time // level 0 waits since then to be compacted; zero: it does not
	interval float64   // seconds between compactions that take tables out of level 0; moving average
	rate     float64   // bytes per second that they take out; moving average
}

// pace makes the committer pay for what it is going to write.
func (t *throttle) pace(bytes int64) {
	cost := t.nanosPerKiB.Load()
	if cost == 0 {
		t.owed = 0 // of a pressure that has gone
		return
	}
	t.owed = min(t.owed+time.Duration(cost*bytes/1024), maxOwed)
	if t.owed < minPause {
		return
	}
	start := time.Now()
	time.Sleep(min(t.owed, maxPause))
	paused := time.Since(start)
	t.pausedNanos.Add(int64(paused))
	t.owed = max(t.owed-paused, -maxCredit) // sleeping too long, as on a busy machine, is paid back
}

// drained records that a compaction took bytes out of level 0. DB.mu is held.
func (t *throttle) drained(bytes int64, now time.Time) {
	took := now.Sub(t.since).Seconds()
	if !t.since.IsZero() && took > 0 {
		approach(&t.interval, took)
		approach(&t.rate, float64(bytes)/took)
	}
	t.since = now
}

// approach moves an average towards the newest value; the first one is taken as it is.
func approach(average *float64, value float64) {
	const weight = 0.3
	if *average == 0 {
		*average = value
	}
	*average += weight * (value - *average)
}

// adjust sets the price for what level 0 and the debt are now. DB.mu is held.
func (t *throttle) adjust(l0Tables int, debt int64, now time.Time) {
	switch {
	case l0Tables < l0CompactTables:
		t.since = time.Time{}
	case t.since.IsZero():
		t.since = now
	}
	rate := t.allowed(l0Tables, debt, now)
	if rate == 0 || t.off {
		t.nanosPerKiB.Store(0)
		return
	}
	t.nanosPerKiB.Store(int64(1024 * 1e9 / max(rate, minRate)))
}

// allowed returns how many bytes per second may be written; 0 is any number.
func (t *throttle) allowed(l0Tables int, debt int64, now time.Time) (rate float64) {
	tables, bytes := t.limits.pressures(l0Tables, debt)
	if bytes > 0 && t.rate > 0 {
		rate = t.rate * (2 - 1.5*bytes)
	}
	if tables <= 0 {
		return rate
	}
	last := max(t.interval, now.Sub(t.since).Seconds(), minInterval)
	left := float64(int64(t.limits.stopTables-t.limits.freeTables)*t.limits.tableBytes) * (1 - tables)
	if byTables := max(left/(last*tables), minRate); rate == 0 || byTables < rate {
		rate = byTables
	}
	return rate
}
