package compaction

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tinykv/tinykv/manifest"
)

// Pick returns the compaction that the version needs most, or nil when none is due. Tables for which
// busy returns true are in use by another compaction and are left alone.
func Pick(v *manifest.Version, opts Options, busy func(*manifest.Table) bool) *Plan {
	shape := ShapeOf(v, opts)
	for _, c := range scores(v, &shape, opts) {
		var p *Plan
		if c.level == 0 {
			p = pickLevel0(v, shape.Base, opts)
		} else {
			p = pickTable(v, c.level, opts)
		}
		if p != nil && !slices.ContainsFunc(p.Inputs(), busy) {
			p.Score = c.score
			return p
		}
	}
	return nil
}

// candidate is a level that is larger than it should be.
type candidate struct {
	level manifest.Level
	score float64
}

// scores returns the levels that need a compaction, most urgent first.
func scores(v *manifest.Version, shape *Shape, opts Options) []candidate {
	var found []candidate
	for level := manifest.Level(0); level < bottom; level++ {
		if score := Score(v, level, shape, opts); score >= 1 {
			found = append(found, candidate{level, score})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	return found
}

// Score tells how urgently a level needs a compaction: 1 is due.
func Score(v *manifest.Version, level manifest.Level, shape *Shape, opts Options) float64 {
	switch {
	case level == 0:
		return float64(len(v.Levels[0])) / float64(opts.L0Tables)
	case level < shape.Base || level == bottom:
		return 0
	default:
		return float64(v.Bytes(level)) / float64(max(shape.Target[level], 1))
	}
}

// pickLevel0 merges all of level 0 into the base, or moves its oldest table when nothing is in the
// way, as with keys that are written in ascending order.
func pickLevel0(v *manifest.Version, base manifest.Level, opts Options) *Plan {
	tables := v.Levels[0]
	oldest := tables[len(tables)-1]
	alone := len(v.Overlaps(0, oldest.Smallest.Stored, oldest.Largest.Stored)) == 1
	if alone && len(v.Overlaps(base, oldest.Smallest.Stored, oldest.Largest.Stored)) == 0 {
		return newPlan(v, 0, base, []*manifest.Table{oldest}, opts)
	}
	return newPlan(v, 0, base, tables, opts)
}

// pickTable picks the table of a level whose merge into the next level rewrites the least for what
// it moves down.
func pickTable(v *manifest.Version, level manifest.Level, opts Options) *Plan {
	var best *Plan
	bestRatio := 0.0
	for _, t := range v.Levels[level] {
		lower := v.Overlaps(level+1, t.Smallest.Stored, t.Largest.Stored)
		ratio := float64(totalBytes(lower)) / float64(t.Size)
		if best == nil || ratio < bestRatio {
			best, bestRatio = newPlan(v, level, level+1, []*manifest.Table{t}, opts), ratio
		}
	}
	if best.Move && totalBytes(best.Grandparents) > maxGrandparentTables*opts.TableBytes {
		best.Move = false
	}
	return best
}

// PickRange returns a compaction of one level's tables that meet the stored keys from lower to upper,
// both inclusive (nil is unbounded), into the next level that can take them, or nil when there are
// none. Going from level 0 down with it brings the range to the deepest level that holds any of it.
// There, at the level called deepest, it picks the tables that still hold something to drop, or were
// written for another compression.
func PickRange(v *manifest.Version, level, deepest manifest.Level, lower, upper []byte, opts Options) *Plan {
	tables := v.Overlaps(level, lower, upper)
	switch {
	case level == 0:
		if len(tables) == 0 {
			return nil
		}
		return newPlan(v, 0, ShapeOf(v, opts).Base, closeOver(v.Levels[0], tables), opts)
	case level < deepest:
		if len(tables) == 0 {
			return nil
		}
		return newPlan(v, level, level+1, tables, opts)
	}
	for _, t := range tables {
		if t.Deletes+t.Shadowed+t.RangeDeletes > 0 || opts.misfit(t, level) {
			return &Plan{Start: level, Output: level, Upper: []*manifest.Table{t}}
		}
	}
	return nil
}

// Deepest returns the deepest level with tables that meet the stored keys from lower to upper.
func Deepest(v *manifest.Version, lower, upper []byte) manifest.Level {
	for level := manifest.Level(bottom); level > 0; level-- {
		if len(v.Overlaps(level, lower, upper)) > 0 {
			return level
		}
	}
	return 0
}

// closeOver adds to some tables of level 0 those that overlap them, and those that overlap these,
// and so on, so that no older entry of a key stays above a newer one.
func closeOver(level0, tables []*manifest.Table) []*manifest.Table {
	for {
		lower, upper := bounds(tables)
		grown := slices.DeleteFunc(slices.Clone(level0), func(t *manifest.Table) bool { return !t.Overlaps(lower, upper) })
		if len(grown) == len(tables) {
			return grown
		}
		tables = grown
	}
}

func newPlan(v *manifest.Version, start, output manifest.Level, upper []*manifest.Table, opts Options) *Plan {
	p := &Plan{Start: start, Output: output, Upper: upper}
	lower, higher := bounds(upper)
	p.Lower = v.Overlaps(output, lower, higher)
	lower, higher = bounds(p.Inputs())
	if output < bottom {
		p.Grandparents = v.Overlaps(output+1, lower, higher)
	}
	p.Move = len(upper) == 1 && len(p.Lower) == 0 && !opts.misfit(upper[0], output)
	return p
}

// bounds returns the least and the greatest stored key of some tables.
func bounds(tables []*manifest.Table) (smallest, largest []byte) {
	for i, t := range tables {
		if i == 0 || bytes.Compare(t.Smallest.Stored, smallest) < 0 {
			smallest = t.Smallest.Stored
		}
		if i == 0 || bytes.Compare(t.Largest.Stored, largest) > 0 {
			largest = t.Largest.Stored
		}
	}
	return smallest, largest
}
