package compaction

import (
	"bytes"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Span is a range of stored keys, Lower included and Upper not; nil is unbounded.
type Span struct {
	Lower, Upper []byte
}

// Split divides the keys of a plan into at most n spans of about equal work, to be merged at the same
// time: tables of level 0 may all overlap each other, so that nothing but one plan can take them. The
// spans meet where tables of the output level do. The outputs of all spans make one edit.
func Split(p *Plan, n int) []Span {
	spans := []Span{{}}
	total, done := totalBytes(p.Lower), int64(0)
	for i, t := range p.Lower {
		if i > 0 && len(spans) < n && done*int64(n) >= total*int64(len(spans)) {
			spans[len(spans)-1].Upper = t.Smallest.Stored
			spans = append(spans, Span{Lower: t.Smallest.Stored})
		}
		done += t.Size
	}
	return spans
}

// of returns the tables that meet the span.
func (s Span) of(tables []*manifest.Table) []*manifest.Table {
	var found []*manifest.Table
	for _, t := range tables {
		if s.meets(t) {
			found = append(found, t)
		}
	}
	return found
}

func (s Span) meets(t *manifest.Table) bool {
	return (s.Lower == nil || !t.EndsBefore(s.Lower)) &&
		(s.Upper == nil || bytes.Compare(t.Smallest.Stored, s.Upper) < 0)
}

// spanned is an iterator over the entries of a span, for going forward once.
type spanned struct {
	iterator.Iterator
	span Span
}

// within returns the part of an iterator that lies in a span, to be read from First on by Next.
func within(it iterator.Iterator, span Span) iterator.Iterator {
	if span.Lower == nil && span.Upper == nil {
		return it
	}
	return &spanned{Iterator: it, span: span}
}

// First implements iterator.Iterator.
func (s *spanned) First() *iterator.KV {
	if s.span.Lower == nil {
		return s.clip(s.Iterator.First())
	}
	return s.clip(s.SeekGE(s.span.Lower, key.MaxTrailer))
}

// Next implements iterator.Iterator.
func (s *spanned) Next() *iterator.KV { return s.clip(s.Iterator.Next()) }

func (s *spanned) clip(kv *iterator.KV) *iterator.KV {
	if kv != nil && s.span.Upper != nil && bytes.Compare(kv.Stored, s.span.Upper) >= 0 {
		return nil
	}
	return kv
}
