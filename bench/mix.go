package main

import "fmt"

// mixtures do several things in turn, or while another thread writes.
func mixtures() []benchmark {
	return []benchmark{
		{
			name: "readwhilewriting", about: "as readrandom, while one more thread overwrites",
			every: timeSome, loop: readRandom, size: readOps, looksFor: true, beside: overwriteBeside,
		},
		{
			name: "seekrandomwhilewriting", about: "as seekrandom, while one more thread overwrites",
			every: timeSome, loop: seekRandom, size: readOps, looksFor: true, beside: overwriteBeside,
		},
		{
			name: "readrandomwriterandom", about: "read random keys, -readwritepercent of the time, or write them",
			every: timeSome, loop: readRandomWriteRandom, mixed: true, remark: readsAndWrites,
		},
		{
			name: "mixgraph", about: "a social graph: gets, puts of various sizes, scans; some key ranges are hot",
			every: timeSome, loop: mixGraph, mixed: true, draws: newKeyRanges, remark: readsAndWrites,
		},
	}
}

// share is something that is done now and then.
type share struct {
	percent int
	do      func(*worker) error
}

// mix does one thing or another, each as often as its share says. db_bench does the same in blocks,
// as 90 reads and then 10 writes; here every call is drawn.
func (w *worker) mix(shares ...share) error {
	for w.Next() {
		if err := pick(shares, w.rng.IntN(100)).do(w); err != nil {
			return err
		}
	}
	return nil
}

// pick returns the share that a number below 100 falls to.
func pick(shares []share, n int) *share {
	for i := range shares {
		if n -= shares[i].percent; n < 0 {
			return &shares[i]
		}
	}
	return &shares[len(shares)-1]
}

func readRandomWriteRandom(w *worker) error {
	reads := w.config.readWritePercent
	return w.mix(share{reads, lookUp}, share{100 - reads, change})
}

// lookUp reads a random key.
func lookUp(w *worker) error {
	setKey(w.key, w.random())
	bytes, err := w.get(w.key)
	w.Did(1, bytes)
	return err
}

// change writes a random key.
func change(w *worker) error {
	bytes, err := put(w, w.db, w.random(), w.opts)
	w.Wrote(1, bytes)
	return err
}

func readsAndWrites(r *result) string {
	return fmt.Sprintf("( reads:%d writes:%d total:%d found:%d)", r.ops-r.written, r.written, r.ops, r.found)
}
