package main

import (
	"fmt"

	"github.com/tinykv/tinykv"
)

// defaultBenchmarks go from an empty store to one that lies in its final shape, read what is there
// then, and end by taking things away. Each that begins with an empty store leaves one to be
// overwritten or read.
const defaultBenchmarks = "fillseq,fillsync,fillbatch,fillrandom,overwrite,waitforcompaction," +
	"readrandom,readmissing,readseq,readreverse,seekrandom,stats,deleterandom"

// One call in so many is timed. That costs an operation of 1 µs some 0.3 %, and one of 50 ns, as of
// an iterator, 1.5 %.
const (
	timeEvery = 1
	timeSome  = 16
	timeFew   = 64
)

const (
	fillBatchSize   = 1000
	fillSyncDivisor = 1000
)

// benchmark is something that can be measured.
type benchmark struct {
	name, about string

	fresh bool   // begins with an empty store
	sync  bool   // every write waits for stable storage
	every uint64 // one call in so many is timed

	// loop is what each thread does.
	loop func(*worker) error

	size       size                    // how often
	looksFor   bool                    // reports how many keys were found
	alone      bool                    // has one thread, whatever -threads says
	batchOfOne int                     // stands for a -batch_size of 1; 0: that is meant
	print      func(*session)          // prints something and measures nothing; no loop then
	state      func(*tinykv.DB) string // shows progress where operations do not
}

// size says how many operations each thread does.
type size int

const (
	numOps  size = iota // -num
	readOps             // -reads
	syncOps             // a thousandth of -num
	oneOp
)

func (b *benchmark) ops(c *config) uint64 {
	switch b.size {
	case readOps:
		return uint64(c.reads)
	case syncOps:
		return uint64(max(c.num/fillSyncDivisor, 1))
	case oneOp:
		return 1
	default:
		return uint64(c.num)
	}
}

func (b *benchmark) threads(c *config) int {
	if b.alone {
		return 1
	}
	return c.threads
}

func (b *benchmark) batchSize(c *config) int {
	if b.batchOfOne > 0 && c.batchSize == 1 {
		return b.batchOfOne
	}
	return c.batchSize
}

// remarks are what a line of output ends with.
func (b *benchmark) remarks(r *result) string {
	switch {
	case b.looksFor:
		return fmt.Sprintf("(%d of %d found)", r.found, r.ops)
	case b.size == syncOps:
		return fmt.Sprintf("(%d ops)", r.wanted)
	default:
		return ""
	}
}

func allBenchmarks() []benchmark {
	return []benchmark{
		{
			name: "fillseq", about: "write keys in order to an empty store",
			fresh: true, every: timeSome, loop: putInOrder,
		},
		{
			name: "fillrandom", about: "write random keys to an empty store; some 63 % of -num are different ones",
			fresh: true, every: timeSome, loop: putRandom,
		},
		{
			name: "fillsync", about: "as fillrandom, a thousandth of -num, each on stable storage before the next",
			fresh: true, sync: true, every: timeEvery, loop: putRandom, size: syncOps,
		},
		{
			name: "fillbatch", about: "as fillseq, in batches of -batch_size, or 1000 if that is 1",
			fresh: true, every: timeEvery, loop: putInOrder, batchOfOne: fillBatchSize,
		},
		{
			name: "overwrite", about: "write random keys to the store that is there",
			every: timeSome, loop: putRandom,
		},
		{
			name: "deleterandom", about: "delete random keys",
			every: timeSome, loop: removeRandom,
		},
		{
			name: "readrandom", about: "read random keys",
			every: timeSome, loop: readRandom, size: readOps, looksFor: true,
		},
		{
			name: "readmissing", about: "read keys that are absent but lie between others",
			every: timeSome, loop: readMissing, size: readOps, looksFor: true,
		},
		{
			name: "readseq", about: "go over the store with Next, -reads keys far",
			every: timeFew, loop: readForward, size: readOps,
		},
		{
			name: "readreverse", about: "go over the store with Prev, -reads keys far",
			every: timeFew, loop: readBackward, size: readOps,
		},
		{
			name: "seekrandom", about: "seek random keys, see -reuse_iterator",
			every: timeSome, loop: seekRandom, size: readOps, looksFor: true,
		},
		{
			name: "waitforcompaction", about: "wait until no flush and no compaction is due",
			every: timeEvery, loop: waitForCompaction, size: oneOp, alone: true, state: compactionState,
		},
		{
			name: "stats", about: "print the engine's metrics and the memory of the process",
			print: (*session).printStats,
		},
	}
}
