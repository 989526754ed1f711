package tinykv

import (
	"runtime/debug"
	"sync"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// Get returns the value of a key, in memory that the caller owns. An absent key gives ErrNotFound.
// Other errors: ErrClosed; for damaged files, and those that were cut while in use, one that matches
// ErrCorrupt; and those of the file system, such as that of a disk that cannot be read. Both name the
// file.
func (db *DB) Get(k []byte) ([]byte, error) { return db.reader().get(nil, k) }

// GetTo appends the value of a key to dst and returns the extended slice. It allocates only when
// dst has too little room. On an error, which is as for Get, it returns dst as it was.
func (db *DB) GetTo(dst, k []byte) ([]byte, error) { return db.reader().get(dst, k) }

// Peek calls fn with the value of a key where it lies, without a copy. The value must not be changed
// and may be used only until fn returns. Peek returns what fn returns; fn is not called when there
// is an error as for Get. An error as for damaged files can also come from within fn, whose touch of
// the value meets it: fn does not return then. Any other panic of fn goes through.
func (db *DB) Peek(k []byte, fn func(value []byte) error) error { return db.reader().peek(k, fn) }

// Has tells whether a key has a value. Errors are those of Get, without ErrNotFound.
func (db *DB) Has(k []byte) (bool, error) { return db.reader().has(k) }

// reader reads a store as it is now, or as a snapshot saw it.
type reader struct {
	db       *DB
	snapshot *Snapshot // nil: as it is now
	space    key.Space
}

func (db *DB) reader() reader { return reader{db: db} }

// own returns what the transaction has written that the reader reads for; nil for nothing.
func (r reader) own() *ownWrites {
	if r.snapshot == nil || r.snapshot.tx == nil {
		return nil
	}
	return r.snapshot.tx.own
}

// open returns the state to read and the sequence number to read it at. The caller unrefs the state.
func (r reader) open() (*readState, key.SeqNum, error) {
	s, seq, err := r.openOrDraw()
	if err == errDrawn {
		err = nil
	}
	return s, seq, err
}

// openOrDraw is open for a read of a single key. When the read is drawn, which is seldom, errDrawn comes with
// the state; so that all others pay for the draw alone.
//
// The sequence number is loaded after the state. A state may lack what only readers at older
// sequence numbers could see; it never lacks what is the newest at any later moment.
func (r reader) openOrDraw() (*readState, key.SeqNum, error) {
	if r.snapshot != nil {
		return r.openSnapshot()
	}
	for {
		s := r.db.state.Load()
		if s == nil {
			return nil, 0, ErrClosed
		}
		refs := s.tryRef()
		if refs == 0 {
			continue
		}
		if seq, ok := r.db.seqFor(s); ok {
			if r.db.sampler.drawn(ticketOf(refs)) {
				return s, seq, errDrawn
			}
			return s, seq, nil
		}
		s.unref()
	}
}

// seqFor returns the sequence number at which to read a state, or false when the state has been
// replaced. For what replaced it may be a large batch, which the old state lacks for ever, while
// what was written after that batch goes to the memtable that both share: at its sequence number
// the old state would show the later write without the earlier one.
func (db *DB) seqFor(s *readState) (seq key.SeqNum, ok bool) {
	seq = key.SeqNum(db.visible.Load())
	return seq, db.state.Load() == s
}

func (r reader) openSnapshot() (*readState, key.SeqNum, error) {
	s, err := r.db.acquire()
	if err != nil {
		return nil, 0, err
	}
	if r.snapshot.closed.Load() {
		s.unref()
		if r.snapshot.tx != nil {
			return nil, 0, ErrTxDone
		}
		return nil, 0, ErrClosed
	}
	if r.db.sampler.drawn(ticketOf(s.refs.Load())) {
		return s, r.snapshot.seq, errDrawn
	}
	return s, r.snapshot.seq, nil
}

func (r reader) get(dst, k []byte) ([]byte, error) {
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, r.space, k)
	s, seq, err := r.openOrDraw()
	if err != nil {
		if err == errDrawn {
			return r.getDrawn(dst, stored[r.space.Len():], s, seq)
		}
		return dst, err
	}
	hash, at := sstable.Hash(stored), key.SeekTrailer(seq)
	if v, found, ok := s.getFromMem(stored, hash, at); ok {
		if found.Kind() != key.KindSet {
			v, err = r.resolve(s, stored, at, v, found)
		}
		if err == nil {
			dst = appendValue(dst, v)
		}
	} else {
		dst, err = r.appendFromTables(s, dst, stored, hash, at)
	}
	if err != nil && !isNotFound(err) {
		return dst, r.failed(s, pooled, err)
	}
	s.unref()
	pooled.release()
	return dst, err
}

// failed ends a read that has failed, and tells of damage once nothing is held any more.
func (r reader) failed(s *readState, pooled *keyBuffer, err error) error {
	s.unref()
	pooled.release()
	r.db.met(err)
	return err
}

// appendValue appends to dst and never returns nil, not even for an empty value.
func appendValue(dst, v []byte) []byte {
	if dst == nil {
		dst = make([]byte, 0, len(v))
	}
	return append(dst, v...)
}

func (r reader) appendFromTables(s *readState, dst, stored []byte, hash uint64, at key.Trailer) (out []byte, err error) {
	out = dst // what is returned after a fault
	defer s.endGuard(debug.SetPanicOnFault(true), &err)
	v, err := r.getFromTables(s, stored, hash, at)
	if err != nil {
		return dst, err
	}
	return appendValue(dst, v), nil
}

func (r reader) peek(k []byte, fn func([]byte) error) error {
	if fn == nil {
		return r.db.unlessClosed(errNoFunction)
	}
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, r.space, k)
	s, seq, err := r.openOrDraw()
	if err != nil {
		if err == errDrawn {
			return r.peekDrawn(stored[r.space.Len():], fn, s, seq)
		}
		return err
	}
	defer s.unref()
	hash, at := sstable.Hash(stored), key.SeekTrailer(seq)
	if v, found, ok := s.getFromMem(stored, hash, at); ok {
		if found.Kind() != key.KindSet {
			v, err = r.resolve(s, stored, at, v, found)
		}
		pooled.release()
		if err == nil {
			return fn(v)
		}
		if !isNotFound(err) {
			r.db.met(err)
		}
		return err
	}
	answer, err := r.peekInTables(s, stored, pooled, hash, at, fn)
	if err == nil {
		return answer
	}
	if !isNotFound(err) {
		r.db.met(err)
	}
	return err
}

// peekInTables returns what the function answers and, apart from that, what went wrong before or within it.
func (r reader) peekInTables(s *readState, stored []byte, pooled *keyBuffer, hash uint64, at key.Trailer, fn func([]byte) error) (answer, err error) {
	defer s.endGuard(debug.SetPanicOnFault(true), &err)
	v, err := r.getFromTables(s, stored, hash, at)
	pooled.release()
	if err != nil {
		return nil, err
	}
	return fn(v), nil
}

func (r reader) has(k []byte) (bool, error) {
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, r.space, k)
	s, seq, err := r.openOrDraw()
	if err != nil {
		if err == errDrawn {
			return r.hasDrawn(stored[r.space.Len():], s, seq)
		}
		return false, err
	}
	hash, at := sstable.Hash(stored), key.SeekTrailer(seq)
	if v, found, ok := s.getFromMem(stored, hash, at); !ok {
		err = r.hasInTables(s, stored, hash, at)
	} else if found.Kind() != key.KindSet {
		_, err = r.resolve(s, stored, at, v, found)
	}
	if err != nil && !isNotFound(err) {
		return false, r.failed(s, pooled, err)
	}
	s.unref()
	pooled.release()
	return err == nil, nil
}

func (r reader) hasInTables(s *readState, stored []byte, hash uint64, at key.Trailer) (err error) {
	defer s.endGuard(debug.SetPanicOnFault(true), &err)
	_, err = r.getFromTables(s, stored, hash, at)
	return err
}

// stackKeyLen is the length of the stored keys that need no pooled memory.
const stackKeyLen = 128

// maxSpaceLen is the length of the longest id in front of a stored key, with room for one that stands for none.
const maxSpaceLen = 5

// keyBuffer is pooled memory for a long stored key.
type keyBuffer struct{ b []byte }

var keyBuffers = sync.Pool{New: func() any { return &keyBuffer{} }}

// storedKey returns the stored form of a key, in buf or in pooled memory that the caller releases.
func storedKey(buf *[stackKeyLen]byte, space key.Space, k []byte) ([]byte, *keyBuffer) {
	if space == 0 && len(k) < stackKeyLen {
		return key.AppendStored(buf[:0], 0, k), nil
	}
	if len(k) <= stackKeyLen-maxSpaceLen {
		return key.AppendStored(buf[:0], space, k), nil
	}
	pooled := keyBuffers.Get().(*keyBuffer)
	pooled.b = key.AppendStored(pooled.b[:0], space, k)
	return pooled.b, pooled
}

func (b *keyBuffer) release() {
	if b != nil {
		keyBuffers.Put(b)
	}
}

// A read looks from new to old and takes what it finds first, an entry or a range tombstone: no part
// holds anything on a key that is newer than what a part above it holds. What is found lies in a
// memtable, a mapping or a decompressed block: it holds until the state is given up.

// getFromMem returns the newest that the memtables have on a stored key at or behind a trailer.
func (s *readState) getFromMem(stored []byte, hash uint64, at key.Trailer) (v []byte, found key.Trailer, ok bool) {
	if v, found, ok := s.active.get(stored, hash, at); ok {
		return v, found, ok
	}
	for _, m := range s.sealed {
		if v, found, ok := m.get(stored, hash, at); ok {
			return v, found, ok
		}
	}
	return nil, 0, false
}

// getFromTables returns the value that the tables have for a stored key, or ErrNotFound. It touches
// mappings, so it must run under a guard.
func (r reader) getFromTables(s *readState, stored []byte, hash uint64, at key.Trailer) ([]byte, error) {
	for _, t := range s.tree.levels[0].tables {
		if !t.meta.Covers(stored) {
			continue
		}
		if v, found, ok, err := t.get(stored, hash, at); ok || err != nil {
			if err == nil && found.Kind() == key.KindSet {
				return v, nil
			}
			return r.resolveOr(s, stored, at, v, found, err)
		}
	}
	for _, l := range s.tree.levels[1:] {
		if len(l.tables) == 0 {
			continue
		}
		t := l.find(stored)
		if t == nil {
			continue
		}
		if v, found, ok, err := t.get(stored, hash, at); ok || err != nil {
			if err == nil && found.Kind() == key.KindSet {
				return v, nil
			}
			return r.resolveOr(s, stored, at, v, found, err)
		}
	}
	return nil, ErrNotFound
}

// resolveOr is resolve for something that was looked for and maybe not to be read.
func (r reader) resolveOr(s *readState, stored []byte, at key.Trailer, v []byte, found key.Trailer, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if found.Kind() == key.KindSet {
		return v, nil
	}
	return r.resolve(s, stored, at, v, found)
}

// resolve returns what the newest that a read found on a key amounts to, unless that is simply the value.
func (r reader) resolve(s *readState, stored []byte, at key.Trailer, v []byte, found key.Trailer) ([]byte, error) {
	switch found.Kind() {
	case key.KindSet:
		return v, nil
	case key.KindSetExpiring:
		now := r.clock()
		return now.unexpired(v, found.Seq())
	case key.KindMerge:
		return r.fold(s, stored, at.Seq())
	default:
		return nil, ErrNotFound
	}
}

// get looks a stored key up in a memtable. What it finds is an entry or a range tombstone.
func (m *mem) get(stored []byte, hash uint64, at key.Trailer) (v []byte, found key.Trailer, ok bool) {
	v, found, ok = m.table.Get(stored, hash, at)
	if m.table.Ranges() != nil {
		return newer(v, found, ok, m.table.RangeDeleted(stored, at.Seq()))
	}
	return v, found, ok
}

// get looks a stored key up in a table, filter first. What it finds is an entry or a range tombstone.
func (t *table) get(stored []byte, hash uint64, at key.Trailer) (v []byte, found key.Trailer, ok bool, err error) {
	r, err := t.open()
	if err != nil {
		return nil, 0, false, err
	}
	if r.MayContain(hash) {
		v, found, ok, err = r.Get(stored, hash, at)
	}
	if ranges := r.RangeDeletes(); ranges != nil && err == nil {
		v, found, ok = newer(v, found, ok, ranges.Newest(stored, at.Seq()))
	}
	return v, found, ok, err
}

// newer returns what an entry, if one was found, and the newest range tombstone on its key, if there
// is one, amount to.
func newer(v []byte, found key.Trailer, ok bool, deleted key.SeqNum) ([]byte, key.Trailer, bool) {
	if deleted == 0 || ok && found.Seq() > deleted {
		return v, found, ok
	}
	return nil, key.MakeTrailer(deleted, key.KindRangeDelete), true
}
