package workload

import (
	"encoding/binary"
	"math/bits"
)

// KeyBytes is the length of every key.
const KeyBytes = 16

// Keys is the key space: n keys that lie all over the 2^64 prefixes of eight bytes, as if hashed, but whose place in the order
// is known, so that they can be written in order as well as in a random one, and keys between them made that are absent.
//
// A key has an id. Ids below n are those of the keys that every fill writes, in the order of the keys. Id n+i is that of a key
// between the keys i and i+1, which is absent unless a row inserts it.
type Keys struct {
	n      uint64
	stride uint64 // of prefixes from one key to the next, of which the lower half is for ids below n
	seed   uint64
	order  permutation
}

// NewKeys returns a space of n keys, at least 2.
func NewKeys(n int, seed uint64) *Keys {
	return &Keys{
		n:      uint64(n),
		stride: 1 << 63 / uint64(n) * 2 &^ 1,
		seed:   seed,
		order:  newPermutation(uint64(n), seed),
	}
}

// Len returns how many keys a fill writes.
func (k *Keys) Len() uint64 { return k.n }

// Set writes the key with an id, below 2n, into key.
func (k *Keys) Set(key []byte, id uint64) {
	h := mix(id ^ k.seed)
	place, offset := id, uint64(0)
	if id >= k.n {
		place, offset = id-k.n, k.stride/2
	}
	jitter, _ := bits.Mul64(h, k.stride/2)
	binary.BigEndian.PutUint64(key, place*k.stride+offset+jitter)
	binary.BigEndian.PutUint64(key[8:], mix(h))
}

// Shuffled returns the id of the i-th key in random order, i below n.
func (k *Keys) Shuffled(i uint64) uint64 { return k.order.at(i) }

// Missing returns the id of the absent key behind that with an id below n.
func (k *Keys) Missing(id uint64) uint64 { return k.n + id }

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014), a permutation of 64 bits.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// permutation is one of the numbers below n, worked out and not kept in a table, which would take its share of the cache.
// Each step permutes the numbers of as many bits as n has; what comes out above n goes in again (cycle walking: Black and
// Rogaway 2002, section 3).
type permutation struct {
	n, mask uint64
	shift   int
	factor  [2]uint64 // odd
	add     uint64
}

func newPermutation(n, seed uint64) permutation {
	width := max(bits.Len64(n-1), 1)
	return permutation{
		n: n, mask: 1<<width - 1, shift: (width + 1) / 2,
		factor: [2]uint64{mix(seed+1) | 1, mix(seed+2) | 1}, add: mix(seed + 3),
	}
}

func (p *permutation) at(i uint64) uint64 {
	for {
		if i = p.step(i); i < p.n {
			return i
		}
	}
}

// step uses the upper half of the bits to change the lower one, after each multiplication has changed the upper by the lower.
func (p *permutation) step(i uint64) uint64 {
	for _, factor := range p.factor {
		i = (i*factor + p.add) & p.mask
		i ^= i >> p.shift
	}
	return i
}
