package draw

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// Ranks draws ranks from 0 on, low ones more often, in the time of two random numbers: to work out a
// power for each, as YCSB and db_bench do, takes as long as it takes the engine to read the key.
//
// Ranks are put together in segments: low ones stand alone, higher ones are with those next to them,
// which are as good as equally likely. A segment is drawn by the alias method (Walker 1977, with the
// tables of Vose 1991): half of what a random number can be goes to a segment itself, so to speak, and
// the rest to one other that would get too little.
type Ranks struct {
	segments []segment
}

// segment is ranks from first on. When it is drawn, it gives way to other if a random number is above
// keep.
type segment struct {
	first, count uint64
	keep         uint64
	other        int
}

// Ranks below aloneRanks stand alone; above, a segment spans one in segmentRatio of the ranks before it.
const (
	aloneRanks   = 512
	segmentRatio = 64
)

// newRanks returns what draws ranks below n, for a function that tells the weight of all those from one
// up to, but not, another.
func newRanks(n uint64, weight func(from, to uint64) float64) *Ranks {
	r := &Ranks{}
	var weights []float64
	for first := uint64(0); first < n; {
		count := uint64(1)
		if first >= aloneRanks {
			count = min(first/segmentRatio, n-first)
		}
		r.segments = append(r.segments, segment{first: first, count: count})
		weights = append(weights, weight(first, first+count))
		first += count
	}
	r.makeAliases(weights)
	return r
}

// makeAliases lets each segment that is too heavy stand in for some that are too light.
func (r *Ranks) makeAliases(weights []float64) {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	var light, heavy []int
	for i := range weights {
		weights[i] *= float64(len(weights)) / total // 1 on average
		if weights[i] < 1 {
			light = append(light, i)
		} else {
			heavy = append(heavy, i)
		}
		r.segments[i].keep = math.MaxUint64
	}
	for len(light) > 0 && len(heavy) > 0 {
		l, h := light[len(light)-1], heavy[len(heavy)-1]
		light = light[:len(light)-1]
		r.segments[l].keep, r.segments[l].other = uint64(weights[l]*(1<<64)), h
		if weights[h] -= 1 - weights[l]; weights[h] < 1 {
			heavy = heavy[:len(heavy)-1]
			light = append(light, h)
		}
	}
}

// Draw returns a rank.
func (r *Ranks) Draw(rng *rand.Rand) uint64 {
	i, coin := bits.Mul64(rng.Uint64(), uint64(len(r.segments)))
	s := &r.segments[i]
	if coin > s.keep {
		s = &r.segments[s.other]
	}
	if s.count == 1 {
		return s.first
	}
	return s.first + rng.Uint64N(s.count)
}

// newZipf draws rank k in proportion to 1/(k+1)^s, for any s above 0. (That of the standard library
// wants s above 1, and YCSB uses 0.99.)
func newZipf(n uint64, s float64) *Ranks {
	return newRanks(n, func(from, to uint64) float64 {
		if to-from == 1 {
			return math.Pow(float64(to), -s)
		}
		return powerIntegral(float64(from)+0.5, float64(to)+0.5, s) // a sum by the midpoint rule
	})
}

// powerIntegral is that of 1/x^s.
func powerIntegral(from, to, s float64) float64 {
	if s == 1 {
		return math.Log(to / from)
	}
	return (math.Pow(to, 1-s) - math.Pow(from, 1-s)) / (1 - s)
}

// NewPower draws ranks of which those below k are drawn in proportion to k^b.
func NewPower(n uint64, b float64) *Ranks {
	return newRanks(n, func(from, to uint64) float64 {
		return math.Pow(float64(to), b) - math.Pow(float64(from), b)
	})
}
