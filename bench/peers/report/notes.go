package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// note is why some repetitions of an engine have no result, and in which rows.
type note struct {
	engine, why string
	rows        []string
}

// notes prints why cells have no result, an engine and reason at a time.
func (r *results) notes(w io.Writer) {
	var all []note
	for _, e := range r.engines {
		for _, k := range r.rows {
			if c := r.cell(k, e); c != nil {
				all = addNotes(all, e, k, c)
			}
		}
	}
	if len(all) == 0 {
		return
	}
	fmt.Fprint(w, "## Notes: rows without a result\n\n")
	for _, n := range all {
		item(w, "%s: %s (%s)", n.engine, oneLine(n.why), strings.Join(n.rows, "; "))
	}
	fmt.Fprintln(w)
}

// addNotes adds the failures of a cell to those with the same reason.
func addNotes(all []note, engine string, k rowKey, c *cell) []note {
	why := slices.Compact(slices.Sorted(slices.Values(c.failed)))
	for _, text := range why {
		row := k.String()
		if len(c.reps) > 0 {
			row += fmt.Sprintf(": %d of %d repetitions, the others count", len(c.failed), len(c.failed)+len(c.reps))
		}
		i := slices.IndexFunc(all, func(n note) bool { return n.engine == engine && n.why == text })
		if i < 0 {
			i = len(all)
			all = append(all, note{engine: engine, why: text})
		}
		all[i].rows = append(all[i].rows, row)
	}
	return all
}
