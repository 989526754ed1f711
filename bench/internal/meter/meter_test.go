package meter

import (
	"fmt"
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
		m := New(c.total, c.every, new(atomic.Bool))
		m.Begin()
		calls := int64(0)
		for m.Next() {
			calls++
			m.Did(c.ops, 5)
		}
		m.Finish()
		if calls != c.calls || m.Calls.Timed.TotalCount() != c.timed || m.Bytes != uint64(5*calls) {
			t.Errorf("%+v: %d calls, %d timed, %d bytes", c, calls, m.Calls.Timed.TotalCount(), m.Bytes)
		}
	}
}

func TestMeter_StopsWhenTold(t *testing.T) {
	var stop atomic.Bool
	m := New(1_000_000, 16, &stop)
	m.Begin()
	for m.Next() {
		if m.Ops == 100 {
			stop.Store(true)
		}
		m.Did(1, 0)
	}
	if m.Ops < 100 || m.Ops > 100+16 {
		t.Errorf("stopped after %d operations", m.Ops)
	}
}

// A call that is not timed shows in the maximum all the same.
func TestMeter_MaximumCoversAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, slow := range []uint64{0, 5, 15, 16, 99} {
			m := New(100, 16, new(atomic.Bool))
			m.Begin()
			for m.Next() {
				if m.Ops == slow {
					time.Sleep(time.Second) // by the clock of the bubble
				}
				m.Did(1, 0)
			}
			m.Finish()
			if m.Calls.Longest != time.Second {
				t.Errorf("call %d took a second, but the maximum is %v", slow, m.Calls.Longest)
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
			m := New(100, 16, new(atomic.Bool))
			m.Writes = NewLatencies()
			m.Begin()
			for m.Next() {
				if m.Ops == c.slow {
					time.Sleep(time.Second) // by the clock of the bubble
				}
				if m.Ops == c.write {
					m.Wrote(1, 0)
				} else {
					m.Did(1, 0)
				}
			}
			m.Finish()
			if m.Calls.Longest != c.reads || m.Writes.Longest != c.writes || m.Written != 1 {
				t.Errorf("%+v: reads %v, writes %v, %d written", c, m.Calls.Longest, m.Writes.Longest, m.Written)
			}
		}
	})
}

func TestMeter_EndsWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Unlimited, 4, new(atomic.Bool))
		m.Limit = time.Minute
		m.Begin()
		for m.Next() {
			time.Sleep(time.Second) // by the clock of the bubble
			m.Did(1, 0)
		}
		m.Finish()
		if m.Ops != 60 || m.Elapsed != time.Minute {
			t.Errorf("%d operations in %v", m.Ops, m.Elapsed)
		}
	})
}

func TestMeter_PausesAreNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(20, 16, new(atomic.Bool))
		m.Begin()
		for m.Next() {
			m.Did(1, 0)
			time.Sleep(time.Second) // by the clock of the bubble
			m.Paused(time.Second)
		}
		m.Finish()
		if m.Calls.Longest != 0 || m.Elapsed != 20*time.Second {
			t.Errorf("longest %v, of %v", m.Calls.Longest, m.Elapsed)
		}
	})
}

func TestMeter_LoopAllocatesNothing(t *testing.T) {
	m := New(1<<40, 4, new(atomic.Bool))
	m.Begin()
	if n := testing.AllocsPerRun(1000, func() {
		for range 10 {
			m.Next()
			m.Did(1, 100)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMicros(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.000", 95: "0.095", 9999: "9.999", 12_345: "12.35", 123_456: "123.5", 12_345_678: "12346",
	} {
		if got := Micros(d); got != want {
			t.Errorf("%d ns: %s, want %s", d, got, want)
		}
	}
}

func BenchmarkMeter(b *testing.B) {
	for _, every := range []uint64{1, 16, 64} {
		b.Run(fmt.Sprint("1in", every), func(b *testing.B) {
			m := New(uint64(b.N), every, new(atomic.Bool))
			m.Begin()
			for m.Next() {
				m.Did(1, 100)
			}
			m.Finish()
		})
	}
}
