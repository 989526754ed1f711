// Package onebit finds the one bit that rot has flipped in bytes whose checksum is known.
//
// A checksum of 64 bits says more than that something is wrong. Of the n bits of a block, and the 64 of the checksum,
// hardly ever more than one makes both agree again when it is flipped: for damage of any other kind, one does by chance with a
// probability of n in 2^64, for a block of 4 KiB that is 2 in 10^15. So whoever needs what is in a damaged
// block may try.
package onebit

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// The algorithm of xxhash64 with seed 0, see https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. It takes
// the bytes in stripes of four words, one for each of four lanes, which mix only at the end. So of a flipped bit
// only what comes behind it in its lane has to be worked out again.
const (
	prime1 uint64 = 11400714785074694791
	prime2 uint64 = 14029467366897019727
	prime3 uint64 = 1609587929392839161
	prime4 uint64 = 9650029242287828579
	prime5 uint64 = 2870177450012600261

	lanes     = 4
	wordLen   = 8
	stripeLen = lanes * wordLen
	atOnce    = 4 // flips that are tried at a time, so that the processor need not wait for each
)

// Budget bounds the work of many searches together. Nil allows none. It is for one goroutine.
type Budget struct {
	// Left is how much may still be done. To look through n bytes in vain takes about n times n; some 10^10 of
	// that are a second.
	Left int64

	// Stop, if it is not nil, tells whether to give up.
	Stop func() bool
}

// take takes the work for n bytes from what is left, if there is enough.
func (b *Budget) take(n int) bool {
	if b == nil || n > 1<<30 {
		return false
	}
	work := int64(n) * int64(n+stripeLen)
	if work > b.Left {
		return false
	}
	b.Left -= work
	return true
}

func (b *Budget) stopped() bool { return b.Stop != nil && b.Stop() }

// Find returns the bit that is to be flipped, counted from the lowest of the first byte, so that data has a checksum:
// -1 when that is one of the checksum's own. It reports false when there is none, or when the budget does not last.
func (b *Budget) Find(data []byte, sum uint64) (bit int, ok bool) {
	if !b.take(len(data)) {
		return 0, false
	}
	if bits.OnesCount64(xxhash.Sum64(data)^sum) == 1 {
		return -1, true
	}
	if len(data) < stripeLen {
		return findShort(data, sum)
	}
	f := finder{n: len(data), sum: sum, tail: data[len(data)-len(data)%stripeLen:], budget: b}
	f.load(data)
	for lane := range f.words {
		if word, bit, ok := f.find(lane); ok {
			return (word*stripeLen+lane*wordLen)*8 + bit, true
		}
	}
	return f.findTail()
}

// Flip flips a bit that Find returned.
func Flip(data []byte, bit int) {
	if bit >= 0 {
		data[bit/8] ^= 1 << (bit % 8)
	}
}

// findShort tries every bit.
func findShort(data []byte, sum uint64) (int, bool) {
	for bit := range 8 * len(data) {
		Flip(data, bit)
		found := xxhash.Sum64(data) == sum
		Flip(data, bit)
		if found {
			return bit, true
		}
	}
	return 0, false
}

type finder struct {
	n     int
	sum   uint64
	words [lanes][]uint64 // by lane, times prime2
	ends  [lanes]uint64   // what the lanes come to
	tail  []byte          // behind the last stripe

	budget *Budget
}

func (f *finder) load(data []byte) {
	for lane := range f.words {
		f.words[lane] = make([]uint64, 0, f.n/stripeLen)
		f.ends[lane] = start(lane)
		for off := lane * wordLen; off+wordLen <= f.n-len(f.tail); off += stripeLen {
			w := binary.LittleEndian.Uint64(data[off:]) * prime2
			f.words[lane] = append(f.words[lane], w)
			f.ends[lane] = round(f.ends[lane], w)
		}
	}
}

func start(lane int) uint64 {
	p1, p2 := prime1, prime2
	return [lanes]uint64{p1 + p2, p2, 0, -p1}[lane]
}

// round takes in a word, times prime2.
func round(acc, word uint64) uint64 { return bits.RotateLeft64(acc+word, 31) * prime1 }

// find looks for the bit in one lane.
func (f *finder) find(lane int) (word, bit int, ok bool) {
	ends, acc := f.ends, start(lane)
	for i, w := range f.words[lane] {
		if i%64 == 0 && f.budget.stopped() {
			return 0, 0, false
		}
		plain := w * inverse2
		for first := 0; first < 64; first += atOnce {
			// Four variables stay in registers, where an array does not: that is ten times as fast.
			a := round(acc, (plain^1<<first)*prime2)
			b := round(acc, (plain^2<<first)*prime2)
			c := round(acc, (plain^4<<first)*prime2)
			d := round(acc, (plain^8<<first)*prime2)
			for _, later := range f.words[lane][i+1:] {
				a, b, c, d = round(a, later), round(b, later), round(c, later), round(d, later)
			}
			for j, end := range [atOnce]uint64{a, b, c, d} {
				if ends[lane] = end; f.finish(&ends, f.tail) == f.sum {
					return i, first + j, true
				}
			}
		}
		acc = round(acc, w)
	}
	return 0, 0, false
}

// inverse2 times prime2 is 1, modulo 2^64.
const inverse2 uint64 = 839798700976720815

// findTail looks for the bit behind the last stripe.
func (f *finder) findTail() (int, bool) {
	tail := append([]byte(nil), f.tail...)
	for bit := range 8 * len(tail) {
		Flip(tail, bit)
		if f.finish(&f.ends, tail) == f.sum {
			return (f.n-len(tail))*8 + bit, true
		}
		Flip(tail, bit)
	}
	return 0, false
}

// finish mixes the lanes and the tail.
func (f *finder) finish(ends *[lanes]uint64, tail []byte) uint64 {
	h := bits.RotateLeft64(ends[0], 1) + bits.RotateLeft64(ends[1], 7) + bits.RotateLeft64(ends[2], 12) + bits.RotateLeft64(ends[3], 18)
	for _, end := range ends {
		h = (h^round(0, end*prime2))*prime1 + prime4
	}
	h += uint64(f.n)
	for ; len(tail) >= 8; tail = tail[8:] {
		h = bits.RotateLeft64(h^round(0, binary.LittleEndian.Uint64(tail)*prime2), 27)*prime1 + prime4
	}
	if len(tail) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(tail))*prime1, 23)*prime2 + prime3
		tail = tail[4:]
	}
	for _, b := range tail {
		h = bits.RotateLeft64(h^uint64(b)*prime5, 11) * prime1
	}
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}
