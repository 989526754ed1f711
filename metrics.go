package tinykv

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/manifest"
)

// Metrics is what a store tells about itself at one moment. Counters count from the opening. Sizes
// are in bytes.
type Metrics struct {
	// Levels describe the levels of the tree, level 0 first.
	Levels [manifest.NumLevels]LevelMetrics `json:"levels"`

	// BaseLevel is the level that level 0 is merged into.
	BaseLevel int `json:"base_level"`

	// Keys estimates the number of keys: entries in tables, less twice the tombstones among them, and
	// entries in memtables. Keys that are stored several times count as often.
	Keys uint64 `json:"keys"`

	// LastSeq is the number of the last write, in commit order; DurableSeq that of the last write
	// that is known to be on stable storage.
	LastSeq    uint64 `json:"last_seq"`
	DurableSeq uint64 `json:"durable_seq"`

	// MemTableBytes is what active and sealed memtables use of their memory; SealedMemTables is how
	// many wait for their flush.
	MemTableBytes   int64 `json:"memtable_bytes"`
	SealedMemTables int   `json:"sealed_memtables"`

	// LogBytes is the size of the log segments in use; LogSpareBytes that of those kept for new use.
	LogBytes      int64 `json:"log_bytes"`
	LogSpareBytes int64 `json:"log_spare_bytes"`

	// Flushes turned FlushedBytes of memtables into tables, in FlushTime.
	Flushes      uint64        `json:"flushes"`
	FlushedBytes int64         `json:"flushed_bytes"`
	FlushTime    time.Duration `json:"flush_time_ns"`

	// Compactions merged tables, Moves only moved some to another level.
	Compactions uint64 `json:"compactions"`
	Moves       uint64 `json:"moves"`

	// RunningCompactions is how many goroutines merge tables, and PendingCompactionBytes about how much
	// is to be written until no level is larger than it should be. GarbageBytes is the size of the
	// files that nobody needs and that are still to be removed.
	RunningCompactions     int   `json:"running_compactions"`
	PendingCompactionBytes int64 `json:"pending_compaction_bytes"`
	GarbageBytes           int64 `json:"garbage_bytes"`

	// DroppedTables is how many tables went at once because range tombstones lay on all of them.
	DroppedTables uint64 `json:"dropped_tables"`

	// LargeWrites are batches that were written to a table of their own.
	LargeWrites uint64 `json:"large_writes"`

	// ManifestRenewals counts manifests that were replaced by shorter ones.
	ManifestRenewals uint64 `json:"manifest_renewals"`

	// Cache is about the blocks that were decompressed.
	Cache CacheMetrics `json:"cache"`

	// Memory is how the budget is used.
	Memory MemoryMetrics `json:"memory"`

	// Snapshots is the number of open snapshots.
	Snapshots int `json:"snapshots"`

	// Stalls is how often writers had to wait for a millisecond or more: for flushes, compactions, or
	// a new memtable or log segment. StallTime is for how long in all, LongestStall at most.
	// DelayTime is how long writers were slowed down in all, so that they need not wait.
	Stalls       uint64        `json:"stalls"`
	StallTime    time.Duration `json:"stall_time_ns"`
	LongestStall time.Duration `json:"longest_stall_ns"`
	DelayTime    time.Duration `json:"delay_time_ns"`
}

// MemoryMetrics describe the memory of a store, in bytes.
type MemoryMetrics struct {
	Budget    int64 `json:"budget"`
	MemTables int64 `json:"memtables"` // all that exist: in use, spare, and those that iterators hold
	Cache     int64 `json:"cache"`     // blocks in it, without the garbage beside them
}

// minStall is how long a writer must wait for it to count as a stall.
const minStall = time.Millisecond

// CacheMetrics describe the cache of decompressed blocks. Only reads of compressed blocks look
// there.
type CacheMetrics struct {
	Size int64 `json:"size"` // 0: there is no cache
	Held int64 `json:"held"` // about

	Hits   uint64 `json:"hits"`
	Misses uint64 `json:"misses"` // among them those of cursors that pass by, which put nothing in

	// Of the blocks that were offered: Dropped were not considered, because too many came at once;
	// Rejected are asked for less often than what would have had to make room, or were there already;
	// Evicted did make room.
	Dropped  uint64 `json:"dropped"`
	Rejected uint64 `json:"rejected"`
	Evicted  uint64 `json:"evicted"`
}

// LevelMetrics describe one level.
type LevelMetrics struct {
	Tables      int     `json:"tables"`
	Bytes       int64   `json:"bytes"`
	DataBytes   int64   `json:"data_bytes"`   // of keys and values, before compression
	TargetBytes int64   `json:"target_bytes"` // 0 where level 0 is merged past it
	Score       float64 `json:"score"`        // 1 and above: a compaction is due
	Entries     uint64  `json:"entries"`
	Deletes     uint64  `json:"deletes"` // of the entries, tombstones

	// What compactions into this level, and for level 0 flushes, have read and written. InBytes is
	// what came from above, WrittenBytes over InBytes the level's share in write amplification.
	Compactions    uint64        `json:"compactions"`
	InBytes        int64         `json:"in_bytes"`
	ReadBytes      int64         `json:"read_bytes"`
	WrittenBytes   int64         `json:"written_bytes"`
	CompactionTime time.Duration `json:"compaction_time_ns"`
}

// Metrics returns the store's numbers, as far as they can be had after Close.
func (db *DB) Metrics() *Metrics {
	m := &Metrics{}
	db.stats.fill(m)
	m.DelayTime = time.Duration(db.throttle.pausedNanos.Load())
	m.Memory = MemoryMetrics{
		Budget: db.opts.MemoryBudget, MemTables: db.mems.made.Load() * db.opts.MemTableSize, Cache: db.files.cache.Stats().Held,
	}
	m.DurableSeq = db.stats.flushedSeq.Load()
	if db.log != nil {
		m.LogBytes, m.LogSpareBytes = db.log.Bytes()
		m.DurableSeq = max(db.log.SyncedMark(), m.DurableSeq)
	}
	m.Cache = CacheMetrics(db.files.cache.Stats())
	s, err := db.acquire()
	if err != nil {
		return m
	}
	defer s.unref()
	m.LastSeq = db.visible.Load()
	m.SealedMemTables = len(s.sealed)
	for _, t := range append([]*mem{s.active}, s.sealed...) {
		m.MemTableBytes += t.table.Used()
		m.Keys += t.table.Entries()
	}
	m.fillLevels(s.tree.version, db.shape())
	m.PendingCompactionBytes = compaction.Debt(s.tree.version, db.shape())
	db.mu.Lock()
	defer db.mu.Unlock()
	m.RunningCompactions, m.GarbageBytes = db.jobs.running, db.garbageBytes
	for snapshot := db.snapshots.oldest; snapshot != nil; snapshot = snapshot.next {
		m.Snapshots++
	}
	return m
}

func (m *Metrics) fillLevels(v *manifest.Version, opts compaction.Options) {
	shape := compaction.ShapeOf(v, opts)
	m.BaseLevel = int(shape.Base)
	for i := range m.Levels {
		l := &m.Levels[i]
		l.Tables = len(v.Levels[i])
		for _, t := range v.Levels[i] {
			l.Bytes += t.Size
			l.DataBytes += int64(t.DataBytes)
			l.Entries += t.Entries
			l.Deletes += t.Deletes
		}
		m.Keys += l.Entries - min(l.Entries, 2*l.Deletes)
		l.TargetBytes = shape.Target[i]
		l.Score = compaction.Score(v, manifest.Level(i), &shape, opts)
	}
}

// String returns the numbers as a table of the levels and a few lines below it.
func (m *Metrics) String() string {
	var b strings.Builder
	b.WriteString("level  tables      size      data    target  score     entries   deletes      read   written  w-amp  compactions  seconds\n")
	var total LevelMetrics
	for i, l := range m.Levels {
		if l.Tables > 0 || l.Compactions > 0 {
			writeLevel(&b, fmt.Sprintf("L%d", i), &l)
		}
		total.Tables += l.Tables
		total.Bytes += l.Bytes
		total.DataBytes += l.DataBytes
		total.Entries += l.Entries
		total.Deletes += l.Deletes
		total.Compactions += l.Compactions
		total.ReadBytes += l.ReadBytes
		total.WrittenBytes += l.WrittenBytes
		total.CompactionTime += l.CompactionTime
	}
	total.InBytes = m.Levels[0].InBytes
	writeLevel(&b, "total", &total)
	fmt.Fprintf(&b, "memtables: %s, %d sealed; log: %s, %s spare; keys: about %d\n",
		sizeText(m.MemTableBytes), m.SealedMemTables, sizeText(m.LogBytes), sizeText(m.LogSpareBytes), m.Keys)
	fmt.Fprintf(&b, "flushes: %d, %s; compactions: %d, moves: %d; dropped: %d; large writes: %d; manifests renewed: %d\n",
		m.Flushes, sizeText(m.FlushedBytes), m.Compactions, m.Moves, m.DroppedTables, m.LargeWrites, m.ManifestRenewals)
	fmt.Fprintf(&b, "stalls: %d, %.3f s, longest %.3f s; delays: %.3f s\n",
		m.Stalls, m.StallTime.Seconds(), m.LongestStall.Seconds(), m.DelayTime.Seconds())
	fmt.Fprintf(&b, "compactions running: %d, pending: %s; files to remove: %s\n",
		m.RunningCompactions, sizeText(m.PendingCompactionBytes), sizeText(m.GarbageBytes))
	if c := &m.Cache; c.Hits+c.Misses > 0 {
		fmt.Fprintf(&b, "cache: %s of %s; hits: %d of %d, %.1f %%; blocks dropped: %d, rejected: %d, evicted: %d\n",
			sizeText(c.Held), sizeText(c.Size), c.Hits, c.Hits+c.Misses, 100*float64(c.Hits)/float64(c.Hits+c.Misses), c.Dropped, c.Rejected, c.Evicted)
	}
	fmt.Fprintf(&b, "last sequence: %d, durable: %d; open snapshots: %d\n", m.LastSeq, m.DurableSeq, m.Snapshots)
	return b.String()
}

func writeLevel(b *strings.Builder, name string, l *LevelMetrics) {
	target, score, amplification := "-", "-", "-"
	if l.TargetBytes > 0 {
		target = sizeText(l.TargetBytes)
	}
	if l.Score > 0 {
		score = fmt.Sprintf("%.2f", l.Score)
	}
	if l.InBytes > 0 {
		amplification = fmt.Sprintf("%.1f", float64(l.WrittenBytes)/float64(l.InBytes))
	}
	fmt.Fprintf(b, "%-5s %7d %9s %9s %9s %6s %11d %9d %9s %9s %6s %12d %8.1f\n",
		name, l.Tables, sizeText(l.Bytes), sizeText(l.DataBytes), target, score, l.Entries, l.Deletes,
		sizeText(l.ReadBytes), sizeText(l.WrittenBytes), amplification, l.Compactions, l.CompactionTime.Seconds())
}

// sizeText returns a size in bytes with a unit, in at most nine columns.
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

// stats are the counters behind Metrics.
type stats struct {
	largeWrites atomic.Uint64
	dropped     atomic.Uint64
	manifests   atomic.Uint64
	flushedSeq  atomic.Uint64

	mu sync.Mutex
	m  Metrics // guarded by mu; only the counters
}

func (s *stats) fill(m *Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*m = s.m
	m.DroppedTables = s.dropped.Load()
	m.LargeWrites = s.largeWrites.Load()
	m.ManifestRenewals = s.manifests.Load()
}

func (s *stats) flushed(tables []*manifest.Table, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes := inputBytes(tables)
	s.m.Flushes++
	s.m.FlushedBytes += bytes
	s.m.FlushTime += took
	s.m.Levels[0].InBytes += bytes
	s.m.Levels[0].WrittenBytes += bytes
	s.m.Levels[0].CompactionTime += took
}

func (s *stats) compacted(p *compaction.Plan, did compaction.Stats, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Compactions++
	l := &s.m.Levels[p.Output]
	l.Compactions++
	l.InBytes += inputBytes(p.Upper)
	l.ReadBytes += did.BytesIn
	l.WrittenBytes += did.BytesOut
	l.CompactionTime += took
}

func (s *stats) moved(p *compaction.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Moves++
	s.m.Levels[p.Output].InBytes += inputBytes(p.Upper)
}

// rotated records how long the committer was kept from committing by a change of memtables.
func (s *stats) rotated(took time.Duration) {
	if took < minStall {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Stalls++
	s.m.StallTime += took
	s.m.LongestStall = max(s.m.LongestStall, took)
}
