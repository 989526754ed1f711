// Package child is what a child process of the benchmark does: one engine, one directory, a few steps. It reports each row as a
// line of JSON as soon as it is measured, so that what was measured before a crash is kept.
package child

import (
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// Script is the work of one process.
type Script struct {
	Engine     string         `json:"engine"`
	Profile    engine.Profile `json:"profile"`
	Sync       bool           `json:"sync,omitempty"`
	Dir        string         `json:"dir"`
	Entries    int            `json:"entries"`
	ValueBytes int            `json:"value_bytes"`
	Seed       uint64         `json:"seed"`
	Rep        int            `json:"rep"`
	Turn       int            `json:"turn"`

	WriteLimit time.Duration `json:"write_limit"`
	ReadTime   time.Duration `json:"read_time"`

	// Rest is how long a process that is at rest has had nothing to do.
	Rest time.Duration `json:"rest"`

	// MemoryLimit is that of Group, in bytes; 0: none.
	MemoryLimit int64 `json:"memory_limit,omitempty"`

	// Group is the directory of a control group to join before anything else; empty: none.
	Group string `json:"group,omitempty"`

	Steps []Step `json:"steps"`
}

// Kinds of steps.
const (
	Open    = "open"    // opens the store; with a Row, its time is that row's
	Close   = "close"   // closes it; with a Row, its time is that row's
	Settle  = "settle"  // waits until the process is at rest
	Load    = "load"    // writes all keys
	Warm    = "warm"    // reads everything once
	Measure = "measure" // runs a row
	Acks    = "acks"    // writes until it is killed, counting what was acknowledged in AckFile
	Count   = "count"   // counts which acknowledged writes are there
)

// Step is one thing to do.
type Step struct {
	Do      string `json:"do"`
	Row     string `json:"row,omitempty"`
	Threads int    `json:"threads,omitempty"`
	State   string `json:"state,omitempty"`
}
