package tinykv

import (
	"cmp"
	"runtime/debug"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// PeekItem is [DB.Peek] with all that the store has of the key: its value, where it lies; when it expires; and the sequence
// number of the write that made it, which serves as a version. Item.Key is k.
func (db *DB) PeekItem(k []byte, fn func(Item) error) error { return db.reader().peekItem(k, fn) }

// PeekItem is [DB.PeekItem] at the moment of the snapshot.
func (s *Snapshot) PeekItem(k []byte, fn func(Item) error) error { return s.reader().peekItem(k, fn) }

// PeekItem is [DB.PeekItem] as the transaction sees the store, with [Tx.Peek]'s exception. What the transaction itself has written has
// no sequence number yet: 0. Also ErrTxDone.
func (tx *Tx) PeekItem(k []byte, fn func(Item) error) error { return tx.peekItem(0, k, fn) }

// PeekItem is [DB.PeekItem] within the bucket.
func (b *Bucket) PeekItem(k []byte, fn func(Item) error) error {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return err
		}
		return b.tx.peekItem(space, k, fn)
	}
	r, err := b.reader()
	if err != nil {
		return err
	}
	return r.peekItem(k, fn)
}

func (r reader) peekItem(k []byte, fn func(Item) error) error {
	if fn == nil {
		return r.db.unlessClosed(errNoFunction)
	}
	s, seq, err := r.openOrDraw()
	drawn := err == errDrawn
	if err != nil && !drawn {
		return err
	}
	defer s.unref()
	notes := r.db.sampler.begin(ticketOf(s.refs.Load()))
	answer, err := r.findItem(s, k, seq, &notes, fn)
	if drawn {
		r.db.sampler.end(&notes)
	}
	if err == nil {
		return answer
	}
	if !isNotFound(err) {
		r.db.met(err)
	}
	return err
}

// findItem returns what the function answers and, apart from that, what went wrong before or within it.
func (r reader) findItem(s *readState, k []byte, seq key.SeqNum, notes *tally, fn func(Item) error) (answer, err error) {
	defer s.endGuard(debug.SetPanicOnFault(true), &err)
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, r.space, k)
	defer pooled.release()
	hash, at := sstable.Hash(stored), key.SeekTrailer(seq)
	v, found, ok := s.getFromMem(stored, hash, at)
	if !ok {
		for t := range s.tree.covering(stored) {
			if v, found, ok, err = t.getNoting(stored, hash, at, notes); ok || err != nil {
				break
			}
		}
	}
	if err != nil || !ok {
		return nil, cmp.Or(err, ErrNotFound)
	}
	it := Item{Key: k, Value: v, Seq: uint64(found.Seq())}
	var expiry int64
	switch found.Kind() {
	case key.KindSet:
	case key.KindSetExpiring:
		now := r.clock()
		expiry, it.Value, _ = key.SplitExpiring(v)
		if now.hides(expiry, found.Seq()) {
			return nil, ErrNotFound
		}
	case key.KindMerge:
		if it.Value, expiry, err = r.foldItem(s, stored, seq); err != nil {
			return nil, err
		}
	default:
		return nil, ErrNotFound
	}
	it.setExpiry(expiry)
	notes.stop(&r.db.sampler) // what the caller does with the item is not ours
	return fn(it), nil
}

func (tx *Tx) peekItem(space key.Space, k []byte, fn func(Item) error) error {
	if err := tx.readable(); err != nil {
		return err
	}
	if fn == nil {
		return errNoFunction
	}
	if tx.writable {
		switch own, err := tx.wrote(space, k); {
		case err != nil:
			return err
		case own == ownAbsent:
			return ErrNotFound
		case own != ownNothing:
			return tx.peekOwn(space, k, fn)
		}
	}
	return tx.reader(space).peekItem(k, fn)
}

// wrote tells what the transaction has written of a key, and notes that the key was read where that depends on the store.
func (tx *Tx) wrote(space key.Space, k []byte) (ownFound, error) {
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, space, k)
	defer pooled.release()
	_, found, err := tx.lookup(stored, sstable.Hash(stored))
	return found, err
}

// peekOwn is peekItem for what the transaction has written itself, at least in part.
func (tx *Tx) peekOwn(space key.Space, k []byte, fn func(Item) error) error {
	s, err := tx.db.acquire()
	if err != nil {
		return err
	}
	defer s.unref()
	v, expiry, err := tx.reader(space).foldItem(s, key.AppendStored(nil, space, k), tx.snapshot.seq)
	if err != nil {
		return err
	}
	it := Item{Key: k, Value: v}
	it.setExpiry(expiry)
	return fn(it)
}
