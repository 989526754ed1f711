// Package rangedel holds range tombstones: "everything from lower up to, but without, upper is absent
// from sequence number s on".
//
// Tombstones overlap as their writers please. A [List] holds them cut into fragments that do not:
// each [Span] is a stretch of keys on which the same tombstones lie (RocksDB's and Pebble's way; see
// "DeleteRange: A New Native RocksDB Operation", 2018). So the ones over a key are found by one
// binary search. For example
//
//	[a, m)#5  and  [f, z)#9   are   [a, f)#5  [f, m)#9,5  [m, z)#9
//
// Where n tombstones all lie on each other, their fragments hold up to n times n sequence numbers. So
// whoever knows that no reader tells some of them apart says so by [Keep], at every step of a merge.
//
// A List is immutable; any number of goroutines may use it.
package rangedel

import (
	"bytes"
	"slices"
	"sort"

	"github.com/tinykv/tinykv/internal/key"
)

// Span is a stretch of stored keys, from Lower up to, but without, Upper, with the sequence numbers
// of the tombstones on it.
type Span struct {
	Lower, Upper []byte
	Seqs         []key.SeqNum // newest first, none twice, at least one
}

// Newest returns the newest tombstone that a reader at a sequence number sees; 0 when there is none.
func (s *Span) Newest(at key.SeqNum) key.SeqNum {
	if s.Seqs[0] <= at { // by far the most common case
		return s.Seqs[0]
	}
	i := sort.Search(len(s.Seqs), func(i int) bool { return s.Seqs[i] <= at })
	if i == len(s.Seqs) {
		return 0
	}
	return s.Seqs[i]
}

// Contains tells whether a stored key lies within the span.
func (s *Span) Contains(stored []byte) bool {
	return bytes.Compare(s.Lower, stored) <= 0 && bytes.Compare(stored, s.Upper) < 0
}

// List is spans in the order of keys; no two of them share a key.
type List []Span

// Search returns the index of the first span that ends behind a stored key: the one that contains it,
// if any does, or else the next.
func (l List) Search(stored []byte) int {
	return sort.Search(len(l), func(i int) bool { return bytes.Compare(l[i].Upper, stored) > 0 })
}

// Newest returns the newest tombstone on a stored key that a reader at a sequence number sees; 0 when
// there is none.
func (l List) Newest(stored []byte, at key.SeqNum) key.SeqNum {
	i := l.Search(stored)
	if i == len(l) || bytes.Compare(l[i].Lower, stored) > 0 {
		return 0
	}
	return l[i].Newest(at)
}

// Truncate returns the part of the list from lower up to, but without, upper; nil is unbounded. It
// shares memory with the list.
func (l List) Truncate(lower, upper []byte) List {
	from, to := 0, len(l)
	if lower != nil {
		from = l.Search(lower)
	}
	if upper != nil {
		to = sort.Search(len(l), func(i int) bool { return bytes.Compare(l[i].Lower, upper) >= 0 })
	}
	if from >= to {
		return nil
	}
	cutLower := lower != nil && bytes.Compare(l[from].Lower, lower) < 0
	cutUpper := upper != nil && bytes.Compare(l[to-1].Upper, upper) > 0
	if !cutLower && !cutUpper {
		return l[from:to:to]
	}
	part := slices.Clone(l[from:to])
	if cutLower {
		part[0].Lower = lower
	}
	if cutUpper {
		part[len(part)-1].Upper = upper
	}
	return part
}

// Thin returns the list with the sequence numbers that keep accepts. keep may reorder nothing; spans
// of which nothing is left are gone, and neighbours that became alike are joined.
func (l List) Thin(keep func(s *Span) []key.SeqNum) List {
	var out List
	for i := range l {
		out = out.add(l[i].Lower, l[i].Upper, keep(&l[i]))
	}
	return out
}

// add appends a span, or lets the last one grow when it is the same but for its bounds.
func (l List) add(lower, upper []byte, seqs []key.SeqNum) List {
	if len(seqs) == 0 {
		return l
	}
	if n := len(l); n > 0 && bytes.Equal(l[n-1].Upper, lower) && slices.Equal(l[n-1].Seqs, seqs) {
		l[n-1].Upper = upper
		return l
	}
	return append(l, Span{Lower: lower, Upper: upper, Seqs: seqs})
}

// spanBytes and seqBytes are what a span and a sequence number take in memory.
const (
	spanBytes = 72
	seqBytes  = 8
)

// Bytes returns what the list takes in memory, but for the bounds.
func (l List) Bytes() int {
	n := len(l) * spanBytes
	for i := range l {
		n += len(l[i].Seqs) * seqBytes
	}
	return n
}

// MergedBytes bounds what the union of two lists takes in memory, without making it.
func MergedBytes(a, b List) int {
	return 2 * (len(a) + len(b)) * (spanBytes + (a.depth()+b.depth())*seqBytes)
}

// depth returns the greatest number of tombstones on a span.
func (l List) depth() (depth int) {
	for i := range l {
		depth = max(depth, len(l[i].Seqs))
	}
	return depth
}

// Keep returns those of the sequence numbers of a span, newest first, that matter, at least one of them
// and in the same order. It does not write to its argument, and to keep all it returns that. Seeing
// more of the span's sequence numbers must not make it keep one that it dropped before.
type Keep func(seqs []key.SeqNum) []key.SeqNum

// KeepAll is for tombstones that any reader may tell apart.
func KeepAll(seqs []key.SeqNum) []key.SeqNum { return seqs }

// KeepNewest is for tombstones of which a reader sees all or none.
func KeepNewest(seqs []key.SeqNum) []key.SeqNum { return seqs[:1:1] }

// Cut returns the list of some tombstones, each a span of its own, in any order. It shares the bounds with
// them.
func Cut(keep Keep, tombstones []Span) List {
	if len(tombstones) <= 1 {
		return List(tombstones)
	}
	half := len(tombstones) / 2
	return merge2(keep, Cut(keep, tombstones[:half:half]), Cut(keep, tombstones[half:]))
}

// Merge returns the union of lists, which it shares the bounds with.
func Merge(keep Keep, lists ...List) List {
	switch len(lists) {
	case 0:
		return nil
	case 1:
		return lists[0].Thin(func(s *Span) []key.SeqNum { return keep(s.Seqs) })
	}
	half := len(lists) / 2
	return merge2(keep, Merge(keep, lists[:half]...), Merge(keep, lists[half:]...))
}

// merge2 walks over two lists at once. At every step the next stretch begins at lower, and ends where
// the first of the two spans at hand begins or ends behind it.
func merge2(keep Keep, a, b List) List {
	out := make(List, 0, len(a)+len(b))
	var lower []byte
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && bytes.Compare(a[0].Upper, start(b, lower)) <= 0:
			out, lower, a = out.add(start(a, lower), a[0].Upper, a[0].Seqs), a[0].Upper, a[1:]
			continue
		case len(a) == 0 || bytes.Compare(b[0].Upper, start(a, lower)) <= 0:
			out, lower, b = out.add(start(b, lower), b[0].Upper, b[0].Seqs), b[0].Upper, b[1:]
			continue
		}
		from, with := start(a, lower), start(b, lower)
		if c := bytes.Compare(from, with); c < 0 { // only a lies on the stretch before b begins
			out, lower = out.add(from, with, a[0].Seqs), with
			continue
		} else if c > 0 {
			out, lower = out.add(with, from, b[0].Seqs), from
			continue
		}
		end := a[0].Upper
		c := bytes.Compare(end, b[0].Upper)
		if c > 0 {
			end = b[0].Upper
		}
		out, lower = out.add(from, end, keep(union(a[0].Seqs, b[0].Seqs))), end
		if c <= 0 {
			a = a[1:]
		}
		if c >= 0 {
			b = b[1:]
		}
	}
	return out
}

// start returns where the first span of a list begins, or goes on when a part of it was taken.
func start(l List, taken []byte) []byte {
	if taken != nil && bytes.Compare(l[0].Lower, taken) < 0 {
		return taken
	}
	return l[0].Lower
}

// union merges sequence numbers, newest first.
func union(a, b []key.SeqNum) []key.SeqNum {
	out := make([]key.SeqNum, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] > b[0]:
			out, a = append(out, a[0]), a[1:]
		case a[0] < b[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}
