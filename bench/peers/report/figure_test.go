package report

import (
	"testing"

	"github.com/tinykv/tinykv/bench/peers/record"
)

func TestFigure_IsTheMedianWithHalfTheSpreadAsNoise(t *testing.T) {
	for _, c := range []struct {
		values        []float64
		median, noise float64
	}{
		{nil, 0, 0},
		{[]float64{5}, 5, 0},
		{[]float64{4, 2}, 3, 1.0 / 3},
		{[]float64{9, 10, 13}, 10, 0.2},
	} {
		f := newFigure(c.values)
		if f.median != c.median || f.noise() != c.noise {
			t.Errorf("%v: %v and noise %v, want %v and %v", c.values, f.median, f.noise(), c.median, c.noise)
		}
	}
}

func TestCompareFigures_SaysWhoIsFasterUnlessItIsNoise(t *testing.T) {
	own := newFigure([]float64{95, 100, 105})
	for _, c := range []struct {
		about  string
		rival  []float64
		ratio  float64
		within bool
	}{
		{"a rival at half the speed", []float64{50, 50, 50}, 2, false},
		{"a rival twice as fast", []float64{200, 200, 200}, 0.5, false},
		{"a rival just slower, noise adds up", []float64{90, 92, 94}, 100.0 / 92, false},
		{"the same with more noise", []float64{86, 92, 98}, 100.0 / 92, true},
		{"a rival just faster, within noise", []float64{104, 104, 104}, 100.0 / 104, true},
	} {
		v, ok := compareFigures(own, newFigure(c.rival))
		if !ok || v.ratio != c.ratio || v.within != c.within {
			t.Errorf("%s: %+v, %v, want %v, %v", c.about, v, ok, c.ratio, c.within)
		}
		if v.lost() && v.won() || (v.lost() || v.won()) == v.within {
			t.Errorf("%s: lost %v, won %v, within noise %v", c.about, v.lost(), v.won(), v.within)
		}
	}
	if _, ok := compareFigures(own, newFigure(nil)); ok {
		t.Error("a ratio with a rival that was not measured")
	}
}

func TestThroughput_OfNothingIsNoFigure(t *testing.T) {
	c := &cell{reps: []record.Row{{Ops: 0, Seconds: 1}, {Ops: 1, Seconds: 0}}}
	if f := c.of(throughput); f.n != 0 {
		t.Errorf("%+v, want none", f)
	}
}

func TestNumbers_AreShortAndKeepTheirDigits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{digits(0), "0"},
		{digits(0.0123), "0.0123"},
		{digits(0.5), "0.500"},
		{digits(1.234), "1.23"},
		{digits(99.9), "99.9"},
		{digits(99.99), "100"},
		{digits(0.000012), "1.2e-05"},
		{ratio(2), "2.00"},
		{ratio(31.4), "31.4"},
		{ratio(0.034), "0.034"},
		{rate(1_234_567), "1.23M"},
		{rate(999_900), "1.00M"},
		{rate(312_400), "312k"},
		{rate(45.1), "45.1"},
		{size(2 << 30), "2.00 GiB"},
		{percent(0.034), "3 %"},
		{percent(0.004), "0.4 %"},
		{thousands(1234567), "1,234,567"},
		{thousands(999), "999"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
