package enginetest

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv"
)

// Scanner is what can be scanned.
type Scanner interface {
	Scan(r tinykv.Range, opts ...tinykv.ScanOption) iter.Seq2[tinykv.Item, error]
}

func (h *History) scan() { h.scanFrom(h.db, h.model) }

// scanFrom scans a random range in a random way.
func (h *History) scanFrom(s Scanner, m *Model) {
	r := h.Range()
	want := m.Entries(r)
	var opts []tinykv.ScanOption
	if h.OneIn(2) {
		opts = append(opts, tinykv.Reverse)
		slices.Reverse(want)
	}
	keysOnly := h.OneIn(3)
	if keysOnly {
		opts = append(opts, tinykv.KeysOnly)
	}
	if h.OneIn(2) {
		n := h.IntN(10)
		opts = append(opts, tinykv.Limit(n))
		want = want[:min(n, len(want))]
	}
	inverted := r.Lower != nil && r.Upper != nil && string(r.Lower) > string(r.Upper)
	got, err := Collect(s.Scan(r, opts...))
	if inverted {
		if !errors.Is(err, tinykv.ErrInvalidRange) {
			h.Errorf("%s: inverted range: %v", h.last, err)
		}
		return
	}
	h.must(err)
	if keysOnly {
		want = slices.Clone(want)
		for i := range want {
			want[i].Value = ""
		}
	}
	h.sameEntries(got, want)
}

// countIn counts the keys of a random range.
func (h *History) countIn(s store, m *Model) {
	r := h.Range()
	n, err := s.Count(context.Background(), r)
	if errors.Is(err, tinykv.ErrInvalidRange) {
		return
	}
	h.must(err)
	h.same("keys", n, uint64(len(m.Entries(r))))
}

func (h *History) scanAll(s Scanner, m *Model) {
	got, err := Collect(s.Scan(tinykv.All()))
	h.must(err)
	h.sameEntries(got, m.Entries(tinykv.All()))
}

func (h *History) sameEntries(got, want []Entry) {
	h.Helper()
	if !slices.Equal(got, want) {
		h.Errorf("%s: %d entries, want %d: first difference at %d", h.last, len(got), len(want), firstDifference(got, want))
	}
	var d xxhash.Digest
	for _, e := range got {
		_, _ = d.WriteString(e.Key)
		_, _ = d.WriteString(e.Value)
	}
	h.note("%d entries %x", len(got), d.Sum64())
}

func firstDifference(a, b []Entry) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Collect returns the items of a scan, as entries, and its failure.
func Collect(items iter.Seq2[tinykv.Item, error]) ([]Entry, error) {
	var got []Entry
	for item, err := range items {
		if err != nil {
			return got, err
		}
		got = append(got, Entry{string(item.Key), string(item.Value)})
	}
	return got, nil
}

func (h *History) newIter() {
	if len(h.iters) == maxOpen {
		return
	}
	r := h.Range()
	var s store = h.db
	m := h.model
	if len(h.snaps) > 0 && h.OneIn(2) {
		past := h.snaps[h.IntN(len(h.snaps))]
		s, m = past.snapshot, past.model
	}
	it, err := s.NewIter(r)
	if errors.Is(err, tinykv.ErrInvalidRange) {
		return
	}
	h.must(err)
	h.iters = append(h.iters, &pastCursor{it, m.NewCursor(r)})
	clear(r.Lower) // bounds are copied
	clear(r.Upper)
}

// moveIter moves an iterator, most often by one.
func (h *History) moveIter() {
	if len(h.iters) == 0 {
		return
	}
	p := h.iters[h.IntN(len(h.iters))]
	var got, want bool
	switch h.IntN(12) {
	case 0:
		got, want = p.iter.First(), p.cursor.First()
	case 1:
		got, want = p.iter.Last(), p.cursor.Last()
	case 2:
		k := h.Key()
		got, want = p.iter.SeekGE(k), p.cursor.SeekGE(string(k))
	case 3:
		k := h.Key()
		got, want = p.iter.SeekLT(k), p.cursor.SeekLT(string(k))
	case 4, 5, 6:
		got, want = p.iter.Prev(), p.cursor.Prev()
	default:
		got, want = p.iter.Next(), p.cursor.Next()
	}
	h.must(p.iter.Err())
	h.same("moved", got, want)
	h.same("valid", p.iter.Valid(), want)
	if !want {
		h.same("key", p.iter.Key() == nil && p.iter.Value() == nil, true)
		return
	}
	e := p.cursor.Entry()
	h.same("key", string(p.iter.Key()), e.Key)
	h.same("value", string(p.iter.Value()), e.Value)
}

func (h *History) closeIter() {
	if len(h.iters) == 0 {
		return
	}
	i := h.IntN(len(h.iters))
	h.checkClosed(h.closed(h.iters[i].iter))
	h.iters = append(h.iters[:i], h.iters[i+1:]...)
}

func (h *History) closed(it *tinykv.Iterator) *tinykv.Iterator {
	h.must(it.Close())
	return it
}
