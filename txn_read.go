package tinykv

import (
	"context"
	"iter"
	"slices"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// Get is [DB.Get] as the transaction sees the store. Also ErrTxDone.
func (tx *Tx) Get(k []byte) ([]byte, error) { return tx.get(0, nil, k) }

// GetTo is [DB.GetTo] as the transaction sees the store. Also ErrTxDone.
func (tx *Tx) GetTo(dst, k []byte) ([]byte, error) { return tx.get(0, dst, k) }

// Peek is [DB.Peek] as the transaction sees the store. What the transaction itself has written is copied, as fn may write to it, or end it. Also ErrTxDone.
func (tx *Tx) Peek(k []byte, fn func(value []byte) error) error { return tx.peek(0, k, fn) }

// Has is [DB.Has] as the transaction sees the store. Also ErrTxDone.
func (tx *Tx) Has(k []byte) (bool, error) { return tx.has(0, k) }

// GetMulti is [DB.GetMulti] as the transaction sees the store. Also ErrTxDone.
func (tx *Tx) GetMulti(keys ...[]byte) ([][]byte, error) { return tx.getMulti(0, keys) }

// NewIter is [DB.NewIter] as the transaction sees the store, with the writes that it has made so far. The iterator ends with the transaction. Also ErrTxDone.
func (tx *Tx) NewIter(r Range) (*Iterator, error) { return tx.newIter(0, r) }

// Scan is [DB.Scan] as the transaction sees the store when the loop begins. Within the loop it may be written to. Also ErrTxDone.
func (tx *Tx) Scan(r Range, opts ...ScanOption) iter.Seq2[Item, error] { return tx.scan(0, r, opts) }

// Count is [DB.Count] as the transaction sees the store. Also ErrTxDone.
func (tx *Tx) Count(ctx context.Context, r Range) (uint64, error) { return tx.count(ctx, 0, r) }

// ownFound is what a transaction has itself of a key.
type ownFound uint8

const (
	ownNothing ownFound = iota // the store decides
	ownValue
	ownAbsent
	ownMerge // operands, so that the store has its part
)

// lookup returns what the transaction has written of a key, and notes that the key was read where that depends on the store.
func (tx *Tx) lookup(stored []byte, hash uint64) (v []byte, found ownFound, err error) {
	if tx.own != nil {
		v, found, err = tx.own.get(stored, hash, &tx.snapshot.now)
	}
	if tx.writable && (found == ownNothing || found == ownMerge) {
		tx.parts.reads.addKey(stored, hash)
	}
	return v, found, err
}

func (tx *Tx) get(space key.Space, dst, k []byte) ([]byte, error) {
	if err := tx.readable(); err != nil {
		return dst, err
	}
	if !tx.writable {
		return tx.reader(space).get(dst, k)
	}
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, space, k)
	defer pooled.release()
	v, found, err := tx.lookup(stored, sstable.Hash(stored))
	if err != nil {
		return dst, err
	}
	switch found {
	case ownNothing:
		return tx.reader(space).get(dst, k)
	case ownAbsent:
		return dst, ErrNotFound
	case ownMerge:
		v, err := tx.fold(stored)
		if err != nil {
			return dst, err
		}
		return appendValue(dst, v), nil
	default:
		return appendValue(dst, v), nil
	}
}

func (tx *Tx) peek(space key.Space, k []byte, fn func(value []byte) error) error {
	if err := tx.readable(); err != nil {
		return err
	}
	if fn == nil {
		return errNoFunction
	}
	if !tx.writable {
		return tx.reader(space).peek(k, fn)
	}
	var buf [stackKeyLen]byte
	stored, pooled := storedKey(&buf, space, k)
	defer pooled.release()
	v, found, err := tx.lookup(stored, sstable.Hash(stored))
	if err != nil {
		return err
	}
	switch found {
	case ownNothing:
		return tx.reader(space).peek(k, fn)
	case ownAbsent:
		return ErrNotFound
	case ownMerge:
		v, err := tx.fold(stored)
		if err != nil {
			return err
		}
		return fn(v)
	default:
		return fn(append([]byte{}, v...))
	}
}

func (tx *Tx) has(space key.Space, k []byte) (bool, error) {
	if err := tx.readable(); err != nil {
		return false, err
	}
	if tx.writable {
		found, err := tx.wrote(space, k)
		if err != nil {
			return false, err
		}
		switch found {
		case ownAbsent:
			return false, nil
		case ownValue, ownMerge:
			return true, nil
		}
	}
	return tx.reader(space).has(k)
}

func (tx *Tx) getMulti(space key.Space, keys [][]byte) ([][]byte, error) {
	if err := tx.readable(); err != nil {
		return nil, err
	}
	all, err := tx.reader(space).getMulti(keys)
	if err != nil || !tx.writable {
		return all, err
	}
	for i, k := range keys {
		var buf [stackKeyLen]byte
		stored, pooled := storedKey(&buf, space, k)
		v, found, err := tx.lookup(stored, sstable.Hash(stored))
		if err != nil {
			pooled.release()
			return nil, err
		}
		switch found {
		case ownValue:
			all[i] = appendValue(nil, v)
		case ownAbsent:
			all[i] = nil
		case ownMerge:
			all[i], err = tx.fold(stored)
		}
		pooled.release()
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (tx *Tx) newIter(space key.Space, r Range) (*Iterator, error) {
	if err := tx.readable(); err != nil {
		return nil, err
	}
	return tx.reader(space).newIter(r)
}

// adopt makes an iterator one of the transaction.
func (tx *Tx) adopt(i *Iterator) {
	i.tx = tx
	if tx.writable {
		i.walk = &walkedRange{}
	}
	if len(tx.iters) >= 2*tx.openIters+8 {
		tx.forgetClosed()
	}
	tx.iters = append(tx.iters, i)
}

// forgetClosed drops iterators that were closed from those that the transaction knows.
func (tx *Tx) forgetClosed() {
	tx.iters = slices.DeleteFunc(tx.iters, func(i *Iterator) bool { return i.state == nil })
	tx.openIters = len(tx.iters)
}

func (tx *Tx) scan(space key.Space, r Range, opts []ScanOption) iter.Seq2[Item, error] {
	return tx.reader(space).scan(r, opts)
}

func (tx *Tx) count(ctx context.Context, space key.Space, r Range) (uint64, error) {
	if err := tx.readable(); err != nil {
		return 0, err
	}
	return tx.reader(space).count(ctx, r)
}

// fold returns the value of a key whose newest entry is a merge operand of the transaction's own, in new memory.
func (tx *Tx) fold(stored []byte) ([]byte, error) {
	s, err := tx.db.acquire()
	if err != nil {
		return nil, err
	}
	defer s.unref()
	return tx.reader(0).fold(s, stored, tx.snapshot.seq)
}
