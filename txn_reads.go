package tinykv

import (
	"bytes"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// readSet is what a transaction has read of the store: what must not have been written by others when it commits.
type readSet struct {
	keys   []readKey
	buf    []byte // the stored keys
	ranges []readRange
}

type readKey struct {
	hash     uint64
	from, to int // of buf
}

// readRange is a stretch of stored keys, from lower up to, but without, upper.
type readRange struct{ lower, upper []byte }

func (r *readSet) empty() bool { return len(r.keys) == 0 && len(r.ranges) == 0 }

func (r *readSet) addKey(stored []byte, hash uint64) {
	if n := len(r.keys); n > 0 && r.keys[n-1].hash == hash && bytes.Equal(r.key(n-1), stored) {
		return // read, and then read again to be written
	}
	from := len(r.buf)
	r.buf = append(r.buf, stored...)
	r.keys = append(r.keys, readKey{hash, from, len(r.buf)})
}

func (r *readSet) key(i int) []byte { return r.buf[r.keys[i].from:r.keys[i].to] }

func (r *readSet) reset() {
	clear(r.ranges)
	r.keys, r.buf, r.ranges = r.keys[:0], r.buf[:0], r.ranges[:0]
}

// Commits of several transactions at once are checked against each other; those that have read a lot wait to be alone.
const (
	maxSharedKeys   = 64
	maxSharedRanges = 8
)

// small tells whether it takes little time to hold the set against the writes of others.
func (r *readSet) small() bool {
	return len(r.keys) <= maxSharedKeys && len(r.ranges) <= maxSharedRanges
}

// meets tells whether an operation writes anything that was read.
func (r *readSet) meets(op batchrepr.Op) bool {
	if op.Kind == key.KindRangeDelete {
		return r.meetsRange(op.Stored, op.Value)
	}
	hash := sstable.Hash(op.Stored)
	for i := range r.keys {
		if r.keys[i].hash == hash && bytes.Equal(r.key(i), op.Stored) {
			return true
		}
	}
	for i := range r.ranges {
		if bytes.Compare(r.ranges[i].lower, op.Stored) <= 0 && bytes.Compare(op.Stored, r.ranges[i].upper) < 0 {
			return true
		}
	}
	return false
}

func (r *readSet) meetsRange(lower, upper []byte) bool {
	for i := range r.keys {
		if k := r.key(i); bytes.Compare(lower, k) <= 0 && bytes.Compare(k, upper) < 0 {
			return true
		}
	}
	for i := range r.ranges {
		if bytes.Compare(r.ranges[i].lower, upper) < 0 && bytes.Compare(lower, r.ranges[i].upper) < 0 {
			return true
		}
	}
	return false
}

// walkedRange is the stretch of keys that an iterator of a transaction has gone over since it was positioned. So that Next and
// Prev cost nothing more, it is looked where the iterator stands only when it turns, is positioned anew, or ends.
type walkedRange struct {
	begun bool
	readRange
}

// from begins a stretch, at the place that the iterator is about to be positioned by. It returns true.
func (i *Iterator) from(stored []byte) bool {
	if w := i.walk; w != nil {
		w.begun = true
		w.lower, w.upper = bytes.Clone(stored), bytes.Clone(stored)
	}
	return true
}

// turn notes where the iterator stands.
func (i *Iterator) turn() {
	if i.walk == nil || !i.walk.begun {
		return
	}
	switch {
	case i.key != nil:
		i.walk.extend(i.key)
	case i.pos == beforeFirst:
		i.walk.lower = bytes.Clone(i.cursor.lower)
	case i.pos == behindLast:
		i.walk.upper = bytes.Clone(i.cursor.upper)
	default: // after a failure it is not known how far it came
		i.walk.lower, i.walk.upper = bytes.Clone(i.cursor.lower), bytes.Clone(i.cursor.upper)
	}
}

// leave ends the stretch and gives it to the transaction.
func (i *Iterator) leave() {
	if i.walk == nil || !i.walk.begun || i.tx.done {
		return
	}
	i.turn()
	i.walk.begun = false
	if bytes.Compare(i.walk.lower, i.walk.upper) < 0 {
		i.tx.parts.reads.ranges = append(i.tx.parts.reads.ranges, i.walk.readRange)
	}
}

// extend makes the stretch contain a key.
func (r *readRange) extend(stored []byte) {
	if bytes.Compare(stored, r.lower) < 0 {
		r.lower = bytes.Clone(stored)
	}
	if bytes.Compare(stored, r.upper) >= 0 {
		r.upper = append(bytes.Clone(stored), 0)
	}
}
