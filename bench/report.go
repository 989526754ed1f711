package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tinykv/tinykv/bench/internal/meter"
)

// report is where results go.
type report interface {
	header(c *config, fields []field)
	limit(name, text string) // of the machine
	begin()                  // benchmarks begin
	result(name string, r *result, remark string)
	info(name string, i info)
	skipped(name, why string)
	notRun(names []string)
}

func newReport(w io.Writer, c *config) report {
	if c.json {
		return newJSONReport(w, c.histogram)
	}
	return &textReport{w: w, histogram: c.histogram}
}

const (
	rule = "------------------------------------------------"

	pageColumns  = 80
	labelColumns = 12 // of the header
)

// textReport is for people, and for those who take apart what db_bench prints.
type textReport struct {
	w         io.Writer
	histogram bool
}

func (t *textReport) header(_ *config, fields []field) {
	for _, f := range fields {
		t.labelled(f.name, f.text)
	}
}

func (t *textReport) limit(name, text string) { t.labelled("Limit", name+": "+text) }

func (t *textReport) labelled(name, text string) {
	fmt.Fprintf(t.w, "%-*s%s\n", labelColumns, name+":",
		strings.Join(wrap(text, pageColumns-labelColumns), "\n"+strings.Repeat(" ", labelColumns)))
}

func (t *textReport) begin() { fmt.Fprintln(t.w, rule) }

func (t *textReport) result(name string, r *result, remark string) {
	writeResult(t.w, name, r, remark)
	if t.histogram {
		writeHistograms(t.w, r)
	}
}

func (t *textReport) info(name string, i info) {
	fmt.Fprintf(t.w, "%-12s :\n", name)
	i.writeText(t.w)
}

func (t *textReport) skipped(name, why string) {
	fmt.Fprintf(t.w, "%-12s : skipped (%s)\n", name, why)
}

func (t *textReport) notRun(names []string) {
	fmt.Fprintf(t.w, "not run: %s\n", strings.Join(names, " "))
}

// wrap breaks a text into lines of so many columns where words allow it.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// writeResult prints what a benchmark measured, in db_bench's form, and the latencies below.
//
//	fillseq      :       2.345 micros/op 426439 ops/sec 2.345 seconds 1000000 operations;   47.2 MB/s
//
// micros/op are those of a thread; the rest is of all threads together, by the clock on the wall.
func writeResult(w io.Writer, name string, r *result, remark string) {
	fmt.Fprintf(w, "%-12s : %11.3f micros/op %d ops/sec %.3f seconds %d operations;",
		name, r.microsPerOp(), int64(r.opsPerSecond()), r.seconds(), r.ops)
	if r.bytes > 0 {
		fmt.Fprintf(w, " %6.1f MB/s", r.megabytesPerSecond())
	}
	for _, text := range []string{remark, interruptedText(r)} {
		if text != "" {
			fmt.Fprint(w, " ", text)
		}
	}
	fmt.Fprintln(w)
	for _, l := range r.kinds() {
		writeLatencies(w, l)
	}
	if r.stalls != (stalls{}) || r.written > 0 || r.beside != nil {
		fmt.Fprintf(w, "  %v\n", r.stalls)
	}
	if r.beside != nil {
		fmt.Fprintf(w, "  %s\n", besideText(r.beside))
	}
}

func interruptedText(r *result) string {
	switch {
	case !r.interrupted:
		return ""
	case r.wanted == 0:
		return "(interrupted)"
	default:
		return fmt.Sprintf("(interrupted, %d operations were asked for)", r.wanted)
	}
}

func writeLatencies(w io.Writer, k kindOfCall) {
	fmt.Fprint(w, "  ")
	if k.name != "" {
		fmt.Fprintf(w, "%-7s", k.name+"s")
	}
	for _, p := range quantiles() {
		fmt.Fprintf(w, "p%v %s  ", p, meter.Micros(k.quantile(p)))
	}
	fmt.Fprintf(w, "max %s µs", meter.Micros(k.Longest))
	if k.every > 1 {
		fmt.Fprintf(w, " (1 in %d timed)", k.every)
	}
	fmt.Fprintln(w)
}

func quantiles() []float64 { return []float64{50, 95, 99, 99.9} }
