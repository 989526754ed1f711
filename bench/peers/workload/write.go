package workload

import "fmt"

// A batch has so many entries, or fewer if these are large: some engines bound a transaction.
const (
	batchEntries = 1000
	batchBytes   = 6 << 20
)

func (w *worker) batchLen() int {
	return max(1, min(batchEntries, batchBytes/w.entryBytes()))
}

func fillInOrder(w *worker) error {
	return w.fill(func(i uint64) uint64 { return i })
}

func fillShuffled(w *worker) error { return w.fill(w.Keys.Shuffled) }

// fill writes the share of this thread of all keys, of which id tells the i-th.
func (w *worker) fill(id func(i uint64) uint64) error {
	for i := w.from; w.Next(); i++ {
		if err := w.put(id(i), 0); err != nil {
			return err
		}
		w.Did(1, w.entryBytes())
	}
	return nil
}

func fillBatches(w *worker) error {
	b := newBuffer(w, w.batchLen())
	for i := w.from; w.Next(); {
		n := min(len(b.keys), int(w.Total-w.Ops))
		for j := range n {
			b.set(j, w.Keys.Shuffled(i), 0)
			i++
		}
		if err := w.session.PutBatch(b.keys[:n], b.values[:n]); err != nil {
			return err
		}
		w.putBytes += uint64(n * w.entryBytes())
		w.Did(n, n*w.entryBytes())
	}
	return nil
}

// buffer is room for several keys and values.
type buffer struct {
	*worker
	keys, values [][]byte
}

func newBuffer(w *worker, n int) *buffer {
	b := &buffer{worker: w}
	for range n {
		b.keys = append(b.keys, make([]byte, KeyBytes))
		b.values = append(b.values, make([]byte, w.Values.size))
	}
	return b
}

func (b *buffer) set(j int, id, version uint64) {
	b.Keys.Set(b.keys[j], id)
	b.Values.Set(b.values[j], id, version)
}

// overwrite writes random keys. Values differ from those before.
func overwrite(w *worker) error {
	for w.Next() {
		if err := w.put(w.numbers.Draw(w.rng), w.rng.Uint64()); err != nil {
			return err
		}
		w.Did(1, w.entryBytes())
	}
	return nil
}

// deleteRandom deletes random keys, some of which may be gone already.
func deleteRandom(w *worker) error {
	for w.Next() {
		w.Keys.Set(w.key, w.numbers.Draw(w.rng))
		if err := w.session.Delete(w.key); err != nil {
			return err
		}
		w.Did(1, KeyBytes)
	}
	return nil
}

// Load fills a store by batches in random order, without measuring.
func (b *Bench) Load() error {
	w, err := b.newWorker(Row{every: everyCall, loop: fillBatches}, 1, 0, &never)
	if err != nil {
		return err
	}
	w.Limit = 0
	if err := w.run(fillBatches); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}
