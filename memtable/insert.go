package memtable

import (
	"math/bits"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/key"
)

// Insert adds an entry. hash is the xxhash of the stored key. Sequence numbers must not decrease
// from call to call, an internal key must not come twice, and the room must have been checked
// with Fits. Key and value are copied.
func (t *Table) Insert(stored []byte, hash uint64, trailer key.Trailer, value []byte) {
	to := t.target(stored, trailer)
	if !t.followsLast(&to) {
		t.find(&to)
	}
	height := t.randomHeight()
	entry := t.newEntry(stored, trailer, value)
	t.linkNode(t.newNode(height, entry), to.head, height)
	t.chainEntry(entry, hash)

	t.totals.Entries++
	t.entries.Store(uint64(t.totals.Entries))
	t.totals.DataBytes += int64(len(stored) + len(value))
	if trailer.Kind() == key.KindDelete {
		t.totals.Deletes++
	}
	t.freeBytes.Store(t.back - t.front)
}

// followsLast tells whether the target belongs right behind the entry that was inserted last, so
// that its splice can be used again: runs of ascending keys cost no search.
func (t *Table) followsLast(to *target) bool {
	last := t.last.node
	if last == 0 {
		return false
	}
	link := t.link(last, 0)
	if next, head := uint32(link), uint32(link>>32); next != 0 {
		if head < to.head || head == to.head && t.before(next, to) {
			return false
		}
	}
	return t.before(last, to)
}

// find fills the splice of the target.
func (t *Table) find(to *target) {
	node, behind := t.head, uint32(0)
	for level := int(t.height.Load()) - 1; level >= 0; level-- {
		node, behind = t.walk(node, level, to, behind)
		t.last.prev[level] = node
	}
}

// newEntry writes an entry that nothing leads to yet.
func (t *Table) newEntry(stored []byte, trailer key.Trailer, value []byte) uint32 {
	entry := (t.back - offKey - uint32(len(stored)) - uint32(len(value))) &^ 7
	t.back = entry
	t.links[(entry+offTrailer)/8] = uint64(trailer)
	t.fields[(entry+offKeyLen)/4] = uint32(len(stored))
	t.fields[(entry+offValueLen)/4] = uint32(len(value))
	copy(t.mem[entry+offKey:], stored)
	copy(t.mem[entry+offKey+uint32(len(stored)):], value)
	return entry
}

// newNode writes a node that nothing leads to yet.
func (t *Table) newNode(height int, entry uint32) uint32 {
	node := t.front + uint32(height)*linkBytes
	t.front = node + nodeBytes
	t.fields[(node+offEntry)/4] = entry
	return node
}

// linkNode enters a node into the list at its splice, lowest level first, and makes the splice the
// place right behind it.
func (t *Table) linkNode(node, head uint32, height int) {
	at := &t.last
	for old := int(t.height.Load()); old < height; old++ {
		at.prev[old] = t.head
	}
	t.fields[(node+offPrev)/4] = at.prev[0]
	for level := range height {
		t.links[t.linkIndex(node, level)] = t.link(at.prev[level], level)
	}
	link := uint64(head)<<32 | uint64(node)
	for level := range height {
		t.setLink(at.prev[level], level, link)
		at.prev[level] = node
	}
	behind := t.next(node, 0)
	if behind == 0 {
		behind = t.head // whose back link leads to the last node
	}
	atomic.StoreUint32(&t.fields[(behind+offPrev)/4], node)
	if int(t.height.Load()) < height {
		t.height.Store(int32(height))
	}
	at.node = node
}

// chainEntry makes an entry the first of its hash chain.
func (t *Table) chainEntry(entry uint32, hash uint64) {
	bucket := &t.fields[hash&t.buckets]
	t.fields[(entry+offChain)/4] = *bucket
	atomic.StoreUint32(bucket, entry)
}

// randomHeight returns 1 for three nodes in four, 2 for three of four others, and so on. The
// generator is xorshift64 (G. Marsaglia, "Xorshift RNGs", JSS 8(14), 2003).
func (t *Table) randomHeight() int {
	x := t.random
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	t.random = x
	return min(1+bits.TrailingZeros64(x)/2, maxHeight)
}
