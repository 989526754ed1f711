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
type meter struct {
	// Fixed while it runs.
	total uint64       // operations to do
	every uint64       // one call in so many is timed
	stop  *atomic.Bool // set to end the loop early

	ops   uint64 // done; a call may do several, as with a batch
	bytes uint64 // read or written
	found uint64 // of the keys looked for
	left  uint64 // calls until the next timed one

	timing    bool
	start     time.Time
	callStart time.Duration // since start, as are the others
	callEnd   time.Duration // of the last timed call
	longest   time.Duration // call, or stretch of calls between two timed ones
	elapsed   time.Duration // set by finish
	latencies *hdrhistogram.Histogram

	progress atomic.Uint64 // ops as of the last timed call, for other goroutines

	_ [cacheLineBytes]byte // apart from what another thread writes
}

func newMeter(total, every uint64, stop *atomic.Bool) *meter {
	return &meter{total: total, every: every, stop: stop, latencies: newHistogram()}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(maxLatency), latencyDigits)
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
	m.left, m.timing = m.every-1, true
	m.callStart = time.Since(m.start)
	m.longest = max(m.longest, m.callStart-m.callEnd)
	return true
}

// did records what a call did.
func (m *meter) did(ops, bytes int) {
	m.ops += uint64(ops)
	m.bytes += uint64(bytes)
	if m.timing {
		m.timed()
	}
}

func (m *meter) timed() {
	m.timing = false
	m.callEnd = time.Since(m.start)
	took := m.callEnd - m.callStart
	m.longest = max(m.longest, took)
	_ = m.latencies.RecordValue(int64(min(took, maxLatency))) // fails only above maxLatency
}

// finish stops the clock.
func (m *meter) finish() {
	m.elapsed = time.Since(m.start)
	m.longest = max(m.longest, m.elapsed-m.callEnd)
	m.progress.Store(m.ops)
}

// result is what a benchmark measured, over all threads.
type result struct {
	ops, bytes, found uint64
	wanted            uint64        // operations asked for
	elapsed           time.Duration // from the first start to the last end
	busy              time.Duration // sum over the threads
	longest           time.Duration
	every             uint64
	latencies         *hdrhistogram.Histogram
}

// sum adds up what threads measured.
func sum(meters []*meter) *result {
	r := &result{latencies: newHistogram(), every: meters[0].every}
	first, last := meters[0].start, meters[0].start
	for _, m := range meters {
		r.ops += m.ops
		r.bytes += m.bytes
		r.found += m.found
		r.wanted += m.total
		r.busy += m.elapsed
		r.longest = max(r.longest, m.longest)
		r.latencies.Merge(m.latencies)
		if m.start.Before(first) {
			first = m.start
		}
		if end := m.start.Add(m.elapsed); end.After(last) {
			last = end
		}
	}
	r.elapsed = last.Sub(first)
	return r
}
