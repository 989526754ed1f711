package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tinykv/tinykv"
)

type repairCommand struct {
	progressFlag
	Src          string `arg:"" complete:"dir" name:"src" help:"Directory of the damaged store. It is not changed."`
	Dst          string `arg:"" complete:"dir" name:"dst" help:"Directory for the copy: empty, or not there yet."`
	KeepDoubtful bool   `help:"Copy also what may be out of date: deleted and overwritten values may come back."`
	JSON         bool   `name:"json" help:"As JSON; keys in base64."`
}

// Run copies what is good.
func (c *repairCommand) Run(e *environment) error {
	m := c.meter(e)
	report, err := tinykv.Repair(e.ctx, c.Src, c.Dst, &tinykv.RepairOptions{
		KeepDoubtful: c.KeepDoubtful,
		Progress: func(p tinykv.RepairProgress) {
			m.update(step{Phase: p.Phase, Done: p.Done, Total: p.Total, Note: countText(p.Damages, "damaged place") + "  " + filepath.Base(p.File)})
		},
	})
	m.end()
	err = m.stopped(err)
	switch {
	case errors.Is(err, tinykv.ErrMissing):
		return fmt.Errorf("there is no store in %s", c.Src)
	case err != nil:
		if names, _ := os.ReadDir(c.Dst); len(names) > 0 && !errors.Is(err, tinykv.ErrExists) {
			e.say("tinykv: what was copied so far is in %s; delete it before another try", c.Dst)
		}
		return err
	case c.JSON:
		err = e.json(report)
	default:
		e.printf("%s", report)
		if report.Doubtful > 0 && !c.KeepDoubtful {
			e.printf("tinykv repair --keep-doubtful copies what is in doubt as well\n")
		}
	}
	if err == nil && report.Err() != nil {
		err = quietError{report.Err()}
	}
	return err
}
