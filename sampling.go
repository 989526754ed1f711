package tinykv

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/sstable"
)

// What reads and writes do is known from samples: to look at the clock twice would take as long as half a
// read from memory, and a counter that all processors write to would be worse. A call is drawn by a number
// that is there anyway: how many readers its state had before it, or the sequence number. One in sampleEvery
// is looked at, and counts for as many.

// sampleEvery is of how many reads, or writes that do not wait for stable storage, one is looked at.
const sampleEvery = 256

// maxCells bounds over how many cells counters are spread.
const maxCells = 16

// sampler draws samples and keeps what they tell. It may be used by any number of goroutines.
type sampler struct {
	least       uint32 // a spread ticket from here on is drawn
	every       uint64 // sampleEvery
	originEvery uint64
	base        time.Time // of the clock

	gets, writes recorder
	syncs        recorder
	reads        []readCell
}

// readCell is counters of reads, alone in its cache lines.
type readCell struct {
	filters, no, falsePositives atomic.Uint64
	lookups, tables             atomic.Uint64

	_ [128 - 5*8]byte
}

func newSampler(every uint64) sampler {
	n := 1
	for n < min(runtime.GOMAXPROCS(0), maxCells) {
		n *= 2
	}
	return sampler{
		least: uint32(1<<32 - 1<<32/every), every: every, originEvery: min(originEvery, every), base: time.Now(),
		gets: make(recorder, n), writes: make(recorder, n), syncs: make(recorder, 1),
		reads: make([]readCell, n),
	}
}

// now returns the time since the opening. It costs half of what time.Now does.
func (s *sampler) now() time.Duration { return time.Since(s.base) }

// drawn tells whether the call with a ticket is to be looked at. The tickets are spread by the golden
// ratio (Fibonacci hashing), so that a loop of a few calls does not have the same one drawn all the time.
func (s *sampler) drawn(ticket uint32) bool { return ticket*0x9e3779b1 >= s.least }

// tally is what reads met on their way: one that was drawn, or all of GetMulti.
type tally struct {
	ticket uint32
	start  time.Duration
	took   time.Duration // once the time was stopped

	lookups uint64 // keys
	tables  uint64 // that were looked into, filter passed

	filters, no, falsePositives uint64 // that were asked; their answers
}

// begin returns the tally of a read that was drawn.
func (s *sampler) begin(ticket uint32) tally {
	return tally{ticket: ticket, lookups: 1, start: s.now()}
}

// stop stops the time of a read, once.
func (t *tally) stop(s *sampler) {
	if t.took == 0 {
		t.took = max(s.now()-t.start, 1)
	}
}

// end hands in the tally of a read.
func (s *sampler) end(t *tally) {
	t.stop(s)
	s.gets.record(t.took, s.every, t.ticket)
	s.add(t, s.every)
}

// add hands in a tally that counts for weight times as much.
func (s *sampler) add(t *tally, weight uint64) {
	c := &s.reads[cellOf(t.ticket, len(s.reads))]
	c.lookups.Add(t.lookups * weight)
	c.tables.Add(t.tables * weight)
	c.filters.Add(t.filters * weight)
	c.no.Add(t.no * weight)
	c.falsePositives.Add(t.falsePositives * weight)
}

// cellOf spreads tickets over n cells, a power of two: those that are drawn one after the other have
// different ones.
func cellOf(ticket uint32, n int) int { return int(ticket*0x85ebca6b>>16) & (n - 1) }

// asked notes that a table was asked for a key: what its filter let pass, and whether the key was there.
func (t *tally) asked(r *sstable.Reader, passed, found bool) {
	if passed {
		t.tables++
	}
	if !r.HasFilter() {
		return
	}
	t.filters++
	switch {
	case !passed:
		t.no++
	case !found:
		t.falsePositives++
	}
}

// fill sets what was recorded.
func (s *sampler) fill(m *Metrics) {
	m.Latency = LatencyMetrics{Get: s.gets.histogram(), Write: s.writes.histogram(), Sync: s.syncs.histogram()}
	for i := range s.reads {
		c := &s.reads[i]
		m.Reads.Lookups += c.lookups.Load()
		m.Reads.Tables += c.tables.Load()
		m.Filters.Asked += c.filters.Load()
		m.Filters.No += c.no.Load()
		m.Filters.FalsePositives += c.falsePositives.Load()
	}
	f := &m.Filters
	f.Rate = ratio(int64(f.FalsePositives), int64(f.No+f.FalsePositives))
}
