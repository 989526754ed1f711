package manifest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// MaxSpaceName is the length in bytes of the longest name of a keyspace; the shortest has one.
const MaxSpaceName = 255

// NamedSpace is a keyspace with its name. Keyspace 0 has none.
type NamedSpace struct {
	ID   key.Space
	Name string
}

// Spaces tells which keyspaces there are beside keyspace 0. It is immutable; nil is one without any. Ids ascend
// and are never given again, so that what is left of a dropped keyspace belongs to nobody.
type Spaces struct {
	last  key.Space // the last id that was given
	count int
	ids   layered[string, key.Space]
	names layered[key.Space, string]
}

// Find returns the id of a name.
func (s *Spaces) Find(name string) (key.Space, bool) {
	if s == nil {
		return 0, false
	}
	return s.ids.get(name)
}

// Name returns the name of an id, which a dropped keyspace has not.
func (s *Spaces) Name(id key.Space) (string, bool) {
	if s == nil {
		return "", false
	}
	return s.names.get(id)
}

// Last returns the last id that was given; 0 for none.
func (s *Spaces) Last() key.Space {
	if s == nil {
		return 0
	}
	return s.last
}

// Len returns how many there are.
func (s *Spaces) Len() int {
	if s == nil {
		return 0
	}
	return s.count
}

// All returns them in the order of their names, in new memory.
func (s *Spaces) All() []NamedSpace {
	if s == nil {
		return nil
	}
	all := make([]NamedSpace, 0, s.count)
	for name, id := range s.ids.all() {
		all = append(all, NamedSpace{ID: id, Name: name})
	}
	slices.SortFunc(all, func(a, b NamedSpace) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// apply returns what follows from an edit.
func (s *Spaces) apply(e *Edit) (*Spaces, error) {
	changes := len(e.NewSpaces) + len(e.DroppedSpaces)
	if changes == 0 {
		return s, nil
	}
	next := &Spaces{last: s.Last(), count: s.Len()}
	if s != nil {
		next.ids, next.names = s.ids, s.names
	}
	next.ids, next.names = next.ids.changing(changes), next.names.changing(changes)
	for _, n := range e.NewSpaces {
		if err := next.add(n); err != nil {
			return nil, err
		}
	}
	for _, id := range e.DroppedSpaces {
		if err := next.drop(id); err != nil {
			return nil, err
		}
	}
	return next, nil
}

func (s *Spaces) add(n NamedSpace) error {
	if n.ID <= s.last {
		return corrupt.Errorf("version edit", "adds keyspace %d, but %d was given before", n.ID, s.last)
	}
	if id, ok := s.ids.get(n.Name); ok {
		return corrupt.Errorf("version edit", "adds keyspace %d, %q, which is the name of keyspace %d", n.ID, n.Name, id)
	}
	s.ids.set(n.Name, n.ID)
	s.names.set(n.ID, n.Name)
	s.last = n.ID
	s.count++
	return nil
}

// drop forgets a keyspace. One behind all others was given and dropped before the manifest began.
func (s *Spaces) drop(id key.Space) error {
	if id > s.last {
		s.last = id
		return nil
	}
	name, ok := s.names.get(id)
	if !ok {
		return corrupt.Errorf("version edit", "drops keyspace %d, which is not there", id)
	}
	s.ids.remove(name)
	s.names.remove(id)
	s.count--
	return nil
}

// AddTo adds to an edit what makes the keyspaces from none.
func (s *Spaces) AddTo(e *Edit) {
	e.NewSpaces = s.All()
	slices.SortFunc(e.NewSpaces, func(a, b NamedSpace) int { return cmp.Compare(a.ID, b.ID) })
	if n := len(e.NewSpaces); s.Last() > 0 && (n == 0 || e.NewSpaces[n-1].ID != s.last) {
		e.DroppedSpaces = []key.Space{s.last}
	}
}

// Given tells whether a stored key belongs to a keyspace that there is, or was.
func (s *Spaces) Given(stored []byte) bool {
	if len(stored) > 0 && stored[0] == 0 {
		return true
	}
	space, _, ok := key.SplitStored(stored)
	return ok && space <= s.Last()
}

// check sees that no table holds keys of a keyspace that was never given.
func (s *Spaces) check(v *Version) error {
	for _, tables := range v.Levels {
		for _, t := range tables {
			if !s.Given(t.Smallest.Stored) || t.Largest.Trailer != key.MaxTrailer && !s.Given(t.Largest.Stored) {
				return corrupt.Errorf("version", "table %d reaches from %v to %v, but %d keyspaces were ever made", t.Num, t.Smallest, t.Largest, s.Last())
			}
		}
	}
	return nil
}

// layered is a map of which changed copies are cheap: they share all but the latest changes.
type layered[K comparable, V any] struct {
	base   map[K]V
	recent map[K]latest[V] // over base
}

type latest[V any] struct {
	v    V
	gone bool
}

// maxRecent is how many changes are copied rather than made part of a new base.
const maxRecent = 64

func (l *layered[K, V]) get(k K) (v V, ok bool) {
	if len(l.recent) > 0 {
		if c, ok := l.recent[k]; ok {
			return c.v, !c.gone
		}
	}
	v, ok = l.base[k]
	return v, ok
}

// changing returns a copy with room for changes by set and remove.
func (l *layered[K, V]) changing(n int) layered[K, V] {
	if len(l.recent)+n <= maxRecent {
		next := layered[K, V]{base: l.base, recent: make(map[K]latest[V], len(l.recent)+n)}
		maps.Copy(next.recent, l.recent)
		return next
	}
	return layered[K, V]{base: maps.Collect(l.all()), recent: make(map[K]latest[V], n)}
}

func (l *layered[K, V]) set(k K, v V) { l.recent[k] = latest[V]{v: v} }

func (l *layered[K, V]) remove(k K) { l.recent[k] = latest[V]{gone: true} }

func (l *layered[K, V]) all() func(yield func(K, V) bool) {
	return func(yield func(K, V) bool) {
		for k, v := range l.base {
			if _, changed := l.recent[k]; !changed && !yield(k, v) {
				return
			}
		}
		for k, c := range l.recent {
			if !c.gone && !yield(k, c.v) {
				return
			}
		}
	}
}
