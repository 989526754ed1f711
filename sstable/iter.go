package sstable

import (
	"bytes"
	"runtime/debug"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// blockSource hands out the data blocks of a table.
type blockSource interface {
	block(i int, why access) (block, error)
	Close() error
}

// Iter is an iterator.Iterator over a table.
type Iter struct {
	r     *Reader
	index *index // of r
	from  blockSource
	base  key.SeqNum

	b   block
	at  int // data block that b is; -1 before the first, index.count behind the last
	i   int // entry that kv is
	kv  iterator.KV
	err error
	bad int // data block that err is about; -1 when it is the index

	touched byte // means nothing; what is never used is never loaded
}

// pageLen is the smallest page there is.
const pageLen = 4 << 10

var _ iterator.Bounded = (*Iter)(nil)

// NewIter returns an iterator that reads in place, not positioned yet. The Reader must outlive it.
func (r *Reader) NewIter() *Iter {
	it := &Iter{}
	r.InitIter(it)
	return it
}

// InitIter makes it what NewIter returns, without allocating.
func (r *Reader) InitIter(it *Iter) {
	*it = Iter{r: r, index: &r.index, from: mapped{r}, base: r.opts.SeqBase, at: -1}
}

// mapped hands out blocks where they lie. Closing it leaves the Reader open.
type mapped struct{ *Reader }

func (mapped) Close() error { return nil }

// First implements iterator.Iterator.
func (it *Iter) First() *iterator.KV { return it.enter(0, false) }

// Last implements iterator.Iterator.
func (it *Iter) Last() *iterator.KV { return it.enter(it.index.count-1, true) }

// enter moves to the first or last entry of data block n, or off the end when there is none.
func (it *Iter) enter(n int, last bool) *iterator.KV {
	it.err = nil
	if !it.load(n) {
		return nil
	}
	it.i = 0
	if last {
		it.i = it.b.count - 1
	}
	it.b.entry(it.i, &it.kv)
	return &it.kv
}

// load makes data block n the current one and reports whether there is one.
func (it *Iter) load(n int) bool {
	if n < 0 || n >= it.index.count {
		it.at = n
		return false
	}
	if n != it.at {
		it.enterBlock(n)
	}
	return it.at == n
}

// enterBlock reads data block n under a guard. After a failure at is -1.
func (it *Iter) enterBlock(n int) {
	it.at = -1
	defer it.r.endGuard(debug.SetPanicOnFault(true), &it.err)
	it.read(n, passing)
}

// find makes the data block for a target the current one, under a guard, and reports whether there is
// one.
func (it *Iter) find(stored []byte, trailer key.Trailer) bool {
	at := it.at
	it.at, it.err, it.bad = -1, nil, -1
	defer it.r.endGuard(debug.SetPanicOnFault(true), &it.err)
	switch n := it.index.seekGE(stored, storedTrailer(trailer, it.base)); n {
	case it.index.count, at:
		it.at = n
	default:
		it.read(n, sought)
	}
	return it.at >= 0 && it.at < it.index.count
}

// read makes data block n the current one and touches its pages; of a large block, which holds one
// large value, the first ones. A later move within the block relies on them.
func (it *Iter) read(n int, why access) {
	it.bad = n
	if it.b, it.err = it.from.block(n, why); it.err != nil {
		return
	}
	data := it.b.data[:min(len(it.b.data), regionLen)]
	for off := 0; off < len(data); off += pageLen {
		it.touched += data[off]
	}
	it.touched += data[len(data)-1]
	it.at = n
}

// SeekGE implements iterator.Iterator.
func (it *Iter) SeekGE(stored []byte, trailer key.Trailer) *iterator.KV {
	if !it.find(stored, trailer) {
		return nil
	}
	it.i = it.b.seekGE(stored, trailer)
	if it.i == it.b.count { // the separator sorts behind the target, but the last entry before it
		return it.enter(it.at+1, false)
	}
	it.b.entry(it.i, &it.kv)
	return &it.kv
}

// SeekLT implements iterator.Iterator.
func (it *Iter) SeekLT(stored []byte, trailer key.Trailer) *iterator.KV {
	if !it.find(stored, trailer) {
		if it.at == it.index.count {
			return it.Last()
		}
		return nil
	}
	it.i = it.b.seekGE(stored, trailer) - 1
	if it.i < 0 {
		return it.enter(it.at-1, true)
	}
	it.b.entry(it.i, &it.kv)
	return &it.kv
}

// Next implements iterator.Iterator.
func (it *Iter) Next() *iterator.KV {
	if it.err != nil || it.at == it.index.count {
		return nil
	}
	if it.at < 0 {
		return it.First()
	}
	if it.i+1 < it.b.count {
		it.i++
		it.b.entry(it.i, &it.kv)
		return &it.kv
	}
	return it.enter(it.at+1, false)
}

// Prev implements iterator.Iterator.
func (it *Iter) Prev() *iterator.KV {
	if it.err != nil || it.at < 0 {
		return nil
	}
	if it.at == it.index.count {
		return it.Last()
	}
	if it.i > 0 {
		it.i--
		it.b.entry(it.i, &it.kv)
		return &it.kv
	}
	return it.enter(it.at-1, true)
}

// Err implements iterator.Iterator.
func (it *Iter) Err() error { return it.err }

// FailedAt implements iterator.Bounded. Before the first block and behind the last one it knows of no
// bound; whoever knows the table's does.
func (it *Iter) FailedAt(forward bool) (bound key.Internal, known bool) {
	n, trailer := it.bad, key.MinTrailer
	if forward {
		n, trailer = it.bad-1, key.MaxTrailer
	}
	if it.err == nil || it.bad < 0 || n < 0 || n+1 >= it.index.count {
		return key.Internal{}, false
	}
	var fault error
	defer it.r.endGuard(debug.SetPanicOnFault(true), &fault)
	bound.Stored = bytes.Clone(it.index.separator(n).Stored)
	bound.Trailer = trailer
	return bound, true
}

// Close implements iterator.Iterator.
func (it *Iter) Close() error { return it.from.Close() }
