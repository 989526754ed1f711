// Package meter counts and times the calls of a benchmark's threads. A Meter belongs to one thread, but for Progress.
package meter

import (
	"sync/atomic"
	"time"
)

const cacheLineBytes = 64

// Unlimited is a number of operations that no benchmark comes to, for those that a time ends.
const Unlimited = 1 << 62

// Meter counts the calls of one thread, and times one in so many of them: reading the clock twice
// takes some 50 ns, as long as a step of an iterator. Between two timed calls lies a stretch of
// others, whose length is known from the same two readings; the longest counts for the maximum, so
// that no stall goes unseen.
//
//	for m.Next() {
//		... one call ...
//		m.Did(operations, bytes)
//	}
//
// Of a benchmark that both reads and writes, writes end with Wrote, and Writes is to be made before by
// NewLatencies. A stretch with a write in it counts for writes, which are what stalls.
type Meter struct {
	// Fixed while it runs.
	Total uint64        // operations to do
	Limit time.Duration // time to do them in; 0: any
	Every uint64        // one call in so many is timed
	stop  *atomic.Bool  // set to end the loop early

	Ops     uint64 // done; a call may do several, as with a batch
	Written uint64 // of them, those that Wrote told of
	Bytes   uint64 // read or written
	Found   uint64 // of the keys looked for; the loop counts them
	Packed  uint64 // bytes that those above were compressed to; the loop counts them
	left    uint64 // calls until the next timed one

	timing     bool
	hasWritten bool          // since the last timed call
	Start      time.Time     // set by Begin
	callStart  time.Duration // since Start, as are the others
	callEnd    time.Duration // of the last timed call
	Elapsed    time.Duration // set by Finish
	Calls      Latencies     // without those below
	Writes     Latencies     // of Wrote

	progress atomic.Uint64 // Ops as of the last timed call, for other goroutines

	_ [cacheLineBytes]byte // apart from what another thread writes
}

// New returns a meter for so many operations, which times one call in every. It ends early once stop is
// set, at the next timed call.
func New(total, every uint64, stop *atomic.Bool) *Meter {
	return &Meter{Total: total, Every: every, stop: stop, Calls: NewLatencies()}
}

// Begin starts the clock.
func (m *Meter) Begin() { m.Start = time.Now() }

// Next tells whether there is another call to make.
func (m *Meter) Next() bool {
	if m.left > 0 {
		m.left--
		return m.Ops < m.Total
	}
	return m.nextTimed()
}

func (m *Meter) nextTimed() bool {
	m.progress.Store(m.Ops)
	if m.Ops >= m.Total || m.stop.Load() {
		return false
	}
	m.callStart = time.Since(m.Start)
	m.stretchEnds(m.callStart)
	if m.Limit > 0 && m.callStart >= m.Limit {
		return false
	}
	m.left, m.timing = m.Every-1, true
	return true
}

// Did records what a call did.
func (m *Meter) Did(ops, bytes int) {
	m.Ops += uint64(ops)
	m.Bytes += uint64(bytes)
	if m.timing {
		m.record(&m.Calls)
	}
}

// Wrote records what a call did that wrote, where others read.
func (m *Meter) Wrote(ops, bytes int) {
	m.Ops += uint64(ops)
	m.Written += uint64(ops)
	m.Bytes += uint64(bytes)
	m.hasWritten = true
	if m.timing {
		m.record(&m.Writes)
	}
}

// record ends a timed call.
func (m *Meter) record(l *Latencies) {
	m.timing, m.hasWritten = false, false
	m.callEnd = time.Since(m.Start)
	l.add(m.callEnd - m.callStart)
}

// stretchEnds records the time since the last timed call.
func (m *Meter) stretchEnds(now time.Duration) {
	l := &m.Calls
	if m.hasWritten {
		l = &m.Writes
	}
	l.Longest = max(l.Longest, now-m.callEnd)
	m.hasWritten = false
}

// Paused tells of a pause between calls, which counts for no latency.
func (m *Meter) Paused(d time.Duration) { m.callEnd += d }

// Finish stops the clock.
func (m *Meter) Finish() {
	m.Elapsed = time.Since(m.Start)
	m.stretchEnds(m.Elapsed)
	m.progress.Store(m.Ops)
}

// Progress returns the operations that were done as of the last timed call. Any goroutine may call it.
func (m *Meter) Progress() uint64 { return m.progress.Load() }
