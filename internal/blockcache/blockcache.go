// Package blockcache keeps decompressed blocks of tables in memory, in a ristretto cache.
//
// A block is known by the id of its table and its offset there, which never change their meaning:
// nothing ever has to be taken out, and what is found is right whatever the cache does. It may
// drop what it is given, and show it late.
package blockcache

import (
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	// pendingPart is the part of the cache's size that is for blocks that ristretto was given and has
	// not looked at yet. What comes when it is full is dropped: so the size holds however little time
	// ristretto's goroutine gets.
	pendingPart = 16

	// countersPerBlock is of how many keys the frequency is remembered for each block that has room.
	countersPerBlock = 10

	// minBlock bounds the number of counters where blocks are small.
	minBlock = 1 << 10

	// getBuffer is how many look-ups ristretto counts together.
	getBuffer = 64

	// overhead is about how many bytes a block takes beside its own.
	overhead = 200

	// noTicker is a century in seconds. Ristretto wakes up twice in this time to look for items that
	// expire; blocks never do.
	noTicker = 100 * 365 * 24 * 3600
)

// Cache holds blocks up to a size in bytes. A nil Cache holds none. It may be used by any number of
// goroutines, each of which holds a reference or is covered by another's.
type Cache struct {
	size      int64
	blockSize int64
	refs      atomic.Int64

	// ristretto is made for the first block: a store that has none to cache does not pay for it.
	ristretto atomic.Pointer[ristretto.Cache[uint64, entry]]
	making    sync.Mutex

	limit    atomic.Int64 // of size, what may be used now
	pending  atomic.Int64 // bytes that ristretto has not looked at yet
	held     atomic.Int64 // bytes that are in it, about
	dropped  atomic.Uint64
	rejected atomic.Uint64
	evicted  atomic.Uint64
	lookups  [16]lookups // one is chosen by the block, so that processors seldom share one
}

// lookups counts on a cache line of its own.
type lookups struct {
	hits, misses atomic.Uint64
	_            [48]byte
}

// entry is a block with its identity, so that two whose hashes agree are told apart.
type entry struct {
	table uint64
	off   int64
	data  []byte
}

func (e entry) cost() int64 { return int64(len(e.data)) + overhead }

// Stats count since the cache was made.
type Stats struct {
	Size, Held int64 // bytes: room, and about how much of it is in use

	Hits, Misses uint64 // look-ups

	Dropped  uint64 // blocks that were not even considered, because too many were offered at once
	Rejected uint64 // blocks that are wanted less often than those that would have to make room, or were there
	Evicted  uint64 // blocks that made room
}

// New returns a cache for size bytes of blocks that have about blockSize bytes each, with one
// reference; or nil, which holds nothing, where size is not positive.
func New(size, blockSize int64) *Cache {
	if size <= 0 {
		return nil
	}
	c := &Cache{size: size, blockSize: blockSize}
	c.limit.Store(size)
	c.refs.Store(1)
	return c
}

// Get returns the block of a table at an offset, or nil. Nobody may change its bytes. They hold for
// as long as anybody looks at them, even if the cache is closed.
func (c *Cache) Get(table uint64, off int64) []byte {
	if c == nil {
		return nil
	}
	k := identity(table, off)
	count := &c.lookups[k%uint64(len(c.lookups))]
	if r := c.ristretto.Load(); r != nil {
		if e, ok := r.Get(k); ok && e.table == table && e.off == off {
			count.hits.Add(1)
			return e.data
		}
	}
	count.misses.Add(1)
	return nil
}

// Put offers a block, which nobody may change from now on.
func (c *Cache) Put(table uint64, off int64, data []byte) {
	if c == nil {
		return
	}
	e := entry{table: table, off: off, data: data}
	r := c.make()
	if r == nil {
		return
	}
	if c.pending.Load() > c.size/pendingPart {
		c.dropped.Add(1)
		return
	}
	c.pending.Add(e.cost())
	if !r.Set(identity(table, off), e, 0) { // 0: ask considered
		c.pending.Add(-e.cost())
		c.dropped.Add(1)
	}
}

// make returns the cache within, which it makes first if need be; nil if that is impossible.
func (c *Cache) make() *ristretto.Cache[uint64, entry] {
	if r := c.ristretto.Load(); r != nil {
		return r
	}
	c.making.Lock()
	defer c.making.Unlock()
	if r := c.ristretto.Load(); r != nil {
		return r
	}
	r, err := ristretto.NewCache(&ristretto.Config[uint64, entry]{
		NumCounters:            (c.size/max(c.blockSize, minBlock) + 1) * countersPerBlock,
		MaxCost:                maxCost(c.limit.Load()),
		BufferItems:            getBuffer,
		KeyToHash:              func(k uint64) (hash, conflict uint64) { return k, 0 },
		Cost:                   c.considered,
		IgnoreInternalCost:     true,
		ShouldUpdate:           func(entry, entry) bool { return false }, // it is the same block
		OnEvict:                func(i *ristretto.Item[entry]) { c.evicted.Add(1); c.held.Add(-i.Cost) },
		OnReject:               func(i *ristretto.Item[entry]) { c.rejected.Add(1); c.held.Add(-i.Cost) },
		TtlTickerDurationInSec: noTicker,
	})
	if err != nil { // a size that makes no sense: do without
		return nil
	}
	c.ristretto.Store(r)
	return r
}

// considered is told by ristretto that it looks at a block now, and says what the block costs.
func (c *Cache) considered(e entry) int64 {
	c.pending.Add(-e.cost())
	c.held.Add(e.cost())
	return e.cost()
}

// Limit changes the room to size bytes, not above that of New. What is beyond it goes as other blocks
// come.
func (c *Cache) Limit(size int64) {
	if c == nil || c.limit.Swap(size) == size {
		return
	}
	if r := c.ristretto.Load(); r != nil {
		r.UpdateMaxCost(maxCost(size))
	}
}

// maxCost returns what ristretto may hold where a cache has room for size bytes, with those pending.
func maxCost(size int64) int64 { return max(size-size/pendingPart, 1) }

// Room returns the limit.
func (c *Cache) Room() int64 {
	if c == nil {
		return 0
	}
	return c.limit.Load()
}

// Ref takes a reference, for somebody who may outlive those who hold one now.
func (c *Cache) Ref() {
	if c != nil {
		c.refs.Add(1)
	}
}

// Unref gives up a reference. With the last, the cache is closed: its goroutine ends.
func (c *Cache) Unref() {
	if c == nil || c.refs.Add(-1) > 0 {
		return
	}
	if r := c.ristretto.Swap(nil); r != nil {
		r.Close()
	}
}

// Wait returns once the cache has looked at all blocks that were put.
func (c *Cache) Wait() {
	if c != nil {
		c.ristretto.Load().Wait() // nil, too, may be waited for
	}
}

// Stats returns the counters.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	s := Stats{
		Size: c.size, Held: c.held.Load(),
		Dropped: c.dropped.Load(), Rejected: c.rejected.Load(), Evicted: c.evicted.Load(),
	}
	for i := range c.lookups {
		s.Hits += c.lookups[i].hits.Load()
		s.Misses += c.lookups[i].misses.Load()
	}
	return s
}

// identity mixes table and offset to a hash whose every bit depends on both (finalizer of
// MurmurHash3, A. Appleby): ristretto chooses a shard by the low bits, and offsets are multiples.
func identity(table uint64, off int64) uint64 {
	x := table ^ uint64(off)*0x9e3779b97f4a7c15
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
