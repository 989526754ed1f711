package contest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tinykv/tinykv/bench/peers/child"
	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/record"
)

// Contest is a whole run.
type Contest struct {
	Engines    []engine.Engine
	Natives    []Native // programs, which run rows by themselves
	Specs      []Spec
	Profile    engine.Profile
	Entries    int
	ValueBytes int
	Reps       int
	Seed       uint64
	WriteLimit time.Duration // after which a row that writes so many keys is cut off
	ReadTime   time.Duration // of a row that ends by time
	Rest       time.Duration // without work, after which a store counts as at rest

	// MemoryLimit bounds the memory of each child, page cache and all, in bytes; 0: none.
	MemoryLimit int64

	Dir      string                  // where stores are made, and removed
	Report   func(record.Line) error // takes results, one at a time
	Progress io.Writer
}

// Native is an engine that is driven as a program, in a directory of its own.
type Native struct {
	Name  string
	About record.Engine
	Run   func(ctx context.Context, dir, group string, rep int, specs []Spec) ([]record.Row, error)
}

// contestant is an engine or a native.
type contestant struct {
	name string
	run  func(ctx context.Context, job job) error
}

// job is what one contestant has to do at one time.
type job struct {
	group
	dir       string
	rep, turn int
	limit     string // directory of the control group, or empty
}

// Run runs all, and reports rows as they are measured. A contestant that fails is reported by rows with its error and does not end the
// run; the end of ctx does.
func (c *Contest) Run(ctx context.Context) error {
	limit, remove, err := limitMemory(c.MemoryLimit)
	if err != nil {
		return err
	}
	defer remove()
	all := groups(c.Specs)
	p := newProgress(c.Progress, len(all)*(c.Reps*len(c.Engines)+len(c.Natives)))
	for rep := range c.Reps {
		for i, g := range all {
			for turn, contestant := range c.turns(rep, i) {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				done := p.begin(rep, g.name, contestant.name)
				err := c.runOne(ctx, contestant, job{group: g, rep: rep, turn: turn, limit: limit})
				if done(err); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// turns returns the contestants in random order, another one for each group. Natives are a reference, and take part once.
func (c *Contest) turns(rep, group int) []contestant {
	var all []contestant
	for _, e := range c.Engines {
		all = append(all, contestant{e.Name, func(ctx context.Context, j job) error { return c.runChild(ctx, e, j) }})
	}
	for _, n := range c.natives(rep) {
		all = append(all, contestant{n.Name, func(ctx context.Context, j job) error { return c.runNative(ctx, n, j) }})
	}
	rng := rand.New(rand.NewPCG(c.Seed+uint64(rep), uint64(group)))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// natives returns those of a repetition.
func (c *Contest) natives(rep int) []Native {
	if rep > 0 {
		return nil
	}
	return c.Natives
}

// runOne gives a contestant a fresh directory, which is removed afterwards.
func (c *Contest) runOne(ctx context.Context, who contestant, j job) (err error) {
	top, err := os.MkdirTemp(c.Dir, who.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)
	j.dir = filepath.Join(top, "store")
	if err := os.Mkdir(j.dir, 0o700); err != nil {
		return err
	}
	return who.run(ctx, j)
}

// runChild runs a group by a child, or by one that is killed and another.
func (c *Contest) runChild(ctx context.Context, e engine.Engine, j job) error {
	s := &child.Script{
		Engine: e.Name, Profile: c.Profile, Sync: j.sync, Dir: j.dir, Entries: c.Entries, ValueBytes: c.ValueBytes, Seed: c.Seed,
		Rep: j.rep, Turn: j.turn, WriteLimit: c.WriteLimit, ReadTime: c.ReadTime, Rest: c.Rest, MemoryLimit: c.MemoryLimit, Group: j.limit,
	}
	r := &reported{contest: c, engine: e.Name, job: j}
	var failure error
	if j.kill {
		s.Steps = []child.Step{{Do: child.Open}, {Do: child.Acks}}
		failure = c.killWhileWriting(ctx, s)
	}
	if failure == nil {
		s.Steps = j.steps()
		failure = runScript(ctx, s, r.add)
	}
	return r.finish(ctx, failure)
}

// runNative runs a group by a program.
func (c *Contest) runNative(ctx context.Context, n Native, j job) error {
	r := &reported{contest: c, engine: n.Name, job: j}
	rows, failure := n.Run(ctx, j.dir, j.limit, j.rep, j.specs)
	for _, row := range rows {
		row.Engine, row.Rep, row.Turn = n.Name, j.rep, j.turn
		if err := r.add(row); err != nil {
			return err
		}
	}
	return r.finish(ctx, failure)
}

// reported passes on the rows of a job, and at its end says of those that are missing why.
type reported struct {
	contest *Contest
	engine  string
	job     job
	done    []Spec
}

// add reports a row, if it is one that was asked for.
func (r *reported) add(row record.Row) error {
	s := Spec{row.Name, row.Threads, row.State}
	if !slices.Contains(r.job.specs, s) {
		return nil
	}
	r.done = append(r.done, s)
	return r.contest.Report(record.Line{Row: &row})
}

// finish reports the rows that have not been, with the failure that ended the job. One that came behind the last row is told to the user.
func (r *reported) finish(ctx context.Context, failure error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	missing := slices.DeleteFunc(slices.Clone(r.job.specs), func(s Spec) bool { return slices.Contains(r.done, s) })
	if failure != nil && len(missing) == 0 {
		fmt.Fprintf(r.contest.Progress, "(after the last row: %v) ", failure)
	}
	for _, s := range missing {
		row := record.Row{Engine: r.engine, Name: s.Name, Threads: s.Threads, State: s.State, Rep: r.job.rep, Turn: r.job.turn}
		if row.Err = fmt.Sprintf("%s reported nothing", r.engine); failure != nil {
			row.Err = failure.Error()
		}
		if err := r.contest.Report(record.Line{Row: &row}); err != nil {
			return err
		}
	}
	return nil
}
