package workload

import (
	"errors"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// The core workloads of the Yahoo! Cloud Serving Benchmark (Cooper et al.: Benchmarking cloud serving systems with YCSB, 2010,
// table 2). A record is one value, where YCSB has ten fields. Inserted keys lie between those that were there.

// maxScanEntries is how many entries a scan of workload E reads at most.
const maxScanEntries = 100

func ycsbA(w *worker) error { return w.mix(50, (*worker).lookUp, (*worker).update) }
func ycsbB(w *worker) error { return w.mix(95, (*worker).lookUp, (*worker).update) }
func ycsbC(w *worker) error { return w.mix(100, (*worker).lookUp, nil) }
func ycsbD(w *worker) error { return w.mix(95, (*worker).readLatest, (*worker).insert) }
func ycsbE(w *worker) error { return w.mix(95, (*worker).scanSome, (*worker).insert) }
func ycsbF(w *worker) error { return w.mix(50, (*worker).lookUp, (*worker).readModifyWrite) }

// mix reads in so many of a hundred calls, and writes in the others.
func (w *worker) mix(percent int, read, write func(*worker) error) error {
	for w.Next() {
		if w.rng.IntN(100) < percent {
			if err := read(w); err != nil {
				return err
			}
			w.Did(1, w.entryBytes())
			continue
		}
		if err := write(w); err != nil {
			return err
		}
		w.Wrote(1, w.entryBytes())
	}
	return nil
}

func (w *worker) lookUp() error { return w.get(w.numbers.Draw(w.rng)) }

func (w *worker) update() error { return w.put(w.numbers.Draw(w.rng), w.rng.Uint64()) }

func (w *worker) readModifyWrite() error {
	id := w.numbers.Draw(w.rng)
	if err := w.get(id); err != nil {
		return err
	}
	return w.put(id, w.rng.Uint64())
}

// idOf returns the id of the number-th key that was written: those of the fill, in its order, then inserted ones.
func (w *worker) idOf(number uint64) uint64 {
	n := w.Keys.Len()
	if number < n {
		return w.Keys.Shuffled(number)
	}
	return w.Keys.Missing(w.Keys.Shuffled((number - n) % n))
}

func (w *worker) readLatest() error { return w.get(w.idOf(w.numbers.Draw(w.rng))) }

func (w *worker) insert() error {
	number := w.inserts.Take()
	if err := w.put(w.idOf(number), 0); err != nil {
		return err
	}
	w.inserts.Wrote(number)
	return nil
}

// scanSome reads 1 to maxScanEntries entries from a random one on.
func (w *worker) scanSome() error {
	n := 1 + w.rng.IntN(maxScanEntries)
	w.Keys.Set(w.key, w.numbers.Draw(w.rng))
	i, err := w.session.NewIterator(engine.Plan{Entries: n})
	if err != nil {
		return err
	}
	for at := i.SeekGE(w.key); at && n > 0; n-- {
		value, valueErr := i.Value()
		if err = errors.Join(valueErr, w.takeValue(value)); err != nil {
			break
		}
		at = n > 1 && i.Next()
	}
	return errors.Join(err, i.Close())
}
