package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestSetKey_Layout(t *testing.T) {
	for _, c := range []struct {
		size   int
		number uint64
		want   string
	}{
		{10, 258, "00000000000001023030"},
		{16, 1, "00000000000000013030303030303030"},
		{8, 1<<64 - 1, "ffffffffffffffff"},
		{4, 258, "00000102"},
		{1, 255, "ff"},
	} {
		key := newKey(c.size)
		setKey(key, 12345)
		setKey(key, c.number)
		if got := fmt.Sprintf("%x", key); got != c.want {
			t.Errorf("%d in %d bytes: %s, want %s", c.number, c.size, got, c.want)
		}
	}
}

func TestSetKey_KeysOrderAsNumbersDo(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	for size := 4; size <= 64; size++ {
		a, b := newKey(size), newKey(size)
		for range 200 {
			shift := rng.IntN(64)
			m, n := rng.Uint64()>>shift&maxNumber(size), rng.Uint64()>>shift&maxNumber(size)
			setKey(a, m)
			setKey(b, n)
			if got, want := bytes.Compare(a, b), compare(m, n); got != want {
				t.Fatalf("seed %d: keys of %d bytes: %d and %d compare as %d", seed, size, m, n, got)
			}
		}
	}
}

func compare(m, n uint64) int {
	switch {
	case m < n:
		return -1
	case m > n:
		return 1
	default:
		return 0
	}
}

func TestSetKey_MissingKeysLieBetweenOthers(t *testing.T) {
	for _, size := range []int{4, 8, 16, 64} {
		key, next := newKey(size), newKey(size)
		for _, n := range []uint64{0, 1, 255, 256, 65535} {
			setKey(key, n)
			setKey(next, n+1)
			missing := append(bytes.Clone(key), missingSuffix)
			if bytes.Compare(key, missing) >= 0 || bytes.Compare(missing, next) >= 0 {
				t.Errorf("%x is not between %x and %x", missing, key, next)
			}
		}
	}
}

func TestMaxNumber(t *testing.T) {
	for size, want := range map[int]uint64{1: 255, 4: 1<<32 - 1, 7: 1<<56 - 1, 8: 1<<64 - 1, 100: 1<<64 - 1} {
		if got := maxNumber(size); got != want {
			t.Errorf("%d bytes: %d, want %d", size, got, want)
		}
	}
}
