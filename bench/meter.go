package main

import (
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in nanoseconds, to three digits.
const (
	maxLatency    = time.Hour
	latencyDigits = 3
)

const cacheLineBytes = 64

// meter counts the calls of one thread, and times one in so many of them: reading the clock twice
// takes some 50 ns, as long as a step of an iterator. Between two timed calls lies a stretch of
// others, whose length is known from the same two readings; the longest counts for the maximum, so
// that no stall goes unseen.
//
//	for m.next() {
//		... one call ...
//		m.did(operations, bytes)
//	}
//
// Of a benchmark that both reads and writes, writes end with wrote. A stretch with a write in it
// counts for writes, which are what stalls.
type meter struct {
	// Fixed while it runs.
	total uint64        // operations to do
	limit time.Duration // time to do them in; 0: any
	every uint64        // one call in so many is timed
	stop  *atomic.Bool  // set to end the loop early

	ops     uint64 // done; a call may do several, as with a batch
	written uint64 // of them, those that wrote told of
	bytes   uint64 // read or written
	found   uint64 // of the keys looked for
	packed  uint64 // bytes that those above were compressed to
	left    uint64 // calls until the next timed one

	timing     bool
	hasWritten bool // since the last timed call
	start      time.Time
	callStart  time.Duration // since start, as are the others
	callEnd    time.Duration // of the last timed call
	elapsed    time.Duration // set by finish
	calls      latencies     // without those below
	writes     latencies     // of wrote

	progress atomic.Uint64 // ops as of the last timed call, for other goroutines

	_ [cacheLineBytes]byte // apart from what another thread writes
}

// latencies are how long calls took.
type latencies struct {
	timed   *hdrhistogram.Histogram // nil: there are no such calls
	longest time.Duration           // call, or stretch of calls between two timed ones
}

func newLatencies() latencies {
	return latencies{timed: hdrhistogram.New(1, int64(maxLatency), latencyDigits)}
}

func (l *latencies) add(other latencies) {
	l.longest = max(l.longest, other.longest)
	l.timed.Merge(other.timed)
}

func newMeter(total, every uint64, stop *atomic.Bool) *meter {
	return &meter{total: total, every: every, stop: stop, calls: newLatencies()}
}

// begin starts the clock.
func (m *meter) begin() { m.start = time.Now() }

// next tells whether there is another call to make.
func (m *meter) next() bool {
	if m.left > 0 {
		m.left--
		return m.ops < m.total
	}
	return m.nextTimed()
}

func (m *meter) nextTimed() bool {
	m.progress.Store(m.ops)
	if m.ops >= m.total || m.stop.Load() {
		return false
	}
	m.callStart = time.Since(m.start)
	m.stretchEnds(m.callStart)
	if m.limit > 0 && m.callStart >= m.limit {
		return false
	}
	m.left, m.timing = m.every-1, true
	return true
}

// did records what a call did.
func (m *meter) did(ops, bytes int) {
	m.ops += uint64(ops)
	m.bytes += uint64(bytes)
	if m.timing {
		m.record(&m.calls)
	}
}

// wrote records what a call did that wrote, where others read.
func (m *meter) wrote(ops, bytes int) {
	m.ops += uint64(ops)
	m.written += uint64(ops)
	m.bytes += uint64(bytes)
	m.hasWritten = true
	if m.timing {
		m.record(&m.writes)
	}
}

// record ends a timed call.
func (m *meter) record(l *latencies) {
	m.timing, m.hasWritten = false, false
	m.callEnd = time.Since(m.start)
	took := m.callEnd - m.callStart
	l.longest = max(l.longest, took)
	_ = l.timed.RecordValue(int64(min(took, maxLatency))) // fails only above maxLatency
}

// stretchEnds records the time since the last timed call.
func (m *meter) stretchEnds(now time.Duration) {
	l := &m.calls
	if m.hasWritten {
		l = &m.writes
	}
	l.longest = max(l.longest, now-m.callEnd)
	m.hasWritten = false
}

// paused tells of a pause between calls, which counts for no latency.
func (m *meter) paused(d time.Duration) { m.callEnd += d }

// finish stops the clock.
func (m *meter) finish() {
	m.elapsed = time.Since(m.start)
	m.stretchEnds(m.elapsed)
	m.progress.Store(m.ops)
}
