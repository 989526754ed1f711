package report

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// results are the lines of one or several runs, ready to be asked for a row of an engine.
type results struct {
	runs    []record.Run
	engines []string // that have rows; tinykv first
	rows    []rowKey // in the order of tables
	cells   map[rowKey]map[string]*cell
}

// newResults sorts lines. All runs among them must have measured the same.
func newResults(lines []record.Line) (*results, error) {
	r := &results{cells: map[rowKey]map[string]*cell{}}
	for _, line := range lines {
		if line.Run != nil {
			r.runs = append(r.runs, *line.Run)
		}
		if line.Row == nil {
			continue
		}
		if err := checkRow(line.Row); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		r.add(line.Row)
	}
	slices.SortFunc(r.rows, compareRows)
	slices.SortFunc(r.engines, compareEngines)
	return r, r.check()
}

// add takes in a row of one repetition.
func (r *results) add(row *record.Row) {
	k := rowKey{row.Name, row.Threads, row.State}
	if r.cells[k] == nil {
		r.cells[k] = map[string]*cell{}
		r.rows = append(r.rows, k)
	}
	c := r.cells[k][row.Engine]
	if c == nil {
		c = &cell{}
		r.cells[k][row.Engine] = c
	}
	if !slices.Contains(r.engines, row.Engine) {
		r.engines = append(r.engines, row.Engine)
	}
	if row.Err != "" {
		c.failed = append(c.failed, row.Err)
		return
	}
	c.reps = append(c.reps, *row)
}

// check refuses what must not be put into one table.
func (r *results) check() error {
	if len(r.runs) == 0 {
		return errors.New(`report: no head: the line with "run", the first of each file of results, is missing`)
	}
	if len(r.rows) == 0 {
		return errors.New("report: no rows: the run ended before its first result, run it again")
	}
	for _, run := range r.runs[1:] {
		if err := sameSubject(&r.runs[0], &run); err != nil {
			return fmt.Errorf("report: %w: make a report of each by itself", err)
		}
	}
	return r.sameEngines()
}

// sameSubject tells in what two runs differ that makes their numbers incomparable.
func sameSubject(a, b *record.Run) error {
	if subject(a) == subject(b) {
		return nil
	}
	return fmt.Errorf("runs of different things, [%s] and [%s]", subject(a), subject(b))
}

// subject says what a run measured.
func subject(r *record.Run) string {
	s := fmt.Sprintf("profile %s, %s entries, values of %d bytes", r.Profile, thousands(r.Entries), r.ValueBytes)
	if r.MemoryLimit > 0 {
		s += fmt.Sprintf(", memory limit %s", size(float64(r.MemoryLimit)))
	}
	return s
}

// sameEngines refuses an engine that was opened in two ways. Its version may differ, and is printed.
func (r *results) sameEngines() error {
	seen := map[string]record.Engine{}
	for _, e := range r.heads() {
		first, ok := seen[e.Name]
		if ok && (first.Settings != e.Settings || first.Durability != e.Durability) {
			return fmt.Errorf("report: %s was opened with [%s; %s] in one run and [%s; %s] in another: make a report of each by itself",
				e.Name, first.Settings, first.Durability, e.Settings, e.Durability)
		}
		seen[e.Name] = e
	}
	return nil
}

// heads returns the engines as the heads name them, each once, in order.
func (r *results) heads() []record.Engine {
	var all []record.Engine
	for _, run := range r.runs {
		for _, e := range run.Engines {
			if !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b record.Engine) int { return compareEngines(a.Name, b.Name) })
	return all
}

// rivals returns the engines without tinykv.
func (r *results) rivals() []string {
	return slices.DeleteFunc(slices.Clone(r.engines), func(e string) bool { return e == self })
}

// cell returns what an engine did in a row, nil if it was not asked to.
func (r *results) cell(k rowKey, engine string) *cell { return r.cells[k][engine] }

// inGroup returns the rows of a group that have a speed.
func (r *results) inGroup(g int) []rowKey {
	var rows []rowKey
	for _, k := range r.rows {
		if of, _ := place(k.name); of == g && hasSpeed(k) {
			rows = append(rows, k)
		}
	}
	return rows
}

// versus compares tinykv with a rival in a row, by what f takes for their speed.
func (r *results) versus(k rowKey, rival string, f func(*record.Row) float64) (versus, bool) {
	return compareFigures(r.cell(k, self).of(f), r.cell(k, rival).of(f))
}
