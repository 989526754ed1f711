package main

import (
	"math"
	"slices"
	"testing"
)

func TestPick_EachShareGetsItsPart(t *testing.T) {
	var did string
	named := func(name string) func(*worker) error {
		return func(*worker) error { did = name; return nil }
	}
	shares := []share{{85, named("get")}, {14, named("put")}, {1, named("seek")}}
	counts := map[string]int{}
	for n := range 100 {
		if err := pick(shares, n).do(nil); err != nil {
			t.Fatal(err)
		}
		counts[did]++
	}
	if counts["get"] != 85 || counts["put"] != 14 || counts["seek"] != 1 {
		t.Errorf("%v", counts)
	}
}

// The shares are those that others found who run the same model: 81 % of what is asked for is in the
// hottest of 30 key ranges, 5.7 % and 1.5 % in the two after it, and 0.15 % in the coldest.
func TestKeyRanges_AreHotAsInThePaper(t *testing.T) {
	const draws, n = 500_000, 3_000_000
	rng, numbers := testRand(), newKeyRanges(&session{config: &config{num: n}})
	counts := make([]float64, keyRangeCount)
	for range draws {
		counts[numbers.Draw(rng)*keyRangeCount/n]++
	}
	slices.Sort(counts)
	slices.Reverse(counts)
	for i, want := range map[int]float64{0: 0.807, 1: 0.057, 2: 0.015, 29: 0.0015} {
		if got := counts[i] / draws; math.Abs(got-want)/want > 0.1 {
			t.Errorf("seed %d: range %d gets %.4f, want %.4f", testSeed, i, got, want)
		}
	}
}

func TestKeyRanges_SomeKeysOfARangeAreHot(t *testing.T) {
	const draws, n = 200_000, 3_000_000
	rng, numbers := testRand(), newKeyRanges(&session{config: &config{num: n}})
	times := map[uint64]int{}
	for range draws {
		times[numbers.Draw(rng)]++
	}
	most := 0
	for _, n := range times {
		most = max(most, n)
	}
	if most < 50 || len(times) < 1000 {
		t.Errorf("seed %d: the hottest of %d keys came %d times", testSeed, len(times), most)
	}
}

func TestKeyRanges_FewKeys(t *testing.T) {
	for n := int64(1); n < 100; n++ {
		rng, numbers := testRand(), newKeyRanges(&session{config: &config{num: n}})
		for range 100 {
			if got := numbers.Draw(rng); got >= uint64(n) {
				t.Fatalf("of %d: drew %d", n, got)
			}
		}
	}
}

// The mean of a generalized Pareto distribution is sigma/(1-k); rounding up adds a half.
func TestParetoBelow_ValuesOfMixgraph(t *testing.T) {
	const draws = 500_000
	rng, total, most := testRand(), 0, 0
	for range draws {
		n := paretoBelow(rng, valueK, valueSigma, maxMixValue)
		total, most = total+n, max(most, n)
	}
	mean, want := float64(total)/draws, valueSigma/(1-valueK)+0.5
	if math.Abs(mean-want) > 0.5 || most >= maxMixValue || most < maxMixValue/2 {
		t.Errorf("seed %d: mean %.2f, want %.2f; at most %d", testSeed, mean, want, most)
	}
}

// The median is sigma*(2^k - 1)/k, whatever becomes of the largest.
func TestParetoBelow_ScansOfMixgraph(t *testing.T) {
	rng := testRand()
	var lengths []int
	for range 100_001 {
		n := paretoBelow(rng, scanK, scanSigma, maxMixScan)
		if n < 0 || n >= maxMixScan {
			t.Fatalf("seed %d: %d", testSeed, n)
		}
		lengths = append(lengths, n)
	}
	slices.Sort(lengths)
	want := scanSigma * (math.Pow(2, scanK) - 1) / scanK
	if got := float64(lengths[len(lengths)/2]); math.Abs(got-want) > 2 {
		t.Errorf("seed %d: median %.0f, want %.1f", testSeed, got, want)
	}
}
