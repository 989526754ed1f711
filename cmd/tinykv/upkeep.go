package main

import (
	"path/filepath"
	"time"

	"github.com/tinykv/tinykv"
)

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
		m.update(step{Phase: p.Phase, Done: p.Done, Total: p.Total, Note: countText(p.Problems, "problem") + "  " + filepath.Base(p.File)})
	}})
	m.end()
	err = m.stopped(err)
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
			return m.stopped(err)
		case <-tick.C:
			read, written := int64(0), int64(0)
			for _, l := range db.Metrics().Levels {
				read, written = read+l.ReadBytes, written+l.WrittenBytes
			}
			m.update(step{Phase: "compacting", Done: read, Note: sizeText(written) + " written, " + sizeText(tableBytes(db)) + " of tables"})
		}
	}
}

func tableBytes(db *tinykv.DB) (n int64) {
	for _, l := range db.Metrics().Levels {
		n += l.Bytes
	}
	return n
}
