package server

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/tinykv/tinykv"
)

// requestTimes are how long requests took that read or write keys, all of them: the engine times only a few of its calls. Streams and what
// works on the store as a whole are not among them.
type requestTimes struct {
	mu          sync.Mutex
	read, write *hdrhistogram.Histogram // guarded by mu; microseconds
}

// Requests are timed from a microsecond to a minute, with two digits.
const (
	leastMicros = 1
	mostMicros  = 60e6
	timedDigits = 2
)

func newRequestTimes() *requestTimes {
	return &requestTimes{
		read:  hdrhistogram.New(leastMicros, mostMicros, timedDigits),
		write: hdrhistogram.New(leastMicros, mostMicros, timedDigits),
	}
}

// note counts a request that has been answered.
func (t *requestTimes) note(rt route, r *http.Request, took time.Duration) {
	if !timed(rt.path) {
		return
	}
	micros := min(max(took.Microseconds(), leastMicros), mostMicros)
	t.mu.Lock()
	defer t.mu.Unlock()
	to := t.read
	if rt.scope > read && r.Method != http.MethodGet {
		to = t.write
	}
	_ = to.RecordValue(micros) // within its bounds
}

func timed(path string) bool {
	for _, begin := range []string{"/v1/keys/", "/v1/range", "/v1/count", "/v1/batch", "/v1/txn", "/v1/transactions/"} {
		if strings.HasPrefix(path, begin) {
			return true
		}
	}
	return false
}

// liveRequests are the requests since the server began.
type liveRequests struct {
	Read  tinykv.Histogram `json:"read"`
	Write tinykv.Histogram `json:"write"`
}

func (t *requestTimes) told() liveRequests {
	t.mu.Lock()
	defer t.mu.Unlock()
	return liveRequests{Read: histogramOf(t.read), Write: histogramOf(t.write)}
}

func histogramOf(from *hdrhistogram.Histogram) tinykv.Histogram {
	h := tinykv.Histogram{
		Count: uint64(from.TotalCount()), Sum: time.Duration(from.Mean() * float64(from.TotalCount()) * float64(time.Microsecond)),
		Max: time.Duration(from.Max()) * time.Microsecond,
	}
	for _, bar := range from.Distribution() {
		if bar.Count > 0 {
			h.Buckets = append(h.Buckets, tinykv.HistogramBucket{UpTo: time.Duration(bar.To) * time.Microsecond, Count: uint64(bar.Count)})
		}
	}
	if h.Count > 0 {
		h.Min = time.Duration(from.Min()) * time.Microsecond
	}
	return h
}
