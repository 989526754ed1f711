package tinykv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

func numbered(n int) []byte { return fmt.Appendf(nil, "key %06d", n) }

// busyStore has done a bit of everything, with every call looked at.
func busyStore(t *testing.T) *tinykv.DB {
	t.Helper()
	db := smallStore(t, nil, tinykv.Internal{SampleEvery: 1})
	for n := range 4000 {
		must(t, db.Put(numbered(2*n), make([]byte, 100)))
	}
	must(t, db.Compact(context.Background(), tinykv.All()))
	for n := range 100 {
		must(t, db.Put(numbered(2*n), make([]byte, 100), tinykv.Sync))
	}
	must(t, db.Flush(context.Background()))
	return db
}

func TestMetrics_CountLookupsFiltersAndTimes(t *testing.T) {
	db := busyStore(t)
	for n := range 4000 {
		if _, err := db.Get(numbered(2 * n)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Has(numbered(2*n + 1)); err != nil {
			t.Fatal(err)
		}
		must(t, db.Peek(numbered(2*n), func([]byte) error { return nil }))
	}
	m := db.Metrics()
	if m.Reads.Lookups != 12_000 || m.Latency.Get.Count != 12_000 {
		t.Errorf("%d lookups, %d times", m.Reads.Lookups, m.Latency.Get.Count)
	}
	if m.Latency.Write.Count != 4100 || m.Latency.Sync.Count == 0 {
		t.Errorf("%d times of writes, %d of syncs", m.Latency.Write.Count, m.Latency.Sync.Count)
	}
	f := m.Filters
	if f.No < 3900 || f.Rate > 0.05 || f.DesignRate < 0.009 || f.DesignRate > 0.0105 {
		t.Errorf("filters: %+v", f)
	}
	if f.Asked < f.No+f.FalsePositives || m.Reads.Tables < 8000 || m.Reads.Tables > 8000+f.FalsePositives {
		t.Errorf("tables: %d, filters: %+v", m.Reads.Tables, f)
	}
	keys := make([][]byte, 100)
	for i := range keys {
		keys[i] = numbered(i)
	}
	if _, err := db.GetMulti(keys...); err != nil {
		t.Fatal(err)
	}
	after := db.Metrics()
	if n := after.Reads.Lookups - m.Reads.Lookups; n != 100 {
		t.Errorf("GetMulti of 100 keys counts for %d", n)
	}
	if n := after.Filters.Asked - f.Asked; n < 100 {
		t.Errorf("GetMulti of 100 keys asked %d filters", n)
	}
}

func TestMetrics_AboutOneReadInMany_IsLookedAtAndCountsForAsMany(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	must(t, db.Put([]byte("fig"), nil))
	for range 64_000 {
		if _, err := db.Has([]byte("fig")); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.Metrics().Reads.Lookups; n < 63_000 || n > 65_000 {
		t.Errorf("64000 reads count for %d", n)
	}
}

func TestMetrics_CountRangeTombstonesPerLevel(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	s, err := db.NewSnapshot() // keeps the tombstone
	must(t, err)
	must(t, db.Put([]byte("fig"), nil))
	must(t, db.DeleteRange([]byte("a"), []byte("f")))
	must(t, db.Flush(context.Background()))
	if m := db.Metrics(); m.Levels[0].RangeDeletes != 1 || !strings.Contains(m.String(), "range tombstones: 1") {
		t.Errorf("%d range tombstones in level 0\n%s", m.Levels[0].RangeDeletes, m)
	}
	must(t, s.Close())
}

func TestMetrics_SpaceIsLiveAndDead(t *testing.T) {
	db := busyStore(t)
	m := db.Metrics()
	if m.TableBytes != m.LiveBytes+m.DeadBytes || m.SpaceAmplification < 1 || m.SpaceAmplification > 1.2 {
		t.Errorf("%d = %d + %d, %.2f", m.TableBytes, m.LiveBytes, m.DeadBytes, m.SpaceAmplification)
	}
	if m.DeadBytes != 0 || m.Keys < 4000 || m.Keys > 4100 {
		t.Errorf("nothing was deleted: %d bytes are dead; about %d keys", m.DeadBytes, m.Keys)
	}
	s, err := db.NewSnapshot() // keeps tombstones from being merged away at once
	must(t, err)
	defer s.Close()
	for n := range 1000 {
		must(t, db.Delete(numbered(2*n)))
	}
	must(t, db.Flush(context.Background()))
	if got := db.Metrics(); got.DeadBytes == 0 || got.Keys > m.Keys-1000 {
		t.Errorf("1000 keys were deleted: %d bytes are dead; about %d keys", got.DeadBytes, got.Keys)
	}
	if m.WriteAmplification < 1.5 || m.WriteAmplification > 10 {
		t.Errorf("write amplification %.2f", m.WriteAmplification)
	}
	if m.LogZeroedBytes < m.LogBytes+m.LogSpareBytes {
		t.Errorf("log: %d bytes of zeros for %d in use and %d spare", m.LogZeroedBytes, m.LogBytes, m.LogSpareBytes)
	}
	if m.LogWrittenBytes < 4100*110 || m.LogWrittenBytes > 4100*160 {
		t.Errorf("log: %d bytes written", m.LogWrittenBytes)
	}
}

func TestMetrics_TellTheOldestSnapshotAndIteratorAndWhereTheyWereOpened(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{SampleEvery: 1})
	must(t, db.Put([]byte("fig"), nil))
	_, file, line, _ := runtime.Caller(0)
	s, err := db.NewSnapshot()
	must(t, err)
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	later, err := s.NewIter(tinykv.All())
	must(t, err)
	m := db.Metrics()
	if m.Snapshots != 1 || m.OldestSnapshot.Seq != 1 || m.OldestSnapshot.Age <= 0 {
		t.Errorf("snapshots: %d, %+v", m.Snapshots, m.OldestSnapshot)
	}
	if want := fmt.Sprintf("%s:%d", file, line+1); m.OldestSnapshot.Origin != want {
		t.Errorf("the snapshot is from %s, want %s", m.OldestSnapshot.Origin, want)
	}
	if want := fmt.Sprintf("%s:%d", file, line+3); m.Iterators != 2 || m.OldestIterator.Origin != want {
		t.Errorf("%d iterators, the oldest from %s, want %s", m.Iterators, m.OldestIterator.Origin, want)
	}
	must(t, it.Close())
	must(t, it.Close())
	m = db.Metrics()
	if want := fmt.Sprintf("%s:%d", file, line+5); m.Iterators != 1 || m.OldestIterator.Origin != want {
		t.Errorf("%d iterators, the oldest from %s, want %s", m.Iterators, m.OldestIterator.Origin, want)
	}
	must(t, later.Close())
	must(t, s.Close())
	for _, err := range db.Scan(tinykv.All()) {
		must(t, err)
		_, _, line, _ = runtime.Caller(0)
		if h := db.Metrics().OldestIterator; h == nil || h.Origin != fmt.Sprintf("%s:%d", file, line-2) {
			t.Errorf("a Scan is told as %+v", h)
		}
	}
	if m = db.Metrics(); m.Iterators != 0 || m.OldestIterator != nil || m.Snapshots != 0 || m.OldestSnapshot != nil {
		t.Errorf("everything is closed: %+v, %+v", m.OldestIterator, m.OldestSnapshot)
	}
}

// Of most it is not noted where they were opened: Metrics tells it of the first one of which it is.
func TestMetrics_TraceSomeIteratorsAndSnapshotsToWhereTheyWereOpened(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	must(t, db.Put([]byte("fig"), nil))
	first, err := db.NewSnapshot()
	must(t, err)
	its := make([]*tinykv.Iterator, 2000)
	for n := range its {
		its[n], err = db.NewIter(tinykv.All())
		must(t, err)
	}
	s, err := db.NewSnapshot()
	must(t, err)
	for n, it := range its {
		m := db.Metrics()
		if m.Iterators != len(its)-n || m.OldestIterator == nil || m.OldestIterator.Age < m.TracedIterator.Age {
			t.Fatalf("after %d were closed: %d are open, %+v, %+v", n, m.Iterators, m.OldestIterator, m.TracedIterator)
		}
		if !strings.Contains(m.TracedIterator.Origin, "metrics_test.go:") {
			t.Fatalf("traced to %q", m.TracedIterator.Origin)
		}
		must(t, it.Close())
		if n == len(its)-1000 {
			break // so few may all be untraced
		}
	}
	m := db.Metrics()
	if m.Snapshots != 2 || m.OldestSnapshot.Origin == "" || *m.TracedSnapshot != *m.OldestSnapshot {
		t.Errorf("the first snapshot is always traced: %+v, %+v", m.OldestSnapshot, m.TracedSnapshot)
	}
	must(t, first.Close())
	if m = db.Metrics(); m.Snapshots != 1 || m.OldestSnapshot.Origin != "" || m.TracedSnapshot != nil {
		t.Errorf("the second one is not: %+v, %+v", m.OldestSnapshot, m.TracedSnapshot)
	}
	must(t, s.Close())
	for _, it := range its {
		must(t, it.Close())
	}
	if m = db.Metrics(); m.Iterators != 0 || m.OldestIterator != nil || m.TracedIterator != nil {
		t.Errorf("all are closed: %+v", m)
	}
}

func TestMetrics_IteratorsThatOutliveTheStoreAreClosedInPeace(t *testing.T) {
	db := mustOpen(t, "/s", &tinykv.Options{FS: vfs.NewMem()})
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	must(t, db.Close())
	must(t, it.Close())
}

// Who computes how much is not on stable storage yet, may do so of a store that was just closed.
func TestMetrics_OfAClosedStoreKnowTheLastWrite(t *testing.T) {
	db := mustOpen(t, "/s", &tinykv.Options{FS: vfs.NewMem()})
	must(t, db.Put([]byte("k"), nil))
	must(t, db.Close())
	if m := db.Metrics(); m.LastSeq != 1 || m.DurableSeq != 1 {
		t.Errorf("last write %d, durable %d, want 1", m.LastSeq, m.DurableSeq)
	}
}

// A store that has run for years has large numbers.
func TestMetrics_TextOfLargeNumbersIsAtMostEightyColumnsWide(t *testing.T) {
	const many = 999_999_999_999
	latency := tinykv.Histogram{Count: many, Sum: 1 << 62, Max: 12345 * time.Second, Buckets: []tinykv.HistogramBucket{{UpTo: 12345 * time.Second, Count: many}}}
	m := tinykv.Metrics{
		Keys: many, LiveBytes: 1 << 50, DeadBytes: 1 << 50, SpaceAmplification: 12345, ReadAmplification: 12345, LastSeq: many, DurableSeq: many,
		MemTableBytes: 1 << 40, SealedMemTables: 100, LogBytes: 1 << 40, LogSpareBytes: 1 << 40, LogWrittenBytes: 1 << 60,
		Flushes: many, FlushedBytes: 1 << 60, LargeWrites: many, LargeBytes: 1 << 60, Compactions: many, Moves: many, DroppedTables: many,
		RunningCompactions: 64, PendingCompactionBytes: 1 << 60, GarbageBytes: 1 << 60, ManifestRenewals: many,
		Stalls: 1e9, StallTime: 1e6 * time.Second, LongestStall: 1e4 * time.Second, DelayTime: 1e6 * time.Second, ExpiredValues: many,
		Reads:     tinykv.ReadMetrics{Lookups: many, Tables: many},
		Filters:   tinykv.FilterMetrics{Asked: many, No: many, Rate: 1, DesignRate: 1},
		Cache:     tinykv.CacheMetrics{Size: 1 << 40, Held: 1 << 40, Hits: many, Misses: many, Dropped: many, Rejected: many, Evicted: many},
		Latency:   tinykv.LatencyMetrics{Get: latency, Write: latency, Sync: latency},
		Snapshots: 1e6, OldestSnapshot: &tinykv.Holder{Seq: many, Age: 1e6 * time.Second},
	}
	for i := range m.Levels {
		m.Levels[i] = tinykv.LevelMetrics{
			Tables: 100_000, Bytes: 1 << 50, DataBytes: 1 << 50, Score: 123.45, InBytes: 1 << 50, ReadBytes: 1 << 50, WrittenBytes: 1 << 58,
			RangeDeletes: many / 10, Expiring: many / 10, CompactionTime: 1e6 * time.Second,
		}
	}
	for line := range strings.Lines(m.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestMetrics_TextIsAtMostEightyColumnsWide(t *testing.T) {
	db := busyStore(t)
	if _, err := db.Get(numbered(0)); err != nil {
		t.Fatal(err)
	}
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	defer it.Close()
	text := db.Metrics().String()
	t.Log("\n" + text)
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 && !strings.HasPrefix(line, "  one for") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"w-amp", "L0 ", "total", "filters    about", "get  ", "sync  ", "iterators  1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if _, err := json.Marshal(db.Metrics()); err != nil {
		t.Error(err)
	}
}

func TestWritePrometheus_IsWhatTheFormatSays(t *testing.T) {
	db := busyStore(t)
	if _, err := db.Get(numbered(0)); err != nil {
		t.Fatal(err)
	}
	m := db.Metrics()
	var b strings.Builder
	must(t, m.WritePrometheus(&b))
	got, err := parseExposition(b.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	for name, want := range map[string]float64{
		"tinykv_keys":                                 float64(m.Keys),
		"tinykv_flushes_total":                        float64(m.Flushes),
		`tinykv_level_bytes{level="0"}`:               float64(m.Levels[0].Bytes),
		"tinykv_get_seconds_count":                    float64(m.Latency.Get.Count),
		`tinykv_write_seconds_bucket{le="+Inf"}`:      float64(m.Latency.Write.Count),
		"tinykv_sync_seconds_sum":                     m.Latency.Sync.Sum.Seconds(),
		"tinykv_durable_sequence":                     float64(m.DurableSeq),
		`tinykv_level_written_bytes_total{level="6"}`: float64(m.Levels[6].WrittenBytes),
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (there: %v), want %v", name, v, ok, want)
		}
	}
	wantError(t, m.WritePrometheus(brokenWriter{}), errBroken)
	must(t, (&tinykv.Metrics{}).WritePrometheus(&b))
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// parseExposition reads text format 0.0.4 as this package writes it, and is strict: each metric has one
// HELP, one TYPE and then its samples, none twice; names tell kind and unit; buckets are cumulative.
func parseExposition(text string) (map[string]float64, error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, errors.New("the last line does not end")
	}
	samples, seen := map[string]float64{}, map[string]bool{}
	name, kind, helped := "", "", ""
	var bucket, bound float64
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		fields := strings.Split(line, " ")
		switch {
		case strings.HasPrefix(line, "# HELP "):
			if helped = fields[2]; seen[helped] || len(fields) < 4 || !isPromName(helped) {
				return nil, fmt.Errorf("HELP: %q", line)
			}
			continue
		case strings.HasPrefix(line, "# TYPE "):
			name, kind = fields[2], fields[3]
			known := kind == "counter" || kind == "gauge" || kind == "histogram"
			if len(fields) != 4 || name != helped || seen[name] || !known || strings.HasSuffix(name, "_total") != (kind == "counter") {
				return nil, fmt.Errorf("TYPE: %q", line)
			}
			seen[name] = true
			bucket, bound = 0, -1
			continue
		case len(fields) != 2:
			return nil, fmt.Errorf("sample: %q", line)
		}
		v, err := strconv.ParseFloat(fields[1], 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("value: %q", line)
		}
		if _, twice := samples[fields[0]]; twice {
			return nil, fmt.Errorf("twice: %q", line)
		}
		samples[fields[0]] = v
		base, labels, _ := strings.Cut(fields[0], "{")
		if kind != "histogram" {
			if base != name || labels != "" && !(strings.HasPrefix(labels, `level="`) && strings.HasSuffix(labels, `"}`)) {
				return nil, fmt.Errorf("not of %s: %q", name, line)
			}
			continue
		}
		switch strings.TrimPrefix(base, name) {
		case "_bucket":
			text, ok := strings.CutPrefix(labels, `le="`)
			le, err := strconv.ParseFloat(strings.TrimSuffix(text, `"}`), 64)
			if !ok || err != nil || le <= bound || v < bucket {
				return nil, fmt.Errorf("bucket: %q", line)
			}
			bucket, bound = v, le
		case "_count":
			if v != bucket || samples[name+`_bucket{le="+Inf"}`] != v {
				return nil, fmt.Errorf("count: %q", line)
			}
		case "_sum":
		default:
			return nil, fmt.Errorf("not of %s: %q", name, line)
		}
	}
	return samples, nil
}

func isPromName(name string) bool {
	return strings.HasPrefix(name, "tinykv_") && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == ""
}
