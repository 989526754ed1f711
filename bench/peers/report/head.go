package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// head prints what was run, where, and how each engine was opened.
func (r *results) head(w io.Writer) {
	fmt.Fprintf(w, "# tinykv and its rivals, profile %s\n\n", oneLine(r.runs[0].Profile))
	for _, run := range r.runs {
		item(w, "commit %s, %s, %s repetitions, seed %d: `%s`",
			run.Commit, run.Started.UTC().Format("2006-01-02 15:04 UTC"), thousands(run.Reps), run.Seed, run.Command)
	}
	item(w, "%s", subject(&r.runs[0]))
	r.facts(w, "", func(run record.Run) []record.Fact { return run.Machine })
	r.facts(w, "at best, measured in this run: ", func(run record.Run) []record.Fact { return run.Limits })
	fmt.Fprintln(w)
	r.engineTables(w)
}

// facts prints the facts of all runs, each once: limits are measured, and differ from run to run.
func (r *results) facts(w io.Writer, prefix string, of func(record.Run) []record.Fact) {
	var seen []record.Fact
	for _, run := range r.runs {
		for _, f := range of(run) {
			if !slices.Contains(seen, f) {
				seen = append(seen, f)
				item(w, "%s%s: %s", prefix, f.Name, f.Text)
			}
		}
	}
}

// engineTables prints the engines: versions and durability, and the settings in a table of their own, being long.
func (r *results) engineTables(w io.Writer) {
	fmt.Fprint(w, "## Engines\n\n")
	versions := newTable(4, "engine", "version", "", "an acknowledged write survives")
	settings := newTable(2, "engine", "settings")
	for _, e := range r.heads() {
		versions.add(e.Name, e.Version, r.letter(e.Name), e.Durability)
		settings.add(e.Name, e.Settings)
	}
	versions.writeTo(w)
	settings.writeTo(w)
	paragraph(w, "The letter stands beside rows that write; %s is %s, where every write of every engine waits until it is on "+
		"stable storage.", syncLetter, syncRow)
}

// syncLetter stands for the durability of fillsync.
const syncLetter = "S"

// letter returns a letter for the durability of an engine: engines with the same have the same.
func (r *results) letter(engine string) string {
	var all []string
	mine := -1
	for _, e := range r.heads() {
		i := slices.Index(all, e.Durability)
		if i < 0 {
			i = len(all)
			all = append(all, e.Durability)
		}
		if e.Name == engine {
			mine = i
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQR" // not S
	if mine < 0 || mine >= len(letters) {
		return "?"
	}
	return letters[mine : mine+1]
}

// durability returns the letter of an engine in a row; nothing where nothing is written.
func (r *results) durability(k rowKey, engine string) string {
	switch {
	case k.name == syncRow:
		return syncLetter
	case writes(k.name):
		return r.letter(engine)
	}
	return ""
}
