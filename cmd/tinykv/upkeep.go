package main

import (
	"cmp"
	"errors"
	"path/filepath"

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

// Run verifies the store. Where a server has it open, that does it: all but the log, which is in its memory.
func (c *verifyCommand) Run(e *environment) error {
	report, err := c.verify(e)
	if report == nil {
		return err
	}
	if report.Dir == "" { // a server tells no paths
		report.Dir = cmp.Or(e.server, e.db)
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

func (c *verifyCommand) verify(e *environment) (*tinykv.VerifyReport, error) {
	m := c.meter(e)
	if e.server != "" {
		s, err := dialURL(e)
		if err != nil {
			return nil, err
		}
		return s.verify(m)
	}
	if e.db == "" {
		return nil, errNoStore
	}
	report, err := tinykv.Verify(e.ctx, e.db, &tinykv.VerifyOptions{Progress: func(p tinykv.VerifyProgress) {
		m.update(step{Phase: p.Phase, Done: p.Done, Total: p.Total, Note: countText(p.Problems, "problem") + "  " + filepath.Base(p.File)})
	}})
	m.end()
	if errors.Is(err, tinykv.ErrLocked) {
		if s := dialSocket(e); s != nil {
			return s.verify(m)
		}
	}
	return report, m.stopped(err)
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
	bucketFlag
	rangeFlags
	progressFlag
}

// Run compacts the store, or a range of it, and tells what became of it.
func (c *compactCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	return e.at(&tinykv.Options{ErrorIfMissing: true}, func(s site) error {
		if _, err := c.in(s); err != nil {
			return err
		}
		before, after, err := s.compact(c.Bucket, r, c.meter(e))
		if err != nil {
			return err
		}
		e.printf("tables: %s before, %s now\n", sizeText(before), sizeText(after))
		return nil
	})
}

// compact runs the compaction and tells meanwhile how much it has written.
func (l local) compact(bucket string, r tinykv.Range, m *meter) (before, after int64, err error) {
	defer m.end()
	before = tableBytes(l.db)
	compact := l.db.Compact
	if bucket != "" {
		compact = l.db.Bucket(bucket).Compact
	}
	m.during(func() { err = compact(l.e.ctx, r) }, func() step {
		read, written := int64(0), int64(0)
		for _, l := range l.db.Metrics().Levels {
			read, written = read+l.ReadBytes, written+l.WrittenBytes
		}
		return step{Phase: "compacting", Done: read, Note: sizeText(written) + " written, " + sizeText(tableBytes(l.db)) + " of tables"}
	})
	return before, tableBytes(l.db), m.stopped(err)
}

func tableBytes(db *tinykv.DB) (n int64) {
	for _, l := range db.Metrics().Levels {
		n += l.Bytes
	}
	return n
}
