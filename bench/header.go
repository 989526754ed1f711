package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tinykv/tinykv/bench/internal/draw"
	"github.com/tinykv/tinykv/bench/internal/machine"
	"github.com/tinykv/tinykv/bench/internal/memory"
)

// field is a line of the header.
type field struct{ name, text string }

// header tells what is being measured: first as RocksDB's db_bench does, then what else a number
// depends on.
func header(c *config, dir string) []field {
	entry := float64(c.keySize + c.valueSize)
	return []field{
		{"Keys", fmt.Sprintf("%d bytes each", c.keySize)},
		{"Values", fmt.Sprintf("%d bytes each (they would compress to %d)",
			c.valueSize, int(float64(c.valueSize)*c.compressionRatio+0.5))},
		{"Entries", fmt.Sprint(c.num)},
		{"RawSize", fmt.Sprintf("%s (estimated)", memory.Megabytes(entry*float64(c.num)))},
		{"FileSize", fmt.Sprintf("%s (estimated with compression: %s)", memory.Megabytes(c.fileSize()*float64(c.num)), c.compression)},
		{"Threads", fmt.Sprintf("%d, each of which does all operations", c.threads)},
		{"Seed", fmt.Sprint(c.seed)},
		{"Numbers", numbersText(c)},
		{"Durability", durabilityText(c)},
		{"Store", storeText(c)},
		{"Reads", readsText(c)},
		{"Latencies", latenciesText()},
		{"Machine", machine.Processor()},
		{"Software", fmt.Sprintf("%s, tinykv commit %s", machine.System(), machine.Commit())},
		{"Directory", fmt.Sprintf("%s (%s)", dir, machine.FileSystem(dir))},
		{"Date", time.Now().Format(time.RFC1123Z)},
	}
}

// numbersText tells how random keys are drawn. That takes time, which counts.
func numbersText(c *config) string {
	skew := draw.NewScrambled(uint64(c.num), c.zipfExponent)
	zipf := fmt.Sprintf("of zipf and latest %v, with %d ns for each draw", c.zipfExponent, drawCost(skew).Nanoseconds())
	if c.distribution == distUniform {
		return "uniform; exponent " + zipf
	}
	return c.distribution + " where the store is not empty at first; exponent " + zipf
}

// drawCost returns how long it takes to draw a number.
func drawCost(n draw.Numbers) time.Duration {
	const rounds = 10_000
	rng := rand.New(rand.NewPCG(1, 1))
	start := time.Now()
	for range rounds {
		n.Draw(rng)
	}
	return time.Since(start) / rounds
}

func durabilityText(c *config) string {
	if c.sync {
		return "neither the death of the process nor power loss takes anything: a write returns when it is on stable storage"
	}
	return "the death of the process takes nothing, power loss the last 100 ms: a write returns when the system has it" +
		" (of fillsync, when it is on stable storage)"
}

func storeText(c *config) string {
	bloom := "none"
	if c.bloomBits > 0 {
		bloom = fmt.Sprintf("%d bits a key", c.bloomBits)
	}
	sizes := fmt.Sprintf("memtable %s, table %s", memory.Megabytes(float64(c.memTableSize)), memory.Megabytes(float64(c.tableSize)))
	if c.memoryBudget > 0 {
		sizes = "memory budget " + memory.Megabytes(float64(c.memoryBudget))
		if c.memTableSize > 0 {
			sizes += ", memtable " + memory.Megabytes(float64(c.memTableSize))
		}
	}
	return fmt.Sprintf("%s, block %d bytes, Bloom filter %s, compression %s", sizes, c.blockSize, bloom, compressionText(c))
}

func readsText(c *config) string {
	seeks := "seekrandom makes an iterator for each seek"
	if c.reuseIterator {
		seeks = "seekrandom uses a single iterator"
	}
	return "GetTo into a buffer that is used again; multireadrandom has new memory from GetMulti; " + seeks
}

func latenciesText() string {
	return fmt.Sprintf("of one call in so many, as each line says, with %d ns for the clock;"+
		" calls between two timed ones count together for the maximum", clockCost().Nanoseconds())
}

// clockCost returns how long it takes to read the clock.
func clockCost() time.Duration {
	const rounds = 10_000
	start, last := time.Now(), time.Duration(0)
	for range rounds {
		last = time.Since(start)
	}
	return last / rounds
}
