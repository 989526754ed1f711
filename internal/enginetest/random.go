package enginetest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/tinykv/tinykv"
)

// Random draws keys, values and ranges in which the edges come up often.
type Random struct{ *rand.Rand }

// NewRandom returns a source that always gives the same for the same seed.
func NewRandom(seed uint64) Random { return Random{rand.New(rand.NewPCG(seed, 0x7117))} }

// OneIn tells true once in n calls.
func (r Random) OneIn(n int) bool { return r.IntN(n) == 0 }

// Key draws one of a few hundred keys: empty, of zeros and of 0xff, with long common prefixes, and
// plain ones.
func (r Random) Key() []byte {
	switch r.IntN(12) {
	case 0:
		return nil
	case 1:
		return []byte(strings.Repeat("\x00", r.IntN(4)))
	case 2:
		return []byte(strings.Repeat("\xff", r.IntN(4)))
	case 3:
		return fmt.Appendf(nil, "a/very/long/common/prefix/of/keys/%02d", r.IntN(50))
	case 4:
		return fmt.Appendf(nil, "\xff\xff%c", rune(r.IntN(128)))
	case 5:
		if r.OneIn(20) {
			return []byte(strings.Repeat("k", 65535-r.IntN(2)))
		}
		return []byte(strings.Repeat("k", r.IntN(300)))
	default:
		return fmt.Appendf(nil, "%03d", r.IntN(300))
	}
}

// Value draws a value: empty, short, and now and then as long as a small memtable.
func (r Random) Value() []byte {
	switch n := r.IntN(100); {
	case n < 10:
		return nil
	case n < 90:
		return r.bytes(1 + r.IntN(100))
	case n < 99:
		return r.bytes(r.IntN(5000))
	default:
		return r.bytes(r.IntN(100_000))
	}
}

// bytes returns n bytes that differ from one call to the next.
func (r Random) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	copy(b, fmt.Sprintf("%x", r.Uint64()))
	return b
}

// Range draws a range; one in many is inverted.
func (r Random) Range() tinykv.Range {
	switch r.IntN(8) {
	case 0:
		return tinykv.All()
	case 1:
		return tinykv.Prefix(r.Key())
	case 2:
		return tinykv.Between(r.Key(), nil)
	case 3:
		return tinykv.Range{Upper: r.Key()}
	case 4:
		return tinykv.Range{Upper: []byte{}}
	default:
		lower, upper := r.Key(), r.Key()
		if string(lower) > string(upper) && !r.OneIn(20) {
			lower, upper = upper, lower
		}
		return tinykv.Between(lower, upper)
	}
}

// NarrowRange draws a range that mostly holds few keys, never an inverted one.
func (r Random) NarrowRange() tinykv.Range {
	if r.OneIn(10) {
		if drawn := r.Range(); drawn.Lower == nil || drawn.Upper == nil || string(drawn.Lower) <= string(drawn.Upper) {
			return drawn
		}
	}
	n := r.IntN(300)
	return tinykv.Between(fmt.Appendf(nil, "%03d", n), fmt.Appendf(nil, "%03d", n+r.IntN(20)))
}
