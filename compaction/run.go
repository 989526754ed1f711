package compaction

import (
	"context"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// entriesPerCheck is how many entries are merged between two looks at the context.
const entriesPerCheck = 1024

// Job is all that Run needs beside the plan.
type Job struct {
	Plan    *Plan
	Version *manifest.Version // that the plan was made for
	Options Options

	// Span restricts the job to a part of the plan's keys; the zero value is all of them.
	Span Span

	Rules Rules

	// Open returns an iterator over an input table, made for reading it once from start to end.
	Open func(*manifest.Table) (iterator.Iterator, error)

	// Ranges returns the range tombstones of an input table.
	Ranges func(*manifest.Table) (rangedel.List, error)

	// Outputs takes the merged entries.
	Outputs *Outputs
}

// Stats say what a compaction did.
type Stats struct {
	EntriesIn, EntriesOut uint64
	BytesIn, BytesOut     int64 // of table files
}

// Entries are entries in the order of internal keys, to be gone over once; iterator.Iterator has the contract of the calls.
type Entries interface {
	First() *iterator.KV
	Next() *iterator.KV
	Err() error
}

// Settle hands out what entries and range tombstones amount to for readers that see all or nothing of them: first the tombstones, then
// the newest entry of each key that they leave.
func Settle(in Entries, ranges []rangedel.List, rules Rules, spans func(rangedel.List) error, entry func(*iterator.KV) error) error {
	rule := newShadowing(rules)
	rule.ranges = rangedel.Merge(rule.newest, ranges...)
	if err := spans(rule.keptRanges()); err != nil {
		return err
	}
	return rule.walk(in, func(*iterator.KV) error { return nil }, entry)
}

// Flush writes the entries and range tombstones of a memtable, less those that no reader can see any
// more, to tables of level 0. They are durable but for their names. On failure, and when ctx ends, it
// removes what it made.
func Flush(ctx context.Context, in Entries, ranges []rangedel.List, rules Rules, outputs *Outputs) ([]*manifest.Table, error) {
	rule := newShadowing(rules)
	rule.ranges = rangedel.Merge(rule.newest, ranges...)
	outputs.DeleteRanges(rule.keptRanges())
	tables, err := flush(ctx, in, rule, outputs)
	if err != nil {
		_ = outputs.Abort() // the first failure is the one to tell; a file left over is removed at the next opening
		return nil, err
	}
	return tables, nil
}

func flush(ctx context.Context, in Entries, rule *survival, outputs *Outputs) ([]*manifest.Table, error) {
	n := 0
	err := rule.walk(in, func(*iterator.KV) error {
		if n++; n%entriesPerCheck == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}, func(kv *iterator.KV) error { return outputs.Add(kv.Stored, kv.Trailer, kv.Value) })
	if err != nil {
		return nil, err
	}
	return outputs.Finish()
}

// Run merges the inputs of a plan and returns the tables that replace them, durable but for their
// names. On failure, and when ctx ends, it removes what it made.
func Run(ctx context.Context, job *Job) ([]*manifest.Table, Stats, error) {
	stats := Stats{BytesIn: job.Plan.InputBytes()}
	tables, err := run(ctx, job, &stats)
	if err != nil {
		_ = job.Outputs.Abort() // the first failure is the one to tell; a file left over is removed at the next opening
		return nil, Stats{}, err
	}
	stats.BytesOut = totalBytes(tables)
	return tables, stats, nil
}

func run(ctx context.Context, job *Job, stats *Stats) (_ []*manifest.Table, err error) {
	in, err := job.inputs()
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := in.Close(); err == nil {
			err = cerr
		}
	}()
	rule := newSurvival(job.Rules, job.deeper())
	ranges, err := job.ranges(rule.newest)
	if err != nil {
		return nil, err
	}
	rule.ranges = ranges.Truncate(job.Span.Lower, job.Span.Upper)
	job.Outputs.DeleteRanges(rule.keptRanges())
	cut := newCutter(job)
	in = within(in, job.Span)
	err = rule.walk(in, func(kv *iterator.KV) error {
		if stats.EntriesIn++; stats.EntriesIn%entriesPerCheck == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		cut.consumed(kv)
		return nil
	}, func(kv *iterator.KV) error {
		stats.EntriesOut++
		if cut.before(kv.Stored, job.Outputs.Size()) {
			if err := job.Outputs.Cut(kv.Stored); err != nil {
				return err
			}
		}
		return job.Outputs.Add(kv.Stored, kv.Trailer, kv.Value)
	})
	if err != nil {
		return nil, err
	}
	return job.Outputs.Finish()
}

// inputs returns an iterator over all input tables. Tables of one sorted level follow each other;
// those of level 0 are merged.
func (job *Job) inputs() (iterator.Iterator, error) {
	var sources []iterator.Iterator
	if job.Plan.Start == 0 {
		for _, t := range job.Span.of(job.Plan.Upper) {
			sources = append(sources, job.runOf([]*manifest.Table{t}))
		}
	} else {
		sources = append(sources, job.runOf(job.Span.of(job.Plan.Upper)))
	}
	if lower := job.Span.of(job.Plan.Lower); len(lower) > 0 {
		sources = append(sources, job.runOf(lower))
	}
	return iterator.Merge(sources...), nil
}

// ranges returns those range tombstones of all input tables that keep leaves.
func (job *Job) ranges(keep rangedel.Keep) (rangedel.List, error) {
	var lists []rangedel.List
	for _, t := range job.Plan.Inputs() {
		if t.RangeDeletes == 0 {
			continue
		}
		l, err := job.Ranges(t)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	return rangedel.Merge(keep, lists...), nil
}

func (job *Job) runOf(tables []*manifest.Table) iterator.Iterator {
	return iterator.NewRun(&tableRun{tables: tables, open: job.Open})
}

// tableRun lets iterator.Run walk over tables.
type tableRun struct {
	tables []*manifest.Table
	open   func(*manifest.Table) (iterator.Iterator, error)
}

func (r *tableRun) Len() int { return len(r.tables) }

func (r *tableRun) Smallest(i int) key.Internal { return r.tables[i].Smallest }

func (r *tableRun) Largest(i int) key.Internal { return r.tables[i].Largest }

func (r *tableRun) Open(i int) (iterator.Iterator, error) { return r.open(r.tables[i]) }

// deeper returns the tables below the outputs that overlap the inputs, level by level.
func (job *Job) deeper() [][]*manifest.Table {
	lower, upper := bounds(job.Plan.Inputs())
	var levels [][]*manifest.Table
	for level := job.Plan.Output + 1; level <= bottom; level++ {
		if tables := job.Version.Overlaps(level, lower, upper); len(tables) > 0 {
			levels = append(levels, tables)
		}
	}
	return levels
}
