package tinykv

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/wal"
)

// Events are functions that a store calls when something happens; nil ones are not called. Each is called
// by the goroutine that does the work, so several may be called at once, and a slow one slows down that
// work alone. For StallBegin, StallEnd and Sync that is a writer that others wait behind.
//
// They may read from the store and ask for Metrics, but must not write to it, Flush, Compact, Sync, Resume or
// Close: the store may be waiting for them. A goroutine that they start may. No lock that readers or Metrics take is held. A panic of
// one goes to Options.Logger and no further. Of a Begin and its End, which come one after the other in
// one goroutine, End has Duration and Err set too. What is told of one job comes in order; jobs that run at
// once are told in between one another. Close waits for functions that run; afterwards only TableDeleted
// may still be called, for files that open iterators held.
type Events struct {
	// Opened is called before Open returns, and before all others. When Open fails, none is called.
	Opened func(OpenInfo)

	// FlushBegin and FlushEnd are about memtables that are written to tables.
	FlushBegin, FlushEnd func(FlushInfo)

	// CompactionBegin and CompactionEnd are about tables that are merged, moved, or dropped unread.
	CompactionBegin, CompactionEnd func(CompactionInfo)

	// TableCreated is called when a table has become part of the store, TableDeleted when the file of one
	// that nobody needs any more was removed.
	TableCreated, TableDeleted func(TableInfo)

	// StallBegin and StallEnd are called when writers are stopped, until there is room for what they write.
	// That they are slowed down is in Metrics.DelayTime.
	StallBegin, StallEnd func(StallInfo)

	// Sync is called after every sync of the write-ahead log.
	Sync func(SyncInfo)

	// Corruption is called when a read, a compaction or DB.Verify meets damage, once for each place: at
	// most for 1024 places.
	Corruption func(CorruptionInfo)

	// BackgroundError is called when background work fails, which is then tried again, and when the store
	// fails as a whole.
	BackgroundError func(BackgroundErrorInfo)
}

// OpenInfo describes the opening of a store.
type OpenInfo struct {
	Dir      string        `json:"dir"`
	ReadOnly bool          `json:"read_only"`
	Tables   int           `json:"tables"`
	Bytes    int64         `json:"bytes"` // of tables
	LastSeq  uint64        `json:"last_seq"`
	Duration time.Duration `json:"duration_ns"`

	// What was found in the log, after an end without Close. LogEnd says what it ended with.
	Records  int    `json:"records"`
	LogBytes int64  `json:"log_bytes"`
	LogEnd   string `json:"log_end,omitempty"`
}

// FlushInfo describes a flush.
type FlushInfo struct {
	Job           uint64        `json:"job"` // the same for begin and end, and for nothing else
	MemTables     int           `json:"memtables"`
	MemTableBytes int64         `json:"memtable_bytes"`
	Tables        int           `json:"tables"`                  // made; 0 when nothing was worth keeping
	Bytes         int64         `json:"bytes"`                   // of these
	OutputTables  []uint64      `json:"output_tables,omitempty"` // their numbers, for the receiver to keep
	Duration      time.Duration `json:"duration_ns"`
	Err           error         `json:"-"`
}

// CompactionInfo describes a compaction.
type CompactionInfo struct {
	Job         uint64 `json:"job"`  // the same for begin and end, and for nothing else
	Kind        string `json:"kind"` // merge, move or drop
	FromLevel   int    `json:"from_level"`
	ToLevel     int    `json:"to_level"`
	Inputs      int    `json:"inputs"` // tables
	InputBytes  int64  `json:"input_bytes"`
	Outputs     int    `json:"outputs"` // tables; 0 for those that only moved
	OutputBytes int64  `json:"output_bytes"`

	// The numbers of these tables, for the receiver to keep.
	InputTables  []uint64 `json:"input_tables"`
	OutputTables []uint64 `json:"output_tables,omitempty"`

	EntriesIn  uint64        `json:"entries_in"`
	EntriesOut uint64        `json:"entries_out"`
	Duration   time.Duration `json:"duration_ns"`
	Err        error         `json:"-"`
}

// Kinds of compactions.
const (
	compactionMerge = "merge"
	compactionMove  = "move"
	compactionDrop  = "drop"
)

// TableInfo describes a table.
type TableInfo struct {
	Number uint64 `json:"number"`
	Path   string `json:"path"`
	Level  int    `json:"level"` // -1 for one that was deleted
	Bytes  int64  `json:"bytes"` // 0 where it is not known
}

// StallInfo describes why writers are stopped.
type StallInfo struct {
	Reason   string        `json:"reason"` // memtables, level 0 or large batch
	Duration time.Duration `json:"duration_ns"`
	Err      error         `json:"-"` // what writers are told instead of being let on
}

// What writers wait for.
const (
	stallMemTables = "memtables"   // too many are sealed and wait for their flush
	stallLevel0    = "level 0"     // has too many tables and waits for compactions
	stallLarge     = "large batch" // waits for the memtables before it to be flushed
)

// SyncInfo describes a sync of the write-ahead log.
type SyncInfo struct {
	Bytes    int64         `json:"bytes"` // that were not yet on stable storage
	Duration time.Duration `json:"duration_ns"`
	Err      error         `json:"-"`
}

// CorruptionInfo describes damage that was met.
type CorruptionInfo struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"` // -1 when it is not known
	Err    error  `json:"-"`
}

// BackgroundErrorInfo describes a failure of background work.
type BackgroundErrorInfo struct {
	Work  string `json:"work"`  // flush, compaction, removal, or store when it failed as a whole
	Fatal bool   `json:"fatal"` // the store refuses writes from now on
	Err   error  `json:"-"`
}

// emit calls a function of Events unless it is nil, or the store not open yet: Opened comes first. The
// caller may lead the writers, who would wait for ever if a panic went through: it goes to the logger.
func emit[Info any](db *DB, fn func(Info), info Info) {
	if fn == nil || !db.opened.Load() {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			db.opts.Logger.Error("tinykv: a function of Options.Events has panicked",
				"dir", db.dir, "event", fmt.Sprintf("%T", info), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn(info)
}

// tellOpened tells that the store serves, with what is in it.
func (db *DB) tellOpened(state *manifest.State, found wal.Recovered) {
	info := OpenInfo{
		Dir: db.dir, ReadOnly: db.opts.ReadOnly, LastSeq: uint64(state.LastSeq), Duration: db.sampler.now(),
		Records: found.Records, LogBytes: found.Bytes,
	}
	for _, tables := range state.Version.Levels {
		info.Tables += len(tables)
		info.Bytes += inputBytes(tables)
	}
	if found.Records > 0 {
		info.LogEnd = found.End.String()
	}
	db.opened.Store(true)
	emit(db, db.opts.Events.Opened, info)
}

// newJob returns a number for a flush or compaction.
func (db *DB) newJob() uint64 { return db.jobNums.Add(1) }

// tableInfo returns what is told of a table.
func (db *DB) tableInfo(num manifest.FileNum, level int, bytes int64) TableInfo {
	return TableInfo{Number: uint64(num), Path: db.files.path(num), Level: level, Bytes: bytes}
}

// tellCreated tells of the tables that an edit made part of the store.
func (db *DB) tellCreated(e *manifest.Edit) {
	if db.opts.Events.TableCreated == nil {
		return
	}
	old := map[manifest.FileNum]bool{}
	for _, d := range e.Deleted {
		old[d.Num] = true
	}
	for _, a := range e.Added {
		if !old[a.Table.Num] { // otherwise it moved
			emit(db, db.opts.Events.TableCreated, db.tableInfo(a.Table.Num, int(a.Level), a.Table.Size))
		}
	}
}

// tellRemoved tells of a file that was removed, if it was a table.
func (db *DB) tellRemoved(g garbage) {
	if kind, num := manifest.ParseName(filepath.Base(g.path)); kind == manifest.FileTable {
		emit(db, db.opts.Events.TableDeleted, TableInfo{Number: uint64(num), Path: g.path, Level: -1, Bytes: g.sizeBytes})
	}
}

// synced is told of every sync of the log.
func (db *DB) synced(bytes int64, took time.Duration, err error) {
	db.sampler.syncs.record(took, 1, 0)
	emit(db, db.opts.Events.Sync, SyncInfo{Bytes: bytes, Duration: took, Err: err})
}

// maxDamages is how many damaged places are told apart.
const maxDamages = 1024

// damages are the damaged places that were met.
type damages struct {
	mu    sync.Mutex
	known map[damage]bool // guarded by mu
}

type damage struct {
	file   string
	offset int64
}

// add reports whether a place was not known yet.
func (d *damages) add(at damage) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[at] || len(d.known) == maxDamages {
		return false
	}
	if d.known == nil {
		d.known = map[damage]bool{}
	}
	d.known[at] = true
	return true
}

func (d *damages) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.known)
}

// met takes note of an error that reading ended with, and tells of it if it is damage not met before.
// No lock is held.
func (db *DB) met(err error) {
	if c, ok := errors.AsType[*CorruptionError](err); ok && db.damages.add(damage{c.File, c.Offset}) {
		emit(db, db.opts.Events.Corruption, CorruptionInfo{Path: c.File, Offset: c.Offset, Err: err})
	}
}
