package main

import (
	"bytes"
	"errors"

	"github.com/tinykv/tinykv"
)

// scans go over keys in order.
func scans() []benchmark {
	return []benchmark{
		{
			name: "readseq", about: "go over the store with Next, -reads keys far",
			every: timeFew, loop: readForward, size: readOps, inOrder: true,
		},
		{
			name: "readreverse", about: "go over the store with Prev, -reads keys far",
			every: timeFew, loop: readBackward, size: readOps, inOrder: true,
		},
		{
			name: "seekrandom", about: "seek random keys, and -seek_nexts on; see -reuse_iterator",
			every: timeSome, loop: seekRandom, size: readOps, looksFor: true,
		},
	}
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
	for w.Next() && step(i) {
		w.Did(1, len(i.Key())+len(i.Value()))
		step = move
	}
	return errors.Join(i.Err(), i.Close())
}

// seekRandom seeks random keys, each with a new iterator, or all with one.
func seekRandom(w *worker) error {
	if w.config.reuseIterator {
		return w.seekWithOne()
	}
	for w.Next() {
		setKey(w.key, w.random())
		bytes, err := w.seekOnce(w.config.walk())
		if err != nil {
			return err
		}
		w.Did(1, bytes)
	}
	return nil
}

func (w *worker) seekWithOne() error {
	i, err := w.db.NewIter(tinykv.All())
	if err != nil {
		return err
	}
	for w.Next() && i.Err() == nil {
		setKey(w.key, w.random())
		w.Did(1, w.seek(i, w.config.walk()))
	}
	return errors.Join(i.Err(), i.Close())
}

// seekOnce seeks with an iterator of its own.
func (w *worker) seekOnce(then walk) (bytes int, err error) {
	i, err := w.db.NewIter(tinykv.All())
	if err != nil {
		return 0, err
	}
	bytes = w.seek(i, then)
	return bytes, errors.Join(i.Err(), i.Close())
}

// walk is what comes after a seek.
type walk struct {
	moves int
	back  bool
}

func (c *config) walk() walk { return walk{moves: c.seekNexts, back: c.reverseIterator} }

// seek goes to w.key or the one behind it, then walks on, and returns the bytes of what it came by, as
// db_bench counts. Only the key itself counts as found.
func (w *worker) seek(i *tinykv.Iterator, then walk) (total int) {
	if i.SeekGE(w.key) && bytes.Equal(i.Key(), w.key) {
		w.Found++
	}
	for moves := then.moves; moves > 0 && i.Valid(); moves-- {
		total += len(i.Key()) + len(i.Value())
		if then.back {
			i.Prev()
		} else {
			i.Next()
		}
	}
	return total
}
