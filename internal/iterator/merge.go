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
type Merging struct {
	sources []source
	heap    []*source
	forward bool // direction of the heap
	err     error
}

type source struct {
	it Iterator
	kv *KV // where it stands; nil when it has run out
}

var _ Iterator = (*Merging)(nil)

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
		m.sources[i].kv = m.sources[i].it.First()
	}
	return m.rebuild(true)
}

// Last implements Iterator.
func (m *Merging) Last() *KV {
	for i := range m.sources {
		m.sources[i].kv = m.sources[i].it.Last()
	}
	return m.rebuild(false)
}

// SeekGE implements Iterator.
func (m *Merging) SeekGE(stored []byte, trailer key.Trailer) *KV {
	for i := range m.sources {
		m.sources[i].kv = m.sources[i].it.SeekGE(stored, trailer)
	}
	return m.rebuild(true)
}

// SeekLT implements Iterator.
func (m *Merging) SeekLT(stored []byte, trailer key.Trailer) *KV {
	for i := range m.sources {
		m.sources[i].kv = m.sources[i].it.SeekLT(stored, trailer)
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

// AdvanceFrom moves the sources from one on, as far as they stand before every entry of a stored key,
// to the first that is not. The direction must be forward.
func (m *Merging) AdvanceFrom(from int, stored []byte) *KV {
	for i := from; i < len(m.sources); i++ {
		if s := &m.sources[i]; s.kv != nil && bytes.Compare(s.kv.Stored, stored) < 0 {
			s.kv = s.it.SeekGE(stored, key.MaxTrailer)
		}
	}
	return m.rebuild(true)
}

// RetreatFrom moves the sources from one on, as far as they do not stand before every entry of a stored
// key, to the last that does. The direction must be backward.
func (m *Merging) RetreatFrom(from int, stored []byte) *KV {
	for i := from; i < len(m.sources); i++ {
		if s := &m.sources[i]; s.kv != nil && bytes.Compare(s.kv.Stored, stored) >= 0 {
			s.kv = s.it.SeekLT(stored, key.MaxTrailer)
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
			s.kv = s.it.SeekGE(stored, trailer)
		default:
			s.kv = s.it.SeekLT(stored, trailer)
		}
	}
	if forward { // last, as the key belongs to it
		top.kv = top.it.Next()
	} else {
		top.kv = top.it.Prev()
	}
	return m.rebuild(forward)
}

// settle gives the source on top its new entry and restores the heap.
func (m *Merging) settle(top *source, kv *KV) *KV {
	top.kv = kv
	if kv == nil {
		if m.err = top.it.Err(); m.err != nil {
			return nil
		}
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
		if last == 0 {
			return nil
		}
	}
	m.down(0)
	return m.heap[0].kv
}

// rebuild makes the heap anew from where the sources stand.
func (m *Merging) rebuild(forward bool) *KV {
	m.forward, m.err, m.heap = forward, nil, m.heap[:0]
	for i := range m.sources {
		s := &m.sources[i]
		if s.kv != nil {
			m.heap = append(m.heap, s)
		} else if err := s.it.Err(); err != nil {
			m.err = err
		}
	}
	if m.err != nil || len(m.heap) == 0 {
		m.heap = m.heap[:0]
		return nil
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m.heap[0].kv
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

func (m *Merging) before(a, b *source) bool {
	c := key.Compare(a.kv.Key(), b.kv.Key())
	return c < 0 == m.forward && c != 0
}

// Err implements Iterator.
func (m *Merging) Err() error { return m.err }

// Close implements Iterator.
func (m *Merging) Close() error {
	var err error
	for _, s := range m.sources {
		err = errors.Join(err, s.it.Close())
	}
	m.sources, m.heap = m.sources[:0], m.heap[:0]
	return err
}
