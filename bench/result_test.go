package main

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv/bench/internal/meter"
	"github.com/tinykv/tinykv/bench/internal/values"
)

func TestSum_AddsThreadsUp(t *testing.T) {
	start := time.Now()
	a, b := meter.New(10, 16, nil), meter.New(20, 16, nil)
	a.Start, a.Elapsed, a.Ops, a.Bytes, a.Found, a.Calls.Longest = start, 3*time.Second, 10, 100, 1, 5
	b.Start, b.Elapsed, b.Ops, b.Bytes, b.Found, b.Calls.Longest = start.Add(time.Second), 4*time.Second, 20, 200, 2, 7
	r := sum([]*meter.Meter{a, b})
	if r.ops != 30 || r.bytes != 300 || r.found != 3 || r.wanted != 30 || r.calls.Longest != 7 || r.every != 16 {
		t.Errorf("sums: %+v", r)
	}
	if r.elapsed != 5*time.Second || r.busy != 7*time.Second {
		t.Errorf("times: %v by the clock, %v of threads", r.elapsed, r.busy)
	}
}

func TestSum_WhereTimeDecidesNoNumberIsWanted(t *testing.T) {
	if r := sum([]*meter.Meter{meter.New(meter.Unlimited, 4, nil)}); r.wanted != 0 {
		t.Errorf("%d operations wanted", r.wanted)
	}
}

func TestLoop_AllocatesNothing(t *testing.T) {
	m := meter.New(1<<40, 4, new(atomic.Bool))
	m.Begin()
	key, v := newKey(16), values.Values{Pool: values.NewPool(100, 0.5, 1), Size: 100}
	rng := rand.New(rand.NewPCG(1, 1))
	if n := testing.AllocsPerRun(1000, func() {
		for range 10 {
			m.Next()
			setKey(key, rng.Uint64N(1000))
			m.Did(1, len(v.Next()))
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
