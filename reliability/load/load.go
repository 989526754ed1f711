// Package load is a process that writes to a store while something is done to it: it is killed, its disk fills up or fails. And
// it is the check of what is there afterwards. Only tests use it.
//
// A test binary runs itself once more as the child, so its TestMain begins with
//
//	load.RunIfChild()
//
// A test then starts children one after the other on the same store, and checks in between:
//
//	oracle := load.NewOracle(config)
//	child := load.Start(t, config)
//	child.Until(func() bool { return child.Acks() > 100 })
//	child.Kill()
//	found, err := oracle.Check(child.AckedBy(), child.IssuedBy())
//
// What the child writes depends on Config.Seed alone: commit n of writer w always makes the same changes and sets the counter of
// the writer to n. So a store that holds n commits of a writer must hold exactly what these make, and neither has to tell the
// other more than numbers. They are passed on in a Ledger, a file mapped by both: no system call is involved, so that whatever is
// done to the child's calls and files does not touch it, and what was stored there outlives the child.
//
// The order of events is that of one writer: a number is stored as issued before the commit begins, as acknowledged after it
// returned nil, as synced after one returned nil that had asked for it.
package load

import (
	"encoding/binary"
	"fmt"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// MaxWriters is how many writers a ledger has room for.
const MaxWriters = 16

const (
	keysPerWriter = 300
	meanValue     = 1000

	// One commit in so many is larger than a memtable, deletes a few keys by a range, deletes all of them.
	largeEvery, rangeEvery, clearEvery = 97, 40, 331
	largeOps                           = 100
)

// Config says what a child does. It is all that the child is told.
type Config struct {
	Dir    string // of the store
	Ledger string // file of the ledger; must not lie on a file system that a fault is put in
	Seed   uint64

	Writers   int // goroutines that write, each with keys and a counter of its own; 0 means 1
	SyncEvery int // of how many commits one asks for a sync: 1 all of them, 0 none
	Limit     int // commits of each writer in this life, after which the child closes the store and ends; 0 none

	// ReopenEvery is after how many commits of each writer the child closes the store and opens it again. 0: never.
	ReopenEvery int

	// Lossy says that acknowledged commits may be gone when the child opens the store, but not synced ones: the power was cut.
	Lossy bool

	// ReadsMayFail says that the fault hits reads, too.
	ReadsMayFail bool

	MapOff bool // Options.Mapping

	// DieAfter is after how many acknowledgements of this life the child kills itself by SIGKILL, at once: a kill from outside comes most
	// often while the child waits for the disk, when nothing is on its way. 0: never.
	DieAfter uint64

	// Balloon says that the child takes more and more memory once it has made some commits, until the system kills it.
	Balloon bool

	// PauseMicros is how long a writer waits after each commit, so that a life is long with few commits.
	PauseMicros int
}

// writers returns the number of writers.
func (c Config) writers() int { return min(max(c.Writers, 1), MaxWriters) }

// Options are those of the store: small, so that each kind of background work is frequent.
func (c Config) Options() *tinykv.Options {
	o := &tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, CacheSize: 128 << 10}
	if c.MapOff {
		o.Mapping = tinykv.MapOff
	}
	return o
}

// Batch returns commit n, from 1 on, of a writer.
func (c Config) Batch(writer int, n uint64) *tinykv.Batch {
	r := enginetest.NewRandom(c.Seed*0x9e3779b97f4a7c15 + n*MaxWriters + uint64(writer))
	b := &tinykv.Batch{}
	ops := r.IntN(5)
	switch {
	case n%clearEvery == 0:
		_ = b.DeleteRange(keyOf(writer, 0), keyOf(writer, keysPerWriter))
	case n%rangeEvery == 0:
		first := r.IntN(keysPerWriter)
		_ = b.DeleteRange(keyOf(writer, first), keyOf(writer, first+r.IntN(20)))
	case n%largeEvery == 0:
		ops = largeOps
	}
	for range ops {
		k := keyOf(writer, r.IntN(keysPerWriter))
		if r.OneIn(5) {
			_ = b.Delete(k)
		} else {
			_ = b.Put(k, valueOf(r, n))
		}
	}
	_ = b.Put(counterKey(writer), binary.BigEndian.AppendUint64(nil, n))
	return b
}

// keyOf returns a key of a writer; counterKey is below all of them.
func keyOf(writer, i int) []byte { return fmt.Appendf(nil, "%02d/%04d", writer, i) }

func counterKey(writer int) []byte { return fmt.Appendf(nil, "%02d#", writer) }

// valueOf draws a value, half of which can be compressed away.
func valueOf(r enginetest.Random, n uint64) []byte {
	v := make([]byte, 8+r.IntN(2*meanValue))
	binary.BigEndian.PutUint64(v, n)
	for i := 8; i+8 <= len(v); i += 16 {
		binary.LittleEndian.PutUint64(v[i:], r.Uint64())
	}
	return v
}
