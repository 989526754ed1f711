package main

import (
	"testing"
	"time"
	"unicode/utf8"
)

func TestRates_ALineHas80ColumnsHoweverMuchTheyAre(t *testing.T) {
	r := rates{Reads: 999_499, Writes: 9_899_000, ReadP99: span(369 * time.Microsecond / 10), WriteP99: span(36950), CacheHit: 1, Level0: 99, Stalls: 999}
	if line := r.line(); utf8.RuneCountInString(line) > 80 {
		t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
	}
	for want, n := range map[string]float64{"0": 0, "9999": 9999, "10k": 9999.5, "999k": 999_499, "1.0M": 999_500, "9.9M": 9_949_000, "10M": 9_950_000, "123M": 123e6} {
		if got := shortCount(n); got != want {
			t.Errorf("%s for %v, want %s", got, n, want)
		}
	}
}
