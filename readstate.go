package tinykv

import (
	"sync"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/memtable"
	"github.com/tinykv/tinykv/wal"
)

// readState is everything a reader needs, as it was at one moment: the memtables and the tree of
// tables. It is immutable. A change of the store makes a new one and publishes it in DB.state by one
// swap of a pointer; readers of the old one are not disturbed.
//
// What a reader finds first wins, so the parts are ordered by age: active memtable, sealed
// memtables, level 0, and so on down.
//
// A readState holds a reference to each of its parts, and the parts to theirs; what is no longer
// referred to is freed, recycled or deleted.
type readState struct {
	// refs is the number of references and, in its upper half, how many readers there have been, modulo
	// 2^32: so they are counted at no cost, see sampling.go.
	refs atomic.Uint64

	active *mem
	sealed []*mem // newest first
	tree   *tree
}

// newReadState returns a state with one reference, and takes one to each of its parts.
func newReadState(active *mem, sealed []*mem, tr *tree) *readState {
	s := &readState{active: active, sealed: sealed, tree: tr}
	s.refs.Store(1)
	active.refs.Add(1)
	for _, m := range sealed {
		m.refs.Add(1)
	}
	tr.refs.Add(1)
	return s
}

// tryRef takes a reference, and returns refs as it was before, or 0 when the last one is gone.
func (s *readState) tryRef() (was uint64) {
	const one = 1<<32 + 1
	for {
		n := s.refs.Load()
		if uint32(n) == 0 {
			return 0
		}
		if s.refs.CompareAndSwap(n, n+one) {
			return n
		}
	}
}

// ticketOf returns the upper half of refs.
func ticketOf(refs uint64) uint32 { return uint32(refs >> 32) }

// unref gives up a reference. A nil state has none.
func (s *readState) unref() {
	if s == nil || uint32(s.refs.Add(^uint64(0))) > 0 {
		return
	}
	s.active.unref()
	for _, m := range s.sealed {
		m.unref()
	}
	s.tree.unref()
}

// acquire returns the present state with a reference that the caller gives up by unref, or
// ErrClosed. A state may be replaced, and even given up, between the load of the pointer and the
// count; so the pointer is looked at again.
func (db *DB) acquire() (*readState, error) {
	for {
		s := db.state.Load()
		if s == nil {
			return nil, ErrClosed
		}
		if s.tryRef() != 0 {
			if db.state.Load() == s {
				return s, nil
			}
			s.unref()
		}
	}
}

// publishLocked replaces the state and returns the old one, which the caller must unref after it has
// given up db.mu: that may unmap tables. A nil state closes the store to readers.
func (db *DB) publishLocked(s *readState) (old *readState) { return db.state.Swap(s) }

// mem is a memtable with what else belongs to it.
type mem struct {
	refs  atomic.Int64
	table *memtable.Table
	pool  *memPool // nil in a store that is read only

	first   wal.SegmentNum // the log segment that its first write went to
	lastSeq key.SeqNum     // set when it is sealed: of its last write
}

func (m *mem) unref() {
	switch {
	case m.refs.Add(-1) > 0:
	case m.pool == nil:
		_ = m.table.Free() // unmapping memory of our own fails only for a wrong address
	default:
		m.pool.put(m.table)
	}
}

// memPool keeps one memtable for new use: getting memory from the system is slow, and slower still
// is touching it for the first time.
type memPool struct {
	sizeBytes int64
	spare     atomic.Pointer[memtable.Table]
	closed    atomic.Bool
	made      atomic.Int64 // memtables that exist: in use, held by readers, or spare

	counting sync.Mutex // held while made and what follows from it change
	changed  func(made int64)
}

// count notes that there are more memtables, or fewer.
func (p *memPool) count(more int64) {
	p.counting.Lock()
	defer p.counting.Unlock()
	p.changed(p.made.Add(more))
}

// create returns a new memtable.
func (p *memPool) create() (*memtable.Table, error) {
	t, err := memtable.New(p.sizeBytes)
	if err == nil {
		p.count(1)
	}
	return t, err
}

// free gives the memory of a memtable back to the system.
func (p *memPool) free(t *memtable.Table) {
	_ = t.Free() // unmapping memory of our own fails only for a wrong address
	p.count(-1)
}

// take returns an empty memtable. See memtable.Table.Reset for the prefix.
func (p *memPool) take(prefix []byte) (*memtable.Table, error) {
	t := p.spare.Swap(nil)
	if t == nil {
		var err error
		if t, err = p.create(); err != nil {
			return nil, err
		}
	}
	t.Reset(prefix)
	return t, nil
}

// ready tells whether take will be quick.
func (p *memPool) ready() bool { return p.spare.Load() != nil }

// prepare makes it so.
func (p *memPool) prepare() error {
	if p.ready() {
		return nil
	}
	t, err := p.create()
	if err != nil {
		return err
	}
	t.Touch()
	p.put(t)
	return nil
}

// put takes back a memtable that nobody uses.
func (p *memPool) put(t *memtable.Table) {
	if p.closed.Load() || !p.spare.CompareAndSwap(nil, t) {
		p.free(t)
		return
	}
	if p.closed.Load() {
		p.close()
	}
}

// trim frees the spare memtable.
func (p *memPool) trim() {
	if t := p.spare.Swap(nil); t != nil {
		p.free(t)
	}
}

// close frees the spare memtable; from now on, what comes back is freed at once.
func (p *memPool) close() {
	p.closed.Store(true)
	p.trim()
}
