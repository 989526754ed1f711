package onebit

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// lengths are those at which the algorithm takes another path, and some longer ones.
func lengths() (all []int) {
	for n := range 100 {
		all = append(all, n)
	}
	return append(all, 1000, 1024, 1031)
}

// all is a budget for whatever a test asks for.
func all() *Budget { return &Budget{Left: 1 << 40} }

func random(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestFind_FindsWhicheverBitWasFlipped(t *testing.T) {
	for _, n := range lengths() {
		data := random(n, uint64(n))
		sum, flipped := xxhash.Sum64(data), bytes.Clone(data)
		for bit := 0; bit < 8*n; bit += 1 + n/100 {
			Flip(flipped, bit)
			if got, ok := all().Find(flipped, sum); !ok || got != bit {
				t.Fatalf("%d bytes: found %d, %v, want %d", n, got, ok, bit)
			}
			Flip(flipped, bit)
		}
		if !bytes.Equal(flipped, data) {
			t.Fatalf("%d bytes: the data was changed", n)
		}
		for bit := range 64 {
			if got, ok := all().Find(data, sum^1<<bit); !ok || got != -1 {
				t.Fatalf("%d bytes, bit %d of the checksum: %d, %v", n, bit, got, ok)
			}
		}
	}
}

func TestFind_FindsNothingWhereMoreIsWrong(t *testing.T) {
	for _, n := range lengths() {
		data := random(n, 1)
		sum := xxhash.Sum64(data)
		if bit, ok := all().Find(random(n, 2), sum); n > 0 && ok {
			t.Errorf("%d bytes: bit %d", n, bit)
		}
		if n < 2 {
			continue
		}
		Flip(data, 3)
		Flip(data, 8*n-1)
		if bit, ok := all().Find(data, sum); ok {
			t.Errorf("%d bytes, two bits: bit %d", n, bit)
		}
	}
}

func TestBudget_EndsTheSearch(t *testing.T) {
	data := random(1000, 1)
	sum := xxhash.Sum64(data)
	Flip(data, 777)
	b := Budget{Left: 1_500_000}
	for _, want := range []bool{true, false} {
		if _, ok := b.Find(data, sum); ok != want {
			t.Errorf("with %d left: %v", b.Left, ok)
		}
	}
	if _, ok := (&Budget{Left: 1 << 40, Stop: func() bool { return true }}).Find(data, sum); ok {
		t.Error("goes on when told to stop")
	}
	if _, ok := (*Budget)(nil).Find(data, sum); ok {
		t.Error("no budget at all, and yet")
	}
}

func BenchmarkFind(b *testing.B) {
	data := random(4096, 1)
	for b.Loop() {
		all().Find(data, 1)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(len(data)*len(data)), "ns/n²")
}
