// Package tally counts what the reliability suites do. Tests only: a suite says how much it ran, what it broke
// and how often that went wrong; the program in directory reliability makes the table of
// docs/RELIABILITY.md from these rows.
package tally

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Environment of the suites.
const (
	AmountEnv = "TINYKV_RELIABILITY"     // how much to do: nothing, "ci" or "full"
	OutEnv    = "TINYKV_RELIABILITY_OUT" // file that rows are appended to as lines of JSON
	SeedEnv   = "TINYKV_SEED"            // where seeded suites begin
)

// Amount is how much a suite does.
type Amount int

const (
	Quick Amount = iota // in every go test
	CI                  // in continuous integration
	Full                // for the table of docs/RELIABILITY.md
)

// Level returns how much the environment asks for.
func Level() Amount {
	switch os.Getenv(AmountEnv) {
	case "ci":
		return CI
	case "full":
		return Full
	}
	return Quick
}

// Pick returns the number that stands for the present level.
func Pick(quick, ci, full int) int { return [...]int{quick, ci, full}[Level()] }

// Seed returns where seeded suites begin: 1, or what the environment says.
func Seed() uint64 {
	if seed, err := strconv.ParseUint(os.Getenv(SeedEnv), 10, 64); err == nil {
		return seed
	}
	return 1
}

// Count is a number with its unit, as "20,000 acknowledged batches".
type Count struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// String returns the number and its unit.
func (c Count) String() string { return group(c.N) + " " + c.Name }

// group writes a number with a comma before every three digits.
func group(n int64) string {
	if n < 0 {
		return "-" + group(-n)
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s,%03d", group(n/1000), n%1000)
}

// Row is what one suite did in one run.
type Row struct {
	ID     string `json:"id"`    // of the row in the table: "A1"
	Suite  string `json:"suite"` // what the suite is about; rows of one ID and suite are added up
	Load   string `json:"load"`  // what ran while faults came
	Faults int64  `json:"faults"`
	Unit   string `json:"unit"` // what a fault is: "crash images"

	Counts     []Count `json:"counts,omitempty"`
	Exceptions []Count `json:"exceptions,omitempty"` // what docs/RELIABILITY.md excepts, as far as it came up
	Violations int64   `json:"violations"`
	Seed       uint64  `json:"seed,omitempty"`
	Replay     string  `json:"replay"`           // the command that does it again
	Commit     string  `json:"commit,omitempty"` // that it ran on; of rows that are kept
}

// Record logs the row once the test has ended and appends it to the file that the environment names. A test that failed has at
// least one violation.
func (r Row) Record(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() {
			r.Violations = max(r.Violations, 1)
		}
		t.Log(r)
		name := os.Getenv(OutEnv)
		if name == "" {
			return
		}
		if err := r.appendTo(name); err != nil {
			t.Errorf("keep the row of %s: %v", r.ID, err)
		}
	})
}

// appendTo writes the row as one line, by one write call, as several processes append to the file.
func (r Row) appendTo(name string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// String returns the row in one line.
func (r Row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s, %s, %s", r.ID, r.Suite, r.Load, Count{r.Unit, r.Faults}, Count{"violations", r.Violations})
	for _, c := range slices.Concat(r.Counts, r.Exceptions) {
		fmt.Fprintf(&b, ", %v", c)
	}
	if r.Seed != 0 {
		fmt.Fprintf(&b, ", seed %d", r.Seed)
	}
	return b.String()
}

// Read returns the rows of a file of lines, those of one suite added up, in the order of their IDs.
func Read(in io.Reader) ([]Row, error) {
	var rows []Row
	for lines := json.NewDecoder(in); ; {
		var r Row
		if err := lines.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		i := slices.IndexFunc(rows, func(o Row) bool { return o.same(r) && o.Commit == r.Commit })
		if i < 0 {
			rows = append(rows, r)
			continue
		}
		rows[i].add(r)
	}
	sortRows(rows)
	return rows, nil
}

// same tells whether two rows are of the same suite.
func (r *Row) same(o Row) bool { return r.ID == o.ID && r.Suite == o.Suite && r.Unit == o.Unit }

// Replace returns the rows that are kept, those of suites that ran again replaced by the new ones, in the order of their IDs.
func Replace(kept, again []Row) []Row {
	rows := slices.DeleteFunc(slices.Clone(kept), func(o Row) bool { return slices.ContainsFunc(again, o.same) })
	rows = append(rows, again...)
	sortRows(rows)
	return rows
}

func sortRows(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Or(compareIDs(a.ID, b.ID), strings.Compare(a.Suite, b.Suite)) })
}

// WriteLines writes rows as Read reads them.
func WriteLines(out io.Writer, rows []Row) error {
	lines := json.NewEncoder(out)
	for _, r := range rows {
		if err := lines.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// add takes in a row of the same suite.
func (r *Row) add(o Row) {
	r.Faults += o.Faults
	r.Violations += o.Violations
	r.Counts = addCounts(r.Counts, o.Counts)
	r.Exceptions = addCounts(r.Exceptions, o.Exceptions)
}

func addCounts(to, more []Count) []Count {
	for _, c := range more {
		i := slices.IndexFunc(to, func(o Count) bool { return o.Name == c.Name })
		if i < 0 {
			to = append(to, c)
			continue
		}
		to[i].N += c.N
	}
	return to
}

// compareIDs orders A2 before A10.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// WriteTable writes the rows as a table in Markdown.
func WriteTable(out io.Writer, rows []Row) error {
	var b strings.Builder
	b.WriteString("| | suite | load | faults | further counts | violations | commit |\n| --- | --- | --- | ---: | --- | ---: | --- |\n")
	for _, r := range rows {
		var further []string
		for _, c := range r.Counts {
			further = append(further, c.String())
		}
		for _, c := range r.Exceptions {
			further = append(further, "excepted: "+c.String())
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.ID, r.Suite, r.Load,
			Count{r.Unit, r.Faults}, strings.Join(further, "; "), group(r.Violations), r.Commit)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
