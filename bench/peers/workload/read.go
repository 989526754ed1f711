package workload

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// never stops nothing.
var never atomic.Bool

func readRandom(w *worker) error {
	for w.Next() {
		if err := w.get(w.numbers.Draw(w.rng)); err != nil {
			return err
		}
		w.Did(1, w.entryBytes())
	}
	return nil
}

func readMissing(w *worker) error {
	for w.Next() {
		id := w.Keys.Missing(w.numbers.Draw(w.rng))
		w.Keys.Set(w.key, id)
		found, err := w.session.Get(w.key, w.lookAny)
		if err != nil {
			return err
		}
		if found {
			return fmt.Errorf("key %d is there, though nobody wrote it", id)
		}
		w.Did(1, KeyBytes)
	}
	return nil
}

// multiGetKeys is how many keys multiget reads at once.
const multiGetKeys = 32

func multiGet(w *worker) error {
	b, ids := newBuffer(w, multiGetKeys), make([]uint64, multiGetKeys)
	check := func(i int, value []byte) error {
		w.id = ids[i]
		return w.checkValue(value)
	}
	for w.Next() {
		for j := range ids {
			ids[j] = w.numbers.Draw(w.rng)
			w.Keys.Set(b.keys[j], ids[j])
		}
		before := w.Found
		if err := w.session.MultiGet(b.keys, check); err != nil {
			return err
		}
		if found := w.Found - before; found != multiGetKeys {
			return fmt.Errorf("%d keys of %d that are there were found", found, multiGetKeys)
		}
		w.Did(multiGetKeys, multiGetKeys*w.entryBytes())
	}
	return nil
}

func readForward(w *worker) error {
	for {
		if more, err := w.pass(engine.Plan{}, engine.Iterator.First, engine.Iterator.Next); err != nil || !more {
			return err
		}
	}
}

func readBackward(w *worker) error {
	for {
		if more, err := w.pass(engine.Plan{Reverse: true}, engine.Iterator.Last, engine.Iterator.Prev); err != nil || !more {
			return err
		}
	}
}

// pass goes over the store once, unless its time ends before; then there are no more.
func (w *worker) pass(p engine.Plan, start, move func(engine.Iterator) bool) (more bool, err error) {
	p.Entries = int(w.Keys.Len())
	i, err := w.session.NewIterator(p)
	if err != nil {
		return false, err
	}
	n := uint64(0)
	step, at := start, false
	for more = w.Next(); more; more = w.Next() {
		if at = step(i); !at {
			break
		}
		if err := w.checkEntry(i, w.idAt(n, p.Reverse)); err != nil {
			return false, errors.Join(err, i.Close())
		}
		w.Did(1, w.entryBytes())
		step = move
		n++
	}
	if err := i.Close(); err != nil {
		return false, err
	}
	if more && n != w.Keys.Len() {
		return false, fmt.Errorf("%d entries of %d came by", n, w.Keys.Len())
	}
	return more, nil
}

// idAt returns the id of the n-th key from the front, or the back.
func (w *worker) idAt(n uint64, reverse bool) uint64 {
	if reverse {
		return w.Keys.Len() - 1 - n
	}
	return n
}

// checkEntry checks the value at an iterator, and touches its key.
func (w *worker) checkEntry(i engine.Iterator, id uint64) error {
	if len(i.Key()) != KeyBytes {
		return fmt.Errorf("key %d has %d bytes", id, len(i.Key()))
	}
	value, err := i.Value()
	if err != nil {
		return err
	}
	w.id = id
	return w.checkValue(value)
}

func seekRandom(w *worker) error {
	for w.Next() {
		id := w.numbers.Draw(w.rng)
		w.Keys.Set(w.key, id)
		i, err := w.session.NewIterator(engine.Plan{Entries: 1})
		if err != nil {
			return err
		}
		if !i.SeekGE(w.key) {
			err = fmt.Errorf("nothing is at or behind key %d", id)
		} else {
			err = w.checkEntry(i, id)
		}
		if err := errors.Join(err, i.Close()); err != nil {
			return err
		}
		w.Did(1, w.entryBytes())
	}
	return nil
}
