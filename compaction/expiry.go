package compaction

import (
	"math"
	"slices"

	"github.com/tinykv/tinykv/manifest"
)

// Space of values that have expired comes back in two ways. A table in which everything has expired, and that hides nothing below
// it, is dropped without being read: that is what becomes of data that is written in the order of time. Other tables
// are rotten once a good part of them has expired (reclaim.go), by the estimate that expiries are spread evenly between the
// least and the greatest. They wait to be dropped whole while what has expired is a small part of all data.

// expiredPart is how small that part must be: one in so many entries.
const expiredPart = 16

// ExpiredEntries returns about how many entries of a table have expired at a time in Unix nanoseconds; above 0 only if some have.
func ExpiredEntries(t *manifest.Table, now int64) uint64 {
	switch {
	case t.Expiring == 0 || now < t.LeastExpiry:
		return 0
	case now >= t.GreatestExpiry:
		return t.Expiring
	default:
		span := float64(t.GreatestExpiry) - float64(t.LeastExpiry)
		return max(1, uint64(float64(now-t.LeastExpiry)/span*float64(t.Expiring)))
	}
}

// gone tells whether all that a table holds has expired or is a tombstone.
func gone(t *manifest.Table, now int64) bool {
	return perishes(t) && now >= t.GreatestExpiry
}

// perishes tells whether a table will hold nothing once all its values have expired.
func perishes(t *manifest.Table) bool {
	return t.Expiring > 0 && t.RangeDeletes == 0 && t.Expiring+t.Deletes >= t.Entries
}

// muchExpired tells whether what has expired is more than a small part of all entries.
func muchExpired(v *manifest.Version, now int64) bool {
	expired, entries := uint64(0), uint64(0)
	for _, tables := range v.Levels {
		for _, t := range tables {
			expired += ExpiredEntries(t, now)
			entries += t.Entries
		}
	}
	return expired*expiredPart >= entries
}

// Expired returns the tables of which nothing is to be seen any more at a time by which every reader goes, or a later one, and
// below which nothing is hidden: they can go at once, without being read.
func Expired(v *manifest.Version, now int64) (found []manifest.DeletedTable) {
	for level, tables := range v.Levels {
		for i, t := range tables {
			if gone(t, now) && !mayHide(v, manifest.Level(level), i, t) {
				found = append(found, manifest.DeletedTable{Level: manifest.Level(level), Num: t.Num})
			}
		}
	}
	return found
}

// mayHide tells whether older entries of a key in table i of a level may be in another table.
func mayHide(v *manifest.Version, level manifest.Level, i int, t *manifest.Table) bool {
	return slices.ContainsFunc(below(v, level, i, t), func(older manifest.AddedTable) bool {
		return older.Table.Overlaps(t.Smallest.Stored, t.Largest.Stored)
	})
}

// NextExpiry returns the next time after now at which a table will be due because of what has expired by then; math.MaxInt64 for
// none.
func NextExpiry(v *manifest.Version, now int64) int64 {
	next := int64(math.MaxInt64)
	for _, tables := range v.Levels {
		for _, t := range tables {
			for _, due := range [...]int64{rottenAt(t), t.GreatestExpiry} {
				if t.Expiring > 0 && due > now {
					next = min(next, due)
				}
			}
		}
	}
	return next
}

// rottenAt returns the time from which on a table is rotten, or a little later.
func rottenAt(t *manifest.Table) int64 {
	need := (t.Entries + rottenPart - 1) / rottenPart
	dead := t.Deletes + t.Shadowed + t.RangeDeletes
	if dead >= need || need-dead > t.Expiring {
		return t.GreatestExpiry
	}
	span := float64(t.GreatestExpiry) - float64(t.LeastExpiry)
	after := span * (float64(need-dead)/float64(t.Expiring) + 1e-3)
	return t.LeastExpiry + int64(min(after, span))
}
