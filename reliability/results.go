package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

// Where the last full run is kept, and where it is shown.
const (
	resultsDir = "reliability/results"
	docsFile   = "docs/RELIABILITY.md"

	tableBegin, tableEnd = "<!-- table -->\n", "<!-- end -->"
)

// output returns what a program prints, without the end of the line.
func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// head names the commit that runs, and says so if files differ from it.
func head() string {
	commit := output("git", "rev-parse", "--short=10", "HEAD")
	if output("git", "status", "--porcelain", "--untracked-files=no") != "" {
		commit += " with changes"
	}
	return commit
}

// describe says when and on what a run was made.
func describe() string {
	return fmt.Sprintf("Made by `make reliability`, the last of it on %s: %s, %s/%s, %d processors, kernel %s, files on %s.",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		output("uname", "-r"), output("stat", "-f", "-c", "%T", os.TempDir()))
}

// keepResults keeps the rows of a run, in the place of those that their suites had left, and its description.
func keepResults(dir string, rows []tally.Row, commit, description string) error {
	name := filepath.Join(dir, "rows.jsonl")
	var kept []tally.Row
	if old, err := os.ReadFile(name); err == nil {
		if kept, err = tally.Read(bytes.NewReader(old)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for i := range rows {
		rows[i].Commit = commit
	}
	var lines bytes.Buffer
	if err := tally.WriteLines(&lines, tally.Replace(kept, rows)); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "run.txt"), []byte(description+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(name, lines.Bytes(), 0o644)
}

// render returns the description and the table of a run that was kept.
func render(dir string) ([]byte, error) {
	description, err := os.ReadFile(filepath.Join(dir, "run.txt"))
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "rows.jsonl"))
	if err != nil {
		return nil, err
	}
	rows, err := tally.Read(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(append(description, '\n'))
	if err := tally.WriteTable(b, rows); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// updateDocs puts the run into the document, between two marks.
func updateDocs(name, dir string) error {
	doc, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, _, after, err := splitDocs(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	table, err := render(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(name, bytes.Join([][]byte{before, table, after}, nil), 0o644)
}

// splitDocs returns what stands before, between and behind the marks.
func splitDocs(doc []byte) (before, table, after []byte, err error) {
	begin := bytes.Index(doc, []byte(tableBegin))
	if begin < 0 {
		return nil, nil, nil, fmt.Errorf("the mark %q is missing", tableBegin)
	}
	begin += len(tableBegin)
	n := bytes.Index(doc[begin:], []byte(tableEnd))
	if n < 0 {
		return nil, nil, nil, fmt.Errorf("the mark %q is missing", tableEnd)
	}
	return doc[:begin], doc[begin : begin+n], doc[begin+n:], nil
}
