// Package memtable is the sorted buffer that newly committed writes live in until they are flushed.
//
// A [Table] is a skip list of internal keys (W. Pugh, "Skip Lists: A Probabilistic Alternative to
// Balanced Trees", CACM 33(6), 1990) in one fixed block of memory outside the garbage collector.
// One goroutine writes; any number read at the same time without locks. Nothing is ever changed or
// removed once it is linked, so what a reader has seen stays where it is until [Table.Free].
//
// # Memory
//
// Offsets are bytes from the start of the region, multiples of 8; 0 means none. Nodes grow from the
// front of the region, entries from its end, until they meet.
//
//	buckets   4 bytes each, a power of two   newest entry of each hash chain
//	head      a node without an entry, of height maxHeight
//	nodes     in order of insertion
//	(free)
//	entries   in reverse order of insertion
//
//	node at offset n, height h
//	  n-8h ..   links       8 bytes each, level 0 last: key head << 32 | offset of the next node
//	  n    + 0  entry       4 bytes
//	  n    + 4  back link   4 bytes; previous node of level 0; the head's leads to the last node
//
//	entry at offset e
//	  e    + 0  trailer     8 bytes
//	  e    + 8  key length, value length   4 bytes each
//	  e    +16  next entry of the same hash chain   4 bytes
//	  e    +20  stored key, then value
//
// What is slow about a skip list is that each step waits for memory. So a link carries four bytes
// of the key it leads to: a search compares without touching what it does not follow. And nodes lie
// apart from entries: those of a 16 MiB table fit a level 2 cache, and a search touches an entry
// only where four bytes do not decide. (Measured on 16 MiB, 100-byte values: an insertion in random
// order takes half the time that it takes with entries in the nodes.) The four bytes are taken
// behind a prefix that the keys of the previous table had in common, because the first bytes of
// real keys rarely tell them apart. A key outside that prefix gets the least or the greatest head,
// which is slower and never wrong.
//
// Range tombstones stand beside the list, see ranges.go; only their bounds lie in the region.
//
// Beside the list, hash chains lead from the hash of a stored key to its entries, newest first.
// A point read goes that way and touches two or three cache lines.
package memtable

import (
	"bytes"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/offheap"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// MinSize and MaxSize bound the size of a table in bytes. Offsets have 32 bits.
const (
	MinSize = 16 << 10
	MaxSize = 2 << 30
)

const (
	maxHeight = 12 // with one node in four reaching the next level: 4^12 = 16 M nodes

	bytesPerBucket = 64 // about two buckets for an entry of 128 bytes

	linkBytes = 8
	nodeBytes = 8 // beside its links

	offEntry = 0 // in a node
	offPrev  = 4

	offTrailer  = 0 // in an entry
	offKeyLen   = 8
	offValueLen = 12
	offChain    = 16
	offKey      = 20

	// maxOverhead bounds what an entry takes beside its key and value: node, fields, padding.
	maxOverhead = maxHeight*linkBytes + nodeBytes + offKey + 7

	// maxChainSteps bounds a walk along a hash chain; past it the list is quicker, as when a key
	// was overwritten many times and an old snapshot reads it.
	maxChainSteps = 32

	noLink = uint64(1<<32-1) << 32 // greatest head, no node: the end of a level
)

// Table is a memtable. Insert and Reset are for one goroutine at a time; all other methods may be
// called concurrently with Insert and each other, but none with Reset or Free.
type Table struct {
	// Fixed after Reset.
	region  *offheap.Region
	mem     []byte
	links   []uint64 // the same memory
	fields  []uint32 // the same memory
	buckets uint64   // number of buckets - 1
	head    uint32   // offset of the head node
	prefix  []byte   // heads in links are taken behind it

	// For the writer alone.
	front  uint32 // nodes end here
	back   uint32 // entries begin here
	last   splice // where the newest entry was linked
	random uint64 // state of the height generator
	totals Totals

	rangeBytes int64 // memory that the lists of range tombstones take

	// Atomic.
	height    atomic.Int32  // levels in use
	freeBytes atomic.Uint32 // between nodes and entries
	entries   atomic.Uint64
	ranges    atomic.Pointer[[]rangedel.List] // see ranges.go
}

// Totals sums up the entries of a table.
type Totals struct {
	Entries      int64
	Deletes      int64 // of these, tombstones
	DataBytes    int64 // stored keys and values
	RangeDeletes int64 // range tombstones, which are no entries
}

// splice is the place of a key in the list: at each level the last node before it.
type splice struct {
	prev [maxHeight]uint32
	node uint32 // the node that was linked there, 0 for none
}

// New returns an empty table that takes size bytes of memory.
func New(size int64) (*Table, error) {
	if size < MinSize || size > MaxSize {
		return nil, fmt.Errorf("memtable: size %d is outside %d to %d bytes", size, MinSize, int64(MaxSize))
	}
	region, err := offheap.Alloc(int(size))
	if err != nil {
		return nil, err
	}
	t := &Table{region: region, mem: region.Bytes(), links: region.Uint64s(), fields: region.Uint32s()}
	t.buckets = 1<<(bits.Len64(uint64(size)/bytesPerBucket)-1) - 1
	t.Reset(nil)
	return t, nil
}

// Reset empties the table for new use. The prefix is what the coming keys are expected to share,
// best learned from [Table.LearnPrefix] of the table before; it is copied and may be nil.
func (t *Table) Reset(prefix []byte) {
	t.prefix = bytes.Clone(prefix)
	if prefix == nil {
		t.prefix = []byte{0} // keyspace 0
	}
	bucketBytes := (t.buckets + 1) * 4
	clear(t.mem[:bucketBytes])
	t.head = uint32(bucketBytes) + maxHeight*linkBytes
	t.front = t.head + nodeBytes
	t.back = uint32(len(t.mem))
	t.freeBytes.Store(t.back - t.front)
	clear(t.mem[bucketBytes:t.front])
	for level := range maxHeight {
		t.links[t.linkIndex(t.head, level)] = noLink
	}
	t.last = splice{}
	t.random = 0x9e3779b97f4a7c15
	t.totals = Totals{}
	t.entries.Store(0)
	t.ranges.Store(nil)
	t.rangeBytes = 0
	t.height.Store(1)
}

// Touch has the system provide all memory of the table now rather than when it is first written to.
func (t *Table) Touch() { t.region.Touch() }

// Free gives the memory back. Nobody may use the table or anything it lent any more.
func (t *Table) Free() error {
	t.mem, t.links, t.fields = nil, nil, nil
	return t.region.Free()
}

// Capacity returns how many bytes entries can take, as [Need] counts them.
func (t *Table) Capacity() int64 { return int64(len(t.mem)) - int64(t.head) - nodeBytes }

// Need returns the room that is certain to suffice for a number of entries whose stored keys and
// values have dataBytes together.
func Need(entries int, dataBytes int64) int64 { return int64(entries)*maxOverhead + dataBytes }

// Fits tells whether need bytes are left, and range tombstones take little memory beside. Only the writer
// may ask.
func (t *Table) Fits(need int64) bool {
	return need <= int64(t.back-t.front) && t.rangeBytes < t.maxRangeBytes()
}

// Used returns the bytes of memory in use.
func (t *Table) Used() int64 { return int64(len(t.mem)) - int64(t.freeBytes.Load()) }

// Entries returns the number of entries.
func (t *Table) Entries() uint64 { return t.entries.Load() }

// Empty tells whether nothing was written to the table. Only the writer may ask, or anyone once
// writing has ended.
func (t *Table) Empty() bool { return t.totals.Entries == 0 && t.totals.RangeDeletes == 0 }

// Totals sums up the table. Only the writer may ask, or anyone once writing has ended.
func (t *Table) Totals() Totals { return t.totals }

// LearnPrefix returns what the keys of this table and the key next have in common: a good guess for
// the table that comes after, even when keys keep growing. It is nil for an empty table.
func (t *Table) LearnPrefix(next []byte) []byte {
	first, last := t.next(t.head, 0), t.prev(t.head)
	if first == 0 {
		return nil
	}
	least, greatest := t.storedKey(t.entry(first)), t.storedKey(t.entry(last))
	n := min(key.CommonPrefix(least, greatest), key.CommonPrefix(least, next))
	return bytes.Clone(least[:n])
}

func (t *Table) linkIndex(node uint32, level int) uint32 { return node/8 - 1 - uint32(level) }

// link returns the link of a node at a level: head of the next key, offset of the next node.
func (t *Table) link(node uint32, level int) uint64 {
	return atomic.LoadUint64(&t.links[t.linkIndex(node, level)])
}

func (t *Table) setLink(node uint32, level int, link uint64) {
	atomic.StoreUint64(&t.links[t.linkIndex(node, level)], link)
}

func (t *Table) next(node uint32, level int) uint32 { return uint32(t.link(node, level)) }

func (t *Table) prev(node uint32) uint32 { return atomic.LoadUint32(&t.fields[(node+offPrev)/4]) }

func (t *Table) entry(node uint32) uint32 { return t.fields[(node+offEntry)/4] }

func (t *Table) trailer(entry uint32) key.Trailer {
	return key.Trailer(t.links[(entry+offTrailer)/8])
}

func (t *Table) storedKey(entry uint32) []byte {
	start := entry + offKey
	end := start + t.fields[(entry+offKeyLen)/4]
	return t.mem[start:end:end]
}

func (t *Table) value(entry uint32) []byte {
	start := entry + offKey + t.fields[(entry+offKeyLen)/4]
	end := start + t.fields[(entry+offValueLen)/4]
	return t.mem[start:end:end]
}

// target is an internal key that is looked for.
type target struct {
	stored  []byte
	trailer key.Trailer
	head    uint32 // what a link to it would carry
}

func (t *Table) target(stored []byte, trailer key.Trailer) target {
	return target{stored: stored, trailer: trailer, head: t.linkHead(stored)}
}

// linkHead returns what a link to the stored key carries: four bytes behind the prefix.
func (t *Table) linkHead(stored []byte) uint32 {
	if bytes.HasPrefix(stored, t.prefix) {
		return uint32(key.Head(stored, len(t.prefix)) >> 32)
	}
	if bytes.Compare(stored, t.prefix) < 0 {
		return 0
	}
	return 1<<32 - 1
}

// before tells whether a node sorts before the target.
func (t *Table) before(node uint32, to *target) bool {
	entry := t.entry(node)
	c := bytes.Compare(t.storedKey(entry), to.stored)
	return c < 0 || c == 0 && t.trailer(entry) > to.trailer
}

// walk follows one level from node to the last node before the target, and returns it with the one
// behind it. beyond is a node known not to sort before the target, or 0.
func (t *Table) walk(node uint32, level int, to *target, beyond uint32) (at, behind uint32) {
	for {
		link := t.link(node, level)
		next, head := uint32(link), uint32(link>>32)
		if head > to.head || next == beyond || next == 0 {
			return node, next
		}
		if head == to.head && !t.before(next, to) {
			return node, next
		}
		node = next
	}
}

// Size returns how much memory the table takes.
func (t *Table) Size() int64 { return int64(len(t.mem)) }
