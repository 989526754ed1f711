package main

import (
	"time"

	"github.com/tinykv/tinykv/bench/internal/memory"
	"github.com/tinykv/tinykv/bench/internal/meter"
)

// result is what a benchmark measured, over all threads.
type result struct {
	ops, written, bytes, found, packed uint64

	wanted        uint64        // operations asked for; 0: as many as the time allows
	interrupted   bool          // there was more to do
	threads       int           // without the one beside
	elapsed       time.Duration // from the first start to the last end
	busy          time.Duration // sum over the threads
	every         uint64
	calls, writes meter.Latencies
	stalls        stalls
	beside        *result // of the thread beside, if there was one
}

// sum adds up what threads measured.
func sum(meters []*meter.Meter) *result {
	r := &result{calls: meter.NewLatencies(), every: meters[0].Every, threads: len(meters)}
	if meters[0].Writes.Timed != nil {
		r.writes = meter.NewLatencies()
	}
	first, last := meters[0].Start, meters[0].Start
	for _, m := range meters {
		r.ops += m.Ops
		r.written += m.Written
		r.bytes += m.Bytes
		r.found += m.Found
		r.packed += m.Packed
		if m.Total != meter.Unlimited {
			r.wanted += m.Total
		}
		r.busy += m.Elapsed
		r.calls.Merge(m.Calls)
		if r.writes.Timed != nil {
			r.writes.Merge(m.Writes)
		}
		if m.Start.Before(first) {
			first = m.Start
		}
		if end := m.Start.Add(m.Elapsed); end.After(last) {
			last = end
		}
	}
	r.elapsed = last.Sub(first)
	return r
}

// isDone tells whether all that was asked for was done, by number or by time.
func (r *result) isDone(limit time.Duration) bool {
	if limit > 0 {
		return r.elapsed >= limit
	}
	return r.ops >= r.wanted
}

func (r *result) seconds() float64 { return max(r.elapsed.Seconds(), 1e-9) }

// microsPerOp is the time of one thread.
func (r *result) microsPerOp() float64 { return r.busy.Seconds() * 1e6 / float64(max(r.ops, 1)) }

// opsPerSecond is of all threads, by the clock on the wall.
func (r *result) opsPerSecond() float64 { return float64(r.ops) / r.seconds() }

func (r *result) megabytesPerSecond() float64 {
	return float64(r.bytes) / memory.BytesPerMB / r.seconds()
}

// writesAmongOthers tells whether there were writes that are told apart from reads.
func (r *result) writesAmongOthers() bool { return r.writes.Timed != nil || r.beside != nil }

// kindOfCall is calls of which latencies are told apart from others.
type kindOfCall struct {
	name string // empty: all are alike
	meter.Latencies
	every uint64 // one in so many is timed
}

func (k *kindOfCall) quantile(percent float64) time.Duration {
	return time.Duration(k.Timed.ValueAtPercentile(percent))
}

// kinds returns the kinds of calls that there were, unless a single call tells it all.
func (r *result) kinds() []kindOfCall {
	var kinds []kindOfCall
	add := func(name string, l meter.Latencies, every uint64) {
		if l.Timed != nil && (l.Timed.TotalCount() > 1 || name == "write" && l.Timed.TotalCount() > 0) {
			kinds = append(kinds, kindOfCall{name, l, every})
		}
	}
	if !r.writesAmongOthers() {
		add("", r.calls, r.every)
		return kinds
	}
	add("read", r.calls, r.every)
	add("write", r.writes, r.every)
	if r.beside != nil {
		add("write", r.beside.calls, r.beside.every)
	}
	return kinds
}
