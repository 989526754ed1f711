package compaction

import (
	"bytes"
	"sort"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// survival decides, entry by entry in the order of internal keys, what a compaction keeps.
//
// Readers see the store at the sequence number of an open snapshot, or as it is now. Snapshots
// divide the history of a key into stripes; all readers of a stripe see the same entry, the newest
// one of the stripe or of an older one. Hence:
//
//  1. An entry is dropped when a newer entry of its key lies in the same stripe.
//
//  2. A tombstone is dropped too when it lies in the oldest stripe and no deeper level can hold the
//     key: what it hides is dropped by rule 1, and there is nothing else to hide.
//
//  3. An entry is dropped when a newer range tombstone on its key lies in the same stripe.
//
//  4. Of the range tombstones on a stretch of keys, each stripe keeps the newest; and the oldest stripe
//     none where no deeper level can hold a key of the stretch.
//
//  5. Merge operands of a stripe become one, see merge.go.
//
//  6. A value that has expired for every reader is a tombstone, to rule 2 too.
//
// Everything else is kept.
type survival struct {
	Rules
	deeper [][]*manifest.Table
	ranges rangedel.List // range tombstones, the newest of each stripe at least; those that end before the last entry are cut off

	// keepTombstones overrides rule 2: everything is deeper than a flush.
	keepTombstones bool

	chain      chain  // scratch
	stored     []byte // key of the last entry
	seen       bool   // there was one
	lastStripe int    // of the last entry

	// boundary is the least sequence number that an operand of a newer stripe, kept before, has in it.
	boundary key.SeqNum
}

// Rules say what of the entries readers can tell apart.
type Rules struct {
	// Snapshots are the sequence numbers at which readers may see the store, beside its newest
	// state, in ascending order.
	Snapshots []key.SeqNum

	// Merge returns what a value, or an operand, followed by an operand amounts to. The memory of older is its to change.
	// With an error, or where Merge is nil, operands stay apart.
	Merge func(older, newer []byte) ([]byte, error)

	// Expired tells whether a value that expires is hidden from every reader that there is and that comes, given its
	// expiry and its sequence number. Nil: none is.
	Expired func(expiry int64, seq key.SeqNum) bool
}

// newSurvival returns the rule for a compaction whose outputs go above the tables of deeper levels.
func newSurvival(rules Rules, deeper [][]*manifest.Table) *survival {
	return &survival{Rules: rules, deeper: deeper}
}

// newShadowing returns the rule for a flush, which drops what is shadowed and no tombstone.
func newShadowing(rules Rules) *survival {
	return &survival{Rules: rules, keepTombstones: true}
}

// keep tells whether an entry stays.
func (s *survival) keep(stored []byte, trailer key.Trailer) bool {
	stripe := s.stripe(trailer.Seq())
	if s.seen && bytes.Equal(stored, s.stored) {
		if stripe == s.lastStripe {
			return false
		}
	} else {
		s.stored = append(s.stored[:0], stored...)
		s.seen, s.boundary = true, 0
	}
	s.lastStripe = stripe
	if len(s.ranges) > 0 && s.rangeDeleted(stored, trailer.Seq(), stripe) {
		return false
	}
	return trailer.Kind() != key.KindDelete || s.keepTombstone(stored)
}

// keepTombstone tells whether a tombstone on the key of the last entry, in its stripe, hides something.
func (s *survival) keepTombstone(stored []byte) bool {
	return s.keepTombstones || s.lastStripe != 0 || s.deeperMayHold(stored)
}

// expired tells whether an entry is a value that has expired.
func (s *survival) expired(kv *iterator.KV) bool {
	if kv.Trailer.Kind() != key.KindSetExpiring || s.Expired == nil {
		return false
	}
	expiry, _, _ := key.SplitExpiring(kv.Value)
	return s.Expired(expiry, kv.Trailer.Seq())
}

// rangeDeleted tells whether a newer range tombstone of its stripe lies on an entry.
func (s *survival) rangeDeleted(stored []byte, seq key.SeqNum, stripe int) bool {
	for len(s.ranges) > 0 && bytes.Compare(s.ranges[0].Upper, stored) <= 0 {
		s.ranges = s.ranges[1:]
	}
	if len(s.ranges) == 0 || bytes.Compare(s.ranges[0].Lower, stored) > 0 {
		return false
	}
	end := key.MaxSeqNum // of the stripe
	if stripe < len(s.Snapshots) {
		end = s.Snapshots[stripe]
	}
	return s.ranges[0].Newest(end) > seq
}

// newest returns, of the sequence numbers of range tombstones on a stretch of keys, the newest of each
// stripe. No reader sees another one of them as the newest, so none matters to rule 3 either.
func (s *survival) newest(seqs []key.SeqNum) []key.SeqNum {
	if len(s.Snapshots) == 0 || len(seqs) == 1 {
		return seqs[:1:1]
	}
	kept := make([]key.SeqNum, 0, min(len(seqs), len(s.Snapshots)+1))
	for len(seqs) > 0 {
		kept = append(kept, seqs[0])
		stripe := s.stripe(seqs[0])
		if stripe == 0 {
			break
		}
		older := s.Snapshots[stripe-1] // the newest of an older stripe is not above it
		seqs = seqs[sort.Search(len(seqs), func(i int) bool { return seqs[i] <= older }):]
	}
	return kept
}

// keptRanges returns the range tombstones that stay. It is called before the first entry.
func (s *survival) keptRanges() rangedel.List {
	return s.ranges.Thin(func(span *rangedel.Span) []key.SeqNum {
		kept := s.newest(span.Seqs)
		if last := len(kept) - 1; !s.keepTombstones && s.stripe(kept[last]) == 0 && !s.deeperMayOverlap(span) {
			return kept[:last]
		}
		return kept
	})
}

// deeperMayOverlap tells whether a table below the outputs may hold a key of the span.
func (s *survival) deeperMayOverlap(span *rangedel.Span) bool {
	for _, tables := range s.deeper {
		i := sort.Search(len(tables), func(i int) bool { return !tables[i].EndsBefore(span.Lower) })
		if i < len(tables) && bytes.Compare(tables[i].Smallest.Stored, span.Upper) < 0 {
			return true
		}
	}
	return false
}

// stripe returns the number of snapshots that do not see the sequence number. Stripe 0 is the oldest.
func (s *survival) stripe(seq key.SeqNum) int {
	if len(s.Snapshots) == 0 {
		return 0
	}
	return sort.Search(len(s.Snapshots), func(i int) bool { return s.Snapshots[i] >= seq })
}

// deeperMayHold tells whether a table below the outputs has the key within its bounds. Keys come in
// ascending order, so tables that end before this one are passed for good.
func (s *survival) deeperMayHold(stored []byte) bool {
	for i, tables := range s.deeper {
		for len(tables) > 0 && tables[0].EndsBefore(stored) {
			tables = tables[1:]
		}
		s.deeper[i] = tables
		if len(tables) > 0 && bytes.Compare(tables[0].Smallest.Stored, stored) <= 0 {
			return true
		}
	}
	return false
}
