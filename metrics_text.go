package tinykv

import (
	"fmt"
	"strings"
	"time"
)

// String returns the numbers as a table of the levels, as other engines print it, and lines below it, at
// most 80 columns wide. In is what came from above, for the total what came in from outside; read and
// written are what compactions did, for level 0 flushes, for the total with the log; w-amp is written
// over in; r-amp is how many tables a read meets in the worst case. Units are powers of 1024.
func (m *Metrics) String() string {
	var b strings.Builder
	b.WriteString("level tables   size   data  score     in   read written  w-amp  r-amp seconds\n")
	total := LevelMetrics{InBytes: m.LogWrittenBytes + m.LargeBytes, WrittenBytes: m.LogWrittenBytes}
	for i := range m.Levels {
		l := &m.Levels[i]
		if l.Tables > 0 || l.Compactions > 0 || l.WrittenBytes > 0 {
			writeLevel(&b, fmt.Sprintf("L%d", i), l, readAmplification(i, l))
		}
		total.Tables += l.Tables
		total.Bytes += l.Bytes
		total.DataBytes += l.DataBytes
		total.ReadBytes += l.ReadBytes
		total.WrittenBytes += l.WrittenBytes
		total.CompactionTime += l.CompactionTime
		total.RangeDeletes += l.RangeDeletes
		total.Expiring += l.Expiring
	}
	writeLevel(&b, "total", &total, m.ReadAmplification)
	m.writeSpace(&b, &total)
	m.writeWork(&b)
	m.writeReads(&b)
	m.writeLatency(&b)
	writeHolder(&b, "snapshots", m.Snapshots, m.OldestSnapshot, m.TracedSnapshot)
	writeHolder(&b, "iterators", m.Iterators, m.OldestIterator, m.TracedIterator)
	return b.String()
}

// readAmplification returns how many tables of a level a read meets in the worst case.
func readAmplification(level int, l *LevelMetrics) int {
	if level == 0 {
		return l.Tables
	}
	return min(l.Tables, 1)
}

func writeLevel(b *strings.Builder, name string, l *LevelMetrics, reads int) {
	score, amplification := "-", "-"
	if l.Score > 0 {
		score = fmt.Sprintf("%.2f", l.Score)
	}
	if l.InBytes > 0 {
		amplification = fmt.Sprintf("%.1f", l.WriteAmplification())
	}
	fmt.Fprintf(b, "%-5s %6d %6s %6s %6s %6s %6s %7s %6s %6d %7.1f\n",
		name, l.Tables, shortSize(l.Bytes), shortSize(l.DataBytes), score,
		shortSize(l.InBytes), shortSize(l.ReadBytes), shortSize(l.WrittenBytes), amplification, reads, l.CompactionTime.Seconds())
}

func (m *Metrics) writeSpace(b *strings.Builder, total *LevelMetrics) {
	fmt.Fprintf(b, "space      %s live, %s dead, %.2f times the deepest level\n",
		shortSize(m.LiveBytes), shortSize(m.DeadBytes), m.SpaceAmplification)
	fmt.Fprintf(b, "keys       about %d; range tombstones: %d\n", m.Keys, total.RangeDeletes)
	if total.Expiring > 0 || m.ExpiredValues > 0 {
		fmt.Fprintf(b, "expiry     %d values in tables; expired and dropped: %d\n", total.Expiring, m.ExpiredValues)
	}
	fmt.Fprintf(b, "memtables  %s, %d sealed\n", shortSize(m.MemTableBytes), m.SealedMemTables)
	fmt.Fprintf(b, "log        %s, %s spare; sequence %d, durable %d\n",
		shortSize(m.LogBytes), shortSize(m.LogSpareBytes), m.LastSeq, m.DurableSeq)
	if m.Failed {
		b.WriteString("FAILED     takes no writes until Resume\n")
	}
	if m.CorruptPlaces > 0 {
		fmt.Fprintf(b, "DAMAGED    places met: %d\n", m.CorruptPlaces)
	}
}

func (m *Metrics) writeWork(b *strings.Builder) {
	fmt.Fprintf(b, "flushes    %d, %s; large batches: %d, %s\n",
		m.Flushes, shortSize(m.FlushedBytes), m.LargeWrites, shortSize(m.LargeBytes))
	fmt.Fprintf(b, "compacted  %d times; moves: %d; dropped tables: %d\n", m.Compactions, m.Moves, m.DroppedTables)
	fmt.Fprintf(b, "running    %d; pending: %s; to remove: %s; manifests renewed: %d\n",
		m.RunningCompactions, shortSize(m.PendingCompactionBytes), shortSize(m.GarbageBytes), m.ManifestRenewals)
	fmt.Fprintf(b, "stalls     %d, %.3f s, longest %.3f s; delays: %.3f s\n",
		m.Stalls, m.StallTime.Seconds(), m.LongestStall.Seconds(), m.DelayTime.Seconds())
}

func (m *Metrics) writeReads(b *strings.Builder) {
	if r := &m.Reads; r.Lookups > 0 {
		fmt.Fprintf(b, "lookups    about %d, %.2f tables each\n", r.Lookups, float64(r.Tables)/float64(r.Lookups))
	}
	if f := &m.Filters; f.Asked > 0 {
		fmt.Fprintf(b, "filters    about %d asked, %.1f %% no\n           let pass %.2f %% of absent, by design %.2f %%\n",
			f.Asked, 100*float64(f.No)/float64(f.Asked), 100*f.Rate, 100*f.DesignRate)
	}
	if c := &m.Cache; c.Hits+c.Misses > 0 {
		fmt.Fprintf(b, "cache      %s of %s; hits: %d of %d, %.1f %%\n", shortSize(c.Held), shortSize(c.Size),
			c.Hits, c.Hits+c.Misses, 100*float64(c.Hits)/float64(c.Hits+c.Misses))
		fmt.Fprintf(b, "           dropped: %d, rejected: %d, evicted: %d\n", c.Dropped, c.Rejected, c.Evicted)
	}
}

func (m *Metrics) writeLatency(b *strings.Builder) {
	head := fmt.Sprintf("%-10s %10s %9s %9s %9s %9s %9s\n", "latency", "about", "mean", "p50", "p99", "p99.9", "max")
	for _, l := range []struct {
		name string
		h    *Histogram
	}{{"get", &m.Latency.Get}, {"write", &m.Latency.Write}, {"sync", &m.Latency.Sync}} {
		if l.h.Count == 0 {
			continue
		}
		fmt.Fprintf(b, "%s%-10s %10d %9s %9s %9s %9s %9s\n", head, l.name, l.h.Count, timeText(l.h.Mean()),
			timeText(l.h.Percentile(50)), timeText(l.h.Percentile(99)), timeText(l.h.Percentile(99.9)), timeText(l.h.Max))
		head = ""
	}
}

// writeHolder tells of one kind of holders, and of the first one of which it is known where it was opened.
func writeHolder(b *strings.Builder, name string, n int, oldest, traced *Holder) {
	if oldest == nil {
		return
	}
	fmt.Fprintf(b, "%-10s %d, the oldest for %s, at sequence %d\n", name, n, timeText(oldest.Age), oldest.Seq)
	if traced != nil {
		fmt.Fprintf(b, "  one for %s from %s\n", timeText(traced.Age), traced.Origin)
	}
}

// timeText returns a duration with three digits.
func timeText(d time.Duration) string {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

// sizeText returns a size in bytes with a unit, in at most ten columns.
func sizeText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, units := float64(n)/unit, "KMGTPE"
	for size >= 999.95 {
		size /= unit
		units = units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", size, units[0])
}

// shortSize returns a size in bytes in at most six columns, with three digits.
func shortSize(n int64) string {
	size, units := float64(n), "BKMGTPE"
	for size >= 1023.5 {
		size /= 1024
		units = units[1:]
	}
	if size < 9.95 && units[0] != 'B' {
		return fmt.Sprintf("%.1f%c", size, units[0])
	}
	return fmt.Sprintf("%.0f%c", size, units[0])
}
