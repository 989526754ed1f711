package report

import (
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// ratios prints the tables of ratios, with their plots.
func (r *results) ratios(w io.Writer, plots []string) {
	fmt.Fprint(w, "## Throughput\n\n")
	paragraph(w, "Below an engine's name: throughput of tinykv over that of the engine, medians over the repetitions. 2.00: tinykv is "+
		"twice as fast. **0.50**, bold: it takes twice as long. ≈: within the noise of both. †: cut off by the time limit. A letter: "+
		"another durability than tinykv's, which stands under d. –: no result, see the notes. µs is the mean per operation and "+
		"thread; noise is half the spread of tinykv's repetitions over their median.")
	for g, of := range groups() {
		t := newTable(4, append([]string{"row", "thr", "state", "d", self + " µs", "ops/s", "noise"}, r.rivals()...)...)
		for _, k := range r.inGroup(g) {
			t.add(r.ratioLine(k, throughput)...)
		}
		section(w, of.title, t, plots, of.file+throughputSuffix)
	}
}

// section prints a table below its title, with a plot if there is one; an empty table leaves nothing behind.
func section(w io.Writer, title string, t *table, plots []string, plot string) {
	if len(t.lines) < 2 {
		return
	}
	fmt.Fprintf(w, "### %s\n\n", title)
	t.writeTo(w)
	for _, file := range plots {
		if file == plot+".png" {
			fmt.Fprintf(w, "![%s](%s)\n\n", plot, path.Join(plotsDir, file))
		}
	}
}

// ratioLine returns a row of the table of ratios; f is what counts as speed.
func (r *results) ratioLine(k rowKey, f func(*record.Row) float64) []string {
	own := r.cell(k, self)
	speed := own.of(f)
	line := []string{k.name, strconv.Itoa(k.threads), k.state, r.durability(k, self), "–", "–", "–"}
	if speed.n > 0 {
		line[4] = digits(own.of(func(row *record.Row) float64 { return row.Mean }).median)
		line[5] = mark(rate(speed.median), own.cutOff())
		line[6] = noise(speed)
	}
	for _, rival := range r.rivals() {
		line = append(line, r.ratioCell(k, rival, f))
	}
	return line
}

// noise returns the noise of a figure as it is printed.
func noise(f figure) string {
	if f.n < 2 {
		return "?"
	}
	return percent(f.noise())
}

// mark appends the sign of a row that was cut off.
func mark(text string, cutOff bool) string {
	if cutOff {
		return text + " †"
	}
	return text
}

// ratioCell returns tinykv's throughput over that of a rival with the marks that belong to it.
func (r *results) ratioCell(k rowKey, rival string, f func(*record.Row) float64) string {
	c := r.cell(k, rival)
	if c == nil {
		return ""
	}
	v, ok := r.versus(k, rival, f)
	if !ok {
		return "–"
	}
	parts := []string{ratio(v.ratio)}
	if v.ratio < 1 {
		parts[0] = "**" + parts[0] + "**"
	}
	if v.within {
		parts = append(parts, "≈")
	}
	if c.cutOff() {
		parts = append(parts, "†")
	}
	if d := r.durability(k, rival); d != r.durability(k, self) {
		parts = append(parts, d)
	}
	return strings.Join(parts, " ")
}

// settling prints the fills once more with the time in which the store comes to rest.
func (r *results) settling(w io.Writer) {
	head := []string{"row", "thr", "state", "d", self + " s", "ops/s", "noise"}
	t := newTable(4, append(head, r.rivals()...)...)
	for _, k := range r.settlingRows() {
		line := r.ratioLine(k, settledThroughput)
		line[4] = digits(r.cell(k, self).of(func(row *record.Row) float64 { return row.Seconds + row.SettleSeconds }).median)
		t.add(line...)
	}
	section(w, "Fills with the settling", t, nil, "")
	if len(t.lines) > 1 {
		paragraph(w, "As above, with operations over the time until the store was at rest: a write that is fast because its work was "+
			"put off is paid for here.")
	}
}

// settlingRows returns the rows in which some store came to rest after its writes.
func (r *results) settlingRows() []rowKey {
	var rows []rowKey
	for _, k := range r.rows {
		for _, e := range r.engines {
			if r.cell(k, e).of(func(row *record.Row) float64 { return row.SettleSeconds }).most > 0 {
				rows = append(rows, k)
				break
			}
		}
	}
	return rows
}

// kills prints how many acknowledged writes a kill of the process took.
func (r *results) kills(w io.Writer) {
	t := newTable(4, "engine", "writers", "state", "d", "kills", "acknowledged", "lost")
	for _, k := range r.rows {
		if k.name != killRow {
			continue
		}
		for _, e := range r.engines {
			if c := r.cell(k, e); c != nil {
				t.add(r.killLine(k, e, c)...)
			}
		}
	}
	section(w, "Acknowledged writes after a kill", t, nil, "")
}

// killLine returns what an engine lost in all kills together.
func (r *results) killLine(k rowKey, engine string, c *cell) []string {
	line := []string{engine, strconv.Itoa(k.threads), k.state, r.durability(k, engine), strconv.Itoa(len(c.reps)), "–", "–"}
	if len(c.reps) == 0 {
		return line
	}
	var acknowledged, lost uint64
	for _, row := range c.reps {
		acknowledged += row.Acknowledged
		lost += row.Lost
	}
	line[5], line[6] = thousands(acknowledged), thousands(lost)
	if lost > 0 {
		line[6] = "**" + line[6] + "**"
	}
	return line
}
