package main

import (
	"encoding/json"
	"time"

	"github.com/tinykv/tinykv"
)

// span is a duration that is written with three digits, and as a number of nanoseconds in JSON.
type span time.Duration

// String writes it as 1.23ms.
func (s span) String() string {
	d := time.Duration(s)
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

// MarshalJSON writes nanoseconds.
func (s span) MarshalJSON() ([]byte, error) { return json.Marshal(int64(s)) }

// rates are what happened between two looks, a second where Seconds is not 0. Parts are below 0 where nothing happened.
type rates struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`

	Reads  float64 `json:"reads"`  // of single keys, about: the store counts one in 256
	Writes float64 `json:"writes"` // operations, each of a batch counts
	Syncs  float64 `json:"syncs"`

	ReadP50  span `json:"read_p50_ns"`
	ReadP99  span `json:"read_p99_ns"`
	WriteP50 span `json:"write_p50_ns"`
	WriteP99 span `json:"write_p99_ns"`
	SyncP50  span `json:"sync_p50_ns"`
	SyncP99  span `json:"sync_p99_ns"`

	CacheHit    float64 `json:"cache_hit"`
	FilterNo    float64 `json:"filter_no"`
	FilterFalse float64 `json:"filter_false"`

	FlushedBytes   float64 `json:"flushed_bytes"`
	CompactedBytes float64 `json:"compacted_bytes"`

	// These are sums, not rates.
	Stalls    uint64 `json:"stalls"`
	StallTime span   `json:"stall_ns"`
	DelayTime span   `json:"delay_ns"`
	Level0    int    `json:"level0_tables"`
}

// ratesOf returns what happened between a look and a later one, in so much time; 0 has sums instead. A store that was opened anew
// between them counts from its beginning.
func ratesOf(a, b *tinykv.Metrics, in time.Duration) *rates {
	if b.LastSeq < a.LastSeq || b.Latency.Get.Count < a.Latency.Get.Count || b.Latency.Write.Count < a.Latency.Write.Count {
		a = &tinykv.Metrics{}
	}
	each := 1.0
	if in > 0 {
		each = in.Seconds()
	}
	get, write, sync := since(&a.Latency.Get, &b.Latency.Get), since(&a.Latency.Write, &b.Latency.Write), since(&a.Latency.Sync, &b.Latency.Sync)
	r := &rates{
		At: time.Now(), Seconds: in.Seconds(),
		Reads: float64(get.Count) / each, Writes: float64(b.LastSeq-a.LastSeq) / each, Syncs: float64(sync.Count) / each,
		ReadP50: span(get.Percentile(50)), ReadP99: span(get.Percentile(99)),
		WriteP50: span(write.Percentile(50)), WriteP99: span(write.Percentile(99)),
		SyncP50: span(sync.Percentile(50)), SyncP99: span(sync.Percentile(99)),
		FlushedBytes:   float64(b.FlushedBytes-a.FlushedBytes) / each,
		CompactedBytes: float64(compacted(b)-compacted(a)) / each,
		Stalls:         b.Stalls - a.Stalls, StallTime: span(b.StallTime - a.StallTime), DelayTime: span(b.DelayTime - a.DelayTime),
		Level0: b.Levels[0].Tables,
	}
	r.CacheHit = ratio(b.Cache.Hits-a.Cache.Hits, b.Cache.Hits-a.Cache.Hits+b.Cache.Misses-a.Cache.Misses)
	no, asked, wrong := b.Filters.No-a.Filters.No, b.Filters.Asked-a.Filters.Asked, b.Filters.FalsePositives-a.Filters.FalsePositives
	r.FilterNo, r.FilterFalse = ratio(no, asked), ratio(wrong, no+wrong)
	return r
}

// ratio returns which part n is of all, or -1 of nothing.
func ratio(n, all uint64) float64 {
	if all == 0 {
		return -1
	}
	return float64(n) / float64(all)
}

// compacted is how much compactions have written; level 0 is of flushes.
func compacted(m *tinykv.Metrics) (n int64) {
	for _, l := range m.Levels[1:] {
		n += l.WrittenBytes
	}
	return n
}

// since returns the calls of b that are not in a, which is of the same store, earlier.
func since(a, b *tinykv.Histogram) tinykv.Histogram {
	d := tinykv.Histogram{Count: b.Count - a.Count, Sum: b.Sum - a.Sum}
	if d.Count == 0 {
		return d
	}
	d.Max = b.Max
	before := map[time.Duration]uint64{}
	for _, x := range a.Buckets {
		before[x.UpTo] = x.Count
	}
	for _, x := range b.Buckets {
		if x.Count -= before[x.UpTo]; x.Count > 0 {
			d.Buckets = append(d.Buckets, x)
		}
	}
	return d
}
