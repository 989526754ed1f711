package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tinykv/tinykv/bench/peers/contest"
	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/workload"
)

// config is what flags say.
type config struct {
	profile      engine.Profile
	entries      int
	valueBytes   int
	threads      []int
	reps         int
	rows         []string
	engines      []string
	enginesGiven bool // and not chosen by default, or by -quick
	out, dir     string
	seed         uint64
	writeLimit   time.Duration
	readTime     time.Duration
	memoryLimit  int64
}

// engineNames are all engines that there may be.
var engineNames = []string{"tinykv", "pebble", "badger", "goleveldb", "bbolt", "lmdb", rocksName}

// quick is what -quick stands for: other flags count beside it.
var quick = map[string]string{
	"engines": "tinykv,pebble,lmdb",
	"rows":    "fillseq,fillrandom,readrandom,readmissing,readseq,seekrandom",
	"threads": "1",
	"n":       "300000",
}

// parseFlags returns what arguments say. Help goes where flag.FlagSet prints it.
func parseFlags(args []string) (*config, error) {
	c := &config{}
	set := flag.NewFlagSet("peers", flag.ContinueOnError)
	profile := set.String("profile", string(engine.Equal), "options of the engines: equal (the same memory, filters and durability) or default (each as shipped)")
	set.IntVar(&c.entries, "n", 1_000_000, "number of `keys`")
	set.IntVar(&c.valueBytes, "value", 100, "`bytes` of a value; keys have 16")
	threads := set.String("threads", "1,2,8", "numbers of `threads` for rows that scale")
	set.IntVar(&c.reps, "reps", 3, "how `often` all is measured; medians count")
	rows := set.String("rows", "", "`rows` to measure, each as name or name:threads (default all: "+strings.Join(contest.Names(), " ")+")")
	engines := set.String("engines", "", "`engines` to measure (default all that are there: "+strings.Join(engineNames, " ")+")")
	set.StringVar(&c.out, "out", "peers-results", "`directory` for results.jsonl, report.md and plots")
	set.StringVar(&c.dir, "dir", "", "`directory` on the file system to measure, for stores, which are removed (default: -out)")
	set.Uint64Var(&c.seed, "seed", 1, "`seed` of keys, values and the order of engines")
	set.DurationVar(&c.writeLimit, "write-limit", 3*time.Second, "`time` after which a row that writes a number of keys is cut off, and marked so")
	set.DurationVar(&c.readTime, "read-time", 500*time.Millisecond, "`time` of a row that reads or mixes")
	limit := set.String("memory-limit", "", "memory of each engine with its share of the page cache, as `512MiB`, by a control group; needs root")
	isQuick := set.Bool("quick", false, "three engines, six rows, 300000 keys: under two minutes")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	set.Visit(func(f *flag.Flag) { c.enginesGiven = c.enginesGiven || f.Name == "engines" })
	if *isQuick {
		if err := setQuick(set); err != nil {
			return nil, err
		}
	}
	c.profile, c.rows, c.engines = engine.Profile(*profile), list(*rows), list(*engines)
	if len(c.engines) == 0 {
		c.engines = engineNames
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("%q is neither a flag nor a command; commands are report and compare, see -help", set.Arg(0))
	}
	return c, errors.Join(c.setThreads(*threads), c.setLimit(*limit), c.check())
}

// setQuick sets what -quick stands for, but for flags that are given.
func setQuick(set *flag.FlagSet) error {
	given := map[string]bool{}
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range quick {
		if given[name] {
			continue
		}
		if err := set.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func (c *config) setThreads(text string) error {
	for _, t := range list(text) {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 || n > maxThreads {
			return fmt.Errorf("-threads: %q is no number from 1 to %d", t, maxThreads)
		}
		c.threads = append(c.threads, n)
	}
	slices.Sort(c.threads)
	if c.threads = slices.Compact(c.threads); len(c.threads) == 0 {
		return errors.New("-threads: at least one number is needed, as in -threads 1,2,8")
	}
	return nil
}

// minMemory is less than any engine runs in.
const minMemory = 32 << 20

func (c *config) setLimit(text string) error {
	if text == "" {
		return nil
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n < minMemory || n > 1<<50 {
		return fmt.Errorf("-memory-limit: %q is no size of at least 32MiB, as 512MiB", text)
	}
	c.memoryLimit = int64(n)
	return nil
}

// Bounds of flags.
const (
	maxThreads    = 256
	minEntries    = 1000
	maxEntries    = 1 << 30
	maxValueBytes = 1 << 20
	maxReps       = 100
)

func (c *config) check() error {
	switch {
	case c.profile != engine.Equal && c.profile != engine.Default:
		return fmt.Errorf("-profile: %q is neither equal nor default", c.profile)
	case c.entries < minEntries || c.entries > maxEntries:
		return fmt.Errorf("-n: %d is not from %d to %d", c.entries, minEntries, maxEntries)
	case c.valueBytes < workload.MinValueBytes || c.valueBytes > maxValueBytes:
		return fmt.Errorf("-value: %d is not from %d to %d", c.valueBytes, workload.MinValueBytes, maxValueBytes)
	case c.reps < 1 || c.reps > maxReps:
		return fmt.Errorf("-reps: %d is not from 1 to %d", c.reps, maxReps)
	case c.writeLimit <= 0 || c.readTime <= 0:
		return errors.New("-write-limit and -read-time must be above 0, as in -read-time 1s")
	}
	return nil
}
