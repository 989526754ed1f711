// Package engine says what the benchmarks want of a key-value store. Each rival stands behind it in a
// package of its own below engines/, thin enough that what is measured is the rival.
package engine

import (
	"errors"
	"fmt"
)

// ErrUnsupported is what a session returns for something that the engine has no way of doing.
var ErrUnsupported = errors.New("not supported by this engine")

// Engine is a kind of store.
type Engine struct {
	Name    string        // as in -engines and in tables: "tinykv", "pebble"
	Module  string        // import path whose version is reported; empty for what is no Go module
	Version func() string // nil: that of Module, from the build information

	// Settings says in a line which options Open uses, and Durability what an acknowledged write then survives by the
	// engine's documents, both for the report.
	Settings   func(Config) string
	Durability func(Config) string

	// Open opens the store in a directory, which exists; it makes one where there is none.
	Open func(dir string, c Config) (Store, error)
}

// Profile is a choice of options.
type Profile string

const (
	Equal   Profile = "equal"   // the same memory, cache, filters and durability for all
	Default Profile = "default" // each as it is shipped
)

// What all engines get under Equal, as far as they have such a thing.
const (
	memTableBytes = 64 << 20  // of one memtable
	cacheBytes    = 256 << 20 // of blocks; LMDB and bbolt, and tinykv and Badger without compression, have only the system's page cache
	FilterBits    = 10        // per key
	MapBytes      = 64 << 30  // how large LMDB's map may become
)

// Shares of a memory limit that one memtable and the cache may have: a rival has up to five memtables.
const (
	memTableShare = 32
	cacheShare    = 4
)

// Config is how to open a store.
type Config struct {
	Profile Profile

	// Sync makes every write wait until it is on stable storage, for fillsync. Otherwise none does, under
	// Equal, and under Default the engine's own default decides.
	Sync bool

	// MemoryLimit is how much memory the process may have, its share of the page cache included, in bytes; 0: any.
	MemoryLimit int64
}

// MemTableBytes returns the size of one memtable under Equal.
func (c Config) MemTableBytes() int { return c.bounded(memTableBytes, memTableShare) }

// CacheBytes returns the size of the cache under Equal.
func (c Config) CacheBytes() int { return c.bounded(cacheBytes, cacheShare) }

func (c Config) bounded(bytes, share int) int {
	if c.MemoryLimit == 0 {
		return bytes
	}
	return min(bytes, int(c.MemoryLimit)/share)
}

// MiB returns a size as the report tells it.
func MiB(bytes int) string { return fmt.Sprintf("%d MiB", bytes>>20) }

// Store is an open store. Its methods may be called by any number of goroutines.
type Store interface {
	// NewSession returns a session for one goroutine, of which so many will write at the same time. It is called while
	// no session is at work.
	NewSession(writers int) (Session, error)

	// Stats says what only the engine knows.
	Stats() Stats

	// Close closes the store as the engine's documents say that a program should. All sessions are closed before.
	Close() error
}

// Stats is what only the engine knows. A zero says that it does not tell.
type Stats struct {
	ZeroedBytes int64 // written as zeros ahead of use, since the store was opened
}

// Session does the operations of one goroutine, in the way that the engine's documents recommend for speed.
// No slice that is passed in is kept or changed after a call. Values are shown to a function, and no engine is asked for a
// copy that it need not make.
type Session interface {
	// Get calls look with the value of a key, if that is there. The value may be read until look returns.
	Get(key []byte, look func(value []byte) error) (found bool, err error)

	// MultiGet looks up several keys, by one call where the engine has that, in one transaction otherwise,
	// and calls each, in the order of keys, for those that are there. The value may be read until each returns.
	MultiGet(keys [][]byte, each func(i int, value []byte) error) error

	// Put writes a key. Whether that waits for stable storage Config says.
	Put(key, value []byte) error

	// Delete removes a key, which need not be there.
	Delete(key []byte) error

	// PutBatch writes all or none.
	PutBatch(keys, values [][]byte) error

	// NewIterator returns an iterator over all keys as of now.
	NewIterator(Plan) (Iterator, error)

	// Close ends the session.
	Close() error
}

// Plan says what an iterator is for, as some engines must know.
type Plan struct {
	Reverse bool // moved by Last and Prev only; otherwise by First, SeekGE and Next only
	Entries int  // about how many entries it will come to
}

// Iterator goes over keys in order. Each move tells whether there is an entry to look at.
type Iterator interface {
	First() bool
	Last() bool
	SeekGE(key []byte) bool
	Next() bool
	Prev() bool

	// Key and Value may be read until the next move.
	Key() []byte
	Value() ([]byte, error)

	// Close ends the iteration and returns its first error.
	Close() error
}
