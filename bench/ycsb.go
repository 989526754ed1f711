package main

import (
	"fmt"

	"github.com/tinykv/tinykv/bench/internal/draw"
)

// maxScanLength is how many records a scan of workload E reads at most.
const maxScanLength = 100

// ycsb returns the core workloads of the Yahoo! Cloud Serving Benchmark (Cooper et al.: Benchmarking
// cloud serving systems with YCSB, 2010, table 2), on the keys that a fill benchmark wrote. A record is
// a single value of -value_size, where YCSB has ten fields of 100 bytes. Keys that are inserted go
// above the others.
func ycsb() []benchmark {
	all := []benchmark{
		{name: "ycsba", about: "50 % reads, 50 % updates, zipfian", loop: ycsbA},
		{name: "ycsbb", about: "95 % reads, 5 % updates, zipfian", loop: ycsbB},
		{name: "ycsbc", about: "reads only, zipfian", loop: ycsbC},
		{name: "ycsbd", about: "95 % reads, mostly of the latest, 5 % inserts", loop: ycsbD, draws: newest},
		{name: "ycsbe", about: "95 % scans of 1 to 100, 5 % inserts, zipfian", loop: ycsbE},
		{name: "ycsbf", about: "50 % reads, 50 % reads with an update of what was read, zipfian", loop: ycsbF},
	}
	for i := range all {
		b := &all[i]
		b.about = "YCSB: " + b.about
		b.every, b.mixed, b.remark = timeSome, true, readsAndWrites
		if b.draws == nil {
			b.draws = zipfian
		}
	}
	return all
}

func newest(s *session) draw.Numbers { return draw.NewLatest(s.inserts, s.config.zipfExponent) }

func ycsbA(w *worker) error { return w.mix(share{50, lookUp}, share{50, change}) }

func ycsbB(w *worker) error { return w.mix(share{95, lookUp}, share{5, change}) }

func ycsbC(w *worker) error { return w.mix(share{100, lookUp}) }

func ycsbD(w *worker) error { return w.mix(share{95, lookUp}, share{5, insert}) }

func ycsbE(w *worker) error { return w.mix(share{95, scanSome}, share{5, insert}) }

func ycsbF(w *worker) error { return w.mix(share{50, lookUp}, share{50, readModifyWrite}) }

// insert writes a key above all others.
func insert(w *worker) error {
	number := w.inserts.Take()
	bytes, err := put(w, w.db, number, w.opts)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	w.inserts.Wrote(number)
	w.Wrote(1, bytes)
	return nil
}

// scanSome reads 1 to maxScanLength records from a random one on.
func scanSome(w *worker) error {
	setKey(w.key, w.random())
	bytes, err := w.seekOnce(walk{moves: 1 + w.rng.IntN(maxScanLength)})
	w.Did(1, bytes)
	return err
}

// readModifyWrite counts as a single operation that writes.
func readModifyWrite(w *worker) error {
	bytes, err := w.readAndWrite()
	w.Wrote(1, bytes)
	return err
}
