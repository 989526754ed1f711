package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tinykv/tinykv/bench/internal/machine"
	"github.com/tinykv/tinykv/bench/peers/child"
	"github.com/tinykv/tinykv/bench/peers/contest"
	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/record"
	"github.com/tinykv/tinykv/bench/peers/report"
)

const resultsFile = "results.jsonl"

// rest is how long a store that counts as at rest has done nothing.
const rest = 400 * time.Millisecond

// runChild does what the script at standard input says.
func runChild(ctx context.Context) error {
	var s child.Script
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return fmt.Errorf("script of a child: %w", err)
	}
	return child.Run(ctx, &s, engines(), os.Stdout)
}

// measure runs a contest and writes its report, also of one that was interrupted.
func measure(ctx context.Context, args []string) error {
	c, err := parseFlags(args)
	if err != nil {
		return err
	}
	specs, err := contest.Specs(c.rows, c.threads)
	if err != nil {
		return err
	}
	chosen, natives, err := c.choose()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	log, err := newLog(filepath.Join(c.out, resultsFile))
	if err != nil {
		return err
	}
	stores, err := os.MkdirTemp(c.storesIn(), "stores-")
	if err != nil {
		return errors.Join(err, log.Close())
	}
	defer os.RemoveAll(stores)
	head, err := c.head(ctx, stores, args, chosen, natives)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	if err := log.add(record.Line{Run: head}); err != nil {
		return err
	}
	run := &contest.Contest{
		Engines: chosen, Natives: natives, Specs: specs, Profile: c.profile, Entries: c.entries, ValueBytes: c.valueBytes,
		Reps: c.reps, Seed: c.seed, WriteLimit: c.writeLimit, ReadTime: c.readTime, Rest: rest, MemoryLimit: c.memoryLimit,
		Dir: stores, Report: log.add, Progress: os.Stderr,
	}
	err = errors.Join(run.Run(ctx), log.Close(), report.Write(c.out, log.lines))
	if err == nil {
		fmt.Println(filepath.Join(c.out, "report.md"))
	}
	return err
}

func (c *config) storesIn() string {
	if c.dir != "" {
		return c.dir
	}
	return c.out
}

// choose returns the engines that -engines names, or all.
func (c *config) choose() (chosen []engine.Engine, natives []contest.Native, err error) {
	all, programs := engines(), c.natives()
	if len(c.engines) == 0 {
		for _, reason := range allAbsent() {
			fmt.Fprintln(os.Stderr, "without", reason)
		}
		return all, programs, nil
	}
	for _, name := range c.engines {
		i := slices.IndexFunc(all, func(e engine.Engine) bool { return e.Name == name })
		j := slices.IndexFunc(programs, func(n contest.Native) bool { return n.Name == name })
		switch {
		case i >= 0:
			chosen = append(chosen, all[i])
		case j >= 0:
			natives = append(natives, programs[j])
		default:
			return nil, nil, fmt.Errorf("-engines: there is no %q here%s", name, absent(name))
		}
	}
	return chosen, natives, nil
}

// head returns the first line of the results. It measures the machine.
func (c *config) head(ctx context.Context, dir string, args []string, chosen []engine.Engine, natives []contest.Native) (*record.Run, error) {
	run := &record.Run{
		Commit: commit(ctx), Started: time.Now().UTC().Truncate(time.Second), Command: strings.Join(args, " "),
		Profile: string(c.profile), Entries: c.entries, ValueBytes: c.valueBytes, Reps: c.reps, Seed: c.seed, MemoryLimit: c.memoryLimit,
	}
	settings := engine.Config{Profile: c.profile}
	for _, e := range chosen {
		run.Engines = append(run.Engines, record.Engine{
			Name: e.Name, Version: version(e), Settings: e.Settings(settings), Durability: e.Durability(settings),
		})
	}
	for _, n := range natives {
		run.Engines = append(run.Engines, n.About)
	}
	machine.Facts(dir, func(name, text string) { run.Machine = append(run.Machine, record.Fact{Name: name, Text: text}) })
	return run, machine.Measure(ctx, dir, func(name, text string) { run.Limits = append(run.Limits, record.Fact{Name: name, Text: text}) })
}

// commit returns the commit of the source that is in the working directory, with "+" where files differ from it. (go run does not
// record it in the program.)
func commit(ctx context.Context) string {
	hash, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return machine.Commit()
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(hash)) + "+"
	}
	return strings.TrimSpace(string(hash))
}

// results keeps lines and writes each to a file at once, so that nothing is lost with an interrupted run.
type results struct {
	lines []record.Line
	file  io.WriteCloser
}

func newLog(name string) (*results, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &results{file: f}, nil
}

func (r *results) add(line record.Line) error {
	r.lines = append(r.lines, line)
	return json.NewEncoder(r.file).Encode(line)
}

// Close closes the file.
func (r *results) Close() error { return r.file.Close() }
