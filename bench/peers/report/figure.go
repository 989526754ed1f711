package report

import (
	"math"
	"slices"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// figure is one measured number over all repetitions. With n 0 there is none.
type figure struct {
	median, least, most float64
	n                   int
}

// newFigure returns the figure of the repetitions' values.
func newFigure(values []float64) figure {
	if len(values) == 0 {
		return figure{}
	}
	slices.Sort(values)
	mid := len(values) / 2
	median := values[mid]
	if len(values)%2 == 0 {
		median = (values[mid-1] + values[mid]) / 2
	}
	return figure{median, values[0], values[len(values)-1], len(values)}
}

// noise returns half the spread between the largest and the smallest repetition over the median; of a single repetition
// it is not known, and 0.
func (f figure) noise() float64 {
	if f.median == 0 {
		return 0
	}
	return (f.most - f.least) / 2 / f.median
}

// versus is tinykv's throughput over that of a rival: above 1 tinykv is faster.
type versus struct {
	ratio  float64
	within bool // within the noise of both: repeated, it may well be on the other side of 1
}

// compareFigures compares two throughputs. It is false where one of them is missing.
func compareFigures(own, rival figure) (versus, bool) {
	if own.n == 0 || rival.n == 0 || own.median <= 0 || rival.median <= 0 {
		return versus{}, false
	}
	ratio := own.median / rival.median
	noise := (1 + own.noise()) * (1 + rival.noise())
	return versus{ratio, max(ratio, 1/ratio) <= noise}, true
}

// lost tells that the rival is faster beyond noise.
func (v versus) lost() bool { return v.ratio < 1 && !v.within }

// won tells that tinykv is faster beyond noise.
func (v versus) won() bool { return v.ratio > 1 && !v.within }

// cell is what an engine did in a row.
type cell struct {
	reps   []record.Row // those that were measured
	failed []string     // why others were not
}

// of returns the figure of what f takes from each repetition; one for which f is not finite has no say.
func (c *cell) of(f func(*record.Row) float64) figure {
	if c == nil {
		return figure{}
	}
	var values []float64
	for i := range c.reps {
		if x := f(&c.reps[i]); !math.IsNaN(x) && !math.IsInf(x, 0) {
			values = append(values, x)
		}
	}
	return newFigure(values)
}

// cutOff tells that the time of a repetition ended before its operations did.
func (c *cell) cutOff() bool {
	return c != nil && slices.ContainsFunc(c.reps, func(r record.Row) bool { return r.CutOff })
}

// throughput returns operations per second of all threads together.
func throughput(r *record.Row) float64 { return positive(float64(r.Ops) / r.Seconds) }

// settledThroughput counts the time in which the store comes to rest as well.
func settledThroughput(r *record.Row) float64 {
	return positive(float64(r.Ops) / (r.Seconds + r.SettleSeconds))
}

// positive returns a number that is above 0, and otherwise none: nothing was measured.
func positive(x float64) float64 {
	if x > 0 {
		return x
	}
	return math.NaN()
}
