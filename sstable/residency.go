package sstable

import "sync/atomic"

// regionLen is how much of a table is brought into memory by one system call.
const regionLen = 64 << 10

// firstEpoch is such that a region never touched is older than the last epoch.
const firstEpoch = 2

// Residency remembers, for all tables of a store, which regions were touched lately. A page fault
// on a cold region would hold up the goroutine scheduler for as long as the disk takes; so the
// first touch is a system call, and with data larger than memory a region counts as cold again
// once so many others were touched that the kernel may have given its pages away. From then on a lookup
// brings in its block alone: a whole region would drive out sixteen times as much as it is worth.
type Residency struct {
	period int64         // regions touched per epoch
	epoch  atomic.Uint32 // from firstEpoch on
	left   atomic.Int64  // touches until the next epoch
}

// NewResidency returns a Residency for tables that share cacheBytes of page cache.
func NewResidency(cacheBytes int64) *Residency {
	r := &Residency{period: max(cacheBytes/regionLen/2, 1)}
	r.epoch.Store(firstEpoch)
	r.left.Store(r.period)
	return r
}

// cold tells whether a region last touched in the given epoch needs a system call, and the epoch
// to remember for it now.
func (r *Residency) cold(touched uint32) (now uint32, cold bool) {
	now = r.epoch.Load()
	return now, now-touched > 1
}

// scarce tells whether more was touched than fits into memory.
func (r *Residency) scarce() bool { return r.epoch.Load() > firstEpoch }

// touch counts a cold region that was brought in.
func (r *Residency) touch() {
	if r.left.Add(-1) == 0 {
		r.epoch.Add(1)
		r.left.Store(r.period)
	}
}
