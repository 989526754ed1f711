package compaction

import (
	"bytes"
	"slices"

	"github.com/tinykv/tinykv/manifest"
)

// Claims are the plans under way. A plan that is made while others run must respect them:
//
//  1. No table is an input of two plans.
//  2. Where the key ranges of two plans meet, neither ends at a level that the other ends at or
//     passes on its way. So no two of them write tables that overlap, and no older entry arrives
//     at a level above a newer one that overtook it.
//
// Then every order in which the plans finish gives a valid version. The zero value holds none. It is
// for one goroutine at a time.
type Claims struct {
	plans []*Plan
}

// Add claims what a plan takes and makes. The plan must not conflict.
func (c *Claims) Add(p *Plan) { c.plans = append(c.plans, p) }

// Remove gives up the claims of a plan.
func (c *Claims) Remove(p *Plan) {
	c.plans = slices.DeleteFunc(c.plans, func(other *Plan) bool { return other == p })
}

// Len returns the number of plans under way.
func (c *Claims) Len() int { return len(c.plans) }

// Conflict tells whether a plan must wait for another one to end.
func (c *Claims) Conflict(p *Plan) bool {
	return slices.ContainsFunc(c.plans, func(other *Plan) bool { return conflict(p, other) })
}

func conflict(a, b *Plan) bool {
	if bytes.Compare(a.largest, b.smallest) < 0 || bytes.Compare(b.largest, a.smallest) < 0 {
		return false
	}
	return a.Output == b.Output || a.passes(b.Output) || b.passes(a.Output) || a.shares(b)
}

// passes tells whether the plan's tables skip a level on their way.
func (p *Plan) passes(level manifest.Level) bool { return p.Start < level && level < p.Output }

// shares tells whether two plans have an input in common. Plans of one output level are no matter.
func (p *Plan) shares(other *Plan) bool {
	return meet(p.Upper, other.Upper) || meet(p.Upper, other.Lower) || meet(p.Lower, other.Upper)
}

func meet(a, b []*manifest.Table) bool {
	return slices.ContainsFunc(a, func(t *manifest.Table) bool { return slices.Contains(b, t) })
}

// takenBytes returns how much of a level the plans under way take away, and how many tables.
func (c *Claims) takenBytes(level manifest.Level) (total int64, tables int) {
	for _, p := range c.plans {
		if p.Start == level && p.Output != level {
			total += totalBytes(p.Upper)
			tables += len(p.Upper)
		}
	}
	return total, tables
}

// busy returns the tables of a level that the plans under way take, to be looked up.
func (c *Claims) busy(level manifest.Level) map[*manifest.Table]bool {
	var found map[*manifest.Table]bool
	for _, p := range c.plans {
		for _, part := range []struct {
			level  manifest.Level
			tables []*manifest.Table
		}{{p.Start, p.Upper}, {p.Output, p.Lower}} {
			if part.level != level {
				continue
			}
			if found == nil {
				found = map[*manifest.Table]bool{}
			}
			for _, t := range part.tables {
				found[t] = true
			}
		}
	}
	return found
}

// reserve returns the claims and, beyond them, those of the compaction of level 0 that is due and has
// to wait. It would never find all its tables free if others went on taking them one by one.
func (c *Claims) reserve(v *manifest.Version, base manifest.Level, opts Options) *Claims {
	reserved := &Claims{plans: slices.Clone(c.plans)}
	for _, group := range groups(v.Levels[0]) {
		reserved.Add(newPlan(v, 0, base, group, opts))
	}
	return reserved
}
