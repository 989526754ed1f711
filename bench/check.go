package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits of what can be asked for.
const (
	maxThreads   = 1024
	maxKeySize   = 1<<16 - 2 // the engine's limit, and room for the byte that readmissing appends
	maxValueSize = 64 << 20
	maxBatchSize = 1 << 20
	maxSeekNexts = 1 << 30
	maxBloomBits = 64 // of the engine
	maxZipf      = 10
)

// usageError is a command line that makes no sense.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// validate returns an error for values that make no sense. What concerns the engine alone is for it to
// judge.
func (c *config) validate() error {
	check := func(ok bool, name string, value any, want string) error {
		if ok {
			return nil
		}
		return usagef("-%s is %v, want %s", name, value, want)
	}
	isRatio := c.compressionRatio > 0 && c.compressionRatio <= 1
	_, isCompression := c.compressionOption()
	return firstOf(
		check(c.num >= 1, "num", c.num, "1 or more"),
		check(c.reads >= 1, "reads", c.reads, "1 or more, or -1 for as many as -num"),
		check(c.threads >= 1 && c.threads <= maxThreads, "threads", c.threads, fmt.Sprint("1 to ", maxThreads)),
		check(c.keySize >= 1 && c.keySize <= maxKeySize, "key_size", c.keySize, fmt.Sprint("1 to ", maxKeySize)),
		check(uint64(c.num-1) <= maxNumber(c.keySize), "num", c.num,
			fmt.Sprintf("no more than there are keys of %d bytes", c.keySize)),
		check(c.valueSize >= 0 && c.valueSize <= maxValueSize, "value_size", c.valueSize, fmt.Sprint("0 to ", maxValueSize)),
		check(isRatio, "compression_ratio", c.compressionRatio, "above 0, up to 1"),
		check(c.batchSize >= 1 && c.batchSize <= maxBatchSize, "batch_size", c.batchSize, fmt.Sprint("1 to ", maxBatchSize)),
		check(c.duration >= 0, "duration", c.duration, "0 or more"),
		check(c.readWritePercent >= 0 && c.readWritePercent <= 100, "readwritepercent", c.readWritePercent, "0 to 100"),
		check(c.writeRate >= 0, "benchmark_write_rate_limit", c.writeRate, "0 or more"),
		check(slices.Contains(distributions(), c.distribution), "distribution", c.distribution,
			strings.Join(distributions(), ", ")),
		check(c.zipfExponent > 0 && c.zipfExponent <= maxZipf, "zipf_s", c.zipfExponent, fmt.Sprint("above 0, up to ", maxZipf)),
		check(c.seekNexts >= 0 && c.seekNexts <= maxSeekNexts, "seek_nexts", c.seekNexts, fmt.Sprint("0 to ", maxSeekNexts)),
		check(c.statsInterval > 0, "stats_interval", c.statsInterval, "a time above 0"),
		check(c.memoryBudget >= 0, "memory_budget", c.memoryBudget, "0 or more"),
		check(c.memTableSize >= 1 || c.memoryBudget > 0, "write_buffer_size", c.memTableSize, "1 or more"),
		check(c.tableSize >= 1 || c.memoryBudget > 0, "target_file_size_base", c.tableSize, "1 or more, or 0 for half of -write_buffer_size"),
		check(c.blockSize >= 1, "block_size", c.blockSize, "1 or more"),
		check(c.bloomBits >= 0 && c.bloomBits <= maxBloomBits, "bloom_bits", c.bloomBits, fmt.Sprint("0 to ", maxBloomBits)),
		check(isCompression, "compression", c.compression, strings.Join(compressions, ", ")),
		check(c.cacheSize >= 0 || c.cacheSize == engineDecides, "cache_size", c.cacheSize, "0 or more"),
		check(!c.useExistingDB || c.db != "", "use_existing_db", c.useExistingDB, "-db too, to know which"),
	)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// maxNumber returns the greatest number that a key of so many bytes can hold.
func maxNumber(keySize int) uint64 {
	if keySize >= numberLen {
		return math.MaxUint64
	}
	return 1<<(8*keySize) - 1
}
