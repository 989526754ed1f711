package tinykv

import (
	"bytes"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// Iterator is a cursor over the keys of a range, in both directions. It sees the store as it was when
// the iterator was made. It belongs to one goroutine at a time and must be closed: until then it
// keeps files and memory from being given up.
//
// A new iterator stands nowhere; from there, and from behind the last key, Prev goes to the last,
// and from there, and from before the first, Next goes to the first. Every move reports whether it
// arrived at a key; when it did not, Err tells whether that was the end or a failure. After a
// failure a move by First, Last or a seek starts anew, possibly past the damage.
//
// Moves turn faults of the disk into errors where they enter a block; what Key and Value lend is touched
// by the caller alone, see Value.
type Iterator struct {
	db    *DB
	state *readState // nil after Close
	seq   key.SeqNum

	cursor *cursor           // nil after Close
	in     iterator.Iterator // of cursor
	kv     *iterator.KV      // where in stands, or nil
	pos    position
	prefix uint8 // bytes of a stored key that are its keyspace
	err    error

	// The entry it stands at, while valid. The slices lie in a memtable, in a table, or in a
	// decompressed block, whose memory is never used for another: they stay as they are for as long as
	// state is held, wherever in goes. Next, Prev, forward and backward rely on that.
	key, value []byte
	found      key.Trailer
	expiry     int64 // of an entry that expires, else 0; see internal/key

	now    clockReading // that it hides values by
	merged *operands    // nil before the first key that was merged

	tx   *Tx          // that it belongs to, or nil
	walk *walkedRange // what the transaction has to check, see txn_reads.go; nil for nothing

	// For Metrics, see holders.go. All but list are guarded by the list.
	origin       origin
	list         *iteratorList
	older, newer *Iterator
}

// position says where an Iterator stands, and how in stands to that.
type position uint8

const (
	nowhere position = iota

	// atForward: at key; in stands at the entry itself.
	atForward

	// atBackward: at key; in stands before all entries of key.
	atBackward

	// atMerged: at key; in stands at kv, behind what made up the value.
	atMerged

	beforeFirst
	behindLast
)

// NewIter returns an iterator over a range. The bounds are copied.
// Errors: ErrInvalidRange, ErrClosed, and for damaged files one that matches ErrCorrupt.
func (db *DB) NewIter(r Range) (*Iterator, error) { return db.reader().newIter(r) }

func (r reader) newIter(bounds Range) (*Iterator, error) {
	if err := bounds.check(); err != nil {
		return nil, r.db.unlessClosed(err)
	}
	s, seq, err := r.open()
	if err != nil {
		return nil, err
	}
	c := cursors.Get().(*cursor)
	c.own = r.own()
	c.init(s, bounds, r.space)
	i := &Iterator{db: r.db, state: s, seq: seq, cursor: c, in: c.in(), prefix: uint8(r.space.Len())}
	if r.snapshot != nil && r.snapshot.tx != nil {
		r.snapshot.tx.adopt(i)
	}
	if r.db.mayExpire.Load() {
		i.now = r.clock()
	}
	r.db.iterators.add(i, &r.db.sampler, ticketOf(s.refs.Load()))
	return i, nil
}

// First moves to the first key of the range.
func (i *Iterator) First() bool {
	return i.ready() && i.from(i.cursor.lower) && i.forward(i.in.SeekGE(i.cursor.lower, key.MaxTrailer))
}

// Last moves to the last key of the range.
func (i *Iterator) Last() bool {
	return i.ready() && i.from(i.cursor.upper) && i.backward(i.in.SeekLT(i.cursor.upper, key.MaxTrailer))
}

// SeekGE moves to the first key of the range at or behind k.
func (i *Iterator) SeekGE(k []byte) bool {
	if !i.ready() {
		return false
	}
	stored := i.cursor.target(k)
	if bytes.Compare(stored, i.cursor.lower) < 0 {
		stored = i.cursor.lower
	}
	return i.from(stored) && i.forward(i.in.SeekGE(stored, key.MaxTrailer))
}

// SeekLT moves to the last key of the range before k.
func (i *Iterator) SeekLT(k []byte) bool {
	if !i.ready() {
		return false
	}
	stored := i.cursor.target(k)
	if bytes.Compare(stored, i.cursor.upper) > 0 {
		stored = i.cursor.upper
	}
	return i.from(stored) && i.backward(i.in.SeekLT(stored, key.MaxTrailer))
}

// Next moves to the next key.
func (i *Iterator) Next() bool {
	switch {
	case i.pos == behindLast:
		return i.stay()
	case !i.Valid():
		return i.err == nil && i.First()
	case i.db.state.Load() == nil:
		return i.end(ErrClosed)
	case i.pos == atForward:
		return i.forward(i.skip(i.in.Next(), i.key))
	case i.pos == atMerged:
		return i.forward(i.skip(i.kv, i.key))
	default:
		// Entries may have been inserted since between in and key, invisible ones: so no step
		// leads to a known place, only a seek does.
		i.turn()
		return i.forward(i.in.SeekGE(i.key, key.MinTrailer))
	}
}

// Prev moves to the previous key.
func (i *Iterator) Prev() bool {
	switch {
	case i.pos == beforeFirst:
		return i.stay()
	case !i.Valid():
		return i.err == nil && i.Last()
	case i.db.state.Load() == nil:
		return i.end(ErrClosed)
	case i.pos != atBackward:
		i.turn()
		return i.backward(i.in.SeekLT(i.key, key.MaxTrailer))
	default:
		return i.backward(i.kv)
	}
}

// stay leaves the iterator at the end where it is, unless it was closed.
func (i *Iterator) stay() bool {
	if i.state == nil || i.db.state.Load() == nil {
		return i.end(ErrClosed)
	}
	return false
}

// ready tells whether the iterator may be positioned anew.
func (i *Iterator) ready() bool {
	if i.state == nil || i.db.state.Load() == nil {
		return i.end(ErrClosed)
	}
	if i.tx != nil && i.tx.done {
		return i.end(ErrTxDone)
	}
	i.leave()
	i.err = nil
	return true
}

// end leaves the iterator nowhere, with an error.
func (i *Iterator) end(err error) bool {
	if err != nil {
		i.db.met(err)
	}
	i.pos, i.err = nowhere, err
	i.key, i.value = nil, nil
	return false
}

// forward settles at the first visible key at or behind the entry that in stands at.
func (i *Iterator) forward(kv *iterator.KV) bool {
	passed := 0 // keys under range tombstones
	for kv != nil && bytes.Compare(kv.Stored, i.cursor.upper) < 0 {
		if kv.Trailer.Seq() > i.seq && !i.cursor.ownSees(kv.Trailer.Seq()) {
			kv = i.passInvisible(kv)
			continue
		}
		deleted := key.SeqNum(0)
		if len(i.cursor.ranges) > 0 {
			by, err := i.cursor.deleted(kv.Stored, i.seq)
			if err != nil {
				return i.end(err)
			}
			if by != nil && by.newest > kv.Trailer.Seq() {
				passed++
				kv = i.passForward(kv, by, passed)
				continue
			}
			if by != nil {
				deleted = by.newest
			}
		}
		i.pos, i.kv = atForward, kv
		i.key, i.value, i.found, i.expiry = kv.Stored, kv.Value, kv.Trailer, 0
		if kv.Trailer.Kind() == key.KindSet {
			return true
		}
		if present, err := i.resolve(deleted); err != nil {
			return i.end(err)
		} else if present {
			return true
		}
		kv = i.skip(i.in.Next(), i.key)
	}
	if kv == nil {
		if err := i.failure(true); err != nil {
			return i.end(err)
		}
	}
	i.end(nil)
	i.pos = behindLast
	return false
}

// passForward goes on from an entry that a range tombstone deletes.
func (i *Iterator) passForward(kv *iterator.KV, by *rangeCursor, passed int) *iterator.KV {
	if passed < jumpAfter || by.older == len(i.cursor.sources) {
		deleted := kv.Stored // kv is about to change
		return i.skip(i.in.Next(), deleted)
	}
	deleted := kv.Stored
	kv = i.cursor.seekOlderGE(by.older, by.upper, key.MaxTrailer)
	return i.skip(kv, deleted) // sources that are not older still stand at it
}

// skip passes over the entries of a stored key. A key that is written again and again has thousands of
// them in a memtable.
func (i *Iterator) skip(kv *iterator.KV, stored []byte) *iterator.KV {
	for n := 0; kv != nil && bytes.Equal(kv.Stored, stored); n++ {
		if n == jumpAfter {
			kv = i.cursor.seekOlderGE(0, stored, key.MinTrailer)
			continue
		}
		kv = i.in.Next()
	}
	return kv
}

// passInvisible passes over the entries of a key that are newer than the iterator.
func (i *Iterator) passInvisible(kv *iterator.KV) *iterator.KV {
	stored := kv.Stored // kv is about to change
	for n := 0; kv != nil && kv.Trailer.Seq() > i.seq && bytes.Equal(kv.Stored, stored); n++ {
		if seq := kv.Trailer.Seq(); seq >= ownBase {
			if i.cursor.ownSees(seq) {
				return kv
			}
			n = 0 // visible ones may follow among those of the transaction
		}
		if n == jumpAfter {
			kv = i.cursor.seekOlderGE(0, stored, key.SeekTrailer(i.seq))
			continue
		}
		kv = i.in.Next()
	}
	return kv
}

// backward settles at the last visible key at or before the entry that in stands at. Going backward,
// the entries of a key come oldest first; the last visible one counts.
func (i *Iterator) backward(kv *iterator.KV) bool {
	passed := 0 // keys under range tombstones
	for kv != nil && bytes.Compare(kv.Stored, i.cursor.lower) >= 0 {
		kv = i.settleAt(kv)
		if kv == nil && i.unreadAtKey() {
			return i.end(i.in.Err())
		}
		if len(i.cursor.ranges) > 0 && i.found != 0 {
			by, err := i.cursor.deleted(i.key, i.seq)
			if err != nil {
				return i.end(err)
			}
			if by != nil && by.newest > i.found.Seq() {
				if passed++; passed >= jumpAfter && kv != nil && by.older < len(i.cursor.sources) {
					kv = i.cursor.seekOlderLT(by.older, by.lower)
				}
				continue
			}
		}
		i.pos, i.kv = atBackward, kv
		if i.found.Kind() == key.KindSet {
			return true
		}
		if i.found == 0 {
			continue
		}
		if present, err := i.resolveBackward(); err != nil {
			return i.end(err)
		} else if present {
			return true
		}
		kv = i.kv
	}
	if kv == nil {
		if err := i.failure(false); err != nil {
			return i.end(err)
		}
	}
	i.end(nil)
	i.pos = beforeFirst
	return false
}

// settleAt finds the newest visible entry of the key whose oldest is kv, and returns the one before them all.
func (i *Iterator) settleAt(kv *iterator.KV) *iterator.KV {
	i.key, i.value, i.found, i.expiry = kv.Stored, nil, 0, 0
	for n := 0; kv != nil && bytes.Equal(kv.Stored, i.key); n++ {
		if n == jumpAfter {
			return i.jumpBackward(kv)
		}
		i.see(kv)
		kv = i.in.Prev()
	}
	return kv
}

// see notes an entry of the key at which the iterator settles, if it is visible. Newer ones come later.
func (i *Iterator) see(kv *iterator.KV) {
	if kv.Trailer.Seq() <= i.seq || i.cursor.ownSees(kv.Trailer.Seq()) {
		i.value, i.found = kv.Value, kv.Trailer
	}
}

// jumpBackward is what settleAt does where there are many entries of the key, the next being kv.
func (i *Iterator) jumpBackward(kv *iterator.KV) *iterator.KV {
	if kv.Trailer.Seq() <= i.seq {
		if kv = i.in.SeekGE(i.key, key.SeekTrailer(i.seq)); kv == nil {
			return nil // which is a failure, as kv was there
		}
		i.see(kv)
	}
	if i.cursor.ownSeq > 0 {
		if kv = i.in.SeekGE(i.key, key.SeekTrailer(i.cursor.ownSeq)); kv != nil && bytes.Equal(kv.Stored, i.key) {
			i.see(kv)
		} else if kv == nil && i.in.Err() != nil {
			return nil
		}
	}
	return i.in.SeekLT(i.key, key.MaxTrailer)
}

// failure returns what ended the last move of in, or nil if that concerns only keys beyond the range.
func (i *Iterator) failure(forward bool) error {
	err := i.in.Err()
	if err == nil {
		return nil
	}
	bound, known := iterator.FailedAt(i.in, forward)
	switch {
	case !known:
		return err
	case forward && bytes.Compare(bound.Stored, i.cursor.upper) >= 0:
		return nil
	case !forward && bytes.Compare(bound.Stored, i.cursor.lower) < 0:
		return nil
	}
	return err
}

// unreadAtKey tells, when a move backward failed, whether a newer entry of key may be what could not
// be read.
func (i *Iterator) unreadAtKey() bool {
	if i.in.Err() == nil {
		return false
	}
	bound, known := iterator.FailedAt(i.in, false)
	return !known || bytes.Compare(bound.Stored, i.key) >= 0
}

// Valid tells whether the iterator stands at a key.
func (i *Iterator) Valid() bool { return i.key != nil }

// Key returns the key that the iterator stands at, or nil. It must not be changed and may be used
// until the next move or Close.
func (i *Iterator) Key() []byte {
	if i.key == nil {
		return nil
	}
	return i.key[i.prefix:]
}

// Value returns the value of the key, or nil when the iterator stands nowhere. It must not be changed
// and may be used until the next move or Close.
//
// Like the key, it may lie in a mapped file: an I/O error of the disk when it is touched is a memory fault
// in the caller, and the end of the process. DB.Get, DB.Peek and DB.Scan turn it into an error.
func (i *Iterator) Value() []byte { return i.value }

// Err returns the failure that ended the last move, or nil: ErrClosed, or an error that matches
// ErrCorrupt, or one of the file system.
func (i *Iterator) Err() error { return i.err }

// Close ends the iterator and what it lent. A second call does nothing.
func (i *Iterator) Close() error {
	if i.state == nil {
		return nil
	}
	i.leave()
	err := i.cursor.release()
	i.state.unref()
	i.list.remove(i)
	i.state, i.cursor, i.in, i.kv = nil, nil, nil, nil
	i.key, i.value, i.pos, i.err, i.merged = nil, nil, nowhere, ErrClosed, nil
	return err
}
