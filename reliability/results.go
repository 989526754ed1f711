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

// describe says when, of what and on what a run was made.
func describe(began time.Time) string {
	text := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(out))
	}
	changed := ""
	if text("git", "status", "--porcelain", "--untracked-files=no") != "" {
		changed = " with changes"
	}
	return fmt.Sprintf("Made on %s by `make reliability` at commit %s%s in %v: %s, %s/%s, %d processors, kernel %s, files on %s.",
		began.UTC().Format(time.DateOnly), text("git", "rev-parse", "--short=10", "HEAD"), changed, time.Since(began).Round(time.Minute),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), text("uname", "-r"), text("stat", "-f", "-c", "%T", os.TempDir()))
}

// writeResults keeps the rows of a run and its description.
func writeResults(dir, rowsFile, description string) error {
	rows, err := os.ReadFile(rowsFile)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "run.txt"), []byte(description+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "rows.jsonl"), rows, 0o644)
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
