package main

import (
	"sync"
	"sync/atomic"
)

// inserts gives out the numbers of keys that are inserted above those that were there, and knows up
// to which all have been written: what is read as the latest must be there. All threads share it.
// (YCSB has an AcknowledgedCounterGenerator for that.)
type inserts struct {
	taken atomic.Uint64 // all below were given out
	done  atomic.Uint64 // all below were written

	mu    sync.Mutex
	ahead map[uint64]bool // written, though one below is not; guarded by mu
}

// newInserts starts with numbers below n in the store.
func newInserts(n uint64) *inserts {
	i := &inserts{ahead: map[uint64]bool{}}
	i.taken.Store(n)
	i.done.Store(n)
	return i
}

// take returns the number to insert next.
func (i *inserts) take() uint64 { return i.taken.Add(1) - 1 }

// wrote tells that a number that take returned is written.
func (i *inserts) wrote(number uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ahead[number] = true
	next := i.done.Load()
	for ; i.ahead[next]; next++ {
		delete(i.ahead, next)
	}
	i.done.Store(next)
}

// written returns the number below which all are written.
func (i *inserts) written() uint64 { return i.done.Load() }
