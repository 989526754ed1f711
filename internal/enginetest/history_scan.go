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

// scanning returns what scans a random range with some options.
func scanning(opts ...tinykv.ScanOption) func(h *History, s store, m *Model) {
	return func(h *History, s store, m *Model) { h.scanFrom(s, m, opts) }
}

func (h *History) scanFrom(s Scanner, m *Model, opts []tinykv.ScanOption) {
	r := h.Range()
	inverted := r.Lower != nil && r.Upper != nil && string(r.Lower) > string(r.Upper)
	got, err := Collect(s.Scan(r, opts...))
	if inverted {
		if !errors.Is(err, tinykv.ErrInvalidRange) {
			h.Errorf("%s: inverted range: %v", h.last, err)
		}
		return
	}
	h.must(err)
	h.sameEntries(got, m.scan(r, opts))
}

// breakOff stops in the middle of a scan.
func (h *History) breakOff() {
	n := h.IntN(5)
	var got []Entry
	for item, err := range h.db.Scan(tinykv.All()) {
		h.must(err)
		if len(got) == n {
			break
		}
		got = append(got, entryOf(item))
	}
	want := h.model.Entries(tinykv.All())
	h.sameEntries(got, want[:min(n, len(want))])
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
		got = append(got, entryOf(item))
	}
	return got, nil
}

func (h *History) newIterOf(s store, m *Model) {
	r := h.Range()
	if len(h.iters) == maxOpen {
		return
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

// moving returns an operation that moves one of the iterators, and its twin.
func moving(move func(h *History, p *pastCursor) (got, want bool)) func(*History) {
	return func(h *History) {
		if len(h.iters) == 0 {
			return
		}
		p := h.iters[h.IntN(len(h.iters))]
		got, want := move(h, p)
		h.stands(p, got, want)
	}
}

func (h *History) seekGE(p *pastCursor) (got, want bool) {
	k := h.Key()
	return p.iter.SeekGE(k), p.cursor.SeekGE(string(k))
}

func (h *History) seekLT(p *pastCursor) (got, want bool) {
	k := h.Key()
	return p.iter.SeekLT(k), p.cursor.SeekLT(string(k))
}

// walk moves an iterator many times, and now and then back.
func (h *History) walk() {
	if len(h.iters) == 0 {
		return
	}
	p := h.iters[h.IntN(len(h.iters))]
	forward := h.OneIn(2)
	for range 30 {
		if forward != h.OneIn(8) {
			h.stands(p, p.iter.Next(), p.cursor.Next())
		} else {
			h.stands(p, p.iter.Prev(), p.cursor.Prev())
		}
	}
}

// stands compares an iterator that was moved with its twin.
func (h *History) stands(p *pastCursor, got, want bool) {
	h.Helper()
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
