package enginetest

import (
	"bytes"
	"context"
	"errors"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv"
)

// store is what can be read.
type store interface {
	tinykvReader
	Scanner
}

type tinykvReader interface {
	Get(k []byte) ([]byte, error)
	GetTo(dst, k []byte) ([]byte, error)
	Peek(k []byte, fn func([]byte) error) error
	PeekItem(k []byte, fn func(tinykv.Item) error) error
	Has(k []byte) (bool, error)
	GetMulti(keys ...[]byte) ([][]byte, error)
	NewIter(r tinykv.Range) (*tinykv.Iterator, error)
	Count(ctx context.Context, r tinykv.Range) (uint64, error)
}

// getFrom reads a key in every way.
func (h *History) getFrom(s store, m *Model) {
	h.getKey(s, m)
	h.getTo(s, m)
	h.peek(s, m)
	h.peekItem(s, m)
	h.has(s, m)
}

func (h *History) getKey(s store, m *Model) {
	k := h.Key()
	want, found := m.Get(string(k))
	v, err := s.Get(k)
	if !found {
		if !errors.Is(err, tinykv.ErrNotFound) || v != nil {
			h.Errorf("%s: Get(%.40q) = %.40q, %v, want none", h.last, k, v, err)
		}
	} else if err != nil || string(v) != want || v == nil {
		h.Errorf("%s: Get(%.40q) = %.40q, %v, want %.40q", h.last, k, v, err, want)
	}
	h.note("%.40q %x", k, xxhash.Sum64(v))
}

func (h *History) getTo(s store, m *Model) {
	k := h.Key()
	want, found := m.Get(string(k))
	v, err := s.GetTo([]byte("dst"), k)
	if string(v) != "dst"+want || found != (err == nil) {
		h.Errorf("%s: GetTo(%.40q) = %.40q, %v", h.last, k, v, err)
	}
}

func (h *History) peek(s store, m *Model) {
	k := h.Key()
	want, found := m.Get(string(k))
	peeked := false
	err := s.Peek(k, func(v []byte) error {
		peeked = string(v) == want
		return nil
	})
	if peeked != found || found != (err == nil) {
		h.Errorf("%s: Peek(%.40q): %v, %v", h.last, k, peeked, err)
	}
}

// peekItem holds what PeekItem has of a key against what Scan has, apart from the model.
func (h *History) peekItem(s store, m *Model) {
	k := h.Key()
	want, found := m.Get(string(k))
	var got tinykv.Item
	err := s.PeekItem(k, func(it tinykv.Item) error {
		it.Value = bytes.Clone(it.Value)
		got = it
		return nil
	})
	if found != (err == nil) || string(got.Value) != want {
		h.Errorf("%s: PeekItem(%.40q) = %.40q, %v", h.last, k, got.Value, err)
	}
	for it, err := range s.Scan(tinykv.Between(k, append(bytes.Clone(k), 0))) {
		if err != nil || !found || it.Seq != got.Seq || !it.ExpiresAt.Equal(got.ExpiresAt) {
			h.Errorf("%s: PeekItem(%.40q) = %+v, Scan has %+v, %v", h.last, k, got, it, err)
		}
	}
}

func (h *History) has(s store, m *Model) {
	k := h.Key()
	_, found := m.Get(string(k))
	if has, err := s.Has(k); has != found || err != nil {
		h.Errorf("%s: Has(%.40q) = %v, %v", h.last, k, has, err)
	}
}

// getMultiFrom reads several keys at once, some of them twice.
func (h *History) getMultiFrom(s store, m *Model) {
	keys := make([][]byte, h.IntN(30))
	for i := range keys {
		keys[i] = h.Key()
		if i > 0 && h.OneIn(10) {
			keys[i] = keys[h.IntN(i)]
		}
	}
	values, err := s.GetMulti(keys...)
	h.must(err)
	if len(values) != len(keys) {
		h.Fatalf("%s: %d values for %d keys", h.last, len(values), len(keys))
	}
	for i, k := range keys {
		want, found := m.Get(string(k))
		if (values[i] != nil) != found || string(values[i]) != want {
			h.Errorf("%s: %.40q: %.40q, want %.40q, %v", h.last, k, values[i], want, found)
		}
		h.note("%.40q %x", k, xxhash.Sum64(values[i]))
	}
}
