package main

import "math/rand/v2"

const (
	poolBytes  = 1 << 20
	pieceBytes = 100
)

// newValuePool returns the bytes that values are cut from, made as db_bench makes them: pieces of 100
// printable bytes, each of which repeats a random part of it, so that a piece shrinks to that part.
// The pool holds at least one value.
func newValuePool(valueSize int, ratio float64, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 0))
	part := max(int(pieceBytes*ratio), 1)
	pool := make([]byte, 0, max(poolBytes, valueSize)+pieceBytes)
	for len(pool) < max(poolBytes, valueSize) {
		start := len(pool)
		for i := range pieceBytes {
			if i < part {
				pool = append(pool, byte(' '+rng.IntN('~'-' '+1)))
			} else {
				pool = append(pool, pool[start+i%part])
			}
		}
	}
	return pool
}

// values yields values that follow one another in a pool.
type values struct {
	pool []byte
	size int
	off  int
}

// next returns a value, which is part of the pool.
func (v *values) next() []byte {
	if v.off+v.size > len(v.pool) {
		v.off = 0
	}
	v.off += v.size
	return v.pool[v.off-v.size : v.off]
}
