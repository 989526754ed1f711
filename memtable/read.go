package memtable

import (
	"bytes"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// Get returns the newest entry of a stored key at or behind the trailer, which is a
// [key.SeekTrailer]. hash is the xxhash of the stored key. The value lies in the table.
func (t *Table) Get(stored []byte, hash uint64, trailer key.Trailer) (value []byte, found key.Trailer, ok bool) {
	entry := atomic.LoadUint32(&t.fields[hash&t.buckets])
	for steps := 0; entry != 0; steps++ {
		if steps == maxChainSteps {
			return t.getByList(stored, trailer)
		}
		if bytes.Equal(t.storedKey(entry), stored) {
			if found := t.trailer(entry); found <= trailer {
				return t.value(entry), found, true
			}
		}
		entry = t.fields[(entry+offChain)/4] // written before the entry was linked
	}
	return nil, 0, false
}

func (t *Table) getByList(stored []byte, trailer key.Trailer) (value []byte, found key.Trailer, ok bool) {
	_, node := t.seek(stored, trailer)
	if node == 0 {
		return nil, 0, false
	}
	entry := t.entry(node)
	if !bytes.Equal(t.storedKey(entry), stored) {
		return nil, 0, false
	}
	return t.value(entry), t.trailer(entry), true
}

// seek returns the last node before an internal key, which may be the head, and the one behind it,
// which may be 0.
func (t *Table) seek(stored []byte, trailer key.Trailer) (node, behind uint32) {
	to := t.target(stored, trailer)
	node = t.head
	for level := int(t.height.Load()) - 1; level >= 0; level-- {
		node, behind = t.walk(node, level, &to, behind)
	}
	return node, behind
}

// Iter is an iterator.Iterator over a table. Entries inserted while it is open may or may not show.
type Iter struct {
	t    *Table
	node uint32 // where it stands; the head when it has run off either end
	kv   iterator.KV
}

var _ iterator.Iterator = (*Iter)(nil)

// NewIter returns an iterator, not positioned yet. The table must outlive it.
func (t *Table) NewIter() *Iter {
	i := &Iter{}
	t.InitIter(i)
	return i
}

// InitIter makes i what NewIter returns, without allocating.
func (t *Table) InitIter(i *Iter) { *i = Iter{t: t, node: t.head} }

// The list is a ring for an iterator: behind the last node and before the first lies the head, so
// that Prev from the end and Next from the start need no special case.
func (i *Iter) at(node uint32) *iterator.KV {
	if node == 0 {
		node = i.t.head
	}
	i.node = node
	if node == i.t.head {
		return nil
	}
	entry := i.t.entry(node)
	i.kv.Stored = i.t.storedKey(entry)
	i.kv.Trailer = i.t.trailer(entry)
	i.kv.Value = i.t.value(entry)
	return &i.kv
}

// First implements iterator.Iterator.
func (i *Iter) First() *iterator.KV { return i.at(i.t.next(i.t.head, 0)) }

// Last implements iterator.Iterator.
func (i *Iter) Last() *iterator.KV { return i.at(i.t.prev(i.t.head)) }

// SeekGE implements iterator.Iterator.
func (i *Iter) SeekGE(stored []byte, trailer key.Trailer) *iterator.KV {
	_, behind := i.t.seek(stored, trailer)
	return i.at(behind)
}

// SeekLT implements iterator.Iterator.
func (i *Iter) SeekLT(stored []byte, trailer key.Trailer) *iterator.KV {
	node, _ := i.t.seek(stored, trailer)
	return i.at(node)
}

// Next implements iterator.Iterator.
func (i *Iter) Next() *iterator.KV { return i.at(i.t.next(i.node, 0)) }

// Prev implements iterator.Iterator.
func (i *Iter) Prev() *iterator.KV { return i.at(i.t.prev(i.node)) }

// Err implements iterator.Iterator; reading memory does not fail.
func (i *Iter) Err() error { return nil }

// Close implements iterator.Iterator.
func (i *Iter) Close() error { return nil }
