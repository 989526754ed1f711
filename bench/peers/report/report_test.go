package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/bench/peers/record"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	outDir = flag.String("out", "", "also write the sample's report there, to look at")
)

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the difference. Got:\n%s", file, got)
	}
}

// smallLines returns the lines of testdata/small.jsonl: few rows, and all that a cell can have.
func smallLines(t *testing.T) []record.Line {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "small.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestMarkdown_OfAFewRows(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, smallLines(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "small.md", b.String())
}

func TestMarkdown_OfAllRows(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, sampleLines("equal", 1)); err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.md", b.String())
}

func TestCompare_OfTwoRuns(t *testing.T) {
	a, b := smallLines(t), smallLines(t)
	for _, line := range b {
		if line.Row != nil && line.Row.Engine == "tinykv" {
			line.Row.Seconds *= 1.25
		}
	}
	b = b[:len(b)-2] // lacks what stands last
	var out bytes.Buffer
	if err := Compare(&out, a, b); err != nil {
		t.Fatal(err)
	}
	golden(t, "compare.md", out.String())
}

func TestReport_RefusesWhatMustNotStandInOneTable(t *testing.T) {
	other := func(change func(*record.Run)) []record.Line {
		head := sampleHead("equal")
		change(head.Run)
		return append(sampleLines("equal", 1), head)
	}
	for _, c := range []struct {
		about string
		lines []record.Line
		says  string
	}{
		{"two profiles", append(sampleLines("equal", 1), sampleLines("default", 1)...), "make a report of each"},
		{"two sizes", other(func(r *record.Run) { r.Entries++ }), "make a report of each"},
		{"values of two sizes", other(func(r *record.Run) { r.ValueBytes++ }), "make a report of each"},
		{"two limits of memory", other(func(r *record.Run) { r.MemoryLimit *= 2 }), "make a report of each"},
		{"an engine with two durabilities", other(func(r *record.Run) { r.Engines[1].Durability = "none" }), "make a report of each"},
		{"no head", sampleLines("equal", 1)[1:], "is missing"},
		{"no rows", sampleLines("equal", 1)[:1], "run it again"},
		{"nothing", nil, "is missing"},
	} {
		var b bytes.Buffer
		err := Markdown(&b, c.lines)
		if err == nil || !strings.Contains(err.Error(), c.says) || b.Len() > 0 {
			t.Errorf("%s: %v and %d bytes, want an error that says %q", c.about, err, b.Len(), c.says)
		}
	}
}

func TestCompare_RefusesRunsOfDifferentThings(t *testing.T) {
	var b bytes.Buffer
	err := Compare(&b, sampleLines("equal", 1), sampleLines("default", 1))
	if err == nil || !strings.Contains(err.Error(), "same flags") {
		t.Errorf("%v, want an error that says what to do", err)
	}
}

func TestMarkdown_TakesSeveralRunsOfTheSame(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, append(sampleLines("equal", 1), sampleLines("equal", 2)...)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "- commit 0123abcd"); n != 2 {
		t.Errorf("%d heads, want that of each run", n)
	}
}

func TestWrite_GivesTheSameBytesAgain(t *testing.T) {
	lines := sampleLines("equal", 1)
	first, second := t.TempDir(), t.TempDir()
	if *outDir != "" {
		first = *outDir
	}
	for _, dir := range []string{first, second} {
		if err := Write(dir, lines); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(second, "plots", "*"))
	if err != nil || len(names) != 2*2*6 {
		t.Fatalf("%d plots, %v, want two of each group as PNG and SVG", len(names), err)
	}
	for _, name := range append(names, filepath.Join(second, "report.md")) {
		rel, _ := filepath.Rel(second, name)
		a, errA := os.ReadFile(filepath.Join(first, rel))
		b, errB := os.ReadFile(name)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", rel, errA, errB)
		}
	}
}
