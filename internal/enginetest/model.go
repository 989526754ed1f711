package enginetest

import (
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
)

// Model is the plainest possible store: a sorted slice. Get, Put and Delete do what those of a store
// do.
type Model struct {
	entries []Entry
	buckets map[string]*Model
	now     int64 // see Step
}

// Entry is a key with its value.
type Entry struct {
	Key, Value string
	Expiry     int64 // in Unix nanoseconds; 0 for none
}

func (m *Model) find(key string) (int, bool) {
	return slices.BinarySearchFunc(m.entries, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
}

// Get returns the value of a key, and whether it has one.
func (m *Model) Get(key string) (string, bool) {
	i, ok := m.find(key)
	if !ok {
		return "", false
	}
	return m.entries[i].Value, true
}

// Put sets the value of a key.
func (m *Model) Put(key, value string) {
	i, ok := m.find(key)
	if ok {
		m.entries[i] = Entry{key, value, 0}
		return
	}
	m.entries = slices.Insert(m.entries, i, Entry{key, value, 0})
}

// Delete removes a key.
func (m *Model) Delete(key string) {
	if i, ok := m.find(key); ok {
		m.entries = slices.Delete(m.entries, i, i+1)
	}
}

// DeleteRange removes the keys of a range.
func (m *Model) DeleteRange(r tinykv.Range) {
	m.entries = slices.DeleteFunc(m.entries, func(e Entry) bool {
		return (r.Lower == nil || e.Key >= string(r.Lower)) && (r.Upper == nil || e.Key < string(r.Upper))
	})
}

// Apply carries out the operations of a batch.
func (m *Model) Apply(b *tinykv.Batch) {
	all := m
	for op := range b.Ops() {
		m := all.part(op.Bucket)
		m.now = all.now
		if op.Range {
			m.DeleteRange(tinykv.Range{Lower: op.Key, Upper: op.Upper})
		} else if op.Delete {
			m.Delete(string(op.Key))
		} else if op.Merge {
			m.Merge(string(op.Key), string(op.Value))
		} else if !op.ExpiresAt.IsZero() {
			m.PutUntil(string(op.Key), string(op.Value), op.ExpiresAt.UnixNano())
		} else {
			m.Put(string(op.Key), string(op.Value))
		}
	}
}

// Clone returns a copy.
func (m *Model) Clone() *Model {
	c := &Model{entries: slices.Clone(m.entries), now: m.now}
	for name, b := range m.buckets {
		c.part(name).entries = slices.Clone(b.entries)
	}
	return c
}

// Entries returns the entries of a range, in order.
func (m *Model) Entries(r tinykv.Range) []Entry {
	return slices.DeleteFunc(slices.Clone(m.entries), func(e Entry) bool {
		return r.Lower != nil && e.Key < string(r.Lower) || r.Upper != nil && e.Key >= string(r.Upper)
	})
}

// scan returns the entries that a scan with some options yields.
func (m *Model) scan(r tinykv.Range, opts []tinykv.ScanOption) []Entry {
	entries := m.Entries(r)
	limit := len(entries)
	for _, opt := range opts {
		switch opt {
		case tinykv.Reverse:
			slices.Reverse(entries)
		case tinykv.KeysOnly:
			for i := range entries {
				entries[i].Value = ""
			}
		default:
			limit = min(limit, int(opt))
		}
	}
	return entries[:limit]
}

// Cursor is what an Iterator is to a store.
type Cursor struct {
	entries []Entry
	at      int // from -1, before the first, to len(entries), behind the last
	nowhere bool
}

// NewCursor returns a cursor over a range of the model as it is now.
func (m *Model) NewCursor(r tinykv.Range) *Cursor {
	return &Cursor{entries: m.Entries(r), nowhere: true}
}

func (c *Cursor) moveTo(i int) bool {
	c.at, c.nowhere = min(max(i, -1), len(c.entries)), false
	return c.Valid()
}

// Valid tells whether the cursor stands at an entry.
func (c *Cursor) Valid() bool { return !c.nowhere && c.at >= 0 && c.at < len(c.entries) }

// Entry returns the entry that it stands at.
func (c *Cursor) Entry() Entry { return c.entries[c.at] }

// First moves to the first entry.
func (c *Cursor) First() bool { return c.moveTo(0) }

// Last moves to the last entry.
func (c *Cursor) Last() bool { return c.moveTo(len(c.entries) - 1) }

// SeekGE moves to the first entry at or behind a key.
func (c *Cursor) SeekGE(key string) bool { return c.moveTo(c.search(key)) }

// SeekLT moves to the last entry before a key.
func (c *Cursor) SeekLT(key string) bool { return c.moveTo(c.search(key) - 1) }

func (c *Cursor) search(key string) int {
	i, _ := slices.BinarySearchFunc(c.entries, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
	return i
}

// Next moves to the next entry, from nowhere to the first.
func (c *Cursor) Next() bool {
	if c.nowhere {
		return c.First()
	}
	return c.moveTo(c.at + 1)
}

// Prev moves to the previous entry, from nowhere to the last.
func (c *Cursor) Prev() bool {
	if c.nowhere {
		return c.Last()
	}
	return c.moveTo(c.at - 1)
}
