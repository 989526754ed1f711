package tinykv

import (
	"errors"
	"iter"
	"runtime/debug"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// Reads that are drawn go their own way, which takes notes and is otherwise that of get.go.

// errDrawn is not a failure: it tells that a read is drawn.
var errDrawn = errors.New("tinykv: drawn")

func (r reader) getDrawn(dst, k []byte, s *readState, seq key.SeqNum) ([]byte, error) {
	t := r.db.sampler.begin(ticketOf(s.refs.Load()))
	err := r.readDrawn(k, s, seq, &t, func(v []byte) error {
		dst = appendValue(dst, v)
		return nil
	})
	r.db.sampler.end(&t)
	return dst, err
}

func (r reader) peekDrawn(k []byte, fn func([]byte) error, s *readState, seq key.SeqNum) error {
	t := r.db.sampler.begin(ticketOf(s.refs.Load()))
	err := r.readDrawn(k, s, seq, &t, func(v []byte) error {
		t.stop(&r.db.sampler) // what the caller does with the value is not ours
		return fn(v)
	})
	r.db.sampler.end(&t)
	return err
}

func (r reader) hasDrawn(k []byte, s *readState, seq key.SeqNum) (bool, error) {
	t := r.db.sampler.begin(ticketOf(s.refs.Load()))
	err := r.readDrawn(k, s, seq, &t, func([]byte) error { return nil })
	r.db.sampler.end(&t)
	if err == nil || isNotFound(err) {
		return err == nil, nil
	}
	return false, err
}

// readDrawn calls fn with the value of a key and returns what it returns, like peek. It gives up the state.
func (r reader) readDrawn(k []byte, s *readState, seq key.SeqNum, t *tally, fn func([]byte) error) error {
	defer s.unref()
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, r.space, k)
	defer pooled.release()
	hash, at := sstable.Hash(stored), key.SeekTrailer(seq)
	if v, found, ok := s.getFromMem(stored, hash, at); ok {
		v, err := r.resolve(s, stored, at, v, found)
		if err == nil {
			return fn(v)
		}
		if !isNotFound(err) {
			r.db.met(err)
		}
		return err
	}
	answer, err := r.readTables(s, stored, hash, at, t, fn)
	if err == nil {
		return answer
	}
	if !isNotFound(err) {
		r.db.met(err)
	}
	return err
}

// readTables is peekInTables with notes.
func (r reader) readTables(s *readState, stored []byte, hash uint64, at key.Trailer, t *tally, fn func([]byte) error) (answer, err error) {
	defer s.endGuard(debug.SetPanicOnFault(true), &err)
	for from := range s.tree.covering(stored) {
		v, found, ok, err := from.getNoting(stored, hash, at, t)
		if !ok && err == nil {
			continue
		}
		if v, err = r.resolveOr(s, stored, at, v, found, err); err != nil {
			return nil, err
		}
		return fn(v), nil
	}
	return nil, ErrNotFound
}

// covering yields the tables whose bounds include a stored key, newest first.
func (tr *tree) covering(stored []byte) iter.Seq[*table] {
	return func(yield func(*table) bool) {
		for _, t := range tr.levels[0].tables {
			if t.meta.Covers(stored) && !yield(t) {
				return
			}
		}
		for _, l := range tr.levels[1:] {
			if len(l.tables) == 0 {
				continue
			}
			if t := l.find(stored); t != nil && !yield(t) {
				return
			}
		}
	}
}

// getNoting is get, and notes what the filter was good for. Of a key under a range tombstone it is not known
// whether the table has it: the filter is not judged by that.
func (t *table) getNoting(stored []byte, hash uint64, at key.Trailer, notes *tally) (v []byte, found key.Trailer, ok bool, err error) {
	v, found, ok, err = t.get(stored, hash, at)
	if err != nil || ok && found.Kind() == key.KindRangeDelete {
		return v, found, ok, err
	}
	if r := t.reader.Load(); r != nil {
		notes.asked(r, r.MayContain(hash), ok)
	}
	return v, found, ok, err
}
