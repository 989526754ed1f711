package main

import "math/rand/v2"

// numbers draws the numbers of keys. It belongs to one thread.
type numbers interface {
	draw(rng *rand.Rand) uint64
}

// Names of distributions.
const (
	distUniform = "uniform"
	distZipf    = "zipf"
	distLatest  = "latest"
)

func distributions() []string { return []string{distUniform, distZipf, distLatest} }

// numbers returns what draws numbers as -distribution says.
func (c *config) numbers(s *session) numbers {
	switch c.distribution {
	case distZipf:
		return zipfian(s)
	case distLatest:
		return newLatest(s.inserts, c.zipfExponent)
	default:
		return uniform(c.num)
	}
}

// uniform draws each number below it as often as any other.
type uniform uint64

func (u uniform) draw(rng *rand.Rand) uint64 { return rng.Uint64N(uint64(u)) }

// scrambledRanks is how many ranks there are, however many keys: so it is in YCSB, whose constant of
// normalization is worked out for that number.
const scrambledRanks = 10_000_000_000

// scrambled draws a few numbers often, which lie all over the keys, and others the more seldom. It is
// YCSB's ScrambledZipfianGenerator (Cooper et al. 2010, section 5.3): the rank is hashed by FNV-1a,
// and reduced to a number.
type scrambled struct {
	ranks *ranks
	n     uint64
}

// zipfian is -distribution=zipf, whatever that flag says.
func zipfian(s *session) numbers {
	return newScrambled(uint64(s.config.num), s.config.zipfExponent)
}

func newScrambled(n uint64, exponent float64) *scrambled {
	return &scrambled{ranks: newZipf(scrambledRanks, exponent), n: n}
}

func (s *scrambled) draw(rng *rand.Rand) uint64 { return hash(s.ranks.draw(rng)) % s.n }

// latest draws the number that was written last most often, and those before it the more seldom. It
// is YCSB's SkewedLatestGenerator, but that numbers older than as many as there were at first are not
// drawn.
type latest struct {
	ranks   *ranks
	inserts *inserts
}

func newLatest(i *inserts, exponent float64) *latest {
	return &latest{ranks: newZipf(i.written(), exponent), inserts: i}
}

func (l *latest) draw(rng *rand.Rand) uint64 {
	return l.inserts.written() - 1 - l.ranks.draw(rng)
}

// hot draws numbers among one in a hundred, the lowest, as LevelDB's readhot does.
func hot(s *session) numbers { return uniform((s.config.num + 99) / 100) }

// FNV-1a's constants for 64 bits.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// hash is FNV-1a of the eight bytes of n, least first.
func hash(n uint64) uint64 {
	h := uint64(fnvOffset)
	for range 8 {
		h = (h ^ n&0xff) * fnvPrime
		n >>= 8
	}
	return h
}
