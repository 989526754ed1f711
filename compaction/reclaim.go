package compaction

import (
	"github.com/tinykv/tinykv/manifest"
)

// Space comes back by itself: when no level is too large, the picker looks for what takes space
// without holding anything that a reader can see.
//
//  1. A table many of whose entries are tombstones, have expired, or stand behind a newer one of their key goes down a level; at
//     the end of its way it is written anew.
//  2. While the levels above the deepest one together hold more than a small part of what that holds,
//     they are merged down, as most of it may hide something there.
//
// Both end: a table goes down a finite way, and a rewrite drops all that made it due, since it is
// done only where no snapshot is in between.
const (
	rottenPart  = 4  // a table is due when one in so many entries is dead weight
	upperPart   = 8  // levels are due when they hold more than one in so many bytes of the deepest,
	trivialPart = 16 // and more than one in so many bytes of Options.BaseBytes
)

// reclaim returns a plan that gives space back, or nil.
func reclaim(v *manifest.Version, shape *Shape, opts Options, claims *Claims) *Plan {
	if opts.Settled == 0 {
		return nil
	}
	if p := pickRotten(v, shape, opts, claims); p != nil {
		return p
	}
	return pickUpper(v, shape, opts, claims)
}

// rotten tells whether compacting a table is sure to drop a good part of it, of which values that have expired may be a part.
func rotten(t *manifest.Table, expires bool, opts Options) bool {
	dead := t.Deletes + t.Shadowed + t.RangeDeletes
	if expires {
		dead += ExpiredEntries(t, opts.Now)
	}
	return dead > 0 && dead*rottenPart >= t.Entries && t.LargestSeq <= opts.Settled
}

// pickRotten returns a plan for the rotten table that stands highest.
func pickRotten(v *manifest.Version, shape *Shape, opts Options, claims *Claims) *Plan {
	expires := opts.Now > 0 && muchExpired(v, opts.Now)
	for level := manifest.Level(0); level < manifest.NumLevels; level++ {
		for _, t := range v.Levels[level] {
			if !rotten(t, expires || gone(t, opts.Now), opts) {
				continue
			}
			if p := sink(v, level, t, shape, opts); p != nil && !claims.Conflict(p) {
				return p
			}
		}
	}
	return nil
}

// sink returns a plan that brings a table one step nearer to where its tombstones can go. It is nil
// for a table that lies there and has nothing to drop.
func sink(v *manifest.Version, level manifest.Level, t *manifest.Table, shape *Shape, opts Options) *Plan {
	lower, upper := t.Smallest.Stored, t.Largest.Stored
	switch {
	case level == 0:
		p := newPlan(v, 0, shape.Base, closeOver(v.Levels[0], []*manifest.Table{t}), opts)
		p.Move = false // it would take along what is to be dropped
		return p
	case Deepest(v, lower, upper) > level:
		return newPlan(v, level, level+1, []*manifest.Table{t}, opts)
	default:
		return rewrite(level, t)
	}
}

// pickUpper returns a plan that brings something down into the deepest level, while there is much
// above it.
func pickUpper(v *manifest.Version, shape *Shape, opts Options, claims *Claims) *Plan {
	deepest := Deepest(v, nil, nil)
	base := v.Bytes(deepest)
	above := int64(0)
	for level := range deepest {
		taken, _ := claims.takenBytes(level)
		above += v.Bytes(level) - taken
	}
	if deepest == 0 { // then the largest table stands for it
		base, above = splitLargest(v.Levels[0])
		taken, _ := claims.takenBytes(0)
		above -= taken
	}
	if above*upperPart <= base || above <= opts.BaseBytes/trivialPart {
		return nil
	}
	for level := max(deepest, 1) - 1; level >= 0; level-- {
		if len(v.Levels[level]) == 0 {
			continue
		}
		if p := pickLevel(v, level, shape.Base, above-base/upperPart, opts, claims); p != nil {
			return p
		}
	}
	return nil
}

// splitLargest returns the size of the largest table and that of all others.
func splitLargest(tables []*manifest.Table) (largest, others int64) {
	for _, t := range tables {
		largest = max(largest, t.Size)
	}
	return largest, totalBytes(tables) - largest
}
