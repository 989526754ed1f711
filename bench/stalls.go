package main

import (
	"fmt"
	"time"

	"github.com/tinykv/tinykv"
)

// stalls are how the engine held writers up while a benchmark ran.
type stalls struct {
	count          uint64
	waited, slowed time.Duration
}

// stallsSince returns what was added to the engine's counters since they were read. They are those of
// one opening.
func stallsSince(before, now *tinykv.Metrics) stalls {
	return stalls{
		count:  now.Stalls - before.Stalls,
		waited: now.StallTime - before.StallTime,
		slowed: now.DelayTime - before.DelayTime,
	}
}

func (s stalls) String() string {
	return fmt.Sprintf("write stalls: %d, %.3f s in all; delays: %.3f s",
		s.count, s.waited.Seconds(), s.slowed.Seconds())
}
