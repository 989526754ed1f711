package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const histogramMarks = 40

// writeHistograms prints that of each kind of call.
func writeHistograms(w io.Writer, r *result) {
	for _, k := range r.kinds() {
		writeHistogram(w, k)
	}
}

// writeHistogram prints the timed calls by how long they took, in db_bench's form: limits of a bucket
// in microseconds, calls, their share, the share up to there, and a bar.
func writeHistogram(w io.Writer, k kindOfCall) {
	h := k.Timed
	fmt.Fprintf(w, "Microseconds per %s:\n", cmp.Or(k.name, "op"))
	fmt.Fprintf(w, "Count: %d  Average: %.4f  StdDev: %.2f\n", h.TotalCount(), h.Mean()/1e3, h.StdDev()/1e3)
	fmt.Fprintf(w, "Min: %.4f  Median: %.4f  Max: %.4f\n",
		float64(h.Min())/1e3, float64(h.ValueAtPercentile(50))/1e3, float64(h.Max())/1e3)
	fmt.Fprintln(w, "------------------------------------------------------")
	total, below := max(h.TotalCount(), 1), int64(0)
	for _, b := range buckets(h) {
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
func buckets(h *hdrhistogram.Histogram) []bucket {
	var all []bucket
	b := bucket{from: 0, to: 4}
	for _, bar := range h.Distribution() {
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
