// Command reliability runs the suites of faults, crashes and damage, and makes the table of docs/RELIABILITY.md.
//
//	go run ./reliability                        all suites in full, in two lanes; writes the table
//	go run ./reliability -amount ci             what continuous integration does; writes nothing
//	go run ./reliability -only 'crashes|disks'  some suites; writes nothing, unless with -keep
//	go run ./reliability -soak 1h -seed 1000    seeded suites again and again, each time with another seed
//
// It is started from the top of the repository. What a suite prints goes to a file of its own; that of one that
// fails is shown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "reliability:", err)
		os.Exit(1)
	}
}

func run() error {
	amount := flag.String("amount", "full", "how much each suite does: full, ci or quick")
	only := flag.String("only", "", "regular expression of the suites to run; empty for all")
	soak := flag.Duration("soak", 0, "run the seeded suites until this time is over; 0 runs all once")
	seed := flag.Uint64("seed", 1, "where seeded suites begin")
	fuzz := flag.Duration("fuzz", 20*time.Second, "for how long each fuzz target runs; 0 for none")
	keep := flag.Bool("keep", false, "keep the rows of the suites that ran, and write the table; all of them in full always do")
	logs := flag.String("logs", filepath.Join(os.TempDir(), "tinykv-reliability"), "directory for what suites print")
	flag.Parse()
	names, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("start it from the top of the repository: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := newRunner(*logs, *amount, *seed)
	if err != nil {
		return err
	}
	if *soak > 0 {
		return r.soak(ctx, names, *soak)
	}
	whole := *only == "" && *amount == "full"
	commit := head()
	began := time.Now()
	failed := r.lanes(ctx, names, *fuzz)
	rows, err := r.rows()
	if err != nil {
		return err
	}
	if err := tally.WriteTable(os.Stdout, rows); err != nil {
		return err
	}
	fmt.Printf("\n%d suites failed; %v\n", failed, time.Since(began).Round(time.Second))
	if (whole || *keep) && ctx.Err() == nil {
		if err := keepResults(resultsDir, rows, commit, describe()); err != nil {
			return err
		}
		if err := updateDocs(docsFile, resultsDir); err != nil {
			return err
		}
	}
	if failed > 0 || ctx.Err() != nil {
		return fmt.Errorf("%d suites failed", failed)
	}
	return nil
}
