package rocksdb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// fills measures rows that begin with an empty store.
func (d *Driver) fills(ctx context.Context, p parts) (rows []record.Row, err error) {
	for _, s := range p.fills {
		rows = append(rows, d.fill(ctx, s))
	}
	return rows, nil
}

func (d *Driver) fill(ctx context.Context, s Spec) record.Row {
	c, err := d.fillCommand(s, d.store(fmt.Sprintf("%s-%d", s.Name, s.Threads)))
	if err != nil {
		return d.failed(s, err)
	}
	out, r := d.measure(ctx, s, c)
	if r.Err != "" || r.CutOff {
		return r
	}
	rest := out.atRest
	if rest.disk == 0 { // it ended by itself as soon as it was at rest
		rest = sample{out.exit, diskBytes(c.store)}
	}
	r.SettleSeconds, r.SettledBytes = out.busy.took.Seconds(), rest.disk
	r.CPUSeconds, r.WrittenBytes = rest.cpu.Seconds(), rest.written
	return r
}

func (d *Driver) store(name string) string { return filepath.Join(d.Dir, name) }

// shared is the store of all rows that do not fill one.
func (d *Driver) shared() string { return d.store("shared") }

// filled fills the shared store, if any row needs it, and measures rows right afterwards, in the same process.
func (d *Driver) filled(ctx context.Context, p parts) (rows []record.Row, err error) {
	if len(p.filled)+len(p.settled) == 0 {
		return nil, nil
	}
	c := command{
		store: d.shared(), quantiles: true, benchmarks: []string{uniqueFill},
		flags: []string{d.readTime(), flag("batch_size", batchEntries)},
	}
	for _, s := range p.filled {
		if followsFill(s) {
			c.benchmarks = append(c.benchmarks, s.Name)
		}
	}
	c.benchmarks = append(c.benchmarks, waitForRest)
	out, err := d.run(ctx, c, noLimit)
	if err != nil {
		return nil, fmt.Errorf("fill: %w", err)
	}
	for _, s := range p.filled {
		if !followsFill(s) {
			rows = append(rows, d.failed(s, errors.New("right after a fill only readrandom and seekrandom by one thread are measured")))
			continue
		}
		rows = append(rows, d.rowOf(s, out, s.Name, 1))
	}
	return rows, nil
}

// followsFill tells whether a row can be measured in the process that fills, with the flags that the fill has.
func followsFill(s Spec) bool {
	return s.Threads == 1 && (s.Name == "readrandom" || s.Name == "seekrandom")
}

// settled measures rows on the shared store. The first opens it and waits; so does each that writes, afterwards.
func (d *Driver) settled(ctx context.Context, p parts) (rows []record.Row, err error) {
	if len(p.settled) == 0 {
		return nil, nil
	}
	if _, err := d.run(ctx, command{store: d.shared(), exists: true, benchmarks: []string{waitForRest}}, noLimit); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	for _, s := range p.settled {
		if s.Name == rowOpen {
			rows = append(rows, d.open(ctx, s, d.shared()))
			continue
		}
		c, err := d.rowCommand(s, d.shared())
		if err != nil {
			rows = append(rows, d.failed(s, err))
			continue
		}
		_, r := d.measure(ctx, s, c)
		rows = append(rows, r)
	}
	return rows, nil
}

// measure runs a row. One that ends by a number of writes is cut off after its time, and counted by what db_bench reported.
func (d *Driver) measure(ctx context.Context, s Spec, c command) (*outcome, record.Row) {
	limit := noLimit
	if writesCounted(s) {
		if d.WriteLimit > 0 {
			limit = d.WriteLimit
		}
		c.flags = append(c.flags, reportFlags(c.store)...)
	}
	out, err := d.run(ctx, c, limit)
	if errors.Is(err, errCutOff) {
		return out, d.cutOff(s, out, c.store)
	}
	if err != nil {
		return out, d.failed(s, err)
	}
	name, times := c.measured(s)
	return out, d.rowOf(s, out, name, times)
}

// measured returns the benchmark of a row and how often it ran.
func (c command) measured(s Spec) (name string, times int) {
	if s.Name == "readseq" || s.Name == "readreverse" {
		return s.Name, scanPasses
	}
	return c.benchmarks[c.before()], 1
}

// cutOff returns a row that was killed: what it did in the whole seconds that it reported of.
func (d *Driver) cutOff(s Spec, out *outcome, store string) record.Row {
	ops, seconds, err := readReport(reportName(store))
	if err != nil || ops == 0 {
		return d.failed(s, errors.Join(errCutOff, err))
	}
	r := d.newRow(s)
	r.CutOff, r.Ops, r.Seconds = true, ops, seconds
	r.Mean = seconds * 1e6 * float64(s.Threads) / float64(ops)
	before := out.samples[len(out.samples)-1]
	r.CPUSeconds, r.WrittenBytes = max(0, (out.exit.cpu-before.cpu).Seconds()), out.exit.written-before.written
	r.DiskBytes = diskBytes(store)
	return r
}

// rowOf makes a row of the results of a benchmark that ran so many times in a row.
func (d *Driver) rowOf(s Spec, out *outcome, name string, times int) record.Row {
	results := out.measured(name, times)
	if results == nil {
		return d.failed(s, fmt.Errorf("%s printed no result of %s", program, name))
	}
	r := d.newRow(s)
	for _, one := range results {
		r.Ops, r.Seconds, r.Found = r.Ops+one.ops, r.Seconds+one.seconds, r.Found+one.found
		r.Mean += one.micros / float64(times)
	}
	last := results[times-1]
	if last.timed && !batched(s) {
		r.TimedEvery, r.P50, r.P99, r.P999, r.Max = 1, last.p50, last.p99, last.p999, last.slowest
	}
	if s.Name == "readwhilewriting" {
		r.BesideOps = out.keysWritten
	}
	d.setUsage(&r, out, name, times)
	return r
}

// setUsage takes what was used between the results before and the last of those measured.
func (d *Driver) setUsage(r *record.Row, out *outcome, name string, times int) {
	end := len(out.results)
	for end > 0 && out.results[end-1].name != name {
		end--
	}
	before, after := out.samples[end-times], out.samples[end] // samples has one more, at the start
	r.CPUSeconds = max(0, (after.cpu - before.cpu).Seconds())
	r.WrittenBytes = max(0, after.written-before.written)
	r.AnonBytes, r.MappedBytes, r.DiskBytes = after.anon, after.mapped, after.disk
}

// open measures opening, as db_bench times it.
func (d *Driver) open(ctx context.Context, s Spec, store string) record.Row {
	c := command{store: store, exists: true, benchmarks: []string{"levelstats"}, flags: []string{"-report_open_timing=true"}}
	out, err := d.run(ctx, c, noLimit)
	if err != nil {
		return d.failed(s, err)
	}
	return d.opened(s, out, store)
}

func (d *Driver) opened(s Spec, out *outcome, store string) record.Row {
	if out.openMillis == 0 {
		return d.failed(s, fmt.Errorf("%s printed no time of opening", program))
	}
	r := d.newRow(s)
	took := time.Duration(out.openMillis * float64(time.Millisecond))
	r.Ops, r.Seconds, r.Mean = 1, took.Seconds(), float64(took)/float64(time.Microsecond)
	r.DiskBytes = diskBytes(store)
	return r
}
