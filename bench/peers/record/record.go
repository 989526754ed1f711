// Package record defines what is measured, a JSON object on a line of its own each. It is what processes of the
// benchmark tell one another, what is kept of a run, and what tables and plots are made of.
package record

import "time"

// Line is one line of a file of results: exactly one of its fields is set.
type Line struct {
	Run *Run `json:"run,omitempty"`
	Row *Row `json:"row,omitempty"`
}

// Run is the first line of a file: what was run, where and when.
type Run struct {
	Commit     string    `json:"commit"` // of tinykv, with "+" when the tree has changes
	Started    time.Time `json:"started"`
	Command    string    `json:"command"` // arguments
	Profile    string    `json:"profile"`
	Entries    int       `json:"entries"`
	ValueBytes int       `json:"value_bytes"`
	Reps       int       `json:"reps"`
	Seed       uint64    `json:"seed"`

	MemoryLimit int64 `json:"memory_limit_bytes,omitempty"` // of each child, page cache and all

	Machine []Fact   `json:"machine"` // "processor", "system", "file system", ...
	Limits  []Fact   `json:"limits"`  // what the machine can do at best, as measured in this run
	Engines []Engine `json:"engines"`
}

// Fact is something to print with its name.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Engine is what a contestant is.
type Engine struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Settings   string `json:"settings"`
	Durability string `json:"durability"` // what an acknowledged write survives as opened here
}

// States of a store that a row begins with.
const (
	StateEmpty   = "empty"   // fills
	StateFilled  = "filled"  // right after a fill: memtables and debt as they are
	StateSettled = "settled" // closed, opened again, and at rest
)

// Row is what an engine did in one row of one repetition.
type Row struct {
	Engine  string `json:"engine"`
	Name    string `json:"row"` // "readrandom"
	Threads int    `json:"threads"`
	State   string `json:"state"`
	Rep     int    `json:"rep"`  // from 0
	Turn    int    `json:"turn"` // place among the engines of the repetition, from 0

	// Err says why there is no measurement. Nothing below is set then.
	Err string `json:"error,omitempty"`

	Ops     uint64  `json:"ops"`               // done by all threads
	Seconds float64 `json:"seconds"`           // on the wall
	CutOff  bool    `json:"cut_off,omitempty"` // its time ended before its operations did
	Found   uint64  `json:"found,omitempty"`   // keys that a read found

	// Latencies in microseconds: the mean over all operations, quantiles of one in TimedEvery. No quantiles: TimedEvery is 0.
	Mean       float64 `json:"mean_us"`
	TimedEvery uint64  `json:"timed_every,omitempty"`
	P50        float64 `json:"p50_us,omitempty"`
	P99        float64 `json:"p99_us,omitempty"`
	P999       float64 `json:"p999_us,omitempty"`
	Max        float64 `json:"max_us,omitempty"`

	// BesideOps is what a thread beside those that count wrote in the same time.
	BesideOps uint64 `json:"beside_ops,omitempty"`

	// Of the whole process, background work included. Allocs are of Go's heap; a program in another language has none.
	Allocs       float64 `json:"allocs_per_op"`
	AllocBytes   float64 `json:"alloc_bytes_per_op"`
	CPUSeconds   float64 `json:"cpu_seconds"`
	WrittenBytes int64   `json:"written_bytes"`       // to the device, until the end of settling; 0 when not known, or of a row that reads
	PutBytes     int64   `json:"put_bytes,omitempty"` // keys and values that were handed to writes, beside threads included
	ZeroedBytes  int64   `json:"zeroed_bytes,omitempty"`

	// At the end of the row.
	AnonBytes   int64 `json:"anon_bytes"`   // resident, the process's own
	MappedBytes int64 `json:"mapped_bytes"` // resident, of mapped files
	DiskBytes   int64 `json:"disk_bytes"`   // allocated by the file system

	// A fill goes on until the store is at rest: SettleSeconds after the last write, WrittenBytes and CPUSeconds of that
	// included above. SettledBytes is what is allocated then.
	SettleSeconds float64 `json:"settle_seconds,omitempty"`
	SettledBytes  int64   `json:"settled_bytes,omitempty"`

	// Of the row "kill": writes that returned before the process was killed, and those of them that were not there afterwards.
	Acknowledged uint64 `json:"acknowledged,omitempty"`
	Lost         uint64 `json:"lost,omitempty"`
}
