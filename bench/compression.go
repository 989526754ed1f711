package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/memory"
)

// defaultCacheSize is db_bench's. The engine's own follows from its memory budget.
const defaultCacheSize = 32 << 20

// engineDecides stands for a cache size that follows from -memory_budget.
const engineDecides = -1 << 62

// compressions are the names of -compression, each at the number of its option.
var compressions = []string{
	tinykv.CompressionDefault: "default",
	tinykv.CompressionNone:    "none",
	tinykv.CompressionS2:      "s2",
	tinykv.CompressionZstd:    "zstd",
}

func addCompressionFlags(fs *flag.FlagSet, c *config) {
	fs.StringVar(&c.compression, "compression", compressions[tinykv.CompressionDefault],
		"`name` of what compresses blocks (Options.Compression): "+strings.Join(compressions, ", "))
	fs.Int64Var(&c.cacheSize, "cache_size", defaultCacheSize, "`bytes` of decompressed blocks kept in memory (Options.CacheSize); 0: none")
}

// compressionOption returns what -compression names, and whether it names something.
func (c *config) compressionOption() (tinykv.Compression, bool) {
	i := slices.Index(compressions, c.compression)
	return tinykv.Compression(i), i >= 0
}

// setCompression sets the options of the store that the flags are for.
func (c *config) setCompression(o *tinykv.Options) {
	o.Compression, _ = c.compressionOption() // validated
	switch c.cacheSize {
	case 0:
		o.CacheSize = -1 // where 0 is the default
	case engineDecides:
		o.CacheSize = 0
	default:
		o.CacheSize = c.cacheSize
	}
}

// compressionText tells how blocks are compressed and which of them are kept.
func compressionText(c *config) string {
	how := c.compression
	if how == compressions[tinykv.CompressionDefault] {
		how += " (the last two levels by S2)"
	}
	switch c.cacheSize {
	case 0:
		return how + ", no cache"
	case engineDecides:
		return how + ", cache as the budget leaves"
	}
	return fmt.Sprintf("%s, cache %s", how, memory.Megabytes(float64(c.cacheSize)))
}

// fileSize estimates the bytes of an entry in a table.
func (c *config) fileSize() float64 {
	if c.compression == compressions[tinykv.CompressionNone] {
		return float64(c.keySize + c.valueSize)
	}
	return float64(c.keySize) + float64(c.valueSize)*c.compressionRatio
}
