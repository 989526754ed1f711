package tinykv

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// plant is the least model of a store under load: a writer that takes what it may, memtables that become
// tables of level 0, and one compaction after the other that takes all tables that are there when it
// begins and is through in the time that its bytes, and those below, need.
type plant struct {
	throttle
	now time.Time

	writer  float64 // bytes per second that it would write
	drain   float64 // bytes per second that compactions read
	below   float64 // bytes that each compaction reads beside level 0
	tables  int
	merging int // of the tables
	ends    time.Time

	written float64
	stops   int // memtables that waited
}

// fill lets the writer fill one memtable.
func (p *plant) fill() {
	bytes := float64(p.limits.tableBytes)
	rate := p.writer
	if price := p.nanosPerKiB.Load(); price > 0 {
		rate = min(rate, 1024*1e9/float64(price))
	}
	p.pass(time.Duration(bytes / rate * 1e9))
	for p.tables >= p.limits.stopTables {
		p.stops++
		p.pass(p.ends.Sub(p.now))
	}
	p.tables++
	p.written += bytes
	p.look()
}

// pass lets time go by.
func (p *plant) pass(d time.Duration) {
	end := p.now.Add(d)
	for p.merging > 0 && !p.ends.After(end) {
		p.now = p.ends
		p.drained(int64(p.merging)*p.limits.tableBytes, p.now)
		p.tables -= p.merging
		p.merging = 0
		p.look()
	}
	p.now = end
}

func (p *plant) look() {
	p.adjust(p.tables, 0, p.now)
	if p.merging == 0 && p.tables >= l0CompactTables {
		p.merging = p.tables
		seconds := (float64(p.merging)*float64(p.limits.tableBytes) + p.below) / p.drain
		p.ends = p.now.Add(time.Duration(seconds * 1e9))
	}
}

func TestThrottle_SlowsDownRatherThanStops(t *testing.T) {
	const mb = 1 << 20
	for _, memTable := range []int64{1 * mb, 4 * mb, 16 * mb, 64 * mb} {
		for _, drain := range []float64{20 * mb, 60 * mb, 200 * mb} {
			for _, below := range []float64{0, 100 * mb, 200 * mb} {
				what := fmt.Sprintf("memtables of %d MiB, compactions of %v MiB/s over %v MiB below", memTable/mb, drain/mb, below/mb)
				limits := limitsFor(&Options{MemTableSize: memTable})
				room := float64(int64(limits.stopTables)*memTable) / (float64(int64(limits.stopTables)*memTable) + below)
				p := &plant{throttle: throttle{limits: limits}, now: time.Unix(1, 0), writer: 300 * mb, drain: drain, below: below}
				for range 2000 {
					p.fill()
				}
				if p.stops > 0 {
					t.Errorf("%s: %d stops", what, p.stops)
				}
				// With level 0 always as full as it may be, a compaction takes the most with it.
				took, best := p.written/p.now.Sub(time.Unix(1, 0)).Seconds(), min(drain*room, p.writer)
				if took < best/3 {
					t.Errorf("%s: %.1f MiB/s are written, and %.1f could be", what, took/mb, best/mb)
				}
			}
		}
	}
}

func TestThrottle_LetsWritersRunFreeWhereCompactionsKeepUp(t *testing.T) {
	p := &plant{throttle: throttle{limits: limitsFor(&Options{MemTableSize: 16 << 20})}, now: time.Unix(1, 0), writer: 50 << 20, drain: 400 << 20, below: 64 << 20}
	for range 500 {
		p.fill()
		if price := p.nanosPerKiB.Load(); price != 0 {
			t.Fatalf("a KiB costs %d ns with %d tables in level 0", price, p.tables)
		}
	}
}

// What large groups owe is paid while pressure lasts, by pauses of a bounded length, and forgotten with it.
func TestThrottle_OldDebtIsForgottenWithThePressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		th.nanosPerKiB.Store(1024 * 1e9 / minRate)
		for range 3 {
			start := time.Now()
			th.pace(4 << 20)
			if took := time.Since(start); took != maxPause {
				t.Errorf("a large group paused %v, want %v", took, maxPause)
			}
		}
		th.nanosPerKiB.Store(0)
		th.pace(100)
		th.nanosPerKiB.Store(1)
		start := time.Now()
		for range 100 {
			th.pace(100)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("small groups paused %v for pressure that had gone", took)
		}
	})
}

func TestThrottle_DebtSlowsWritersToAPartOfWhatCompactionsDo(t *testing.T) {
	const mb = 1 << 20
	limits := limitsFor(&Options{MemTableSize: 16 * mb})
	th := throttle{limits: limits, rate: 100 * mb, since: time.Unix(1, 0)}
	now := time.Unix(1, 0)
	for _, c := range []struct{ pressure, want float64 }{{0, 0}, {0.5, 125 * mb}, {1, 50 * mb}} {
		debt := limits.freeDebt + int64(c.pressure*float64(limits.maxDebt-limits.freeDebt))
		if got := th.allowed(0, debt, now); got != c.want {
			t.Errorf("at a pressure of %v: %v bytes a second, want %v", c.pressure, got, c.want)
		}
	}
	few, many := th.allowed(limits.freeTables+1, 0, now), th.allowed(limits.stopTables-1, 0, now)
	if few <= 20*many {
		t.Errorf("%v bytes a second just above the free limit, %v just below the stop", few, many)
	}
}
