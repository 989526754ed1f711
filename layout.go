package tinykv

import (
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Layout is what a store consists of at one moment: every memtable, segment of the log and table, and the work under way. It is
// for pictures and for looking closely; numbers alone are in Metrics. Sizes are in bytes.
type Layout struct {
	// LastSeq is the number of the last write, DurableSeq that of the last one known to be on stable storage.
	LastSeq    uint64 `json:"last_seq"`
	DurableSeq uint64 `json:"durable_seq"`

	MemTables []MemTableLayout                `json:"memtables"` // newest first, the active one before those that wait for their flush
	Log       []LogLayout                     `json:"log"`       // oldest first, the last one is written to; spare ones behind it
	Levels    [manifest.NumLevels]LevelLayout `json:"levels"`
	Jobs      []JobLayout                     `json:"jobs"` // in the order in which they began
	Cache     CacheMetrics                    `json:"cache"`
}

// MemTableLayout describes a memtable.
type MemTableLayout struct {
	Active  bool   `json:"active"`
	Used    int64  `json:"used"`
	Size    int64  `json:"size"`
	Entries uint64 `json:"entries"`
	Log     uint64 `json:"log"` // the segment of the log that its first write went to
}

// LogLayout describes a segment of the write-ahead log.
type LogLayout struct {
	Number uint64 `json:"number"` // 0 for a spare one
	Size   int64  `json:"size"`
	Used   int64  `json:"used"`
	Synced int64  `json:"synced"` // of what is used, what is known to be on stable storage
	Spare  bool   `json:"spare,omitempty"`
}

// LevelLayout describes a level and its tables: those of level 0 newest first, of the others in order of their keys.
type LevelLayout struct {
	Level       int           `json:"level"`
	TargetBytes int64         `json:"target_bytes"` // 0 where level 0 is merged past it
	Score       float64       `json:"score"`        // 1 and above: a compaction is due
	Tables      []TableLayout `json:"tables"`
}

// TableLayout describes a table. Smallest and Largest are the bounds of its keys, both inclusive, in memory of the caller; each may
// be in another bucket.
type TableLayout struct {
	Number   uint64 `json:"number"`
	Bytes    int64  `json:"bytes"`
	Entries  uint64 `json:"entries"`
	Deletes  uint64 `json:"deletes"`  // of the entries, tombstones
	Shadowed uint64 `json:"shadowed"` // of the entries, those behind a newer one in the table
	Expiring uint64 `json:"expiring"` // of the entries, values that expire, or have expired

	Smallest       []byte `json:"smallest"`
	SmallestBucket string `json:"smallest_bucket,omitempty"`
	Largest        []byte `json:"largest"`
	LargestBucket  string `json:"largest_bucket,omitempty"`

	SmallestSeq uint64 `json:"smallest_seq"`
	LargestSeq  uint64 `json:"largest_seq"`

	Job uint64 `json:"job,omitempty"` // that merges, moves or drops it now; 0 for none
}

// JobLayout is a flush or compaction under way.
type JobLayout struct {
	Job       uint64    `json:"job"`        // as in Events
	Kind      string    `json:"kind"`       // flush, merge, move or drop
	FromLevel int       `json:"from_level"` // -1 for a flush
	ToLevel   int       `json:"to_level"`
	Inputs    []uint64  `json:"inputs"` // the tables that it takes; none for a flush
	Since     time.Time `json:"since"`
}

const jobFlush = "flush"

// Layout returns what the store consists of. It takes time and memory for each table. It returns ErrClosed after Close.
func (db *DB) Layout() (*Layout, error) {
	s, err := db.acquire()
	if err != nil {
		return nil, err
	}
	defer s.unref()
	l := &Layout{LastSeq: db.visible.Load(), DurableSeq: db.stats.flushedSeq.Load(), Cache: CacheMetrics(db.files.cache.Stats())}
	for i, m := range append([]*mem{s.active}, s.sealed...) {
		l.MemTables = append(l.MemTables, MemTableLayout{
			Active: i == 0, Used: m.table.Used(), Size: m.table.Size(), Entries: m.table.Entries(), Log: uint64(m.first),
		})
	}
	l.addLog(db)
	l.Jobs = db.doingNow()
	l.addLevels(s.tree.version, db.shape(), db.spaces.Load())
	return l, nil
}

func (l *Layout) addLog(db *DB) {
	log := db.log.Load()
	if log == nil { // the store is read only
		return
	}
	l.DurableSeq = max(log.SyncedMark(), l.DurableSeq)
	live, spares := log.Segments()
	for _, s := range live {
		l.Log = append(l.Log, LogLayout{Number: uint64(s.Number), Size: s.Size, Used: s.Used, Synced: s.Synced})
	}
	for _, size := range spares {
		l.Log = append(l.Log, LogLayout{Size: size, Spare: true})
	}
}

func (l *Layout) addLevels(v *manifest.Version, opts compaction.Options, spaces *manifest.Spaces) {
	shape := compaction.ShapeOf(v, opts)
	taken := map[uint64]uint64{}
	for _, j := range l.Jobs {
		for _, num := range j.Inputs {
			taken[num] = j.Job
		}
	}
	for i, tables := range v.Levels {
		level := &l.Levels[i]
		level.Level, level.TargetBytes = i, shape.Target[i]
		level.Score = compaction.Score(v, manifest.Level(i), &shape, opts)
		level.Tables = make([]TableLayout, 0, len(tables))
		for _, t := range tables {
			out := TableLayout{
				Number: uint64(t.Num), Bytes: t.Size, Entries: t.Entries, Deletes: t.Deletes, Shadowed: t.Shadowed, Expiring: t.Expiring,
				SmallestSeq: uint64(t.SmallestSeq), LargestSeq: uint64(t.LargestSeq), Job: taken[uint64(t.Num)],
			}
			out.SmallestBucket, out.Smallest = userKey(t.Smallest.Stored, spaces)
			out.LargestBucket, out.Largest = userKey(t.Largest.Stored, spaces)
			level.Tables = append(level.Tables, out)
		}
	}
}

// userKey returns the bucket and the key, in new memory, of a stored key. A bucket that was dropped has no name any more.
func userKey(stored []byte, spaces *manifest.Spaces) (bucket string, user []byte) {
	space, user, ok := key.SplitStored(stored)
	if !ok { // the end of a range tombstone may be the end of a keyspace
		return "", append([]byte{}, stored...)
	}
	if space != 0 {
		bucket, _ = spaces.Name(space)
	}
	return bucket, append([]byte{}, user...)
}
