package main

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMeter_TimesOneCallInSoMany(t *testing.T) {
	for _, c := range []struct {
		total, every uint64
		ops          int // of a call
		calls, timed int64
	}{
		{10, 1, 1, 10, 10},
		{10, 4, 1, 10, 3},
		{16, 16, 1, 16, 1},
		{17, 16, 1, 17, 2},
		{10, 1, 4, 3, 3},
		{1, 64, 1, 1, 1},
	} {
		m := newMeter(c.total, c.every, new(atomic.Bool))
		m.begin()
		calls := int64(0)
		for m.next() {
			calls++
			m.did(c.ops, 5)
		}
		m.finish()
		if calls != c.calls || m.calls.timed.TotalCount() != c.timed || m.bytes != uint64(5*calls) {
			t.Errorf("%+v: %d calls, %d timed, %d bytes", c, calls, m.calls.timed.TotalCount(), m.bytes)
		}
	}
}

func TestMeter_StopsWhenTold(t *testing.T) {
	var stop atomic.Bool
	m := newMeter(1_000_000, 16, &stop)
	m.begin()
	for m.next() {
		if m.ops == 100 {
			stop.Store(true)
		}
		m.did(1, 0)
	}
	if m.ops < 100 || m.ops > 100+16 {
		t.Errorf("stopped after %d operations", m.ops)
	}
}

// A call that is not timed shows in the maximum all the same.
func TestMeter_MaximumCoversAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, slow := range []uint64{0, 5, 15, 16, 99} {
			m := newMeter(100, 16, new(atomic.Bool))
			m.begin()
			for m.next() {
				if m.ops == slow {
					time.Sleep(time.Second) // by the clock of the bubble
				}
				m.did(1, 0)
			}
			m.finish()
			if m.calls.longest != time.Second {
				t.Errorf("call %d took a second, but the maximum is %v", slow, m.calls.longest)
			}
		}
	})
}

// Where reads and writes are told apart, a stretch of calls that are not timed counts for the kind that
// can stall.
func TestMeter_StallsCountForWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			slow, write   uint64 // the call that takes a second, and the one that writes
			reads, writes time.Duration
		}{
			{slow: 5, write: 5, writes: time.Second},
			{slow: 5, write: 20, reads: time.Second},
			{slow: 5, write: 7, writes: time.Second}, // as good as any guess
			{slow: 16, write: 16, writes: time.Second},
			{slow: 16, write: 15, reads: time.Second},
			{slow: 99, write: 99, writes: time.Second},
		} {
			m := newMeter(100, 16, new(atomic.Bool))
			m.writes = newLatencies()
			m.begin()
			for m.next() {
				if m.ops == c.slow {
					time.Sleep(time.Second) // by the clock of the bubble
				}
				if m.ops == c.write {
					m.wrote(1, 0)
				} else {
					m.did(1, 0)
				}
			}
			m.finish()
			if m.calls.longest != c.reads || m.writes.longest != c.writes || m.written != 1 {
				t.Errorf("%+v: reads %v, writes %v, %d written", c, m.calls.longest, m.writes.longest, m.written)
			}
		}
	})
}

func TestMeter_EndsWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(unlimited, 4, new(atomic.Bool))
		m.limit = time.Minute
		m.begin()
		for m.next() {
			time.Sleep(time.Second) // by the clock of the bubble
			m.did(1, 0)
		}
		m.finish()
		if m.ops != 60 || m.elapsed != time.Minute {
			t.Errorf("%d operations in %v", m.ops, m.elapsed)
		}
		if r := sum([]*meter{m}); r.wanted != 0 {
			t.Errorf("%d operations wanted", r.wanted)
		}
	})
}

func TestMeter_PausesAreNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(20, 16, new(atomic.Bool))
		m.begin()
		for m.next() {
			m.did(1, 0)
			time.Sleep(time.Second) // by the clock of the bubble
			m.paused(time.Second)
		}
		m.finish()
		if m.calls.longest != 0 || m.elapsed != 20*time.Second {
			t.Errorf("longest %v, of %v", m.calls.longest, m.elapsed)
		}
	})
}

func TestSum_AddsThreadsUp(t *testing.T) {
	start := time.Now()
	a, b := newMeter(10, 16, nil), newMeter(20, 16, nil)
	a.start, a.elapsed, a.ops, a.bytes, a.found, a.calls.longest = start, 3*time.Second, 10, 100, 1, 5
	b.start, b.elapsed, b.ops, b.bytes, b.found, b.calls.longest = start.Add(time.Second), 4*time.Second, 20, 200, 2, 7
	r := sum([]*meter{a, b})
	if r.ops != 30 || r.bytes != 300 || r.found != 3 || r.wanted != 30 || r.calls.longest != 7 || r.every != 16 {
		t.Errorf("sums: %+v", r)
	}
	if r.elapsed != 5*time.Second || r.busy != 7*time.Second {
		t.Errorf("times: %v by the clock, %v of threads", r.elapsed, r.busy)
	}
}

func TestLoop_AllocatesNothing(t *testing.T) {
	m := newMeter(1<<40, 4, new(atomic.Bool))
	m.begin()
	key, v := newKey(16), values{pool: newValuePool(100, 0.5, 1), size: 100}
	rng := rand.New(rand.NewPCG(1, 1))
	if n := testing.AllocsPerRun(1000, func() {
		for range 10 {
			m.next()
			setKey(key, rng.Uint64N(1000))
			m.did(1, len(v.next()))
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMeter(b *testing.B) {
	for _, every := range []uint64{timeEvery, timeSome, timeFew} {
		b.Run(fmt.Sprint("1in", every), func(b *testing.B) {
			m := newMeter(uint64(b.N), every, new(atomic.Bool))
			m.begin()
			for m.next() {
				m.did(1, 100)
			}
			m.finish()
		})
	}
}
