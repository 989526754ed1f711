package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

var (
	fuzzTarget = regexp.MustCompile(`(?m)^fuzz (\S+) (\S+)$`)
	executions = regexp.MustCompile(`(?m)^fuzz: elapsed: \S+, execs: (\d+)`)
)

// fuzzing runs every fuzz target for some time, as `make fuzz` does, and records how many executions that were.
func (r *runner) fuzzing(ctx context.Context, each time.Duration) error {
	began := time.Now()
	cmd := exec.CommandContext(ctx, "make", "-s", "fuzz", "FUZZTIME="+each.String(), "FUZZSHOW=3")
	out, err := cmd.CombinedOutput()
	row := tally.Row{
		ID: "A13", Suite: "fuzzing", Load: fmt.Sprintf("every decoder and the whole engine against a model, %v each", each),
		Unit: "fuzz targets", Faults: int64(len(fuzzTarget.FindAll(out, -1))),
		Replay: "make fuzz FUZZTIME=" + each.String(),
	}
	total := int64(0)
	for _, m := range executions.FindAllSubmatch(out, -1) {
		n, _ := strconv.ParseInt(string(m[1]), 10, 64)
		total += n
	}
	row.Counts = []tally.Count{{Name: "executions", N: total}}
	if err != nil {
		row.Violations = 1
	}
	r.say("fuzzing", began, out, err)
	if kept := r.keep(row); err == nil {
		err = kept
	}
	return err
}

// keep appends a row to those of the suites.
func (r *runner) keep(row tally.Row) error {
	line, err := json.Marshal(row)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(r.rowsFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
