package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tinykv/tinykv"
)

// progressFlag says whether to tell how far it is.
type progressFlag struct {
	Progress bool `help:"Tell on standard error how far it is, also where that is no terminal."`
}

const progressEvery = 100 * time.Millisecond

// meter writes over one line of standard error, now and then.
type meter struct {
	e    *environment
	on   bool
	last time.Time
	used bool
}

func (f progressFlag) meter(e *environment) *meter {
	return &meter{e: e, on: f.Progress || isTerminal(e.errors)}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show writes a line of less than 80 columns in the place of the last one.
func (m *meter) show(format string, args ...any) {
	if now := time.Now(); m.on && now.Sub(m.last) >= progressEvery {
		m.last, m.used = now, true
		fmt.Fprintf(m.e.errors, "\r%-78.78s", fmt.Sprintf(format, args...))
	}
}

// end removes the line.
func (m *meter) end() {
	if m.used {
		fmt.Fprintf(m.e.errors, "\r%78s\r", "")
	}
}

type verifyCommand struct {
	progressFlag
	JSON bool `name:"json" help:"As JSON."`
}

// jsonReport is a report with its damage.
type jsonReport struct {
	*tinykv.VerifyReport
	Problems []jsonProblem `json:"problems"`
}

type jsonProblem struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // -1 when it is not known
	What   string `json:"what"`
	Detail string `json:"detail"`
	Cause  string `json:"cause,omitempty"`
}

// Run verifies the store.
func (c *verifyCommand) Run(e *environment) error {
	if e.db == "" {
		return errNoStore
	}
	m := c.meter(e)
	report, err := tinykv.Verify(e.ctx, e.db, &tinykv.VerifyOptions{Progress: func(p tinykv.VerifyProgress) {
		m.show("%s: %s of %s, %s  %s", p.Phase, sizeText(p.Done), sizeText(p.Total), countText(p.Problems, "problem"), filepath.Base(p.File))
	}})
	m.end()
	if report == nil {
		return err
	}
	if c.JSON {
		j := jsonReport{VerifyReport: report, Problems: []jsonProblem{}}
		for _, p := range report.Problems {
			j.Problems = append(j.Problems, problemJSON(p))
		}
		if jsonErr := e.json(&j); err == nil {
			err = jsonErr
		}
	} else {
		e.printf("%s", report)
	}
	if err == nil && report.Err() != nil {
		err = quietError{report.Err()}
	}
	return err
}

func problemJSON(p *tinykv.CorruptionError) jsonProblem {
	j := jsonProblem{File: p.File, Offset: p.Offset, What: p.What, Detail: p.Detail}
	if p.Cause != nil {
		j.Cause = p.Cause.Error()
	}
	return j
}

type compactCommand struct {
	hexFlag
	rangeFlags
	progressFlag
}

// Run compacts the store, or a range of it, and tells what became of it.
func (c *compactCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	return e.with(&tinykv.Options{ErrorIfMissing: true}, func(db *tinykv.DB) error {
		before := tableBytes(db)
		if err := c.compact(e, db, r); err != nil {
			return err
		}
		e.printf("tables: %s before, %s now\n", sizeText(before), sizeText(tableBytes(db)))
		return nil
	})
}

// compact runs the compaction and tells meanwhile how much it has written.
func (c *compactCommand) compact(e *environment, db *tinykv.DB, r tinykv.Range) error {
	m := c.meter(e)
	defer m.end()
	done := make(chan error, 1)
	go func() { done <- db.Compact(e.ctx, r) }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			read, written := int64(0), int64(0)
			for _, l := range db.Metrics().Levels {
				read, written = read+l.ReadBytes, written+l.WrittenBytes
			}
			m.show("compacting: %s merged to %s, %s of tables", sizeText(read), sizeText(written), sizeText(tableBytes(db)))
		}
	}
}

func tableBytes(db *tinykv.DB) (n int64) {
	for _, l := range db.Metrics().Levels {
		n += l.Bytes
	}
	return n
}
