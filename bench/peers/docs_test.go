package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/bench/peers/report"
)

// The reports in results are what this program makes of the results beside them.
func TestDocs_ReportsAreThoseOfTheirResults(t *testing.T) {
	runs, err := filepath.Glob(filepath.Join("results", "*", resultsFile))
	if err != nil || len(runs) == 0 {
		t.Fatalf("no results: %v", err)
	}
	for _, name := range runs {
		lines, err := readAll([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(name)
		if _, err := os.Stat(filepath.Join(dir, "plots")); err != nil { // kept without: go run . report -text
			var made bytes.Buffer
			if err := report.Markdown(&made, lines); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(made.Bytes(), read(t, filepath.Join(dir, "report.md"))) {
				t.Errorf("report.md of %s is not up to date: go run . report -text %s", dir, name)
			}
			continue
		}
		made := t.TempDir()
		if err := report.Write(made, lines); err != nil {
			t.Fatal(err)
		}
		compareFiles(t, made, dir)
	}
}

// What docs/PERFORMANCE.md says of a repetition is from the comparison of the two runs that are kept.
func TestDocs_ComparisonIsThatOfTheTwoRuns(t *testing.T) {
	dir := filepath.Join("results", "equal-1M")
	var made bytes.Buffer
	if err := compare(&made, []string{filepath.Join(dir, resultsFile), filepath.Join(dir, "again.jsonl")}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made.Bytes(), read(t, filepath.Join(dir, "compared.md"))) {
		t.Error("compared.md is not up to date: go run . compare results.jsonl again.jsonl")
	}
}

// compareFiles compares the report and the plots of two directories.
func compareFiles(t *testing.T, made, kept string) {
	t.Helper()
	for _, pattern := range []string{"report.md", filepath.Join("plots", "*")} {
		files, err := filepath.Glob(filepath.Join(made, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no %s: %v", kept, pattern, err)
		}
		for _, file := range files {
			name, err := filepath.Rel(made, file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read(t, file), read(t, filepath.Join(kept, name))) {
				t.Errorf("%s of %s is not up to date: go run . report %s", name, kept, filepath.Join(kept, resultsFile))
			}
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What README.md and docs/PERFORMANCE.md show between marks is copied from a report, line by line.
func TestDocs_TablesStandInAReport(t *testing.T) {
	reports, err := filepath.Glob(filepath.Join("results", "*", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, name := range reports {
		for line := range strings.Lines(string(read(t, name))) {
			kept[line] = true
		}
	}
	for _, name := range []string{"README.md", filepath.Join("docs", "PERFORMANCE.md")} {
		shown := 0
		for line := range strings.Lines(between(string(read(t, filepath.Join("..", "..", name))), "<!-- report -->\n", "<!-- end -->\n")) {
			shown++
			if !kept[line] {
				t.Errorf("%s: no report has the line %q", name, line)
			}
		}
		if shown < 10 {
			t.Errorf("%s shows %d lines of reports between <!-- report --> and <!-- end -->", name, shown)
		}
	}
}

// between returns all that stands between marks.
func between(text, begin, end string) (all string) {
	for {
		_, rest, found := strings.Cut(text, begin)
		if !found {
			return all
		}
		part, after, _ := strings.Cut(rest, end)
		all += part
		text = after
	}
}
