package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/draw"
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

// benchmark is something that can be measured.
type benchmark struct {
	name, about string

	// How it begins.
	fresh  bool // with an empty store
	reopen bool // with a store that was just opened

	// loop is what each thread does; beside is what one more thread does until the others are done,
	// which is reported, but not counted. They wait until it calls begun, or returns.
	loop   func(*worker) error
	beside func(w *worker, begun func()) error

	size    size   // how often
	inOrder bool   // it is as long as its keys are many, whatever -duration says
	alone   bool   // has one thread, whatever -threads says
	every   uint64 // one call in so many is timed

	sync      bool // every write waits for stable storage
	mixed     bool // reads and writes, which are told apart
	batch     int  // operations in a batch where -batch_size is 1; 0: it has no batches
	valueSize int  // 0: -value_size

	// draws makes what draws the numbers of keys for a thread. nil: as -distribution says, but evenly
	// where it begins with an empty store.
	draws func(*session) draw.Numbers

	looksFor bool                         // reports how many keys were found
	remark   func(*result) string         // what a line of output ends with, if anything else
	state    func(*tinykv.DB) string      // shows progress where operations do not
	info     func(*session) (info, error) // tells something and measures nothing; no loop then
}

// size says how many operations each thread does.
type size int

const (
	numOps        size = iota // -num
	readOps                   // -reads
	thousandthOps             // a thousandth of -num
	pieceOps                  // -num, but no more than maxPieces
	oneOp
)

func (b *benchmark) ops(c *config) uint64 {
	switch b.size {
	case readOps:
		return uint64(c.reads)
	case thousandthOps:
		return uint64(max(c.num/1000, 1))
	case pieceOps:
		return uint64(min(c.num, maxPieces))
	case oneOp:
		return 1
	default:
		return uint64(c.num)
	}
}

// limit returns how long it goes on, or 0 where the number of operations decides.
func (b *benchmark) limit(c *config) time.Duration {
	if b.inOrder || b.size == oneOp {
		return 0
	}
	return c.duration
}

func (b *benchmark) threads(c *config) int {
	if b.alone {
		return 1
	}
	return c.threads
}

// batchSize returns the operations in a batch, or 0 where there are none.
func (b *benchmark) batchSize(c *config) int {
	if b.batch > 0 && c.batchSize > 1 {
		return c.batchSize
	}
	return b.batch
}

// numbers returns what draws the numbers of keys.
func (b *benchmark) numbers(s *session) draw.Numbers {
	switch {
	case b.draws != nil:
		return b.draws(s)
	case b.fresh:
		return draw.Uniform(s.config.num)
	default:
		return s.config.numbers(s)
	}
}

// remarks are what a line of output ends with.
func (b *benchmark) remarks(r *result) string {
	switch {
	case b.remark != nil:
		return b.remark(r)
	case b.looksFor:
		return fmt.Sprintf("(%d of %d found)", r.found, r.ops)
	case b.size == thousandthOps:
		return fmt.Sprintf("(%d ops)", r.ops)
	default:
		return ""
	}
}

// allBenchmarks returns them by family.
func allBenchmarks() []benchmark {
	return slices.Concat(fills(), changes(), features(), lookups(), scans(), holds(), mixtures(), ycsb(), upkeep(), codecs(), facts())
}
