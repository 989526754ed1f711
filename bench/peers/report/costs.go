package report

import (
	"fmt"
	"io"
	"strconv"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// latencies prints the quantiles, a line each, so that engines stand beside one another.
func (r *results) latencies(w io.Writer, plots []string) {
	fmt.Fprint(w, "## Latency\n\n")
	paragraph(w, "Microseconds of one operation, medians over the repetitions. The list of d is that of the throughput tables.")
	quantiles := []struct {
		name string
		of   func(*record.Row) float64
	}{
		{"p50", func(row *record.Row) float64 { return row.P50 }},
		{"p99", func(row *record.Row) float64 { return row.P99 }},
		{"p99.9", func(row *record.Row) float64 { return row.P999 }},
	}
	for g, of := range groups() {
		t := newTable(4, append([]string{"row", "thr", "state", ""}, r.engines...)...)
		for _, k := range r.inGroup(g) {
			for _, q := range quantiles {
				r.addLine(t, k, []string{q.name}, func(c *cell) string { return number(c.of(timed(q.of)), digits) })
			}
		}
		section(w, of.title, t, plots, of.file+latencySuffix)
	}
}

// timed leaves out repetitions in which no operation was timed by itself.
func timed(f func(*record.Row) float64) func(*record.Row) float64 {
	return func(row *record.Row) float64 {
		if row.TimedEvery == 0 {
			return positive(0)
		}
		return f(row)
	}
}

// number returns the median of a figure as it is printed; none, if nothing was measured.
func number(f figure, format func(float64) string) string {
	if f.n == 0 {
		return "–"
	}
	return format(f.median)
}

// addLine appends a line with a cell for each engine, unless no engine has something to say in it.
func (r *results) addLine(t *table, k rowKey, extra []string, of func(*cell) string) {
	line := append([]string{k.name, strconv.Itoa(k.threads), k.state}, extra...)
	some := false
	for _, e := range r.engines {
		text := ""
		if c := r.cell(k, e); c != nil {
			text = of(c)
		}
		some = some || text != "" && text != "–"
		line = append(line, text)
	}
	if some {
		t.add(line...)
	}
}

// costs prints what an operation costs beside time.
func (r *results) costs(w io.Writer) {
	fmt.Fprint(w, "## Cost\n\n")
	r.cost(w, "CPU per operation (µs)", "Of the whole process, background work included; with fills, the settling as well.",
		func(c *cell) string { return number(c.of(cpuMicros), digits) })
	r.cost(w, "Allocations and bytes of Go's heap per operation", "An engine in another language allocates outside of Go's heap, "+
		"and that is not counted.", allocations)
	r.cost(w, "Bytes written per byte put in", "As the device counted, once all that waited was written out; with fills, the settling as well. Keys and values that were put in "+
		"count. A log that is synced often writes its last page again and again. In "+
		"brackets, those of them that were zeros written ahead of use.", amplification)
	r.cost(w, "Bytes on disk after settling per byte put in", "", func(c *cell) string { return number(c.of(space), ratio) })
	r.cost(w, "Memory at the end of the row (MiB): anonymous / of mapped files", "Resident; the system's page cache that is not "+
		"mapped is not counted.", memory)
	r.cost(w, "Writes per second beside the reads", "By the thread that writes while those that count read.",
		func(c *cell) string { return number(c.of(besides), rate) })
}

// cost prints one table of a cell for each row and engine.
func (r *results) cost(w io.Writer, title, note string, of func(*cell) string) {
	t := newTable(3, append([]string{"row", "thr", "state"}, r.engines...)...)
	for _, k := range r.rows {
		if hasSpeed(k) {
			r.addLine(t, k, nil, of)
		}
	}
	section(w, title, t, nil, "")
	if len(t.lines) > 1 && note != "" {
		paragraph(w, "%s", note)
	}
}

// cpuMicros returns microseconds of CPU per operation.
func cpuMicros(row *record.Row) float64 { return row.CPUSeconds * 1e6 / float64(row.Ops) }

// written returns bytes written per byte put in; not a number, where that is not known or nothing was put in.
func written(row *record.Row) float64 {
	return positive(float64(row.WrittenBytes)) / positive(float64(row.PutBytes))
}

// zeroed returns the part of written that was zeros.
func zeroed(row *record.Row) float64 {
	return float64(row.ZeroedBytes) / positive(float64(row.PutBytes))
}

// space returns bytes on disk after settling per byte put in, of a fill: other rows begin with a store that holds some.
func space(row *record.Row) float64 {
	if row.State != record.StateEmpty {
		return positive(0)
	}
	return positive(float64(row.SettledBytes)) / positive(float64(row.PutBytes))
}

// besides returns operations per second of the thread beside those that count.
func besides(row *record.Row) float64 { return positive(float64(row.BesideOps)) / row.Seconds }

// amplification returns bytes written per byte put in, and how many of them were zeros: "3.20 (0.41)".
func amplification(c *cell) string {
	text := number(c.of(written), ratio)
	if z := c.of(zeroed); z.median > 0 {
		text += " (" + ratio(z.median) + ")"
	}
	return text
}

// allocations returns allocations and allocated bytes per operation: "0.02 / 3".
func allocations(c *cell) string {
	n := c.of(func(row *record.Row) float64 { return row.Allocs })
	bytes := c.of(func(row *record.Row) float64 { return row.AllocBytes })
	if n.n == 0 {
		return "–"
	}
	return fmt.Sprintf("%s / %s", perOp(n.median), perOp(bytes.median))
}

// perOp returns a number per operation; what happens less than once in a hundred operations is 0.00.
func perOp(x float64) string {
	if x > 0 && x < 0.01 {
		return "0.00"
	}
	return digits(x)
}

// memory returns resident memory: "310 / 45".
func memory(c *cell) string {
	anon := c.of(func(row *record.Row) float64 { return float64(row.AnonBytes) / (1 << 20) })
	mapped := c.of(func(row *record.Row) float64 { return float64(row.MappedBytes) / (1 << 20) })
	if anon.n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f / %.0f", anon.median, mapped.median)
}
