package workload

import (
	"bytes"
	"compress/flate"
	"testing"
)

func TestValues_CheckFindsWhatWasNotWritten(t *testing.T) {
	v := NewValues(100, 1)
	value := make([]byte, 100)
	v.Set(value, 7, 3)
	if err := v.Check(value, 7, true); err != nil {
		t.Fatal(err)
	}
	damage := map[string]func(p []byte) []byte{
		"shorter":      func(p []byte) []byte { return p[:99] },
		"longer":       func(p []byte) []byte { return append(p, 0) },
		"other key":    func(p []byte) []byte { v.Set(p, 8, 3); return p },
		"first byte":   func(p []byte) []byte { p[0]++; return p },
		"place":        func(p []byte) []byte { p[9]++; return p },
		"place beyond": func(p []byte) []byte { p[11] = 0xff; return p },
		"last byte":    func(p []byte) []byte { p[99]++; return p },
	}
	for name, do := range damage {
		if err := v.Check(do(bytes.Clone(value)), 7, true); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestValues_VersionsDiffer(t *testing.T) {
	v := NewValues(100, 1)
	a, b := make([]byte, 100), make([]byte, 100)
	v.Set(a, 7, 1)
	v.Set(b, 7, 2)
	if bytes.Equal(a, b) {
		t.Error("two versions of a value are the same")
	}
}

func TestValues_ShrinkToAboutHalf(t *testing.T) {
	for _, size := range []int{100, 1024, 4096} {
		v := NewValues(size, 1)
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, flate.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		value, raw := make([]byte, size), 4096 // a block of many engines
		for id := range uint64(raw / size) {
			v.Set(value, id, 0)
			if _, err := w.Write(value); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if share := float64(packed.Len()) / float64(raw/size*size); share < 0.4 || share > 0.7 {
			t.Errorf("values of %d bytes shrink to %.2f", size, share)
		}
	}
}
