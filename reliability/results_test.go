package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/tally"
)

// The table of docs/RELIABILITY.md is that of the run that is kept.
func TestDocs_TableIsThatOfTheRunThatIsKept(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", docsFile))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _, err := splitDocs(doc)
	if err != nil {
		t.Fatal(err)
	}
	made, err := render("results")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(table, made) {
		t.Errorf("%s is not what reliability/results says; `make reliability` writes both\n%s", docsFile, made)
	}
	if bytes.Contains(made, []byte("with changes")) {
		t.Error("the run was made of files that are not committed")
	}
}

// A suite that has no tests any more would pass without a word.
func TestSuites_HaveTests(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing.T\)`)
	for _, s := range suites {
		files, err := filepath.Glob(filepath.Join("..", s.dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				if regexp.MustCompile(s.run).MatchString(m[1]) && m[1] != "TestMain" {
					found++
				}
			}
		}
		if found == 0 {
			t.Errorf("suite %q: %s has no test that matches %s", s.name, s.dir, s.run)
		}
	}
}

func TestUpdateDocs_ReplacesWhatStandsBetweenTheMarks(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "doc.md")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows := []tally.Row{{ID: "A1", Suite: "crashes", Load: "a life", Faults: 3, Unit: "images"}}
	for _, commit := range []string{"abc", "def"} {
		if err := keepResults(filepath.Join(dir, "kept"), rows, commit, "Made today."); err != nil {
			t.Fatal(err)
		}
	}
	write(name, "before\n<!-- table -->\nold\n<!-- end -->\nbehind\n")
	for range 2 {
		if err := updateDocs(name, filepath.Join(dir, "kept")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n<!-- table -->\nMade today.\n\n| |", "| A1 | crashes | a life | 3 images |  | 0 | def |\n<!-- end -->\nbehind\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	write(name, "no marks")
	if err := updateDocs(name, filepath.Join(dir, "kept")); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
}

func TestRunner_RefusesAnAmountThatIsNone(t *testing.T) {
	if _, err := newRunner(t.TempDir(), "much", 1); err == nil || !strings.Contains(err.Error(), "much") {
		t.Error(err)
	}
}
