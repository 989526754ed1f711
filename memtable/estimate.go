package memtable

import "github.com/tinykv/tinykv/internal/key"

// estimateNodes is how many nodes an estimate is drawn from, if there are as many.
const estimateNodes = 64

// EstimateSize returns about how many bytes the stored keys from lower up to, but without, upper and
// their values have. It is exact for few entries. For many it looks at those that reach a higher
// level of the list, which is one in four per level whatever their keys.
func (t *Table) EstimateSize(lower, upper []byte) int64 {
	from, to := t.target(lower, key.MaxTrailer), t.target(upper, key.MaxTrailer)
	for level := int(t.height.Load()) - 1; ; level-- {
		if nodes, size := t.sum(level, &from, &to); nodes >= estimateNodes || level == 0 {
			return size << (2 * level)
		}
	}
}

// sum goes along one level and returns how many nodes lie from one target up to another, and the
// length of their keys and values.
func (t *Table) sum(level int, from, to *target) (nodes int, size int64) {
	node := t.head
	for l := int(t.height.Load()) - 1; l >= level; l-- {
		node, _ = t.walk(node, l, from, 0)
	}
	for node = t.next(node, level); node != 0 && t.before(node, to); node = t.next(node, level) {
		entry := t.entry(node)
		nodes++
		size += int64(len(t.storedKey(entry)) + len(t.value(entry)))
	}
	return nodes, size
}
