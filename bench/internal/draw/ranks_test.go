package draw

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

const testSeed = 1

// powerExponent is that of mixgraph.
const powerExponent = 0.3467

func testRand() *rand.Rand { return rand.New(rand.NewPCG(testSeed, 0)) }

// checkShares draws many numbers and compares how often each came with how often it should have
// (Pearson's chi-squared test). share need not add up to 1. With a fixed seed this cannot fail by chance;
// five standard deviations are what any other seed would be granted.
func checkShares(t *testing.T, what string, share []float64, draw func() uint64) {
	t.Helper()
	const draws = 500_000
	counts := make([]float64, len(share))
	for range draws {
		n := draw()
		if n >= uint64(len(share)) {
			t.Fatalf("%s: drew %d, which is not below %d", what, n, len(share))
		}
		counts[n]++
	}
	total := 0.0
	for _, s := range share {
		total += s
	}
	chi2, freedom := 0.0, -1.0
	got, want := 0.0, 0.0
	for i, s := range share {
		got, want = got+counts[i], want+draws*s/total
		if want >= 10 || i == len(share)-1 { // seldom ones are put together, as the test wants it
			chi2 += (got - want) * (got - want) / want
			freedom++
			got, want = 0, 0
		}
	}
	if limit := freedom + 5*math.Sqrt(2*max(freedom, 1)); chi2 > limit {
		t.Errorf("%s, seed %d: chi-squared is %.0f, want less than %.0f", what, testSeed, chi2, limit)
	}
}

func zipfShares(n int, s float64) []float64 {
	share := make([]float64, n)
	for i := range share {
		share[i] = math.Pow(float64(i+1), -s)
	}
	return share
}

func TestZipf_RanksComeAsOftenAsTheyShould(t *testing.T) {
	for _, s := range []float64{0.2, 0.5, 0.99, 1, 1.5, 3} {
		for _, n := range []int{2, 3, 10, 300} {
			rng, z := testRand(), newZipf(uint64(n), s)
			checkShares(t, fmt.Sprintf("s %v, n %d", s, n), zipfShares(n, s), func() uint64 { return z.Draw(rng) })
		}
	}
}

func TestZipf_OneRankIsAlwaysDrawn(t *testing.T) {
	rng, z := testRand(), newZipf(1, 0.99)
	for range 1000 {
		if n := z.Draw(rng); n != 0 {
			t.Fatalf("drew %d", n)
		}
	}
}

// Ranks that share a segment come about as often as they would alone, and segments as often as they
// should.
func TestZipf_HigherRanksShareSegments(t *testing.T) {
	for _, s := range []float64{0.5, 0.99, 1, 1.5} {
		const n = 5000
		rng, z := testRand(), newZipf(n, s)
		if len(z.segments) > 1000 {
			t.Fatalf("%d segments", len(z.segments))
		}
		checkShares(t, fmt.Sprintf("s %v, n %d", s, n), zipfShares(n, s), func() uint64 { return z.Draw(rng) })
	}
}

// Weights of all segments add up to the constant that YCSB works out for so many ranks.
func TestZipf_WeightsOfManyRanks(t *testing.T) {
	const zeta, draws = 26.46902820178302, 1_000_000
	rng, z := testRand(), newZipf(scrambledRanks, 0.99)
	counts := map[uint64]float64{}
	most := uint64(0)
	for range draws {
		n := z.Draw(rng)
		counts[n]++
		most = max(most, n)
	}
	for rank := range uint64(5) {
		want := draws / zeta / math.Pow(float64(rank+1), 0.99)
		if got := counts[rank]; math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("seed %d: rank %d came %v times, want about %.0f", testSeed, rank, got, want)
		}
	}
	if most >= scrambledRanks || most < scrambledRanks/2 {
		t.Errorf("seed %d: the highest rank was %d", testSeed, most)
	}
}

func TestPower_RanksComeAsOftenAsTheyShould(t *testing.T) {
	const n = 3000
	share := make([]float64, n)
	for i := range share {
		share[i] = math.Pow(float64(i+1), powerExponent) - math.Pow(float64(i), powerExponent)
	}
	rng, p := testRand(), NewPower(n, powerExponent)
	checkShares(t, t.Name(), share, func() uint64 { return p.Draw(rng) })
}
