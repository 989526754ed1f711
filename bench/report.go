package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	bytesPerMB = 1 << 20 // as db_bench counts

	// latencyIndent puts the second line of a benchmark below the numbers of the first.
	latencyIndent = 17

	histogramMarks = 40
)

// writeResult prints what a benchmark measured, in db_bench's form, and the latencies below.
//
//	fillseq      :       2.345 micros/op 426439 ops/sec 2.345 seconds 1000000 operations;   47.2 MB/s
//
// micros/op are those of a thread; the rest is of all threads together, by the clock on the wall.
func writeResult(w io.Writer, name string, r *result, remarks ...string) {
	ops, seconds := max(r.ops, 1), max(r.elapsed.Seconds(), 1e-9)
	fmt.Fprintf(w, "%-12s : %11.3f micros/op %d ops/sec %.3f seconds %d operations;",
		name, r.busy.Seconds()*1e6/float64(ops), int64(float64(r.ops)/seconds), seconds, r.ops)
	if r.bytes > 0 {
		fmt.Fprintf(w, " %6.1f MB/s", float64(r.bytes)/bytesPerMB/seconds)
	}
	for _, remark := range remarks {
		if remark != "" {
			fmt.Fprint(w, " ", remark)
		}
	}
	fmt.Fprintln(w)
	if r.latencies.TotalCount() > 1 {
		writeLatencies(w, r)
	}
}

func writeLatencies(w io.Writer, r *result) {
	fmt.Fprint(w, strings.Repeat(" ", latencyIndent))
	for _, p := range []float64{50, 95, 99, 99.9} {
		fmt.Fprintf(w, "p%v %s  ", p, micros(time.Duration(r.latencies.ValueAtPercentile(p))))
	}
	fmt.Fprintf(w, "max %s micros", micros(r.longest))
	if r.every > 1 {
		fmt.Fprintf(w, " (1 in %d timed)", r.every)
	}
	fmt.Fprintln(w)
}

// micros returns a time in microseconds, with as many digits as mean something.
func micros(d time.Duration) string {
	us := float64(d) / float64(time.Microsecond)
	switch {
	case us < 10:
		return fmt.Sprintf("%.3f", us)
	case us < 100:
		return fmt.Sprintf("%.2f", us)
	case us < 1000:
		return fmt.Sprintf("%.1f", us)
	default:
		return fmt.Sprintf("%.0f", us)
	}
}

// writeHistogram prints the timed calls by how long they took, in db_bench's form: limits of a bucket
// in microseconds, calls, their share, the share up to there, and a bar.
func writeHistogram(w io.Writer, r *result) {
	h := r.latencies
	fmt.Fprintln(w, "Microseconds per op:")
	fmt.Fprintf(w, "Count: %d  Average: %.4f  StdDev: %.2f\n", h.TotalCount(), h.Mean()/1e3, h.StdDev()/1e3)
	fmt.Fprintf(w, "Min: %.4f  Median: %.4f  Max: %.4f\n",
		float64(h.Min())/1e3, float64(h.ValueAtPercentile(50))/1e3, float64(h.Max())/1e3)
	fmt.Fprintln(w, "------------------------------------------------------")
	total, below := max(h.TotalCount(), 1), int64(0)
	for _, b := range buckets(r) {
		below += b.count
		share := float64(b.count) / float64(total)
		fmt.Fprintf(w, "[ %10.3f, %10.3f ) %9d %8.3f%% %8.3f%% %s\n",
			float64(b.from)/1e3, float64(b.to)/1e3, b.count, 100*share, 100*float64(below)/float64(total),
			strings.Repeat("#", int(share*histogramMarks+0.5)))
	}
}

// bucket counts the calls that took from up to, but not, to, in nanoseconds.
type bucket struct{ from, to, count int64 }

// buckets gathers latencies in buckets that double every four, those with calls only.
func buckets(r *result) []bucket {
	var all []bucket
	b := bucket{from: 0, to: 4}
	for _, bar := range r.latencies.Distribution() {
		for bar.Count > 0 && bar.From >= b.to {
			if b.count > 0 {
				all = append(all, b)
			}
			b = bucket{from: b.to, to: nextLimit(b.to)}
		}
		b.count += bar.Count
	}
	if b.count > 0 {
		all = append(all, b)
	}
	return all
}

// nextLimit returns the limit after n: 4 5 6 7 8 10 12 14 16 20 ...
func nextLimit(n int64) int64 {
	step := int64(1)
	for step*8 <= n {
		step *= 2
	}
	return n + step
}
