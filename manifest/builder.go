package manifest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tinykv/tinykv/internal/corrupt"
)

// builder applies the edits of a whole manifest. It makes one version at the end, whose invariants are checked then:
// to make one after each edit would take the square of their number, and the files of a store may be anybody's.
type builder struct {
	state  *State // all but the version
	tables map[FileNum]AddedTable
}

// apply does what State.Apply does.
func (b *builder) apply(e *Edit) error {
	for _, d := range e.Deleted {
		if t, ok := b.tables[d.Num]; !ok || t.Level != d.Level {
			return notThere(d)
		}
		delete(b.tables, d.Num)
	}
	for _, a := range e.Added {
		if _, ok := b.tables[a.Table.Num]; ok {
			return corrupt.Errorf("version edit", "adds table %d, which is there", a.Table.Num)
		}
		b.tables[a.Table.Num] = a
	}
	return b.state.take(e)
}

// version returns the version that all edits led to.
func (b *builder) version() (*Version, error) {
	v := &Version{}
	for _, num := range slices.SortedFunc(maps.Keys(b.tables), cmp.Compare) {
		a := b.tables[num]
		v.Levels[a.Level] = append(v.Levels[a.Level], a.Table)
	}
	for level, tables := range v.Levels {
		v.Levels[level] = sortLevel(Level(level), tables, nil)
	}
	if err := cmp.Or(v.Check(), b.state.Spaces.check(v)); err != nil {
		return nil, err
	}
	return v, nil
}
