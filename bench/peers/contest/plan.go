// Package contest runs engines against one another: a child process for each engine and group of rows, engines taking turns
// within a repetition.
package contest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tinykv/tinykv/bench/peers/child"
	"github.com/tinykv/tinykv/bench/peers/record"
	"github.com/tinykv/tinykv/bench/peers/workload"
)

// Spec is a row to measure.
type Spec struct {
	Name    string
	Threads int
	State   string
}

// String returns name, threads and state.
func (s Spec) String() string { return fmt.Sprintf("%s:%d %s", s.Name, s.Threads, s.State) }

// Names of rows that are not loops of the workload.
const (
	RowClose      = "close"      // closing right after a fill
	RowOpen       = "open"       // opening after that
	RowOpenKilled = "openkilled" // opening after kill -9
	RowKill       = "kill"       // acknowledged writes that kill -9 took
)

// Names returns the names of all rows.
func Names() []string {
	var names []string
	for _, row := range workload.Rows() {
		names = append(names, row.Name)
	}
	return append(names, RowClose, RowOpen, RowOpenKilled, RowKill)
}

// Specs returns what to measure: rows are names, each with the given numbers of threads where it scales, or "name:threads".
// None means all.
func Specs(rows []string, threads []int) ([]Spec, error) {
	if len(rows) == 0 {
		rows = Names()
	}
	var specs []Spec
	for _, text := range rows {
		name, count, chosen := strings.Cut(text, ":")
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("there is no row %q; there are %s", name, strings.Join(Names(), " "))
		}
		counts := threads
		if chosen {
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 || n > maxThreads {
				return nil, fmt.Errorf("row %q: %q is no number of threads from 1 to %d", name, count, maxThreads)
			}
			counts = []int{n}
		}
		specs = append(specs, specsOf(name, counts, chosen)...)
	}
	return inOrder(specs), nil
}

const maxThreads = 256

func specsOf(name string, threads []int, chosen bool) (specs []Spec) {
	row, isLoop := workload.Find(name)
	switch {
	case !isLoop: // by one thread, whatever was asked for
		state := record.StateSettled
		if name == RowClose {
			state = record.StateFilled
		}
		return []Spec{{name, 1, state}}
	case !row.Scales && !chosen:
		threads = []int{1}
	}
	for _, n := range threads {
		if row.Fill {
			specs = append(specs, Spec{name, n, record.StateEmpty})
			continue
		}
		if n == 1 && (name == "readrandom" || name == "seekrandom") {
			specs = append(specs, Spec{name, n, record.StateFilled})
		}
		specs = append(specs, Spec{name, n, record.StateSettled})
	}
	return specs
}

// inOrder sorts by the order in which rows may follow one another, and leaves out what stands twice.
func inOrder(specs []Spec) []Spec {
	names := Names()
	slices.SortStableFunc(specs, func(a, b Spec) int {
		if d := slices.Index(names, a.Name) - slices.Index(names, b.Name); d != 0 {
			return d
		}
		return cmp.Or(a.Threads-b.Threads, cmp.Compare(a.State, b.State))
	})
	return slices.Compact(specs)
}

// group is what one child process does, in a directory of its own; or, for rows about killing, two.
type group struct {
	name  string
	specs []Spec
	kill  bool
	sync  bool
}

// groups puts specs together: each fill has a process of its own; all other rows share a store.
func groups(specs []Spec) []group {
	var all []group
	var shared, kill group
	for _, s := range specs {
		row, _ := workload.Find(s.Name)
		switch {
		case row.Fill:
			all = append(all, group{name: fmt.Sprintf("%s:%d", s.Name, s.Threads), specs: []Spec{s}, sync: row.Sync})
		case s.Name == RowKill || s.Name == RowOpenKilled:
			kill.specs = append(kill.specs, s)
		default:
			shared.specs = append(shared.specs, s)
		}
	}
	if len(shared.specs) > 0 {
		shared.name = "reads and mixtures"
		all = append(all, shared)
	}
	if len(kill.specs) > 0 {
		kill.name, kill.kill = "kill -9", true
		all = append(all, kill)
	}
	return all
}

// steps returns what a child does for a group.
func (g group) steps() []child.Step {
	if g.kill {
		return []child.Step{
			{Do: child.Open, Row: RowOpenKilled, State: record.StateSettled},
			{Do: child.Count, Row: RowKill, State: record.StateSettled},
			{Do: child.Close},
		}
	}
	steps := []child.Step{{Do: child.Open}}
	if g.specs[0].State == record.StateEmpty {
		return append(steps, measure(g.specs[0]), child.Step{Do: child.Close})
	}
	steps = append(steps, child.Step{Do: child.Load})
	steps = append(steps, g.measureAll(record.StateFilled)...)
	steps = append(steps, g.optional(child.Close, RowClose), g.optional(child.Open, RowOpen), child.Step{Do: child.Settle}, child.Step{Do: child.Warm})
	steps = append(steps, g.measureAll(record.StateSettled)...)
	return append(steps, child.Step{Do: child.Close})
}

// optional is a step that is measured if its row was asked for.
func (g group) optional(do, row string) child.Step {
	i := slices.IndexFunc(g.specs, func(s Spec) bool { return s.Name == row })
	if i < 0 {
		return child.Step{Do: do}
	}
	return child.Step{Do: do, Row: row, State: g.specs[i].State}
}

// measureAll measures the rows that begin in a state, and lets the store come to rest after each that writes.
func (g group) measureAll(state string) (steps []child.Step) {
	for _, s := range g.specs {
		row, isLoop := workload.Find(s.Name)
		if s.State != state || !isLoop {
			continue
		}
		steps = append(steps, measure(s))
		if row.Writes {
			steps = append(steps, child.Step{Do: child.Settle})
		}
	}
	return steps
}

func measure(s Spec) child.Step {
	return child.Step{Do: child.Measure, Row: s.Name, Threads: s.Threads, State: s.State}
}
