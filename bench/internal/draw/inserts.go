package draw

import (
	"sync"
	"sync/atomic"
)

// Inserts gives out the numbers of keys that are inserted above those that were there, and knows up
// to which all have been written: what is read as the latest must be there. All threads share it.
// (YCSB has an AcknowledgedCounterGenerator for that.)
type Inserts struct {
	taken atomic.Uint64 // all below were given out
	done  atomic.Uint64 // all below were written

	mu    sync.Mutex
	ahead map[uint64]bool // written, though one below is not; guarded by mu
}

// NewInserts starts with numbers below n in the store.
func NewInserts(n uint64) *Inserts {
	i := &Inserts{ahead: map[uint64]bool{}}
	i.taken.Store(n)
	i.done.Store(n)
	return i
}

// Take returns the number to insert next.
func (i *Inserts) Take() uint64 { return i.taken.Add(1) - 1 }

// Wrote tells that a number that Take returned is written.
func (i *Inserts) Wrote(number uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ahead[number] = true
	next := i.done.Load()
	for ; i.ahead[next]; next++ {
		delete(i.ahead, next)
	}
	i.done.Store(next)
}

// Written returns the number below which all are written.
func (i *Inserts) Written() uint64 { return i.done.Load() }
