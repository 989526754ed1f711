package report

import (
	"testing"

	"gonum.org/v1/plot"
)

// labels returns the numbers of marks; a mark without one is a blank.
func labels(all []plot.Tick) string {
	var s string
	for _, t := range all {
		s += " " + t.Label
	}
	return s
}

func TestTicks_AreRoundNumbersWithinTheAxis(t *testing.T) {
	for _, c := range []struct {
		least, most float64
		want        string
	}{
		{0.15, 3, " 0.2 0.5 1 2"},
		{0.9, 1.1, " 1"},
		{0.001, 10, " 0.001   0.01   0.1   1   10"}, // so wide that only powers of ten have room
	} {
		if got := labels(ticks(c.least, c.most)); got != c.want {
			t.Errorf("from %v to %v: %q, want %q", c.least, c.most, got, c.want)
		}
	}
}

func TestThroughputChart_HasABarForEachRatioAndSaysWhereNoneIs(t *testing.T) {
	r, err := newResults(smallLines(t))
	if err != nil {
		t.Fatal(err)
	}
	writes := r.throughputChart(0)
	if len(writes.rows) != 2 || len(writes.spans) != 4 {
		t.Fatalf("%d rows with %d bars, want fillrandom and fillsync of two rivals", len(writes.rows), len(writes.spans))
	}
	if bar := writes.spans[0]; writes.engines[bar.engine] != "bbolt" || bar.end >= 1 {
		t.Errorf("%+v, want bbolt's to the left of 1: it is slower", bar)
	}
	if bar := writes.spans[1]; writes.engines[bar.engine] != "another" || bar.end <= 1 {
		t.Errorf("%+v, want the faster rival's to the right of 1", bar)
	}
	if bar := writes.spans[3]; bar.end != 0 {
		t.Errorf("%+v, want none: the engine failed there", bar)
	}
	if scans := r.throughputChart(2); len(scans.rows) != 0 {
		t.Errorf("%d rows, want none where tinykv has no result", len(scans.rows))
	}
}

func TestLatencyChart_LeavesOutWhatWasNotTimed(t *testing.T) {
	r, err := newResults(smallLines(t))
	if err != nil {
		t.Fatal(err)
	}
	if scans := r.latencyChart(2); len(scans.rows) != 1 || len(scans.spans) != 1 {
		t.Errorf("%d rows, want seekrandom of bbolt", len(scans.rows))
	}
	if others := r.latencyChart(len(groups()) - 1); len(others.rows) != 0 {
		t.Errorf("%d rows, want none: nothing there was timed by itself", len(others.rows))
	}
}
