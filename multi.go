package tinykv

import (
	"cmp"
	"slices"
	"sync"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// GetMulti returns the values of several keys as they were at one moment, in the order of the keys: nil
// for one that is absent, an empty slice for an empty value. It takes less time than as many calls of
// Get, since it waits for memory and disk on behalf of all keys together. A key may come twice.
//
// The values belong to the caller. They share memory, so that keeping one keeps all, but for those
// of 16 KiB and more. Errors are those of Get, without ErrNotFound; there are no values then.
func (db *DB) GetMulti(keys ...[]byte) ([][]byte, error) { return db.reader().getMulti(keys) }

// GetMulti is [DB.GetMulti] at the moment of the snapshot.
func (s *Snapshot) GetMulti(keys ...[]byte) ([][]byte, error) { return s.reader().getMulti(keys) }

// aloneBytes is the length from which on a value gets memory of its own.
const aloneBytes = 16 << 10

func (r reader) getMulti(keys [][]byte) ([][]byte, error) {
	s, seq, err := r.open()
	if err != nil {
		return nil, err
	}
	defer s.unref()
	m := multis.Get().(*multi)
	defer m.release()
	m.init(r.space, keys)
	var values [][]byte
	err = s.guard(func() error {
		if err := m.run(s, key.SeekTrailer(seq)); err != nil {
			return err
		}
		if err := m.resolve(r, s, key.SeekTrailer(seq)); err != nil {
			return err
		}
		values = m.values()
		return nil
	})
	if err != nil {
		r.db.met(err)
		return nil, err
	}
	m.tally.ticket = ticketOf(s.refs.Load())
	r.db.sampler.add(&m.tally, 1)
	return values, nil
}

// multi is a read of several keys at once: what get does, step by step for all of them. It looks at
// the keys in their order, so that neighbours find the memory that they share still at hand; but
// nothing depends on that.
type multi struct {
	lookups []lookup // in the order of the caller's keys
	pending []*lookup

	// In the present step: the pending that may be in its tables, and what sstable needs of these.
	passed   []*lookup
	inTables []*sstable.Lookup

	tally   tally
	order   []ordered // scratch
	buf     []byte    // the stored keys
	touched byte      // see sstable.GetAll
}

// lookup is one key that is sought.
type lookup struct {
	sstable.Lookup // what it needs in the tables

	settled bool        // it is known what the key has
	present bool        // a value
	value   []byte      // lies where it was found
	newest  key.Trailer // of an entry that is not simply the value, see reader.resolve; 0 for none

	deleted key.SeqNum // the newest range tombstone of the table at hand; 0 for none
}

// ordered is a lookup and eight bytes of its key, as a number.
type ordered struct {
	head  uint64
	index int
}

var multis = sync.Pool{New: func() any { return &multi{} }}

// release gives the memory back. It forgets what belongs to the store or the caller.
func (m *multi) release() {
	const maxKept = 1 << 20
	if cap(m.buf) > maxKept || cap(m.lookups) > maxKept/64 {
		return
	}
	clear(m.lookups)
	clear(m.pending[:cap(m.pending)])
	clear(m.passed[:cap(m.passed)])
	clear(m.inTables[:cap(m.inTables)])
	multis.Put(m)
}

func (m *multi) init(space key.Space, keys [][]byte) {
	n := 0
	for _, k := range keys {
		n += maxSpaceLen + len(k)
	}
	m.tally = tally{lookups: uint64(len(keys))}
	m.buf = slices.Grow(m.buf[:0], n)
	m.lookups = slices.Grow(m.lookups[:0], len(keys))[:len(keys)]
	for i, k := range keys {
		from := len(m.buf)
		m.buf = key.AppendStored(m.buf, space, k)
		stored := m.buf[from:]
		m.lookups[i] = lookup{Lookup: sstable.Lookup{Stored: stored, Hash: sstable.Hash(stored)}}
	}
	m.sort()
}

// sort makes all lookups pending, in the order of their keys as far as eight bytes tell.
func (m *multi) sort() {
	m.pending, m.order = m.pending[:0], m.order[:0]
	if len(m.lookups) == 0 {
		return
	}
	shared := len(m.lookups[0].Stored)
	for i := range m.lookups {
		shared = key.CommonPrefix(m.lookups[0].Stored[:shared], m.lookups[i].Stored)
	}
	for i := range m.lookups {
		m.order = append(m.order, ordered{key.Head(m.lookups[i].Stored, shared), i})
	}
	slices.SortFunc(m.order, func(a, b ordered) int { return cmp.Compare(a.head, b.head) })
	for _, o := range m.order {
		m.pending = append(m.pending, &m.lookups[o.index])
	}
}

// run looks from new to old, as get does, and takes for each key what it finds first.
func (m *multi) run(s *readState, at key.Trailer) error {
	m.lookInMem(s.active, at)
	for _, mem := range s.sealed {
		m.lookInMem(mem, at)
	}
	for _, t := range s.tree.levels[0].tables {
		if err := m.pass(at, func(stored []byte) *table {
			if t.meta.Covers(stored) {
				return t
			}
			return nil
		}); err != nil {
			return err
		}
		if err := m.look(at); err != nil {
			return err
		}
	}
	for _, l := range s.tree.levels[1:] {
		if len(l.tables) == 0 {
			continue
		}
		if err := m.pass(at, l.find); err != nil {
			return err
		}
		if err := m.look(at); err != nil {
			return err
		}
	}
	return nil
}

// lookInMem looks all pending lookups up in a memtable.
func (m *multi) lookInMem(mem *mem, at key.Trailer) {
	if mem.table.Entries() == 0 && mem.table.Ranges() == nil {
		return
	}
	for _, l := range m.pending {
		if v, found, ok := mem.get(l.Stored, l.Hash, at); ok {
			l.settle(v, found)
		}
	}
	m.dropSettled()
}

// pass notes which pending lookups the filters of their tables let pass, and which range tombstones
// the tables have on their keys.
func (m *multi) pass(at key.Trailer, tableOf func(stored []byte) *table) error {
	m.passed, m.inTables = m.passed[:0], m.inTables[:0]
	for _, l := range m.pending {
		t := tableOf(l.Stored)
		if t == nil {
			continue
		}
		r, err := t.open()
		if err != nil {
			return err
		}
		l.deleted = 0
		if ranges := r.RangeDeletes(); ranges != nil {
			l.deleted = ranges.Newest(l.Stored, at.Seq())
		}
		passed := r.MayContain(l.Hash)
		if !passed {
			m.tally.asked(r, false, false)
		}
		switch {
		case passed:
			l.Reader = r
			m.passed = append(m.passed, l)
			m.inTables = append(m.inTables, &l.Lookup)
		case l.deleted > 0:
			l.settle(nil, key.MakeTrailer(l.deleted, key.KindRangeDelete))
		}
	}
	return nil
}

// look looks the lookups that passed up in their tables.
func (m *multi) look(at key.Trailer) error {
	touched, err := sstable.GetAll(m.inTables, at)
	if err != nil {
		return err
	}
	m.touched += touched
	for _, l := range m.passed {
		m.tally.asked(l.Reader, true, l.OK)
		if v, found, ok := newer(l.Value, l.Found, l.OK, l.deleted); ok {
			l.settle(v, found)
		}
	}
	m.dropSettled()
	return nil
}

// settle notes what was found for a key.
func (l *lookup) settle(v []byte, found key.Trailer) {
	l.settled, l.value = true, v
	switch found.Kind() {
	case key.KindSet:
		l.present = true
	case key.KindSetExpiring, key.KindMerge:
		l.newest = found
	}
}

// resolve finds out what entries that are not simply values amount to.
func (m *multi) resolve(r reader, s *readState, at key.Trailer) error {
	var now clockReading // one for all
	for i := range m.lookups {
		l := &m.lookups[i]
		if l.newest == 0 {
			continue
		}
		var v []byte
		var err error
		if l.newest.Kind() == key.KindSetExpiring {
			if now.now == 0 {
				now = r.clock()
			}
			v, err = now.unexpired(l.value, l.newest.Seq())
		} else {
			v, err = r.resolve(s, l.Stored, at, l.value, l.newest)
		}
		if err != nil && !isNotFound(err) {
			return err
		}
		l.present, l.value = err == nil, v
	}
	return nil
}

// dropSettled leaves the pending lookups for which nothing was found yet.
func (m *multi) dropSettled() {
	m.pending = slices.DeleteFunc(m.pending, func(l *lookup) bool { return l.settled })
}

// values returns copies of the values, in the order of the keys.
func (m *multi) values() [][]byte {
	n := 0
	for i := range m.lookups {
		if l := &m.lookups[i]; l.present && len(l.value) < aloneBytes {
			n += len(l.value)
		}
	}
	all := make([][]byte, len(m.lookups))
	room := make([]byte, n)
	for i := range m.lookups {
		switch l := &m.lookups[i]; {
		case !l.present:
		case len(l.value) >= aloneBytes:
			all[i] = append(make([]byte, 0, len(l.value)), l.value...)
		default:
			n := copy(room, l.value)
			all[i], room = room[:n:n], room[n:]
		}
	}
	return all
}
