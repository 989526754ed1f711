package compaction

import (
	"math"

	"github.com/tinykv/tinykv/manifest"
)

const bottom = manifest.NumLevels - 1

// Shape says how large each level of a version should be.
//
// The deepest level holds most of the data and is given; the levels above it shrink by the same
// factor each, at most Multiplier, until one is no larger than BaseBytes. That is the base: level 0
// is merged into it, and levels between 0 and the base stay empty.
type Shape struct {
	Base   manifest.Level
	Target [manifest.NumLevels]int64 // in bytes; meaningful from Base on
}

// ShapeOf returns the shape for a version.
func ShapeOf(v *manifest.Version, opts Options) Shape {
	total, first := int64(0), manifest.Level(bottom)
	for level := manifest.Level(bottom); level >= 1; level-- {
		if n := v.Bytes(level); n > 0 {
			total += n
			first = level
		}
	}
	factor := float64(opts.Multiplier)
	deepest := float64(total) * (factor - 1) / factor // what will be left there when all above is full

	s := Shape{Base: bottom}
	for size := deepest; s.Base > 1 && size > float64(opts.BaseBytes); s.Base-- {
		size /= factor
	}
	// Data above the base must be reachable from level 0, so a level that still holds some stays the
	// base or below it.
	s.Base = min(s.Base, first)

	if s.Base < bottom {
		factor = math.Pow(math.Max(deepest/float64(opts.BaseBytes), 1), 1/float64(bottom-s.Base))
	}
	size := float64(opts.BaseBytes)
	for level := s.Base; level <= bottom; level++ {
		s.Target[level] = int64(size)
		size *= factor
	}
	return s
}

// Debt returns about how many bytes compactions must write until no level is larger than it should
// be. What leaves a level is merged with about as much of the next as that is larger.
func Debt(v *manifest.Version, opts Options) int64 {
	shape := ShapeOf(v, opts)
	debt, arriving := int64(0), int64(0)
	if len(v.Levels[0]) >= opts.L0Tables {
		arriving = v.Bytes(0)
		debt = arriving + v.Bytes(shape.Base)
	}
	for level := shape.Base; level < bottom; level++ {
		size := v.Bytes(level) + arriving
		arriving = max(size-shape.Target[level], 0)
		below := float64(v.Bytes(level+1)) / float64(max(size, 1))
		debt += int64(float64(arriving) * (1 + min(below, float64(opts.Multiplier))))
	}
	return debt
}
