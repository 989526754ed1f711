package simfs

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// inode is a file or a directory. Nothing but its existence is known of a directory: names stand
// in trees.
type inode struct {
	id    int64 // kept by the copies of this inode in images
	isDir bool

	name    string   // path it was last known by, for traces
	locks   int      // -1 held by one alone, above 0 shared by so many
	cache   content  // what programs read
	disk    content  // what was synced
	pending []dataOp // unsynced, oldest first: disk and then these give cache, unless strayed
	strayed bool     // a failed sync dropped operations: cache has what disk may never get
}

// dataOp is one operation on the contents of a file that has not been synced.
type dataOp struct {
	index int   // of the call
	off   int64 // first byte
	n     int64 // bytes
	data  []byte

	mapped bool // it was copied into a mapping
}

// apply carries the operation out on c. One without data adds zeros at the end.
func (d *dataOp) apply(c *content) {
	if d.data == nil {
		c.grow(d.off + d.n)
		return
	}
	c.write(d.data, d.off)
}

// slice returns the part of the operation that lies in [lower, upper) of the file.
func (d *dataOp) slice(lower, upper int64) dataOp {
	lower, upper = max(lower, d.off), min(upper, d.off+d.n)
	part := dataOp{index: d.index, off: lower, n: upper - lower}
	if d.data != nil {
		part.data = d.data[lower-d.off : upper-d.off]
	}
	return part
}

func (n *inode) write(index int, p []byte, off int64, mapped bool) {
	if len(p) == 0 {
		return
	}
	n.add(dataOp{index: index, off: off, n: int64(len(p)), data: bytes.Clone(p), mapped: mapped})
}

func (n *inode) extend(index int, size int64) {
	if size <= n.cache.size {
		return
	}
	n.add(dataOp{index: index, off: n.cache.size, n: size - n.cache.size})
}

func (n *inode) add(d dataOp) {
	d.apply(&n.cache)
	n.pending = append(n.pending, d)
}

// anyEnd returns where a torn file may end at most. A file system takes long writes in pieces of any length, and may note how long the
// file is behind each of them.
func (n *inode) anyEnd(rng *rand.Rand) int64 {
	size := n.disk.size
	for i := range n.pending {
		size = max(size, n.pending[i].off+n.pending[i].n)
	}
	switch rng.IntN(8) {
	case 0:
		return n.disk.size
	case 1:
		return n.disk.size + rng.Int64N(size-n.disk.size+1)
	default:
		return size
	}
}

// sync brings all operations to the disk.
func (n *inode) sync() {
	n.disk = n.kept()
	n.pending = nil
}

// kept returns what the disk holds when all operations reach it.
func (n *inode) kept() content {
	if !n.strayed {
		return n.cache.clone()
	}
	disk := n.disk.clone()
	for i := range n.pending {
		n.pending[i].apply(&disk)
	}
	return disk
}

// drop forgets the operations, as ext4 does when a sync fails: programs go on reading them, but
// no later sync brings them to the disk.
func (n *inode) drop() {
	n.strayed = n.strayed || len(n.pending) > 0
	n.pending = nil
}

// revert is drop after which programs read what the disk holds.
func (n *inode) revert() {
	n.cache, n.pending, n.strayed = n.disk.clone(), nil, false
}

// redoLast puts parts of the newest operation in its place. Nothing has strayed.
func (n *inode) redoLast(parts []dataOp) {
	n.pending = append(slices.Clone(n.pending[:len(n.pending)-1]), parts...)
	n.cache = n.disk.clone()
	for i := range n.pending {
		n.pending[i].apply(&n.cache)
	}
}

// fork returns an independent copy in the same state, but for locks.
func (n *inode) fork() *inode {
	return &inode{
		id: n.id, isDir: n.isDir, name: n.name, strayed: n.strayed,
		cache: n.cache.clone(), disk: n.disk.clone(),
		pending: slices.Clip(n.pending),
	}
}

// booted returns a copy that holds disk and nothing unsynced.
func (n *inode) booted(disk content) *inode {
	return &inode{id: n.id, isDir: n.isDir, name: n.name, cache: disk.clone(), disk: disk}
}
