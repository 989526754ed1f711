package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	return child.Main(ctx, os.Stdin, engines(), os.Stdout)
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
	chosen, natives, err := c.choose(os.Stderr)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	stores, err := os.MkdirTemp(c.storesIn(), "stores-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stores)
	log, err := newLog(filepath.Join(c.out, resultsFile))
	if err != nil {
		return err
	}
	head, err := c.head(ctx, stores, args, chosen, natives)
	if err == nil {
		err = log.add(record.Line{Run: head})
	}
	if err != nil {
		return errors.Join(err, log.discard())
	}
	run := &contest.Contest{
		Engines: chosen, Natives: natives, Specs: specs, Profile: c.profile, Entries: c.entries, ValueBytes: c.valueBytes,
		Reps: c.reps, Seed: c.seed, WriteLimit: c.writeLimit, ReadTime: c.readTime, Rest: rest, MemoryLimit: c.memoryLimit,
		Dir: stores, Report: log.add, Progress: os.Stderr,
	}
	err = run.Run(ctx)
	if log.rows == 0 {
		return errors.Join(err, log.discard())
	}
	err = errors.Join(err, log.finish(), report.Write(c.out, log.lines))
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

// choose returns the engines that are named, each once. One that is not there is an error if -engines named it, and a line for
// the user if it is one of all, or of -quick.
func (c *config) choose(tell io.Writer) (chosen []engine.Engine, natives []contest.Native, err error) {
	for _, name := range unique(c.engines) {
		i := slices.IndexFunc(engines(), func(e engine.Engine) bool { return e.Name == name })
		switch reason := absent(name); {
		case i >= 0:
			chosen = append(chosen, engines()[i])
		case name == rocksName && reason == "":
			natives = append(natives, c.rocks())
		case c.enginesGiven:
			return nil, nil, fmt.Errorf("-engines: there is no %q here%s", name, reason)
		default:
			fmt.Fprintf(tell, "without %s%s\n", name, reason)
		}
	}
	return chosen, natives, nil
}

func unique(names []string) (once []string) {
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

// head returns the first line of the results. It measures the machine.
func (c *config) head(ctx context.Context, dir string, args []string, chosen []engine.Engine, natives []contest.Native) (*record.Run, error) {
	run := &record.Run{
		Commit: commit(ctx), Started: time.Now().UTC().Truncate(time.Second), Command: strings.Join(args, " "),
		Profile: string(c.profile), Entries: c.entries, ValueBytes: c.valueBytes, Reps: c.reps, Seed: c.seed, MemoryLimit: c.memoryLimit,
	}
	settings := engine.Config{Profile: c.profile, MemoryLimit: c.memoryLimit}
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

// results keeps lines and writes each to a file at once, so that nothing is lost with a run that is interrupted. The file has a name of
// its own until the run is over: a run that fails takes the place of no other, and two cannot mix.
type results struct {
	lines []record.Line
	rows  int
	name  string
	file  *os.File
}

const unfinished = ".part"

func newLog(name string) (*results, error) {
	f, err := os.OpenFile(name+unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: another run writes there, or one was killed: remove it, or choose another -out", err)
	}
	if err != nil {
		return nil, err
	}
	return &results{name: name, file: f}, nil
}

func (r *results) add(line record.Line) error {
	r.lines = append(r.lines, line)
	if line.Row != nil {
		r.rows++
	}
	return json.NewEncoder(r.file).Encode(line)
}

// finish puts the file in the place of that of a former run.
func (r *results) finish() error {
	return errors.Join(r.file.Close(), os.Rename(r.name+unfinished, r.name))
}

// discard removes the file.
func (r *results) discard() error {
	return errors.Join(r.file.Close(), os.Remove(r.name+unfinished))
}
