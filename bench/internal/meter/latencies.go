package meter

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in nanoseconds, to three digits.
const (
	maxLatency    = time.Hour
	latencyDigits = 3
)

// Latencies are how long calls took.
type Latencies struct {
	Timed   *hdrhistogram.Histogram // nil: there are no such calls
	Longest time.Duration           // call, or stretch of calls between two timed ones
}

// NewLatencies returns room for latencies of up to an hour.
func NewLatencies() Latencies {
	return Latencies{Timed: hdrhistogram.New(1, int64(maxLatency), latencyDigits)}
}

// Merge adds those of another thread.
func (l *Latencies) Merge(other Latencies) {
	l.Longest = max(l.Longest, other.Longest)
	l.Timed.Merge(other.Timed)
}

// add records how long a timed call took.
func (l *Latencies) add(took time.Duration) {
	l.Longest = max(l.Longest, took)
	_ = l.Timed.RecordValue(int64(min(took, maxLatency))) // fails only above maxLatency
}

// Micros returns a time in microseconds, with as many digits as mean something.
func Micros(d time.Duration) string {
	us := float64(d) / float64(time.Microsecond)
	switch {
	case us < 10:
		return fmt.Sprintf("%.3f", us)
	case us < 100:
		return fmt.Sprintf("%.2f", us)
	case us < 1000:
		return fmt.Sprintf("%.1f", us)
	default:
		return fmt.Sprintf("%.0f", us)
	}
}
