package main

import (
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
)

// Defaults of tinykv.Options. They are repeated here to be shown; a test compares.
const (
	defaultMemTableSize = 16 << 20
	defaultBlockSize    = 4 << 10
	defaultBloomBits    = 10
)

// options returns the options of the store.
func (c *config) options() *tinykv.Options {
	o := &tinykv.Options{
		MemoryBudget:    c.memoryBudget,
		MemTableSize:    c.memTableSize,
		TableSize:       c.tableSize,
		BlockSize:       c.blockSize,
		BloomBitsPerKey: c.bloomBits,
		ErrorIfMissing:  c.useExistingDB,
	}
	c.setCompression(o)
	if c.bloomBits == 0 {
		o.BloomBitsPerKey = -1 // where 0 is the default
	}
	if slices.ContainsFunc(c.benchmarks, func(b benchmark) bool { return b.name == fillMerge }) {
		o.MergeOperator = tinykv.MergeAddInt64
	}
	if c.sync {
		o.Durability = tinykv.DurabilitySync
	}
	return o
}

// inFlags puts the names of flags for those of options in a message of the engine.
func inFlags(message string) string {
	return strings.NewReplacer(
		"MemoryBudget", "-memory_budget",
		"MemTableSize", "-write_buffer_size",
		"TableSize", "-target_file_size_base",
		"BlockSize", "-block_size",
		"BloomBitsPerKey", "-bloom_bits",
		"CacheSize", "-cache_size",
	).Replace(message)
}
