package values

import (
	"bytes"
	"compress/flate"
	"testing"
)

func TestValues_AreCutFromThePoolInTurn(t *testing.T) {
	v := Values{Pool: []byte("abcdefgh"), Size: 3}
	for _, want := range []string{"abc", "def", "abc"} {
		if got := v.Next(); string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, size := range []int{0, 1, 100, poolBytes, poolBytes + 1} {
		v := Values{Pool: NewPool(size, 0.5, 1), Size: size}
		for range 3 {
			if got := len(v.Next()); got != size {
				t.Errorf("%d bytes, want %d", got, size)
			}
		}
	}
}

func TestNewPool_ShrinksAsAsked(t *testing.T) {
	last := 0
	for _, ratio := range []float64{0.1, 0.5, 1} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(NewPool(100, ratio, 1)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if b.Len() < 2*last {
			t.Errorf("ratio %v: %d bytes, and %d at the one below", ratio, b.Len(), last)
		}
		last = b.Len() / 10 * 7 // that a step from 0.5 to 1 is not quite twofold is no fault
	}
}

func TestNewPool_IsTheSameForTheSameSeed(t *testing.T) {
	if !bytes.Equal(NewPool(100, 0.5, 7), NewPool(100, 0.5, 7)) {
		t.Error("differs")
	}
	if bytes.Equal(NewPool(100, 0.5, 7), NewPool(100, 0.5, 8)) {
		t.Error("seeds 7 and 8 make the same")
	}
}
