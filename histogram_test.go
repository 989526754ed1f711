package tinykv

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBuckets_FollowEachOtherAndAreAnEighthWide(t *testing.T) {
	for i := range bucketCount {
		last := bucketEnd(i)
		if got := bucketOf(last); got != i {
			t.Errorf("bucket %d ends at %d, which goes to bucket %d", i, last, got)
		}
		if i+1 < bucketCount && bucketOf(last+1) != i+1 {
			t.Errorf("%d, behind bucket %d, goes to bucket %d", last+1, i, bucketOf(last+1))
		}
		if i >= bucketsPerPower && float64(bucketEnd(i)-bucketEnd(i-1)) > float64(bucketEnd(i-1))/8+1 {
			t.Errorf("bucket %d goes from %d to %d", i, bucketEnd(i-1), last)
		}
	}
	for _, d := range []time.Duration{math.MinInt64, -1, 0, 1} {
		if bucketOf(d) != 0 {
			t.Errorf("%d goes to bucket %d", d, bucketOf(d))
		}
	}
	if got := bucketOf(math.MaxInt64); got != bucketCount-1 {
		t.Errorf("the longest time goes to bucket %d", got)
	}
	for bound := promLeast; bound < promLeast<<promBounds; bound *= promFactor {
		if bucketEnd(bucketOf(bound)) != bound {
			t.Errorf("%v, a bound for Prometheus, is none of ours", bound)
		}
	}
}

func TestHistogram_TellsWhatTheSortedTimesTell(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := make(recorder, 4)
	var times []time.Duration
	var sum time.Duration
	for i := range uint32(10_000) {
		d := time.Duration(math.Exp(rng.Float64() * 20))
		times = append(times, d)
		sum += 3 * d
		r.record(d, 3, i)
	}
	slices.Sort(times)
	h := r.histogram()
	if h.Count != 30_000 || h.Sum != sum || h.Min != times[0] || h.Max != times[len(times)-1] {
		t.Errorf("count %d, sum %d, from %d to %d; want 30000, %d, from %d to %d",
			h.Count, h.Sum, h.Min, h.Max, sum, times[0], times[len(times)-1])
	}
	if h.Mean() != sum/30_000 {
		t.Errorf("mean %v, want %v", h.Mean(), sum/30_000)
	}
	for _, p := range []float64{0.1, 1, 10, 50, 90, 99, 99.9, 100} {
		want := times[int(math.Ceil(p/100*float64(len(times))))-1]
		if got := h.Percentile(p); got < want || float64(got) > 1.125*float64(want)+1 {
			t.Errorf("percentile %v is %d, want %d or up to an eighth more", p, got, want)
		}
	}
}

func TestHistogram_OfNothingIsZero(t *testing.T) {
	h := make(recorder, 1).histogram()
	if h.Count != 0 || h.Min != 0 || h.Max != 0 || h.Mean() != 0 || h.Percentile(50) != 0 || h.Buckets != nil {
		t.Errorf("got %+v", h)
	}
}

func TestHistogram_CountsWhatManyRecordAtOnce(t *testing.T) {
	r := make(recorder, 2)
	var running sync.WaitGroup
	for g := range uint32(4) {
		running.Go(func() {
			for i := range 1000 {
				r.record(time.Duration(i), 1, g)
			}
		})
	}
	running.Wait()
	if h := r.histogram(); h.Count != 4000 || h.Sum != 4*999*1000/2 || h.Max != 999 || h.Min != 0 {
		t.Errorf("got %d, %d, from %d to %d", h.Count, h.Sum, h.Min, h.Max)
	}
}

func TestSampler_DrawsOneInSampleEveryAndFavoursNoCallOfALoop(t *testing.T) {
	s := newSampler(sampleEvery)
	for _, loop := range []int{1, 2, 3, 4, 8, 16, 64, 100} {
		drawn := make([]int, loop)
		const n = sampleEvery * 100 * 100
		total := 0
		for ticket := range uint32(n) {
			if s.drawn(ticket) {
				drawn[int(ticket)%loop]++
				total++
			}
		}
		if total < n/sampleEvery*99/100 || total > n/sampleEvery*101/100 {
			t.Errorf("%d of %d were drawn", total, n)
		}
		fair := n / sampleEvery / loop
		if least, most := slices.Min(drawn), slices.Max(drawn); least < fair/2 || most > 2*fair {
			t.Errorf("a loop of %d calls: from %d to %d of each were drawn, %d would be fair", loop, least, most, fair)
		}
	}
}

func TestSampler_UsesAllCells(t *testing.T) {
	s := newSampler(sampleEvery)
	used := make([]int, maxCells)
	for ticket := range uint32(100_000) {
		if s.drawn(ticket) {
			used[cellOf(ticket, maxCells)]++
		}
	}
	if least := slices.Min(used); least < 100_000/sampleEvery/maxCells/4 {
		t.Errorf("cells were used so often: %v", used)
	}
}

func TestPercentile_OfFewTimesIsOneOfThem(t *testing.T) {
	r := make(recorder, 1)
	for _, d := range []time.Duration{8, 1024, 65536} {
		r.record(d, 1, 0)
	}
	h := r.histogram()
	for p, want := range map[float64]time.Duration{1: 8, 33: 8, 34: 1024, 50: 1024, 66: 1024, 67: 65536, 100: 65536} {
		if got := h.Percentile(p); got != want {
			t.Errorf("percentile %v is %d, want %d", p, got, want)
		}
	}
}

func TestWritePrometheus_ABucketHoldsItsBound(t *testing.T) {
	r := make(recorder, 1)
	r.record(promLeast, 1, 0)
	m := Metrics{Latency: LatencyMetrics{Get: r.histogram()}}
	var page strings.Builder
	if err := m.WritePrometheus(&page); err != nil {
		t.Fatal(err)
	}
	if want := "tinykv_get_seconds_bucket{le=\"1.28e-07\"} 1\n"; !strings.Contains(page.String(), want) {
		t.Errorf("it does not say %q", want)
	}
}

func TestEvents_DamageIsToldOfABoundedNumberOfPlaces(t *testing.T) {
	var d damages
	for i := range int64(maxDamages) {
		if !d.add(damage{offset: i}) || d.add(damage{offset: i}) {
			t.Fatalf("place %d: want it to be new once", i)
		}
	}
	if d.add(damage{offset: maxDamages}) || d.count() != maxDamages {
		t.Errorf("%d places are kept, want %d", d.count(), maxDamages)
	}
}
