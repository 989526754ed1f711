package tinykv

import (
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
)

// Metrics is what a store tells about itself at one moment. Counters count from the opening. Sizes
// are in bytes.
type Metrics struct {
	// Levels describe the levels of the tree, level 0 first.
	Levels [manifest.NumLevels]LevelMetrics `json:"levels"`

	// BaseLevel is the level that level 0 is merged into.
	BaseLevel int `json:"base_level"`

	// Keys estimates the number of keys: entries in tables, less twice the tombstones among them and those
	// behind a newer entry in their table, and entries in memtables. A key that is in several tables
	// counts as often, one under a range tombstone until it is compacted away.
	Keys uint64 `json:"keys"`

	// TableBytes is the size of all tables. DeadBytes estimates what part of it is of no use: that of
	// the entries behind newer ones in their table, and of each tombstone and what it deletes. LiveBytes
	// is the rest. What an upper level has anew, or what lies under range tombstones, still counts as live
	// below it.
	TableBytes int64 `json:"table_bytes"`
	LiveBytes  int64 `json:"live_bytes"`
	DeadBytes  int64 `json:"dead_bytes"`

	// ReadAmplification is how many places an iterator goes over, and a read looks at in the worst
	// case: the memtables that hold something, the tables of level 0, and the levels below that hold
	// any. WriteAmplification is how many bytes were written to log and tables for each byte that came
	// in. SpaceAmplification estimates how much larger the tables are than they must be: their size over
	// that of the deepest level, if that held all keys once; 0 when there are no tables. The deepest level of a
	// store that is being filled is small yet, and the estimate too high.
	ReadAmplification  int     `json:"read_amplification"`
	WriteAmplification float64 `json:"write_amplification"`
	SpaceAmplification float64 `json:"space_amplification"`

	// LastSeq is the number of the last write, in commit order; DurableSeq that of the last write
	// that is known to be on stable storage.
	LastSeq    uint64 `json:"last_seq"`
	DurableSeq uint64 `json:"durable_seq"`

	// MemTableBytes is what active and sealed memtables use of their memory; SealedMemTables is how
	// many wait for their flush.
	MemTableBytes   int64 `json:"memtable_bytes"`
	SealedMemTables int   `json:"sealed_memtables"`

	// LogBytes is the size of the log segments in use; LogSpareBytes that of those kept for new use.
	// LogWrittenBytes is how much was written to the log: what came in, and 1 % more. LogZeroedBytes is how much
	// was written before as zeros, to make segments whose place on the disk is settled; segments are used
	// again, so that this ends once there are enough of them. WriteAmplification leaves it out.
	LogBytes        int64 `json:"log_bytes"`
	LogSpareBytes   int64 `json:"log_spare_bytes"`
	LogWrittenBytes int64 `json:"log_written_bytes"`
	LogZeroedBytes  int64 `json:"log_zeroed_bytes"`

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

	// DroppedTables is how many tables went at once because range tombstones lay on all of them, or all in them had
	// expired.
	DroppedTables uint64 `json:"dropped_tables"`

	// ExpiredValues is how many values flushes and compactions met, or found in tables to be dropped, that had expired.
	ExpiredValues uint64 `json:"expired_values"`

	// LargeWrites are batches that were written to a table of their own, LargeBytes the size of these.
	LargeWrites uint64 `json:"large_writes"`
	LargeBytes  int64  `json:"large_bytes"`

	// ManifestRenewals counts manifests that were replaced by shorter ones.
	ManifestRenewals uint64 `json:"manifest_renewals"`

	// Resumes counts how often Resume made the store take writes again.
	Resumes uint64 `json:"resumes"`

	// Reads is what reads of single keys met, Filters what the filters of tables were good for then.
	Reads   ReadMetrics   `json:"reads"`
	Filters FilterMetrics `json:"filters"`

	// Latency is how long calls took.
	Latency LatencyMetrics `json:"latency"`

	// Failed tells that the store has failed and takes no writes, until Resume or another opening.
	Failed bool `json:"failed"`

	// CorruptPlaces is how many damaged places were met; see Events.Corruption.
	CorruptPlaces int `json:"corrupt_places"`

	// Cache is about the blocks that were decompressed.
	Cache CacheMetrics `json:"cache"`

	// Memory is how the budget is used.
	Memory MemoryMetrics `json:"memory"`

	// Buckets is how many there are.
	Buckets int `json:"buckets"`

	// Snapshots is the number of open snapshots. OldestSnapshot is the one that was opened first,
	// TracedSnapshot the first one of which it is known where: that is noted for one in 64. They are nil
	// when there is none.
	Snapshots      int     `json:"snapshots"`
	OldestSnapshot *Holder `json:"oldest_snapshot,omitempty"`
	TracedSnapshot *Holder `json:"traced_snapshot,omitempty"`

	// Iterators is the number of open iterators, those in use by Scan and Count among them. The others
	// are as for snapshots.
	Iterators      int     `json:"iterators"`
	OldestIterator *Holder `json:"oldest_iterator,omitempty"`
	TracedIterator *Holder `json:"traced_iterator,omitempty"`

	// Watch is about those who follow the changes.
	Watch WatchMetrics `json:"watch"`

	// Stalls is how often writers had to wait for a millisecond or more: for flushes, compactions, or
	// a new memtable or log segment. StallTime is for how long in all, LongestStall at most.
	// DelayTime is how long writers were slowed down in all, so that they need not wait.
	Stalls       uint64        `json:"stalls"`
	StallTime    time.Duration `json:"stall_time_ns"`
	LongestStall time.Duration `json:"longest_stall_ns"`
	DelayTime    time.Duration `json:"delay_time_ns"`
}

// Holder is something open that keeps a store from giving up what is old: a snapshot keeps entries that were
// overwritten since, an iterator files and memtables.
type Holder struct {
	Seq    uint64        `json:"seq"`              // of the last write that it sees
	Age    time.Duration `json:"age_ns"`           // since it was opened
	Origin string        `json:"origin,omitempty"` // file:line of the call that opened it; empty where that was not noted
}

// ReadMetrics describe the reads of single keys: Get, GetTo, Peek, Has, and each key of GetMulti. Of the
// keys of GetMulti all are counted, of the rest one in 256, drawn at random, which counts for as
// many: so numbers are off by about 16/sqrt(n).
type ReadMetrics struct {
	Lookups uint64 `json:"lookups"` // keys sought
	Tables  uint64 `json:"tables"`  // tables looked into for them; those that a filter kept away do not count
}

// FilterMetrics describe what the filters of tables said, in the reads and with the exactness of
// ReadMetrics. A read of the past, in a snapshot, may take for a false positive what was written since.
type FilterMetrics struct {
	Asked          uint64 `json:"asked"`
	No             uint64 `json:"no"`              // the key was not there, and the table was not touched
	FalsePositives uint64 `json:"false_positives"` // the key was not there either, but the filter let it pass

	// Rate is the part of the keys that were not there that was let pass; DesignRate is what it should be
	// for Options.BloomBitsPerKey.
	Rate       float64 `json:"rate"`
	DesignRate float64 `json:"design_rate"`
}

// LatencyMetrics are how long calls took, from start to return. Get is Get, GetTo, Has, and Peek up to where
// it calls its function. Write is Put, Delete, DeleteRange and Apply. Of these, one in 256 is timed and counts
// for as many, but for writes that wait for stable storage and large batches, which are all timed. So Min
// and Max are of those that were timed; Metrics.LongestStall is exact. Sync is every sync of the log.
type LatencyMetrics struct {
	Get   Histogram `json:"get"`
	Write Histogram `json:"write"`
	Sync  Histogram `json:"sync"`
}

// MemoryMetrics describe the memory of a store, in bytes.
type MemoryMetrics struct {
	Budget    int64 `json:"budget"`
	MemTables int64 `json:"memtables"` // all that exist: in use, spare, and those that iterators hold
	Cache     int64 `json:"cache"`     // blocks in it, without the garbage beside them
}

// WatchMetrics describe the loops over [DB.Watch].
type WatchMetrics struct {
	Watchers int   `json:"watchers"` // loops under way
	Bytes    int64 `json:"bytes"`    // memory for what was committed last, which they read
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
	Deletes     uint64  `json:"deletes"`  // of the entries, tombstones
	Shadowed    uint64  `json:"shadowed"` // of the entries, those behind a newer one in their table
	Expiring    uint64  `json:"expiring"` // of the entries, values that expire, or have expired

	// RangeDeletes is the number of range tombstones, each of which may be told in several pieces.
	RangeDeletes uint64 `json:"range_deletes"`

	// What compactions into this level, and for level 0 flushes, have read and written. InBytes is
	// what came from above, WrittenBytes over InBytes the level's share in write amplification.
	Compactions    uint64        `json:"compactions"`
	InBytes        int64         `json:"in_bytes"`
	ReadBytes      int64         `json:"read_bytes"`
	WrittenBytes   int64         `json:"written_bytes"`
	CompactionTime time.Duration `json:"compaction_time_ns"`
}

// WriteAmplification returns how much was written to a level for each byte that came from above; 0 when
// nothing came.
func (l *LevelMetrics) WriteAmplification() float64 { return ratio(l.WrittenBytes, l.InBytes) }

func ratio(a, b int64) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
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
	m.LogWrittenBytes, m.LogZeroedBytes = db.stats.pastLogs.written.Load(), db.stats.pastLogs.zeroed.Load()
	if log := db.log.Load(); log != nil {
		m.LogBytes, m.LogSpareBytes = log.Bytes()
		m.LogWrittenBytes += log.Written()
		m.LogZeroedBytes += log.Zeroed()
		m.DurableSeq = max(log.SyncedMark(), m.DurableSeq)
	}
	m.Cache = CacheMetrics(db.files.cache.Stats())
	m.Failed = db.failure.Load() != nil
	m.CorruptPlaces = db.damages.count()
	m.Watch.Watchers, m.Watch.Bytes = db.feed.watching()
	db.sampler.fill(m)
	m.Filters.DesignRate = sstable.FilterRate(db.opts.BloomBitsPerKey)
	m.fillWritten()
	m.fillState(db)
	return m
}

// fillState sets what is known of a store that is open. What takes time is done under no lock.
func (m *Metrics) fillState(db *DB) {
	m.LastSeq = db.visible.Load()
	s, err := db.acquire()
	if err != nil {
		return
	}
	defer s.unref()
	m.SealedMemTables = len(s.sealed)
	for _, t := range append([]*mem{s.active}, s.sealed...) {
		m.MemTableBytes += t.table.Used()
		m.Keys += t.table.Entries()
		if t.table.Entries() > 0 || t.table.Ranges() != nil {
			m.ReadAmplification++
		}
	}
	shape := db.shape()
	if db.mayExpire.Load() {
		shape.Now = db.clock.glance()
	}
	m.fillLevels(s.tree.version, shape)
	m.fillSpace(s.tree.version, shape.Now)
	m.PendingCompactionBytes = compaction.Debt(s.tree.version, db.shape())
	db.mu.Lock()
	m.RunningCompactions, m.GarbageBytes = db.jobs.running, db.garbageBytes
	snapshots := db.snapshots.holders()
	db.mu.Unlock()
	now := db.sampler.now()
	m.Buckets = db.spaces.Load().Len()
	m.Snapshots, m.OldestSnapshot, m.TracedSnapshot = snapshots.told(now)
	m.Iterators, m.OldestIterator, m.TracedIterator = db.iterators.holders().told(now)
}

func (m *Metrics) fillLevels(v *manifest.Version, opts compaction.Options) {
	shape := compaction.ShapeOf(v, opts)
	m.BaseLevel = int(shape.Base)
	entries, gone := uint64(0), uint64(0)
	for i := range m.Levels {
		l := &m.Levels[i]
		l.Tables = len(v.Levels[i])
		for _, t := range v.Levels[i] {
			l.Bytes += t.Size
			l.DataBytes += int64(t.DataBytes)
			l.Entries += t.Entries
			l.Deletes += t.Deletes
			l.Shadowed += t.Shadowed
			l.RangeDeletes += t.RangeDeletes
			l.Expiring += t.Expiring
			gone += compaction.ExpiredEntries(t, opts.Now)
		}
		entries += l.Entries
		gone += 2*l.Deletes + l.Shadowed
		l.TargetBytes = shape.Target[i]
		l.Score = compaction.Score(v, manifest.Level(i), &shape, opts)
	}
	m.Keys += entries - min(entries, gone)
}

// fillSpace estimates what the tables hold for nothing.
func (m *Metrics) fillSpace(v *manifest.Version, now int64) {
	deepest := int64(0)
	for i, tables := range v.Levels {
		switch {
		case len(tables) == 0:
			continue
		case i == 0:
			m.ReadAmplification += len(tables)
		default:
			m.ReadAmplification++
		}
		deepest = m.Levels[i].Bytes
		m.TableBytes += deepest
		for _, t := range tables {
			if dead := min(t.Shadowed+2*t.Deletes+compaction.ExpiredEntries(t, now), t.Entries); dead > 0 {
				m.DeadBytes += int64(float64(t.Size) * float64(dead) / float64(t.Entries))
			}
		}
	}
	m.LiveBytes = m.TableBytes - m.DeadBytes
	m.SpaceAmplification = ratio(m.TableBytes, deepest)
}

// fillWritten works out the write amplification.
func (m *Metrics) fillWritten() {
	written := m.LogWrittenBytes
	for i := range m.Levels {
		written += m.Levels[i].WrittenBytes
	}
	m.WriteAmplification = ratio(written, m.LogWrittenBytes+m.LargeBytes)
}
