package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// apartPercent is how far two runs may be apart before a row is listed.
const apartPercent = 15

// change is how a row of an engine differs between two runs.
type change struct {
	row           rowKey
	engine        string
	before, after figure
}

// percent returns the difference in percent of the first.
func (c change) percent() float64 { return 100 * (c.after.median/c.before.median - 1) }

// Compare writes how far two runs of the same things agree: for each row with a single thread and each engine the median
// throughputs and their difference, those above 15 % in a list, and how many they are. Runs of different profiles or
// sizes are refused with an error.
func Compare(w io.Writer, a, b []record.Line) error {
	before, err := newResults(a)
	if err != nil {
		return fmt.Errorf("first run: %w", err)
	}
	after, err := newResults(b)
	if err != nil {
		return fmt.Errorf("second run: %w", err)
	}
	if err := sameSubject(&before.runs[0], &after.runs[0]); err != nil {
		return fmt.Errorf("report: %w: compare runs with the same flags", err)
	}
	var out bytes.Buffer
	compareResults(&out, before, after)
	_, err = w.Write(out.Bytes())
	return err
}

// compareResults prints the comparison.
func compareResults(w io.Writer, before, after *results) {
	fmt.Fprint(w, "# Two runs compared\n\n")
	for i, r := range []*results{before, after} {
		for _, run := range r.runs {
			item(w, "run %d: commit %s, %s, %d repetitions, seed %d: `%s`", i+1, run.Commit,
				run.Started.UTC().Format("2006-01-02 15:04 UTC"), run.Reps, run.Seed, run.Command)
		}
	}
	item(w, "%s", subject(&before.runs[0]))
	fmt.Fprintln(w)
	all := changes(before, after)
	agreement(w, all)
	apart(w, all)
	everyChange(w, all)
	missing(w, before, after)
}

// changes returns the rows with a single thread that both runs have a result for.
func changes(before, after *results) []change {
	var all []change
	for _, k := range before.rows {
		for _, e := range before.engines {
			c := change{k, e, before.cell(k, e).of(throughput), after.cell(k, e).of(throughput)}
			if hasSpeed(k) && k.threads == 1 && c.before.n > 0 && c.after.n > 0 {
				all = append(all, c)
			}
		}
	}
	return all
}

// agreement prints how many rows are apart, and how far the rows are apart on the whole.
func agreement(w io.Writer, all []change) {
	if len(all) == 0 {
		paragraph(w, "The two runs have no row with a single thread in common.")
		return
	}
	var sizes []float64
	n := 0
	for _, c := range all {
		sizes = append(sizes, math.Abs(c.percent()))
		if math.Abs(c.percent()) > apartPercent {
			n++
		}
	}
	f := newFigure(sizes)
	paragraph(w, "**%d of %d rows with a single thread are more than %d %% apart**; the median difference is %.1f %%, the largest %.1f %%.",
		n, len(all), apartPercent, f.median, f.most)
}

// apart lists the rows that differ by more than 15 %, those that differ most first.
func apart(w io.Writer, all []change) {
	far := slices.DeleteFunc(slices.Clone(all), func(c change) bool { return math.Abs(c.percent()) <= apartPercent })
	if len(far) == 0 {
		return
	}
	slices.SortStableFunc(far, func(a, b change) int { return cmp.Compare(math.Abs(b.percent()), math.Abs(a.percent())) })
	fmt.Fprintf(w, "## More than %d %% apart\n\n", apartPercent)
	for _, c := range far {
		item(w, "%+.1f %%: %s, %s: %s/s, then %s/s", c.percent(), c.engine, c.row, rate(c.before.median), rate(c.after.median))
	}
	fmt.Fprintln(w)
}

// everyChange prints the table.
func everyChange(w io.Writer, all []change) {
	t := newTable(3, "row", "state", "engine", "run 1 ops/s", "noise", "run 2 ops/s", "noise", "difference")
	for _, c := range all {
		t.add(c.row.name, c.row.state, c.engine, rate(c.before.median), noise(c.before), rate(c.after.median), noise(c.after),
			fmt.Sprintf("%+.1f %%", c.percent()))
	}
	section(w, "Every row with a single thread", t, nil, "")
}

// missing lists what only one of the runs has a result for.
func missing(w io.Writer, before, after *results) {
	only := append(lacking(before, after, "only in run 1"), lacking(after, before, "only in run 2")...)
	for _, text := range only {
		item(w, "%s", text)
	}
}

// lacking returns the results with a single thread that other does not have.
func lacking(r, other *results, where string) []string {
	var all []string
	for _, k := range r.rows {
		for _, e := range r.engines {
			if hasSpeed(k) && k.threads == 1 && r.cell(k, e).of(throughput).n > 0 && other.cell(k, e).of(throughput).n == 0 {
				all = append(all, fmt.Sprintf("%s: %s, %s", where, e, k))
			}
		}
	}
	return all
}
