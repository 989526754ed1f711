package tinykv

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram is how long calls of one kind took. It is a copy; nobody else changes it.
//
// Its buckets are an eighth of a power of two wide, so that Percentile is at most 12.5 % too high. The
// idea is that of HdrHistogram (G. Tene).
type Histogram struct {
	Count uint64        `json:"count"`
	Sum   time.Duration `json:"sum_ns"`
	Min   time.Duration `json:"min_ns"` // of those that were timed; 0 when there are none
	Max   time.Duration `json:"max_ns"`

	// Buckets are those that are not empty, in ascending order.
	Buckets []HistogramBucket `json:"buckets,omitempty"`
}

// HistogramBucket counts the calls that took up to UpTo, and more than all buckets before it.
type HistogramBucket struct {
	UpTo  time.Duration `json:"up_to_ns"`
	Count uint64        `json:"count"`
}

// Mean returns the average; 0 when nothing was counted.
func (h *Histogram) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// Percentile returns the time within which p percent of the calls were done: 50 is the median, 100 the
// greatest. It is 0 when nothing was counted.
func (h *Histogram) Percentile(p float64) time.Duration {
	rank := uint64(math.Ceil(p / 100 * float64(h.Count)))
	for _, b := range h.Buckets {
		if b.Count >= rank {
			return min(max(b.UpTo, h.Min), h.Max)
		}
		rank -= b.Count
	}
	return h.Max
}

// Durations of n nanoseconds, or u = n-1, go to bucket u up to 8 ns. From there on each power of two has
// eight buckets: where u has the form 1abc... in binary, with e digits behind the c, it is
// bucket 8e + 1abc. So the upper bounds of buckets are the powers of two, and seven between each two.
const (
	bucketsPerPower = 8
	maxPower        = 40 // longer than 18 minutes is counted as that long
	bucketCount     = (maxPower - 3 + 1) * bucketsPerPower
)

func bucketOf(d time.Duration) int {
	u := uint64(max(d, 1) - 1)
	if u < bucketsPerPower {
		return int(u)
	}
	e := bits.Len64(u) - 4
	return min(e*bucketsPerPower+int(u>>e), bucketCount-1)
}

// bucketEnd returns the longest duration that goes to a bucket.
func bucketEnd(i int) time.Duration {
	if i < bucketsPerPower {
		return time.Duration(i + 1)
	}
	e := i/bucketsPerPower - 1
	return time.Duration(i%bucketsPerPower+bucketsPerPower+1) << e
}

// recorder fills a histogram from many goroutines, without a lock. Each records in a cell that its ticket
// picks, so that they seldom write to the same memory.
type recorder []recorderCell

type recorderCell struct {
	sum     atomic.Int64
	least   atomic.Int64 // as its complement, so that 0 is the longest time there is
	longest atomic.Int64
	counts  [bucketCount]atomic.Uint64

	_ [64]byte // keeps cells out of each other's cache lines
}

// record counts a duration as often as weight says, in the cell for a ticket.
func (r recorder) record(d time.Duration, weight uint64, ticket uint32) {
	c := &r[cellOf(ticket, len(r))]
	c.counts[bucketOf(d)].Add(weight)
	c.sum.Add(int64(d) * int64(weight))
	raise(&c.longest, int64(d))
	raise(&c.least, math.MaxInt64-int64(d))
}

// raise sets v to n if that is more.
func raise(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if n <= old || v.CompareAndSwap(old, n) {
			return
		}
	}
}

// histogram returns what was recorded. Records made meanwhile may be in it in part.
func (r recorder) histogram() (h Histogram) {
	var counts [bucketCount]uint64
	least := int64(0)
	for i := range r {
		c := &r[i]
		h.Sum += time.Duration(c.sum.Load())
		h.Max = max(h.Max, time.Duration(c.longest.Load()))
		least = max(least, c.least.Load())
		for b := range counts {
			counts[b] += c.counts[b].Load()
		}
	}
	for b, n := range counts {
		if n > 0 {
			h.Count += n
			h.Buckets = append(h.Buckets, HistogramBucket{UpTo: bucketEnd(b), Count: n})
		}
	}
	if h.Count > 0 {
		h.Min = time.Duration(math.MaxInt64 - least)
	}
	return h
}
