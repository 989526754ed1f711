package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/memory"
)

// heldIterators is how many iterators openiterators has open at a time.
const heldIterators = 1000

// holds keep something open, for its memory to be seen.
func holds() []benchmark {
	return []benchmark{{
		name: "openiterators", about: fmt.Sprintf("open %d iterators, seek and move with each, and close them together", heldIterators),
		every: timeEvery, loop: holdIterators, size: readOps, looksFor: false, alone: true,
	}}
}

func holdIterators(w *worker) (err error) {
	var held []*tinykv.Iterator
	defer func() {
		for _, i := range held {
			err = errors.Join(err, i.Close())
		}
	}()
	for len(held) < heldIterators && w.Next() {
		i, err := w.db.NewIter(tinykv.All())
		if err != nil {
			return err
		}
		held = append(held, i)
		setKey(w.key, w.random())
		w.Did(1, w.seek(i, walk{moves: 10}))
	}
	return nil
}

// ownMemory compares what the process had of its own with the budget of the store.
type ownMemory struct {
	Peak   float64 `json:"peak_rss_anon_bytes"`
	Budget float64 `json:"memory_budget_bytes"`
}

func (m *ownMemory) writeText(w io.Writer) {
	fmt.Fprintf(w, "peak RssAnon %s, %.0f %% of a budget of %s\n", memory.Megabytes(m.Peak), 100*m.Peak/m.Budget, memory.Megabytes(m.Budget))
}
