package tinykv

import (
	"fmt"
	"runtime/debug"

	"github.com/tinykv/tinykv/internal/offheap"
)

// MemoryBudget is divided once, when a store is opened, among those who use memory:
//
//	memtables   the active one, those that wait for their flush, and a spare, each MemTableSize
//	cache       CacheSize, and as much again: what the garbage collector lets pile up before it
//	            collects (GOGC 100)
//	the rest    an eighth: buffers of flushes and compactions, indexes of open tables, iterators
//
// What cannot be foreseen is taken from the cache while it lasts: memtables that open iterators keep
// from being used again.

const (
	// The default budget is a part of what the process may use, within bounds.
	budgetPart                 = 16
	minBudgetDef, maxBudgetDef = 64 << 20, 256 << 20

	minBudget, maxBudget = 1 << 20, 1 << 40

	// maxMemTableDef bounds the default: searching a larger one waits for memory more often.
	maxMemTableDef = 16 << 20

	memTablePart = 3
	restPart     = 8
	garbagePart  = 2 // of memory for the cache, the part that garbage may be
)

// memTables is how many memtables of a size a store has at most, unless iterators hold on to more: the
// active one, those that wait for their flush, and a spare.
func memTables(size int64) int64 { return int64(limitsFor(&Options{MemTableSize: size}).maxSealed) + 2 }

// defaultMemTable returns the size of memtables that share a third of a budget.
func defaultMemTable(budget int64) int64 {
	size := budget / memTablePart / (minSealed + 2)
	if memTables(size) > minSealed+2 {
		size = budget / memTablePart / (maxSealed + 2)
	}
	return max(min(size, maxMemTableDef), minMemTable)
}

// defaultBudget returns the budget for a process that may use so many bytes; 0 is unknown.
func defaultBudget(limit int64) int64 {
	if soft := debug.SetMemoryLimit(-1); soft < maxBudget { // GOMEMLIMIT is set
		if limit == 0 || soft < limit {
			limit = soft
		}
	}
	if limit == 0 {
		return minBudgetDef
	}
	return min(max(limit/budgetPart, minBudgetDef), maxBudgetDef)
}

// divideBudget sets the sizes that were left to the budget.
func (o *Options) divideBudget() {
	chosen := o.MemoryBudget != 0
	if !chosen {
		o.MemoryBudget = defaultBudget(offheap.Limit())
	}
	if o.MemTableSize == 0 {
		o.MemTableSize = defaultMemTable(o.MemoryBudget)
	}
	left := o.MemoryBudget - o.MemoryBudget/restPart - memTables(o.MemTableSize)*o.MemTableSize
	if o.CacheSize == 0 {
		o.CacheSize = max(left/garbagePart, minCache)
	}
	if !chosen { // sizes that were chosen count more than a budget that was not
		need := memTables(o.MemTableSize)*o.MemTableSize + garbagePart*max(o.CacheSize, 0)
		o.MemoryBudget = max(o.MemoryBudget, need+need/(restPart-1))
	}
}

// checkBudget tells whether the sizes fit into the budget.
func (o *Options) checkBudget() error {
	need := memTables(o.MemTableSize)*o.MemTableSize + garbagePart*max(o.CacheSize, 0)
	if have := o.MemoryBudget - o.MemoryBudget/restPart; need > have+garbagePart*minCache {
		return fmt.Errorf("%w: MemoryBudget is %d, but %d memtables of %d bytes and a cache of %d, with garbage beside it, need %d; raise it or lower MemTableSize or CacheSize",
			ErrInvalidOption, o.MemoryBudget, memTables(o.MemTableSize), o.MemTableSize, max(o.CacheSize, 0), need+need/(restPart-1))
	}
	return nil
}

// memoryChanged is told how many memtables there are. Those beyond what the budget foresees are taken
// from the cache.
func (db *DB) memoryChanged(tables int64) {
	excess := max(tables-memTables(db.opts.MemTableSize), 0) * db.opts.MemTableSize
	db.files.cache.Limit(max(db.opts.CacheSize-excess/garbagePart, 0))
}
