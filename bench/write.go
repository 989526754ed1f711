package main

import "github.com/tinykv/tinykv"

// writer is what takes operations: a store, or a batch for one.
type writer interface {
	Put(key, value []byte, opts ...tinykv.WriteOption) error
	Delete(key []byte, opts ...tinykv.WriteOption) error
}

// step does one operation on the key of a number and returns how many bytes it carried.
type step func(w *worker, to writer, number uint64, opts []tinykv.WriteOption) (bytes int, err error)

func put(w *worker, to writer, number uint64, opts []tinykv.WriteOption) (bytes int, err error) {
	setKey(w.key, number)
	value := w.values.next()
	return len(w.key) + len(value), to.Put(w.key, value, opts...)
}

func remove(w *worker, to writer, number uint64, opts []tinykv.WriteOption) (bytes int, err error) {
	setKey(w.key, number)
	return len(w.key), to.Delete(w.key, opts...)
}

func putInOrder(w *worker) error { return w.write((*worker).inOrder, put) }

func putRandom(w *worker) error { return w.write((*worker).random, put) }

func removeRandom(w *worker) error { return w.write((*worker).random, remove) }

// write does operations on numbers, one by one or in batches.
func (w *worker) write(number func(*worker) uint64, do step) error {
	if w.batch != nil {
		return w.writeBatches(number, do)
	}
	for w.next() {
		bytes, err := do(w, w.db, number(w), w.opts)
		if err != nil {
			return err
		}
		w.did(1, bytes)
	}
	return nil
}

func (w *worker) writeBatches(number func(*worker) uint64, do step) error {
	for w.next() {
		w.batch.Reset()
		total := 0
		n := min(w.batchSize, int(w.total-w.ops))
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
		w.did(n, total)
	}
	return nil
}
