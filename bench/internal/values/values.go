// Package values makes what a benchmark writes.
package values

import "math/rand/v2"

const (
	poolBytes  = 1 << 20
	pieceBytes = 100
)

// NewPool returns the bytes that values are cut from, made as db_bench makes them: pieces of 100
// printable bytes, each of which repeats a random part of it, so that a piece shrinks to that part.
// The pool holds at least one value.
func NewPool(valueSize int, ratio float64, seed uint64) []byte {
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

// Values yields values that follow one another in a pool. It belongs to one thread.
type Values struct {
	Pool []byte
	Size int // of a value; it may change between two calls of Next
	End  int // of the last value in Pool
}

// Next returns a value, which is part of the pool.
func (v *Values) Next() []byte {
	if v.End+v.Size > len(v.Pool) {
		v.End = 0
	}
	v.End += v.Size
	return v.Pool[v.End-v.Size : v.End]
}
