package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

// runner runs suites as programs of their own.
type runner struct {
	logs     string
	rowsFile string
	amount   string
	seed     uint64

	building sync.Mutex        // one build at a time
	built    map[string]string // guarded by building; test programs by directory and race
	showing  sync.Mutex
}

func newRunner(logs, amount string, seed uint64) (*runner, error) {
	switch amount {
	case "full", "ci", "quick":
	default:
		return nil, fmt.Errorf("-amount is %q, want full, ci or quick", amount)
	}
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	logs, err := filepath.Abs(logs)
	if err != nil {
		return nil, err
	}
	r := &runner{logs: logs, rowsFile: filepath.Join(logs, "rows.jsonl"), amount: amount, seed: seed, built: map[string]string{}}
	if err := os.Remove(r.rowsFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return r, nil
}

// lanes runs the suites, one of each lane at a time, and returns how many failed.
func (r *runner) lanes(ctx context.Context, names *regexp.Regexp, fuzzFor time.Duration) (failed int) {
	var running sync.WaitGroup
	failures := map[lane]*int{processor: new(int), disk: new(int)}
	for l, n := range failures {
		running.Go(func() {
			for _, s := range chosen(names, func(s suite) bool { return s.lane == l }) {
				if err := r.suite(ctx, s); err != nil {
					*n++
				}
			}
			if l == processor && fuzzFor > 0 && names.MatchString("fuzzing") {
				if err := r.fuzzing(ctx, fuzzFor); err != nil {
					*n++
				}
			}
		})
	}
	running.Wait()
	return *failures[processor] + *failures[disk]
}

// suite runs one suite and says how it ended.
func (r *runner) suite(ctx context.Context, s suite) error {
	began := time.Now()
	out, err := r.test(ctx, s)
	r.say(s.name, began, out, err)
	return err
}

// test builds and runs the tests of a suite and returns what they print.
func (r *runner) test(ctx context.Context, s suite) ([]byte, error) {
	program, err := r.build(ctx, s)
	if err != nil {
		return nil, err
	}
	args := []string{"-test.run", s.run, "-test.v", "-test.timeout", s.due().String()}
	if s.seeded && s.dir == "." {
		args = append(args, "-seed", strconv.FormatUint(r.seed, 10))
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.dir
	cmd.Env = r.environment()
	return cmd.CombinedOutput()
}

func (r *runner) environment() []string {
	return append(os.Environ(), tally.AmountEnv+"="+r.amount, tally.OutEnv+"="+r.rowsFile, tally.SeedEnv+"="+strconv.FormatUint(r.seed, 10))
}

// build returns the test program of a package.
func (r *runner) build(ctx context.Context, s suite) (string, error) {
	r.building.Lock()
	defer r.building.Unlock()
	id := strings.NewReplacer("/", "-", ".", "root").Replace(s.dir)
	args := []string{"test", "-c", "-o"}
	if s.race {
		id += "-race"
	}
	if program := r.built[id]; program != "" {
		return program, nil
	}
	program := filepath.Join(r.logs, id+".test")
	args = append(args, program)
	if s.race {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "./"+s.dir)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", s.dir, err, out)
	}
	r.built[id] = program
	return program, nil
}

// say keeps what a suite printed and says how it ended.
func (r *runner) say(name string, began time.Time, out []byte, err error) {
	r.showing.Lock()
	defer r.showing.Unlock()
	log := filepath.Join(r.logs, strings.ReplaceAll(name, " ", "-")+".log")
	if werr := os.WriteFile(log, out, 0o600); werr != nil {
		fmt.Println(werr)
	}
	verdict := "passed"
	if err != nil {
		verdict = "FAILED"
	}
	fmt.Printf("%-14s %s in %v\n", name, verdict, time.Since(began).Round(time.Second))
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte("--- SKIP")) || bytes.Contains(line, []byte("may not mount")) {
			fmt.Printf("\t%s\n", bytes.TrimSpace(line))
		}
	}
	if err != nil {
		const shown = 8 << 10
		fmt.Printf("%v\n%s\nall of it: %s\n", err, out[max(0, len(out)-shown):], log)
	}
}

// rows returns what the suites recorded.
func (r *runner) rows() ([]tally.Row, error) {
	f, err := os.Open(r.rowsFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return tally.Read(f)
}
