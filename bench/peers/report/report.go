// Package report makes of a file of results what people look at: a report in Markdown, plots, and the comparison of
// two runs.
//
//	lines, err := report.Read(file)
//	err = report.Write("results", lines) // results/report.md, results/plots/*.png, *.svg
//
// The same lines give the same bytes. Nothing here measures, and nothing is left out: a row in which tinykv loses stands
// where it would stand otherwise, and again in a list of its own. All functions may be called concurrently.
package report

import (
	"bytes"
	"io"
	"os"
	"path/filepath"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// Write writes report.md and the folder plots to a directory, and makes the directory where there is none. The lines may
// be those of several runs of the same things; a mixture of different profiles or sizes is refused with an error.
func Write(dir string, lines []record.Line) error {
	r, err := newResults(lines)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, plotsDir), 0o755); err != nil {
		return err
	}
	files, err := r.writePlots(filepath.Join(dir, plotsDir))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	r.markdown(&b, files)
	return os.WriteFile(filepath.Join(dir, "report.md"), b.Bytes(), 0o644)
}

// Markdown writes the report without plots. It refuses what Write refuses.
func Markdown(w io.Writer, lines []record.Line) error {
	r, err := newResults(lines)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	r.markdown(&b, nil)
	_, err = w.Write(b.Bytes())
	return err
}

// markdown prints all sections, and shows the plots that are named.
func (r *results) markdown(b *bytes.Buffer, plots []string) {
	r.head(b)
	r.summary(b)
	r.losses(b)
	r.ratios(b, plots)
	r.settling(b)
	r.kills(b)
	r.latencies(b, plots)
	r.costs(b)
	r.notes(b)
}
