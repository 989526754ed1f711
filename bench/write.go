package main

import (
	"fmt"

	"github.com/tinykv/tinykv"
)

const (
	fillBatchSize = 1000
	largeValue    = 100_000 // of fill100K
)

// fills begin with an empty store.
func fills() []benchmark {
	return []benchmark{
		{
			name: "fillseq", about: "write keys in order to an empty store",
			fresh: true, every: timeSome, loop: putInOrder, inOrder: true, batch: 1,
		},
		{
			name: "fillrandom", about: "write random keys to an empty store; of -num, some 63 % differ",
			fresh: true, every: timeSome, loop: putRandom, batch: 1,
		},
		{
			name: "fillsync", about: "as fillrandom, a thousandth of -num, each synced before the next",
			fresh: true, sync: true, every: timeEvery, loop: putRandom, size: thousandthOps, batch: 1,
		},
		{
			name: "fillbatch", about: "as fillseq, in batches of -batch_size, or 1000 if that is 1",
			fresh: true, every: timeEvery, loop: putInOrder, inOrder: true, batch: fillBatchSize,
		},
		{
			name: "fill100K", about: "as fillrandom, a thousandth of -num, values of 100,000 bytes",
			fresh: true, every: timeEvery, loop: putRandom, size: thousandthOps, batch: 1, valueSize: largeValue,
		},
	}
}

// changes write to the store that is there.
func changes() []benchmark {
	return []benchmark{
		{
			name: "overwrite", about: "write random keys to the store that is there",
			every: timeSome, loop: putRandom, batch: 1,
		},
		{
			name: "updaterandom", about: "read random keys and write them anew",
			every: timeSome, loop: updateRandom, remark: updatesFound,
		},
		{
			name: "deleteseq", about: "delete keys in order",
			every: timeSome, loop: removeInOrder, inOrder: true, batch: 1,
		},
		{
			name: "deleterandom", about: "delete random keys",
			every: timeSome, loop: removeRandom, batch: 1,
		},
	}
}

// writer is what takes operations: a store, or a batch for one.
type writer interface {
	Put(key, value []byte, opts ...tinykv.WriteOption) error
	Delete(key []byte, opts ...tinykv.WriteOption) error
	Merge(key, operand []byte, opts ...tinykv.WriteOption) error
}

// step does one operation on the key of a number and returns how many bytes it carried.
type step func(w *worker, to writer, number uint64, opts []tinykv.WriteOption) (bytes int, err error)

func put(w *worker, to writer, number uint64, opts []tinykv.WriteOption) (bytes int, err error) {
	setKey(w.key, number)
	value := w.values.Next()
	return len(w.key) + len(value), to.Put(w.key, value, opts...)
}

func remove(w *worker, to writer, number uint64, opts []tinykv.WriteOption) (bytes int, err error) {
	setKey(w.key, number)
	return len(w.key), to.Delete(w.key, opts...)
}

func putInOrder(w *worker) error { return w.write((*worker).inOrder, put) }

func putRandom(w *worker) error { return w.write((*worker).random, put) }

func removeInOrder(w *worker) error { return w.write((*worker).inOrder, remove) }

func removeRandom(w *worker) error { return w.write((*worker).random, remove) }

// write does operations on numbers, one by one or in batches.
func (w *worker) write(number func(*worker) uint64, do step) error {
	if w.batch != nil {
		return w.writeBatches(number, do)
	}
	for w.Next() {
		bytes, err := do(w, w.db, number(w), w.opts)
		if err != nil {
			return err
		}
		w.Did(1, bytes)
	}
	return nil
}

func (w *worker) writeBatches(number func(*worker) uint64, do step) error {
	for w.Next() {
		w.batch.Reset()
		total := 0
		n := min(w.batchSize, int(w.Total-w.Ops))
		for range n {
			bytes, err := do(w, w.batch, number(w), nil)
			if err != nil {
				return err
			}
			total += bytes
		}
		if err := w.db.Apply(w.batch, w.opts...); err != nil {
			return err
		}
		w.Did(n, total)
	}
	return nil
}

// updateRandom reads keys and writes them anew, whether they were there or not.
func updateRandom(w *worker) error {
	for w.Next() {
		bytes, err := w.readAndWrite()
		if err != nil {
			return err
		}
		w.Did(1, bytes)
	}
	return nil
}

// readAndWrite reads a random key and writes it anew.
func (w *worker) readAndWrite() (bytes int, err error) {
	setKey(w.key, w.random())
	bytes, err = w.get(w.key)
	if err != nil {
		return 0, err
	}
	value := w.values.Next()
	return bytes + len(w.key) + len(value), w.db.Put(w.key, value, w.opts...)
}

func updatesFound(r *result) string {
	return fmt.Sprintf("( updates:%d found:%d)", r.ops, r.found)
}
