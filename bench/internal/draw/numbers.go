// Package draw draws the numbers of the keys of a benchmark: evenly, or some more often than others.
// What draws belongs to one thread, but for Inserts, which all share.
package draw

import "math/rand/v2"

// Numbers draws the numbers of keys. It belongs to one thread.
type Numbers interface {
	// Draw returns a number.
	Draw(rng *rand.Rand) uint64
}

// Uniform draws each number below it as often as any other.
type Uniform uint64

// Draw returns a number below u.
func (u Uniform) Draw(rng *rand.Rand) uint64 { return rng.Uint64N(uint64(u)) }

// scrambledRanks is how many ranks there are, however many keys: so it is in YCSB, whose constant of
// normalization is worked out for that number.
const scrambledRanks = 10_000_000_000

// Scrambled draws a few numbers often, which lie all over the keys, and others the more seldom. It is
// YCSB's ScrambledZipfianGenerator (Cooper et al. 2010, section 5.3): the rank is hashed by FNV-1a,
// and reduced to a number.
type Scrambled struct {
	ranks *Ranks
	n     uint64
}

// NewScrambled draws numbers below n. YCSB takes 0.99 for the exponent.
func NewScrambled(n uint64, exponent float64) *Scrambled {
	return &Scrambled{ranks: newZipf(scrambledRanks, exponent), n: n}
}

// Draw returns a number.
func (s *Scrambled) Draw(rng *rand.Rand) uint64 { return Hash(s.ranks.Draw(rng)) % s.n }

// Latest draws the number that was written last most often, and those before it the more seldom. It
// is YCSB's SkewedLatestGenerator, but that numbers older than as many as there were at first are not
// drawn.
type Latest struct {
	ranks   *Ranks
	inserts *Inserts
}

// NewLatest draws from what i has as written.
func NewLatest(i *Inserts, exponent float64) *Latest {
	return &Latest{ranks: newZipf(i.Written(), exponent), inserts: i}
}

// Draw returns a number.
func (l *Latest) Draw(rng *rand.Rand) uint64 {
	return l.inserts.Written() - 1 - l.ranks.Draw(rng)
}

// FNV-1a's constants for 64 bits.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// Hash is FNV-1a of the eight bytes of n, least first.
func Hash(n uint64) uint64 {
	h := uint64(fnvOffset)
	for range 8 {
		h = (h ^ n&0xff) * fnvPrime
		n >>= 8
	}
	return h
}
