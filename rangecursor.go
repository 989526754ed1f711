package tinykv

import (
	"bytes"
	"sort"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// jumpAfter is how many entries that do not count an iterator passes one by one, keys under one range tombstone or
// older entries of one key, before it seeks to the end of them: a seek costs about as much as so many steps.
const jumpAfter = 8

// rangeCursor tells an iterator which keys the range tombstones of one part of the state delete: of a
// list of a memtable, of a table of level 0, or of a level. It remembers its last answer together
// with the stretch of keys that it holds for, so that going over a range costs one or two comparisons
// a key, and a search where a tombstone begins or ends.
type rangeCursor struct {
	list   rangedel.List
	tables []*table // where the list is that of the table that has the key; list is nil then

	own bool // the tombstones are those of a transaction that are not committed

	// older is the first source of the iterator that this part's tombstones may delete from.
	older int

	// The last answer: the newest visible tombstone, 0 for none, on all stored keys from lower up to,
	// but without, upper. A nil upper has no bound; lower is nil before the first answer.
	lower, upper []byte
	newest       key.SeqNum
}

// deleted returns the newest tombstone on a stored key that a reader at seq sees; 0 when there is
// none.
func (c *rangeCursor) deleted(stored []byte, seq key.SeqNum) (key.SeqNum, error) {
	if c.lower != nil && bytes.Compare(c.lower, stored) <= 0 && (c.upper == nil || bytes.Compare(stored, c.upper) < 0) {
		return c.newest, nil
	}
	list, end, err := c.at(stored)
	if err != nil {
		return 0, err
	}
	i := list.Search(stored)
	c.newest, c.upper = 0, end
	if i > 0 {
		c.lower = list[i-1].Upper
	} else {
		c.lower = stored
	}
	if i == len(list) {
		return 0, nil
	}
	if c.upper = list[i].Lower; bytes.Compare(c.upper, stored) <= 0 {
		c.lower, c.upper, c.newest = list[i].Lower, list[i].Upper, list[i].Newest(seq)
	}
	return c.newest, nil
}

// at returns the list that may have a tombstone on a stored key, and where the next list begins; nil
// when there is none.
func (c *rangeCursor) at(stored []byte) (list rangedel.List, end []byte, err error) {
	if c.tables == nil {
		return c.list, nil, nil
	}
	i := sort.Search(len(c.tables), func(i int) bool { return !c.tables[i].meta.EndsBefore(stored) })
	if i == len(c.tables) {
		return nil, nil, nil
	}
	if list, err = c.tables[i].rangeDeletes(); err != nil {
		return nil, nil, err
	}
	if i+1 < len(c.tables) {
		end = c.tables[i+1].meta.Smallest.Stored
	}
	return list, end, nil
}

// addRanges adds a cursor over a list that has tombstones in the range of the iterator.
func (c *cursor) addRanges(l rangedel.List) {
	if n := len(l); n > 0 && bytes.Compare(l[0].Lower, c.upper) < 0 && bytes.Compare(l[n-1].Upper, c.lower) > 0 {
		c.ranges = append(c.ranges, rangeCursor{list: l, older: len(c.sources)})
	}
}

// addLevelRanges adds a cursor over the tombstones of some tables of a level, which are opened when
// they are needed.
func (c *cursor) addLevelRanges(l *level, tables []*table) {
	if !l.rangeDeletes {
		return
	}
	var with []*table
	for _, t := range tables {
		if t.meta.RangeDeletes > 0 {
			with = append(with, t)
		}
	}
	if with != nil {
		c.ranges = append(c.ranges, rangeCursor{tables: with, older: len(c.sources)})
	}
}

// deleted returns the cursor whose tombstone on a stored key is the newest that a reader at seq sees,
// or nil.
func (c *cursor) deleted(stored []byte, seq key.SeqNum) (*rangeCursor, error) {
	var found *rangeCursor
	for i := range c.ranges {
		r := &c.ranges[i]
		at := seq
		if r.own {
			at = c.ownSeq
		}
		newest, err := r.deleted(stored, at)
		if err != nil {
			return nil, err
		}
		if newest > 0 && (found == nil || newest > found.newest) {
			found = r
		}
	}
	return found, nil
}
