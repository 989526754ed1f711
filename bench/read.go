package main

import (
	"errors"

	"github.com/tinykv/tinykv"
)

// multiReadSize is how many keys multireadrandom reads at once.
const multiReadSize = 32

// lookups read keys one by one, or a few at once.
func lookups() []benchmark {
	return []benchmark{
		{
			name: "readrandom", about: "read random keys",
			every: timeSome, loop: readRandom, size: readOps, looksFor: true,
		},
		{
			name: "readzipf", about: "as readrandom with -distribution=zipf",
			every: timeSome, loop: readRandom, size: readOps, looksFor: true, draws: zipfian,
		},
		{
			name: "readhot", about: "read random keys among one in a hundred, the lowest",
			every: timeSome, loop: readRandom, size: readOps, looksFor: true, draws: hot,
		},
		{
			name: "readmissing", about: "read keys that are absent but lie between others",
			every: timeSome, loop: readMissing, size: readOps, looksFor: true,
		},
		{
			name: "multireadrandom", about: "read random keys, -batch_size at once, or 32 if that is 1",
			every: timeEvery, loop: multiReadRandom, size: readOps, looksFor: true, batch: multiReadSize,
		},
	}
}

func readRandom(w *worker) error { return w.read() }

// readMissing looks for keys that lie between those that were written.
func readMissing(w *worker) error { return w.read(missingSuffix) }

// read looks up random numbers. Their keys have the suffix.
func (w *worker) read(suffix ...byte) error {
	key := append(newKey(len(w.key)), suffix...)
	number := key[:len(w.key)]
	for w.Next() {
		setKey(number, w.random())
		bytes, err := w.get(key)
		if err != nil {
			return err
		}
		w.Did(1, bytes)
	}
	return nil
}

// get reads a key, counts it if it is there, and returns the bytes of key and value.
func (w *worker) get(key []byte) (bytes int, err error) { return w.getFrom(w.db, key) }

// getFrom is get of a store or a transaction.
func (w *worker) getFrom(from interface {
	GetTo(dst, key []byte) ([]byte, error)
}, key []byte,
) (bytes int, err error) {
	value, err := from.GetTo(w.value[:0], key)
	if errors.Is(err, tinykv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	w.value = value // keeps the room, should it have grown
	w.Found++
	return len(key) + len(value), nil
}

// multiReadRandom reads several keys in a call. A key is an operation.
func multiReadRandom(w *worker) error {
	keys := make([][]byte, w.batchSize)
	for i := range keys {
		keys[i] = newKey(len(w.key))
	}
	for w.Next() {
		n := min(len(keys), int(w.Total-w.Ops))
		for _, key := range keys[:n] {
			setKey(key, w.random())
		}
		values, err := w.db.GetMulti(keys[:n]...)
		if err != nil {
			return err
		}
		w.Did(n, w.count(values))
	}
	return nil
}

// count counts the values that were found and returns the bytes of them and their keys.
func (w *worker) count(values [][]byte) (bytes int) {
	for _, v := range values {
		if v != nil {
			w.Found++
			bytes += len(w.key) + len(v)
		}
	}
	return bytes
}
