//go:build unix

package child

import (
	"sync/atomic"
	"testing"
	"time"
)

// A store is at rest when its process is, not before.
func TestSettle_WaitsForWorkInTheBackground(t *testing.T) {
	p := &process{Script: &Script{Rest: 400 * time.Millisecond}}
	var done atomic.Bool
	go func() {
		for begun := time.Now(); time.Since(begun) < 800*time.Millisecond; {
			_ = readings(1000)
		}
		done.Store(true)
	}()
	took, err := p.settle(t.Context())
	if err != nil || !done.Load() || took == 0 {
		t.Errorf("at rest after %v with work going on: %v; %v", took, !done.Load(), err)
	}
}

// readings keeps a processor busy.
func readings(n int) (sum int) {
	for i := range n {
		sum += i * i
	}
	return sum
}
