package main

import (
	"math/rand/v2"
	"testing"

	"github.com/tinykv/tinykv/bench/internal/draw"
)

const testSeed = 1

func testRand() *rand.Rand { return rand.New(rand.NewPCG(testSeed, 0)) }

func TestHot_IsOneInAHundred(t *testing.T) {
	for num, want := range map[int64]draw.Uniform{1: 1, 100: 1, 101: 2, 1_000_000: 10_000} {
		if got := hot(&session{config: &config{num: num}}); got != want {
			t.Errorf("of %d: %v, want %v", num, got, want)
		}
	}
}

func TestConfig_NumbersAreThoseOfTheDistribution(t *testing.T) {
	s := &session{inserts: draw.NewInserts(100)}
	for name, check := range map[string]func(draw.Numbers) bool{
		distUniform: func(n draw.Numbers) bool { _, ok := n.(draw.Uniform); return ok },
		distZipf:    func(n draw.Numbers) bool { _, ok := n.(*draw.Scrambled); return ok },
		distLatest:  func(n draw.Numbers) bool { _, ok := n.(*draw.Latest); return ok },
	} {
		s.config = &config{num: 100, zipfExponent: 0.99, distribution: name}
		if n := s.config.numbers(s); !check(n) {
			t.Errorf("%s: %T", name, n)
		}
		if n := (&benchmark{fresh: true}).numbers(s); n != draw.Uniform(100) {
			t.Errorf("%s: a store that is empty at first is filled by %T", name, n)
		}
	}
}

func BenchmarkKeyRanges(b *testing.B) {
	numbers, rng := newKeyRanges(&session{config: &config{num: 1_000_000}}), testRand()
	for b.Loop() {
		numbers.Draw(rng)
	}
}
