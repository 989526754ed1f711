package draw

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestUniform_NumbersComeAlikeOften(t *testing.T) {
	rng := testRand()
	checkShares(t, t.Name(), zipfShares(100, 0), func() uint64 { return Uniform(100).Draw(rng) })
}

// The constant is zeta(1e10, 0.99) of YCSB's ScrambledZipfianGenerator, the reciprocal of which is the
// share of the first rank.
func TestScrambled_HottestNumberIsThatOfYCSB(t *testing.T) {
	const zeta, draws, n = 26.46902820178302, 500_000, 1_000_000
	rng, numbers := testRand(), NewScrambled(n, 0.99)
	hottest := map[uint64]int{}
	for range draws {
		hottest[numbers.Draw(rng)]++
	}
	for rank := range uint64(3) {
		want := draws / zeta / math.Pow(float64(rank+1), 0.99)
		if got := float64(hottest[Hash(rank)%n]); math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("seed %d: rank %d came %v times, want about %.0f", testSeed, rank, got, want)
		}
	}
}

// What is hot lies all over the keys: each tenth of them gets a good part of what is drawn.
func TestScrambled_SpreadsOverTheKeys(t *testing.T) {
	const draws, n = 100_000, 1000
	rng, numbers := testRand(), NewScrambled(n, 0.99)
	var tenths [10]int
	for range draws {
		tenths[numbers.Draw(rng)*10/n]++
	}
	if least := slices.Min(tenths[:]); least < draws/10/2 {
		t.Errorf("seed %d: %v", testSeed, tenths)
	}
}

func TestHash_IsFNV1a(t *testing.T) {
	// The test vectors of the algorithm are texts: of eight zero bytes it is this.
	const want = 0xa8c7f832281a39c5
	if got := Hash(0); got != want {
		t.Errorf("%#x, want %#x", got, uint64(want))
	}
}

func TestLatest_DrawsTheNewestMostOften(t *testing.T) {
	i := NewInserts(50)
	rng, numbers := testRand(), NewLatest(i, 0.99)
	for range 2 {
		checkShares(t, t.Name(), zipfShares(50, 0.99), func() uint64 { return i.Written() - 1 - numbers.Draw(rng) })
		for range 50 {
			i.Wrote(i.Take())
		}
	}
}

func TestInserts_AreWrittenUpToTheFirstThatIsNot(t *testing.T) {
	i := NewInserts(10)
	a, b, c := i.Take(), i.Take(), i.Take()
	if a != 10 || b != 11 || c != 12 {
		t.Fatalf("took %d %d %d", a, b, c)
	}
	for _, step := range []struct{ wrote, written uint64 }{{c, 10}, {a, 11}, {b, 13}, {i.Take(), 14}} {
		if i.Wrote(step.wrote); i.Written() != step.written {
			t.Errorf("after %d: all below %d are written, want %d", step.wrote, i.Written(), step.written)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	const n = 1_000_000
	for name, numbers := range map[string]Numbers{
		"uniform": Uniform(n),
		"zipf":    NewScrambled(n, 0.99),
		"latest":  NewLatest(NewInserts(n), 0.99),
		"power":   NewPower(n, powerExponent),
	} {
		b.Run(name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				numbers.Draw(rng)
			}
		})
	}
}
