package iterator

import (
	"bytes"
	"errors"

	"github.com/tinykv/tinykv/internal/key"
)

// Merging is an Iterator over the union of several, no two of which hold the same internal key.
//
// The sources that stand at an entry form a binary heap, the one with the least entry on top, or
// with the greatest while moving backward. The others have run out in the present direction.
//
// A source that failed stands in the heap where the first entry may be that it could not read, if it
// knows that. Its failure is that of the merged iterator only when it gets to the top: damage in
// one source does not hide what others hold before it.
type Merging struct {
	sources []source
	heap    []*source
	forward bool // direction of the heap
	err     error
}

type source struct {
	it     Iterator
	kv     *KV  // where it stands; nil when it has run out, or failed at an unknown place
	failed bool // kv, if there is one, is bound
	bound  KV
}

// arrive notes where a move has taken the source.
func (s *source) arrive(kv *KV, forward bool) {
	s.kv, s.failed = kv, false
	if kv != nil || s.it.Err() == nil {
		return
	}
	s.failed = true
	if k, known := FailedAt(s.it, forward); known {
		s.bound = KV{Stored: k.Stored, Trailer: k.Trailer}
		s.kv = &s.bound
	}
}

var _ Bounded = (*Merging)(nil)

// Merge returns an iterator over the union of the sources, which it closes. A single source is
// returned as it is.
func Merge(sources ...Iterator) Iterator {
	if len(sources) == 1 {
		return sources[0]
	}
	m := &Merging{}
	m.Init(sources)
	return m
}

// Init makes m an iterator over the union of the sources, reusing its memory.
func (m *Merging) Init(sources []Iterator) {
	clear(m.sources)
	m.sources, m.heap, m.forward, m.err = m.sources[:0], m.heap[:0], true, nil
	for _, it := range sources {
		m.sources = append(m.sources, source{it: it})
	}
}

// First implements Iterator.
func (m *Merging) First() *KV {
	for i := range m.sources {
		m.sources[i].arrive(m.sources[i].it.First(), true)
	}
	return m.rebuild(true)
}

// Last implements Iterator.
func (m *Merging) Last() *KV {
	for i := range m.sources {
		m.sources[i].arrive(m.sources[i].it.Last(), false)
	}
	return m.rebuild(false)
}

// SeekGE implements Iterator.
func (m *Merging) SeekGE(stored []byte, trailer key.Trailer) *KV {
	for i := range m.sources {
		m.sources[i].arrive(m.sources[i].it.SeekGE(stored, trailer), true)
	}
	return m.rebuild(true)
}

// SeekLT implements Iterator.
func (m *Merging) SeekLT(stored []byte, trailer key.Trailer) *KV {
	for i := range m.sources {
		m.sources[i].arrive(m.sources[i].it.SeekLT(stored, trailer), false)
	}
	return m.rebuild(false)
}

// Next implements Iterator.
func (m *Merging) Next() *KV {
	switch {
	case m.err != nil:
		return nil
	case m.forward && len(m.heap) > 0:
		top := m.heap[0]
		return m.settle(top, top.it.Next())
	case m.forward:
		return nil
	case len(m.heap) == 0:
		return m.First()
	default:
		return m.turn(true)
	}
}

// Prev implements Iterator.
func (m *Merging) Prev() *KV {
	switch {
	case m.err != nil:
		return nil
	case !m.forward && len(m.heap) > 0:
		top := m.heap[0]
		return m.settle(top, top.it.Prev())
	case !m.forward:
		return nil
	case len(m.heap) == 0:
		return m.Last()
	default:
		return m.turn(false)
	}
}

// AdvanceFrom moves the sources from one on, as far as they stand before an internal key, to the first entry
// that is not. The direction must be forward.
func (m *Merging) AdvanceFrom(from int, stored []byte, trailer key.Trailer) *KV {
	to := key.Internal{Stored: stored, Trailer: trailer}
	for i := from; i < len(m.sources); i++ {
		if s := &m.sources[i]; s.kv != nil && key.Compare(s.kv.Key(), to) < 0 {
			s.arrive(s.it.SeekGE(stored, trailer), true)
		}
	}
	return m.rebuild(true)
}

// RetreatFrom moves the sources from one on, as far as they do not stand before every entry of a stored
// key, to the last that does. The direction must be backward.
func (m *Merging) RetreatFrom(from int, stored []byte) *KV {
	for i := from; i < len(m.sources); i++ {
		if s := &m.sources[i]; s.kv != nil && bytes.Compare(s.kv.Stored, stored) >= 0 {
			s.arrive(s.it.SeekLT(stored, key.MaxTrailer), false)
		}
	}
	return m.rebuild(false)
}

// turn changes the direction and moves one entry on. The source on top moves by one; all others
// stand, or ran out, on the far side of its entry and are brought to this side by a seek.
func (m *Merging) turn(forward bool) *KV {
	top := m.heap[0]
	stored, trailer := top.kv.Stored, top.kv.Trailer
	for i := range m.sources {
		s := &m.sources[i]
		switch {
		case s == top:
		case forward:
			s.arrive(s.it.SeekGE(stored, trailer), true)
		default:
			s.arrive(s.it.SeekLT(stored, trailer), false)
		}
	}
	if forward { // last, as the key belongs to it
		top.arrive(top.it.Next(), true)
	} else {
		top.arrive(top.it.Prev(), false)
	}
	return m.rebuild(forward)
}

// settle gives the source on top its new entry and restores the heap.
func (m *Merging) settle(top *source, kv *KV) *KV {
	top.kv = kv
	if kv == nil {
		if top.arrive(nil, m.forward); top.kv == nil && !m.drop() {
			return nil
		}
	}
	m.down(0)
	return m.top()
}

// drop takes the source on top, which has run out or failed at an unknown place, from the heap. It
// reports whether there is another and the iterator can go on.
func (m *Merging) drop() bool {
	if m.heap[0].failed {
		m.err = m.heap[0].it.Err()
		m.heap = m.heap[:0]
		return false
	}
	last := len(m.heap) - 1
	m.heap[0] = m.heap[last]
	m.heap = m.heap[:last]
	return last > 0
}

// top returns the entry on top of the heap, which is not empty, or takes over the failure there.
func (m *Merging) top() *KV {
	if s := m.heap[0]; !s.failed {
		return s.kv
	}
	m.err = m.heap[0].it.Err()
	return nil
}

// rebuild makes the heap anew from where the sources stand.
func (m *Merging) rebuild(forward bool) *KV {
	m.forward, m.err, m.heap = forward, nil, m.heap[:0]
	for i := range m.sources {
		s := &m.sources[i]
		switch {
		case s.kv != nil:
			m.heap = append(m.heap, s)
		case s.failed:
			m.err = s.it.Err()
		}
	}
	if m.err != nil || len(m.heap) == 0 {
		m.heap = m.heap[:0]
		return nil
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m.top()
}

// down restores the heap below entry i.
func (m *Merging) down(i int) {
	for {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if m.before(m.heap[child], m.heap[first]) {
				first = child
			}
		}
		if first == i {
			return
		}
		m.heap[i], m.heap[first] = m.heap[first], m.heap[i]
		i = first
	}
}

// before tells whether a comes before b. An entry comes before the bound of what could not be read, which
// no two sources hold both.
func (m *Merging) before(a, b *source) bool {
	c := key.Compare(a.kv.Key(), b.kv.Key())
	if c == 0 {
		return b.failed && !a.failed
	}
	return c < 0 == m.forward
}

// Err implements Iterator.
func (m *Merging) Err() error { return m.err }

// FailedAt implements Bounded.
func (m *Merging) FailedAt(bool) (bound key.Internal, known bool) {
	if m.err == nil || len(m.heap) == 0 {
		return key.Internal{}, false
	}
	return m.heap[0].bound.Key(), true
}

// Close implements Iterator.
func (m *Merging) Close() error {
	var err error
	for _, s := range m.sources {
		err = errors.Join(err, s.it.Close())
	}
	m.sources, m.heap = m.sources[:0], m.heap[:0]
	return err
}
