package tinykv

import (
	"bytes"
	"sort"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/blockcache"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// tree is a manifest.Version with its tables at hand, made for being searched. It is immutable.
type tree struct {
	refs    atomic.Int64
	version *manifest.Version
	levels  [manifest.NumLevels]*level

	// cache is held open for whoever reads the tables.
	cache        *blockcache.Cache
	rangeDeletes bool // some table has range tombstones
}

// newTree returns the tree for a version, without references yet. It shares with old, which may be
// nil, the levels that did not change. handle returns the table for its description.
func newTree(v *manifest.Version, old *tree, handle func(*manifest.Table) *table, cache *blockcache.Cache) *tree {
	cache.Ref()
	tr := &tree{version: v, cache: cache}
	for i, metas := range v.Levels {
		if old != nil && sameTables(metas, old.version.Levels[i]) {
			tr.levels[i] = old.levels[i]
		} else {
			tr.levels[i] = newLevel(metas, handle)
		}
		tr.levels[i].refs.Add(1)
		tr.rangeDeletes = tr.rangeDeletes || tr.levels[i].rangeDeletes
	}
	return tr
}

func sameTables(a, b []*manifest.Table) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func (tr *tree) unref() {
	if tr.refs.Add(-1) > 0 {
		return
	}
	for _, l := range tr.levels {
		l.unref()
	}
	tr.cache.Unref()
}

// level is one level of a tree. Level 0 is ordered newest first and looked through; in the others
// the one table that may hold a key is searched for.
type level struct {
	refs   atomic.Int64
	tables []*table

	rangeDeletes bool // some table has range tombstones

	// For searching: the least and greatest key share the prefix, and heads are those of the
	// tables' largest keys behind it.
	prefix []byte
	heads  []uint64
}

func newLevel(metas []*manifest.Table, handle func(*manifest.Table) *table) *level {
	l := &level{}
	for _, m := range metas {
		t := handle(m)
		t.refs.Add(1)
		l.tables = append(l.tables, t)
		l.rangeDeletes = l.rangeDeletes || m.RangeDeletes > 0
	}
	if n := len(metas); n > 0 {
		least := metas[0].Smallest.Stored
		l.prefix = least[:key.CommonPrefix(least, metas[n-1].Largest.Stored)]
		for _, m := range metas {
			l.heads = append(l.heads, key.Head(m.Largest.Stored, len(l.prefix)))
		}
	}
	return l
}

func (l *level) unref() {
	if l.refs.Add(-1) > 0 {
		return
	}
	for _, t := range l.tables {
		t.unref()
	}
}

// find returns the table of a level below 0 whose bounds include the stored key, or nil.
func (l *level) find(stored []byte) *table {
	if !bytes.HasPrefix(stored, l.prefix) {
		return nil
	}
	head := key.Head(stored, len(l.prefix))
	i, hi := 0, len(l.heads)
	for i < hi {
		if mid := int(uint(i+hi) / 2); l.heads[mid] < head {
			i = mid + 1
		} else {
			hi = mid
		}
	}
	for i < len(l.heads) && l.heads[i] == head && l.tables[i].meta.EndsBefore(stored) {
		i++
	}
	if i == len(l.heads) || bytes.Compare(l.tables[i].meta.Smallest.Stored, stored) > 0 {
		return nil
	}
	return l.tables[i]
}

// overlapping returns the tables of a level below 0 that may hold keys from lower up to, but without,
// upper.
func (l *level) overlapping(lower, upper []byte) []*table {
	from := sort.Search(len(l.tables), func(i int) bool {
		return !l.tables[i].meta.EndsBefore(lower)
	})
	to := sort.Search(len(l.tables), func(i int) bool {
		return bytes.Compare(l.tables[i].meta.Smallest.Stored, upper) >= 0
	})
	return l.tables[from:max(from, to)]
}
