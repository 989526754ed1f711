package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestUniform_NumbersComeAlikeOften(t *testing.T) {
	rng := testRand()
	checkShares(t, t.Name(), zipfShares(100, 0), func() uint64 { return uniform(100).draw(rng) })
}

// The constant is zeta(1e10, 0.99) of YCSB's ScrambledZipfianGenerator, the reciprocal of which is the
// share of the first rank.
func TestScrambled_HottestNumberIsThatOfYCSB(t *testing.T) {
	const zeta, draws, n = 26.46902820178302, 500_000, 1_000_000
	rng, numbers := testRand(), newScrambled(n, 0.99)
	hottest := map[uint64]int{}
	for range draws {
		hottest[numbers.draw(rng)]++
	}
	for rank := range uint64(3) {
		want := draws / zeta / math.Pow(float64(rank+1), 0.99)
		if got := float64(hottest[hash(rank)%n]); math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("seed %d: rank %d came %v times, want about %.0f", testSeed, rank, got, want)
		}
	}
}

// What is hot lies all over the keys: each tenth of them gets a good part of what is drawn.
func TestScrambled_SpreadsOverTheKeys(t *testing.T) {
	const draws, n = 100_000, 1000
	rng, numbers := testRand(), newScrambled(n, 0.99)
	var tenths [10]int
	for range draws {
		tenths[numbers.draw(rng)*10/n]++
	}
	if least := slices.Min(tenths[:]); least < draws/10/2 {
		t.Errorf("seed %d: %v", testSeed, tenths)
	}
}

func TestHash_IsFNV1a(t *testing.T) {
	// The test vectors of the algorithm are texts: of eight zero bytes it is this.
	const want = 0xa8c7f832281a39c5
	if got := hash(0); got != want {
		t.Errorf("%#x, want %#x", got, uint64(want))
	}
}

func TestLatest_DrawsTheNewestMostOften(t *testing.T) {
	i := newInserts(50)
	rng, numbers := testRand(), newLatest(i, 0.99)
	for range 2 {
		checkShares(t, t.Name(), zipfShares(50, 0.99), func() uint64 { return i.written() - 1 - numbers.draw(rng) })
		for range 50 {
			i.wrote(i.take())
		}
	}
}

func TestInserts_AreWrittenUpToTheFirstThatIsNot(t *testing.T) {
	i := newInserts(10)
	a, b, c := i.take(), i.take(), i.take()
	if a != 10 || b != 11 || c != 12 {
		t.Fatalf("took %d %d %d", a, b, c)
	}
	for _, step := range []struct{ wrote, written uint64 }{{c, 10}, {a, 11}, {b, 13}, {i.take(), 14}} {
		if i.wrote(step.wrote); i.written() != step.written {
			t.Errorf("after %d: all below %d are written, want %d", step.wrote, i.written(), step.written)
		}
	}
}

func TestHot_IsOneInAHundred(t *testing.T) {
	for num, want := range map[int64]uniform{1: 1, 100: 1, 101: 2, 1_000_000: 10_000} {
		if got := hot(&session{config: &config{num: num}}); got != want {
			t.Errorf("of %d: %v, want %v", num, got, want)
		}
	}
}

func TestConfig_NumbersAreThoseOfTheDistribution(t *testing.T) {
	s := &session{inserts: newInserts(100)}
	for name, check := range map[string]func(numbers) bool{
		distUniform: func(n numbers) bool { _, ok := n.(uniform); return ok },
		distZipf:    func(n numbers) bool { _, ok := n.(*scrambled); return ok },
		distLatest:  func(n numbers) bool { _, ok := n.(*latest); return ok },
	} {
		s.config = &config{num: 100, zipfExponent: 0.99, distribution: name}
		if n := s.config.numbers(s); !check(n) {
			t.Errorf("%s: %T", name, n)
		}
		if n := (&benchmark{fresh: true}).numbers(s); n != uniform(100) {
			t.Errorf("%s: a store that is empty at first is filled by %T", name, n)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	const n = 1_000_000
	for name, numbers := range map[string]numbers{
		"uniform":  uniform(n),
		"zipf":     newScrambled(n, 0.99),
		"latest":   newLatest(newInserts(n), 0.99),
		"mixgraph": newKeyRanges(&session{config: &config{num: n}}),
	} {
		b.Run(name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				numbers.draw(rng)
			}
		})
	}
}
