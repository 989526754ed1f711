package compaction

import (
	"bytes"
	"sort"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// survival decides, entry by entry in the order of internal keys, what a compaction keeps.
//
// Readers see the store at the sequence number of an open snapshot, or as it is now. Snapshots
// divide the history of a key into stripes; all readers of a stripe see the same entry, the newest
// one of the stripe or of an older one. Hence:
//
//  1. An entry is dropped when a newer entry of its key lies in the same stripe.
//  2. A tombstone is dropped too when it lies in the oldest stripe and no deeper level can hold the
//     key: what it hides is dropped by rule 1, and there is nothing else to hide.
//
// Everything else is kept.
type survival struct {
	snapshots []key.SeqNum // ascending
	deeper    [][]*manifest.Table

	// keepTombstones overrides rule 2: everything is deeper than a flush.
	keepTombstones bool

	stored     []byte // key of the last entry
	seen       bool   // there was one
	lastStripe int    // of the last entry
}

// newSurvival returns the rule for a compaction whose outputs go above the tables of deeper levels.
func newSurvival(snapshots []key.SeqNum, deeper [][]*manifest.Table) *survival {
	return &survival{snapshots: snapshots, deeper: deeper}
}

// newShadowing returns the rule for a flush, which drops what is shadowed and no tombstone.
func newShadowing(snapshots []key.SeqNum) *survival {
	return &survival{snapshots: snapshots, keepTombstones: true}
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
		s.seen = true
	}
	s.lastStripe = stripe
	return trailer.Kind() != key.KindDelete || s.keepTombstones || stripe != 0 || s.deeperMayHold(stored)
}

// stripe returns the number of snapshots that do not see the sequence number. Stripe 0 is the oldest.
func (s *survival) stripe(seq key.SeqNum) int {
	if len(s.snapshots) == 0 {
		return 0
	}
	return sort.Search(len(s.snapshots), func(i int) bool { return s.snapshots[i] >= seq })
}

// deeperMayHold tells whether a table below the outputs has the key within its bounds. Keys come in
// ascending order, so tables that end before this one are passed for good.
func (s *survival) deeperMayHold(stored []byte) bool {
	for i, tables := range s.deeper {
		for len(tables) > 0 && bytes.Compare(tables[0].Largest.Stored, stored) < 0 {
			tables = tables[1:]
		}
		s.deeper[i] = tables
		if len(tables) > 0 && bytes.Compare(tables[0].Smallest.Stored, stored) <= 0 {
			return true
		}
	}
	return false
}
