package compaction

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tinykv/tinykv/manifest"
)

// Pick returns the compaction that the version needs most, or nil when none is due that does not
// conflict with those under way; nil claims are none. First come levels that are larger than they
// should be, then what gives space back, see reclaim.go.
func Pick(v *manifest.Version, opts Options, claims *Claims) *Plan {
	if claims == nil {
		claims = &Claims{}
	}
	shape := ShapeOf(v, opts)
	for _, c := range scores(v, &shape, opts, claims) {
		excess := v.Bytes(c.level) - shape.Target[c.level]
		if p := pickLevel(v, c.level, shape.Base, excess, opts, claims); p != nil {
			p.Score = c.score
			return p
		}
		if c.level == 0 {
			claims = claims.reserve(v, shape.Base, opts)
		}
	}
	return reclaim(v, &shape, opts, claims)
}

// pickLevel returns a plan that takes some or all of so many bytes out of a level, or nil when plans
// under way are in the way.
func pickLevel(v *manifest.Version, level, base manifest.Level, excess int64, opts Options, claims *Claims) *Plan {
	if level == 0 {
		return pickLevel0(v, base, opts, claims)
	}
	taken, _ := claims.takenBytes(level)
	return pickTables(v, level, excess-taken, opts, claims)
}

// candidate is a level that is larger than it should be.
type candidate struct {
	level manifest.Level
	score float64
}

// scores returns the levels that need a compaction, most urgent first. What is on its way out of a
// level does not count.
func scores(v *manifest.Version, shape *Shape, opts Options, claims *Claims) []candidate {
	var found []candidate
	for level := manifest.Level(0); level < bottom; level++ {
		bytes, tables := claims.takenBytes(level)
		if score := score(v, level, shape, opts, bytes, tables); score >= 1 {
			found = append(found, candidate{level, score})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	return found
}

// Score tells how urgently a level needs a compaction: 1 is due.
func Score(v *manifest.Version, level manifest.Level, shape *Shape, opts Options) float64 {
	return score(v, level, shape, opts, 0, 0)
}

// score is Score of a level less some bytes and tables.
func score(v *manifest.Version, level manifest.Level, shape *Shape, opts Options, bytes int64, tables int) float64 {
	switch {
	case level == 0:
		return float64(len(v.Levels[0])-tables) / float64(opts.L0Tables)
	case level < shape.Base || level == bottom:
		return 0
	default:
		return float64(v.Bytes(level)-bytes) / float64(max(shape.Target[level], 1))
	}
}

// pickLevel0 merges tables of level 0 into the base. Groups of tables that overlap each other are
// taken whole, the largest group first; the others follow in plans of their own. A table alone that
// has nothing in its way moves, as with keys that are written in ascending order.
func pickLevel0(v *manifest.Version, base manifest.Level, opts Options, claims *Claims) *Plan {
	var best *Plan
	for _, group := range groups(v.Levels[0]) {
		p := newPlan(v, 0, base, group, opts)
		if (best == nil || len(p.Upper) > len(best.Upper)) && !claims.Conflict(p) {
			best = p
		}
	}
	return best
}

// groups divides tables of level 0 so that tables of different groups do not overlap, each in the
// order of the level and the group with the oldest table first.
func groups(level0 []*manifest.Table) [][]*manifest.Table {
	var found [][]*manifest.Table
	for i := len(level0) - 1; i >= 0; i-- {
		t := level0[i]
		if !slices.ContainsFunc(found, func(g []*manifest.Table) bool { return slices.Contains(g, t) }) {
			found = append(found, closeOver(level0, []*manifest.Table{t}))
		}
	}
	return found
}

// Bounds of the inputs of one plan from a level below 0. Larger jobs have less to rewrite at their
// edges and less to sync for their size; smaller ones end sooner and hold less space twice.
const (
	maxJobTables = 25       // in sizes of a table
	maxJobBytes  = 32 << 20 // if that is more than one table
)

// pickTables picks the table of a level whose merge into the next level rewrites the least for what
// it moves down, and its neighbours up to the excess of the level.
func pickTables(v *manifest.Version, level manifest.Level, excess int64, opts Options, claims *Claims) *Plan {
	upper := v.Levels[level]
	best, bestRatio := -1, 0.0
	for i, lower := range overlapped(v, level, claims) {
		if lower < 0 {
			continue
		}
		ratio := float64(lower) / float64(upper[i].Size)
		if best >= 0 && ratio >= bestRatio {
			continue
		}
		if !claims.Conflict(newPlan(v, level, level+1, upper[i:i+1], opts)) {
			best, bestRatio = i, ratio
		}
	}
	if best < 0 {
		return nil
	}
	p := widen(v, level, best, excess, opts, claims)
	if p.Move && totalBytes(p.Grandparents) > maxGrandparentTables*opts.TableBytes {
		p.Move = false
	}
	return p
}

// overlapped returns for each table of a level how many bytes of the next one it overlaps; -1 when
// it, or one of those, is taken. It passes over both levels once.
func overlapped(v *manifest.Version, level manifest.Level, claims *Claims) []int64 {
	upper, lower := v.Levels[level], v.Levels[level+1]
	busyUpper, busyLower := claims.busy(level), claims.busy(level+1)
	totals := make([]int64, len(upper))
	from := 0
	for i, t := range upper {
		for from < len(lower) && lower[from].EndsBefore(t.Smallest.Stored) {
			from++
		}
		if busyUpper[t] {
			totals[i] = -1
			continue
		}
		for _, l := range lower[from:] {
			if bytes.Compare(l.Smallest.Stored, t.Largest.Stored) > 0 {
				break
			}
			if busyLower[l] {
				totals[i] = -1
				break
			}
			totals[i] += l.Size
		}
	}
	return totals
}

// widen returns a plan for a table of a level and those behind it, up to the excess of the level and
// within the bounds of a job.
func widen(v *manifest.Version, level manifest.Level, first int, excess int64, opts Options, claims *Claims) *Plan {
	limit := min(maxJobTables*opts.TableBytes, maxJobBytes)
	p := newPlan(v, level, level+1, v.Levels[level][first:first+1], opts)
	if p.Move {
		return p
	}
	for end := first + 2; end <= len(v.Levels[level]) && totalBytes(p.Upper) < excess; end++ {
		wider := newPlan(v, level, level+1, v.Levels[level][first:end], opts)
		if wider.InputBytes() > limit || claims.Conflict(wider) {
			break
		}
		p = wider
	}
	return p
}

// PickRange returns a compaction of one level's tables that meet the stored keys from lower to upper,
// both inclusive (nil is unbounded), into the next level that can take them, or nil when there are
// none. Going from level 0 down with it brings the range to the deepest level that holds any of it.
// There, at the level called deepest, it picks the tables that still hold something to drop, or were
// written for another compression. The plan may conflict with others.
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
		if t.Deletes+t.Shadowed+t.RangeDeletes+ExpiredEntries(t, opts.Now) > 0 || opts.misfit(t, level) {
			return rewrite(level, t)
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
	p.smallest, p.largest = bounds(p.Inputs())
	if output < bottom {
		p.Grandparents = v.Overlaps(output+1, p.smallest, p.largest)
	}
	p.Move = len(upper) == 1 && len(p.Lower) == 0 && !opts.misfit(upper[0], output) && !opts.tooLarge(upper[0])
	return p
}

// tooLarge tells whether a table is to be cut rather than moved: one that several memtables were
// written to, or that was made under other options.
func (o *Options) tooLarge(t *manifest.Table) bool {
	return o.TableBytes > 0 && t.Size > 2*o.TableBytes
}

// rewrite returns a plan that leaves a table at its level and drops what can go.
func rewrite(level manifest.Level, t *manifest.Table) *Plan {
	return &Plan{Start: level, Output: level, Upper: []*manifest.Table{t}, smallest: t.Smallest.Stored, largest: t.Largest.Stored}
}

// PlanDrop returns a plan that has a table as its only input, to be dropped without being read; nil
// when the version has no such table.
func PlanDrop(v *manifest.Version, d manifest.DeletedTable) *Plan {
	for _, t := range v.Levels[d.Level] {
		if t.Num == d.Num {
			return rewrite(d.Level, t)
		}
	}
	return nil
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
