package workload

import (
	"bytes"
	"testing"
)

// sizes are some for which the permutation walks its cycles little and much.
var sizes = []int{2, 3, 7, 1000, 1024, 1025, 100_000}

func TestKeys_AscendWithTheirIdsAndMissingOnesLieBetween(t *testing.T) {
	for _, n := range sizes {
		k := NewKeys(n, 42)
		last := make([]byte, KeyBytes)
		key, missing := make([]byte, KeyBytes), make([]byte, KeyBytes)
		for id := range uint64(n) {
			k.Set(key, id)
			k.Set(missing, k.Missing(id))
			if id > 0 && bytes.Compare(last, key) >= 0 {
				t.Fatalf("n %d: key %d is not above what comes before", n, id)
			}
			if bytes.Compare(key, missing) >= 0 {
				t.Fatalf("n %d: the absent key behind %d is not above it", n, id)
			}
			copy(last, missing)
		}
	}
}

func TestKeys_ShuffledComesToEveryIdOnceInAnotherOrder(t *testing.T) {
	for _, n := range sizes {
		k := NewKeys(n, 42)
		seen := make([]bool, n)
		ascents := 0
		var last uint64
		for i := range uint64(n) {
			id := k.Shuffled(i)
			if id >= uint64(n) || seen[id] {
				t.Fatalf("n %d: id %d of number %d is out of bounds or comes twice", n, id, i)
			}
			seen[id] = true
			if id > last {
				ascents++
			}
			last = id
		}
		if n >= 1000 && (ascents < n*45/100 || ascents > n*55/100) {
			t.Errorf("n %d: %d of the ids are above the one before, want about half", n, ascents)
		}
	}
}

// Neighbours in random order are far apart: a pattern would be a gift to some engines.
func TestKeys_ShuffledHasNoShortSteps(t *testing.T) {
	const n = 100_000
	k := NewKeys(n, 1)
	short := 0
	for i := range uint64(n - 1) {
		a, b := k.Shuffled(i), k.Shuffled(i+1)
		if max(a, b)-min(a, b) < n/100 {
			short++
		}
	}
	if short > n*3/100 { // 2 % of all pairs are
		t.Errorf("%d of %d steps are shorter than a hundredth of the keys", short, n)
	}
}

func TestKeys_DependOnTheSeed(t *testing.T) {
	a, b := NewKeys(1000, 1), NewKeys(1000, 2)
	key, other := make([]byte, KeyBytes), make([]byte, KeyBytes)
	same := 0
	for i := range uint64(1000) {
		a.Set(key, i)
		b.Set(other, i)
		if bytes.Equal(key, other) || a.Shuffled(i) == b.Shuffled(i) {
			same++
		}
	}
	if same > 10 {
		t.Errorf("%d of 1000 keys or places are the same for another seed", same)
	}
}
