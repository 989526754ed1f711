package main

import (
	"bytes"
	"errors"

	"github.com/tinykv/tinykv"
)

func readRandom(w *worker) error { return w.read() }

// readMissing looks for keys that lie between those that were written.
func readMissing(w *worker) error { return w.read(missingSuffix) }

// read looks up random numbers. Their keys have the suffix.
func (w *worker) read(suffix ...byte) error {
	key := append(newKey(len(w.key)), suffix...)
	number := key[:len(w.key)]
	for w.next() {
		setKey(number, w.random())
		value, err := w.db.GetTo(w.value[:0], key)
		switch {
		case err == nil:
			w.value = value // keeps the room, should it have grown
			w.found++
			w.did(1, len(key)+len(value))
		case errors.Is(err, tinykv.ErrNotFound):
			w.did(1, 0)
		default:
			return err
		}
	}
	return nil
}

func readForward(w *worker) error {
	return w.scan((*tinykv.Iterator).First, (*tinykv.Iterator).Next)
}

func readBackward(w *worker) error {
	return w.scan((*tinykv.Iterator).Last, (*tinykv.Iterator).Prev)
}

// scan goes over the store from one end, to the other if there are enough operations.
func (w *worker) scan(start, move func(*tinykv.Iterator) bool) error {
	i, err := w.db.NewIter(tinykv.All())
	if err != nil {
		return err
	}
	step := start
	for w.next() && step(i) {
		w.did(1, len(i.Key())+len(i.Value()))
		step = move
	}
	return errors.Join(i.Err(), i.Close())
}

// seekRandom seeks random keys, each with a new iterator, or all with one.
func seekRandom(w *worker) error {
	if w.reuseIterator {
		return w.seekWithOne()
	}
	for w.next() {
		i, err := w.db.NewIter(tinykv.All())
		if err != nil {
			return err
		}
		w.seek(i)
		if err := errors.Join(i.Err(), i.Close()); err != nil {
			return err
		}
		w.did(1, 0)
	}
	return nil
}

func (w *worker) seekWithOne() error {
	i, err := w.db.NewIter(tinykv.All())
	if err != nil {
		return err
	}
	for w.next() && i.Err() == nil {
		w.seek(i)
		w.did(1, 0)
	}
	return errors.Join(i.Err(), i.Close())
}

// seek moves to a random key or the one behind it. Only the key itself counts as found.
func (w *worker) seek(i *tinykv.Iterator) {
	setKey(w.key, w.random())
	if i.SeekGE(w.key) && bytes.Equal(i.Key(), w.key) {
		w.found++
	}
}
