package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

// Each line is a store that is not well in one way, and what of that is told.
func TestDoctor_KnowsEachSymptom(t *testing.T) {
	for symptom, spoil := range map[string]func(m *tinykv.Metrics){
		"has failed and takes no writes":   func(m *tinykv.Metrics) { m.Failed = true },
		"damage was met in 1 place":        func(m *tinykv.Metrics) { m.CorruptPlaces = 1 },
		"writers were stopped 3 times":     func(m *tinykv.Metrics) { m.Stalls, m.LongestStall = 3, time.Second },
		"tables in level 0":                func(m *tinykv.Metrics) { m.Levels[0].Tables = 20 },
		"one sync of the log":              func(m *tinykv.Metrics) { m.Latency.Sync = tinykv.Histogram{Count: 100, Max: time.Second} },
		"snapshot or transaction has":      func(m *tinykv.Metrics) { m.OldestSnapshot = &tinykv.Holder{Age: time.Hour} },
		"an iterator has been open for 1h": func(m *tinykv.Metrics) { m.OldestIterator = &tinykv.Holder{Age: time.Hour} },
		"are of no use any more":           func(m *tinykv.Metrics) { m.TableBytes, m.DeadBytes = 1<<30, 1<<29 },
		"entries are tombstones":           func(m *tinykv.Metrics) { m.Levels[6].Entries, m.Levels[6].Deletes = 1e6, 5e5 },
		"the cache had only 10 %": func(m *tinykv.Metrics) {
			m.Cache = tinykv.CacheMetrics{Size: 1 << 20, Hits: 1e5, Misses: 9e5, Evicted: 1}
		},
		"filters let 10.00 %": func(m *tinykv.Metrics) {
			m.Filters = tinykv.FilterMetrics{No: 9e5, FalsePositives: 1e5, Rate: 0.1, DesignRate: 0.01}
		},
		"an iterator goes over 15 places": func(m *tinykv.Metrics) { m.ReadAmplification = 15 },
		"40 bytes were written for each":  func(m *tinykv.Metrics) { m.LogWrittenBytes, m.WriteAmplification = 1<<30, 40 },
	} {
		m := &tinykv.Metrics{}
		if all := examine(m); len(all) != 0 {
			t.Fatalf("a store that is well: %+v", all)
		}
		spoil(m)
		all := examine(m)
		if len(all) != 1 || !strings.Contains(all[0].Symptom, symptom) || all[0].Why == "" || all[0].Do == "" {
			t.Errorf("%s: %+v", symptom, all)
		}
	}
}

func TestRates_AreOfWhatHappenedInBetween(t *testing.T) {
	bucket := func(n uint64) []tinykv.HistogramBucket {
		return []tinykv.HistogramBucket{{UpTo: time.Microsecond, Count: 100}, {UpTo: time.Millisecond, Count: n}}
	}
	a, b := &tinykv.Metrics{}, &tinykv.Metrics{}
	a.Latency.Get = tinykv.Histogram{Count: 101, Max: time.Second, Buckets: bucket(1)}
	b.Latency.Get = tinykv.Histogram{Count: 121, Max: time.Second, Buckets: bucket(21)}
	a.Cache.Hits, b.Cache.Hits, b.Cache.Misses = 10, 19, 1
	r := ratesOf(a, b, 2*time.Second)
	if r.Reads != 10 || time.Duration(r.ReadP50) != time.Millisecond || r.CacheHit != 0.9 || r.FilterNo != -1 {
		t.Errorf("%+v", r)
	}
	// A store that was opened anew counts from its beginning.
	if r := ratesOf(b, a, 0); r.Reads != 101 || time.Duration(r.ReadP50) != time.Microsecond {
		t.Errorf("%+v", r)
	}
}

func TestFold_KeepsWithinEightyColumns(t *testing.T) {
	text := strings.Repeat("seven letters ", 30)
	for line := range strings.Lines(strings.Repeat(" ", 7) + fold(text, 7)) {
		if n := len(strings.TrimSuffix(line, "\n")); n > 80 || n < 60 && !strings.HasSuffix(line, "letters") {
			t.Errorf("%d: %s", n, line)
		}
	}
}
