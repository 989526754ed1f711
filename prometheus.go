package tinykv

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"
)

// WritePrometheus writes the numbers in the text format of Prometheus, version 0.0.4, for a handler of
// /metrics: counters end in _total, sizes are in bytes, times in seconds. It returns the error of w. The
// names are the same for every store, so a page holds one.
func (m *Metrics) WritePrometheus(w io.Writer) error {
	var p promWriter
	m.promSpace(&p)
	m.promLevels(&p)
	m.promWork(&p)
	m.promReads(&p)
	m.promCache(&p)
	_, err := w.Write(p.b.Bytes())
	return err
}

// promWriter collects the text.
type promWriter struct{ b bytes.Buffer }

// head begins a metric; kind is counter, gauge or histogram.
func (p *promWriter) head(name, kind, help string) {
	fmt.Fprintf(&p.b, "# HELP tinykv_%s %s\n# TYPE tinykv_%s %s\n", name, help, name, kind)
}

// value adds a value; labels are as they stand between braces, or empty.
func (p *promWriter) value(name, labels string, v float64) {
	if labels != "" {
		labels = "{" + labels + "}"
	}
	fmt.Fprintf(&p.b, "tinykv_%s%s %s\n", name, labels, strconv.FormatFloat(v, 'g', -1, 64))
}

func (p *promWriter) gauge(name, help string, v float64) {
	p.head(name, "gauge", help)
	p.value(name, "", v)
}

func (p *promWriter) counter(name, help string, v float64) {
	p.head(name, "counter", help)
	p.value(name, "", v)
}

// Bounds of the buckets of histograms, which are also bounds of ours: powers of two.
const (
	promLeast  = 128 * time.Nanosecond
	promFactor = 2
	promBounds = 28 // up to 17 seconds
)

// histogram adds a histogram. Its buckets are cumulative and always the same.
func (p *promWriter) histogram(name, help string, h *Histogram) {
	p.head(name, "histogram", help)
	bound, below, next := promLeast, uint64(0), 0
	for range promBounds {
		for ; next < len(h.Buckets) && h.Buckets[next].UpTo <= bound; next++ {
			below += h.Buckets[next].Count
		}
		p.value(name+"_bucket", fmt.Sprintf("le=%q", strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)), float64(below))
		bound *= promFactor
	}
	p.value(name+"_bucket", `le="+Inf"`, float64(h.Count))
	p.value(name+"_sum", "", h.Sum.Seconds())
	p.value(name+"_count", "", float64(h.Count))
}

// promLevel adds a metric with a value for each level.
func (m *Metrics) promLevel(p *promWriter, name, kind, help string, value func(*LevelMetrics) float64) {
	p.head(name, kind, help)
	for i := range m.Levels {
		p.value(name, fmt.Sprintf(`level="%d"`, i), value(&m.Levels[i]))
	}
}

func (m *Metrics) promLevels(p *promWriter) {
	m.promLevel(p, "level_tables", "gauge", "Tables of a level.", func(l *LevelMetrics) float64 { return float64(l.Tables) })
	m.promLevel(p, "level_bytes", "gauge", "Size of the tables of a level.", func(l *LevelMetrics) float64 { return float64(l.Bytes) })
	m.promLevel(p, "level_score", "gauge", "How urgently a level needs a compaction; 1 is due.", func(l *LevelMetrics) float64 { return l.Score })
	m.promLevel(p, "level_entries", "gauge", "Entries in the tables of a level.", func(l *LevelMetrics) float64 { return float64(l.Entries) })
	m.promLevel(p, "level_range_deletes", "gauge", "Range tombstones in the tables of a level.", func(l *LevelMetrics) float64 { return float64(l.RangeDeletes) })
	m.promLevel(p, "level_expiring", "gauge", "Values in the tables of a level that expire, or have expired.", func(l *LevelMetrics) float64 { return float64(l.Expiring) })
	m.promLevel(p, "level_in_bytes_total", "counter", "What came into a level from above.", func(l *LevelMetrics) float64 { return float64(l.InBytes) })
	m.promLevel(p, "level_read_bytes_total", "counter", "What compactions into a level read.", func(l *LevelMetrics) float64 { return float64(l.ReadBytes) })
	m.promLevel(p, "level_written_bytes_total", "counter", "What flushes or compactions into a level wrote.", func(l *LevelMetrics) float64 { return float64(l.WrittenBytes) })
	m.promLevel(p, "level_compaction_seconds_total", "counter", "Time spent on compactions into a level, for level 0 on flushes.", func(l *LevelMetrics) float64 { return l.CompactionTime.Seconds() })
}

func (m *Metrics) promSpace(p *promWriter) {
	p.gauge("keys", "Estimated number of keys.", float64(m.Keys))
	p.gauge("table_bytes", "Size of all tables.", float64(m.TableBytes))
	p.gauge("live_bytes", "Estimated part of the tables that is of use.", float64(m.LiveBytes))
	p.gauge("dead_bytes", "Estimated part of the tables that was overwritten or deleted.", float64(m.DeadBytes))
	p.gauge("garbage_bytes", "Size of files that are to be removed.", float64(m.GarbageBytes))
	p.gauge("log_bytes", "Size of the log segments in use.", float64(m.LogBytes))
	p.gauge("log_spare_bytes", "Size of the log segments kept for new use.", float64(m.LogSpareBytes))
	p.counter("log_written_bytes_total", "What was written to the log.", float64(m.LogWrittenBytes))
	p.counter("log_zeroed_bytes_total", "Zeros written to make segments of the log.", float64(m.LogZeroedBytes))
	p.gauge("memtable_bytes", "What memtables use of their memory.", float64(m.MemTableBytes))
	p.gauge("memtables_sealed", "Memtables that wait for their flush.", float64(m.SealedMemTables))
	p.gauge("watchers", "Loops over Watch.", float64(m.Watch.Watchers))
	p.gauge("watch_bytes", "Memory for the changes that watchers read.", float64(m.Watch.Bytes))
	p.gauge("memory_budget_bytes", "Memory that the store may use.", float64(m.Memory.Budget))
	p.gauge("read_amplification", "Places that a read looks at in the worst case.", float64(m.ReadAmplification))
	p.gauge("write_amplification", "Bytes written for each byte that came in, since the opening.", m.WriteAmplification)
	p.gauge("space_amplification", "Estimated size of the tables over what they must have.", m.SpaceAmplification)
	p.gauge("last_sequence", "Number of the last write.", float64(m.LastSeq))
	p.gauge("durable_sequence", "Number of the last write known to be on stable storage.", float64(m.DurableSeq))
	failed := 0.0
	if m.Failed {
		failed = 1
	}
	p.gauge("failed", "1 when the store has failed and takes no writes.", failed)
	p.gauge("corrupt_places", "Damaged places that were met.", float64(m.CorruptPlaces))
}

func (m *Metrics) promWork(p *promWriter) {
	p.counter("flushes_total", "Flushes of memtables.", float64(m.Flushes))
	p.counter("flushed_bytes_total", "Size of the tables that flushes made.", float64(m.FlushedBytes))
	p.counter("flush_seconds_total", "Time spent on flushes.", m.FlushTime.Seconds())
	p.counter("compactions_total", "Compactions that merged tables.", float64(m.Compactions))
	p.counter("moves_total", "Compactions that only moved tables.", float64(m.Moves))
	p.counter("dropped_tables_total", "Tables that went whole, as range deletions or expiry left nothing of them.", float64(m.DroppedTables))
	p.counter("expired_values_total", "Values that had expired when flushes and compactions met them.", float64(m.ExpiredValues))
	p.counter("large_batches_total", "Batches that were written to a table of their own.", float64(m.LargeWrites))
	p.counter("large_batch_bytes_total", "Size of the tables of large batches.", float64(m.LargeBytes))
	p.gauge("compactions_running", "Goroutines that merge tables.", float64(m.RunningCompactions))
	p.gauge("pending_compaction_bytes", "What is to be written until no level is too large.", float64(m.PendingCompactionBytes))
	p.counter("stalls_total", "How often writers had to wait.", float64(m.Stalls))
	p.counter("stall_seconds_total", "How long writers had to wait.", m.StallTime.Seconds())
	p.counter("delay_seconds_total", "How long writers were slowed down.", m.DelayTime.Seconds())
	p.gauge("buckets", "Buckets.", float64(m.Buckets))
	p.gauge("snapshots", "Open snapshots.", float64(m.Snapshots))
	p.gauge("iterators", "Open iterators.", float64(m.Iterators))
	p.gauge("oldest_snapshot_seconds", "Age of the oldest open snapshot; 0 when there is none.", m.OldestSnapshot.seconds())
	p.gauge("oldest_iterator_seconds", "Age of the oldest open iterator; 0 when there is none.", m.OldestIterator.seconds())
}

func (h *Holder) seconds() float64 {
	if h == nil {
		return 0
	}
	return h.Age.Seconds()
}

func (m *Metrics) promReads(p *promWriter) {
	p.counter("lookups_total", "Keys sought, from samples.", float64(m.Reads.Lookups))
	p.counter("lookup_tables_total", "Tables looked into for them, from samples.", float64(m.Reads.Tables))
	p.counter("filter_asked_total", "Filters asked, from samples.", float64(m.Filters.Asked))
	p.counter("filter_no_total", "Filters that said no, from samples.", float64(m.Filters.No))
	p.counter("filter_false_positives_total", "Filters that let an absent key pass, from samples.", float64(m.Filters.FalsePositives))
	p.gauge("filter_design_ratio", "Part of absent keys that filters let pass by design.", m.Filters.DesignRate)
	p.histogram("get_seconds", "Time of reads of a key, from samples.", &m.Latency.Get)
	p.histogram("write_seconds", "Time of writes, from samples and of all that are synced.", &m.Latency.Write)
	p.histogram("sync_seconds", "Time of syncs of the log.", &m.Latency.Sync)
}

func (m *Metrics) promCache(p *promWriter) {
	p.gauge("cache_size_bytes", "Size of the cache of decompressed blocks.", float64(m.Cache.Size))
	p.gauge("cache_held_bytes", "About how much is in the cache.", float64(m.Cache.Held))
	p.counter("cache_hits_total", "Blocks found in the cache.", float64(m.Cache.Hits))
	p.counter("cache_misses_total", "Blocks not found in the cache.", float64(m.Cache.Misses))
	p.counter("cache_evicted_total", "Blocks that had to make room.", float64(m.Cache.Evicted))
}
