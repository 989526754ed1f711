package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

// soak runs the seeded suites until the time is over, each round with the next seed, and writes a line for each
// round.
func (r *runner) soak(ctx context.Context, names *regexp.Regexp, during time.Duration) error {
	fmt.Println(head(), describe())
	total := 0
	for end := time.Now().Add(during); time.Now().Before(end) && ctx.Err() == nil; r.seed++ {
		began, failed := time.Now(), 0
		_ = os.Remove(r.rowsFile) // of the round before
		for _, s := range chosen(names, func(s suite) bool { return s.seeded }) {
			if out, err := r.test(ctx, s); err != nil && ctx.Err() == nil {
				failed++
				name := filepath.Join(r.logs, fmt.Sprintf("seed-%d-%s.log", r.seed, s.name))
				fmt.Printf("seed %d: %s FAILED: %v; see %s\n", r.seed, s.name, err, name)
				if err := os.WriteFile(name, out, 0o600); err != nil {
					return err
				}
			}
		}
		rows, err := r.rows()
		if err != nil {
			return err
		}
		total += failed
		fmt.Printf("%s seed %d: %d faults in %d suites, %d suites failed, %v\n",
			began.UTC().Format(time.DateTime), r.seed, faults(rows), len(rows), failed, time.Since(began).Round(time.Second))
	}
	if total > 0 {
		return fmt.Errorf("%d failures", total)
	}
	return nil
}

// faults returns how many faults the rows have together.
func faults(rows []tally.Row) (n int64) {
	for _, row := range rows {
		n += row.Faults
	}
	return n
}
