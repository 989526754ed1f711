package child

import (
	"context"
	"fmt"
	"time"

	"github.com/tinykv/tinykv/bench/internal/memory"
	"github.com/tinykv/tinykv/bench/internal/meter"
	"github.com/tinykv/tinykv/bench/peers/disk"
	"github.com/tinykv/tinykv/bench/peers/record"
	"github.com/tinykv/tinykv/bench/peers/workload"
)

// measure runs a row. A fill goes on until the store is at rest.
func (p *process) measure(ctx context.Context, s Step) error {
	row, ok := workload.Find(s.Row)
	if !ok {
		return fmt.Errorf("there is no row %q", s.Row)
	}
	written, err := p.written(row)
	if err != nil {
		return err
	}
	var before usage
	zeroed := p.store.Stats().ZeroedBytes
	out, err := p.bench.Run(ctx, row, s.Threads, func() (err error) {
		before, err = readUsage()
		return err
	})
	if err != nil {
		return err
	}
	r := p.newRow(s)
	setOutcome(r, out, s.Threads)
	if err := p.setSpace(r); err != nil {
		return err
	}
	if row.Fill {
		if err := p.settleInto(ctx, r); err != nil {
			return err
		}
	}
	after, err := readUsage()
	if err != nil {
		return err
	}
	setUsage(r, before, after)
	r.ZeroedBytes = p.store.Stats().ZeroedBytes - zeroed
	now, err := p.written(row)
	if err != nil {
		return err
	}
	r.WrittenBytes = now - written
	if row.Fill && !row.Sync && !out.CutOff { // then all keys must be there
		if err := p.bench.Sample(); err != nil {
			return fmt.Errorf("after the fill: %w", err)
		}
	}
	return p.report(r)
}

// written returns what the device has been written so far. Rows that read do not ask, as that writes out all that waits for it.
func (p *process) written(row workload.Row) (int64, error) {
	if !row.Fill && !row.Writes {
		return 0, nil
	}
	return disk.Written(p.Dir)
}

func (p *process) newRow(s Step) *record.Row {
	return &record.Row{
		Engine: p.Engine, Name: s.Row, Threads: max(s.Threads, 1), State: s.State, Rep: p.Rep, Turn: p.Turn,
	}
}

func setOutcome(r *record.Row, out *workload.Outcome, threads int) {
	r.Ops, r.Found, r.Seconds, r.CutOff, r.BesideOps = out.Ops, out.Found, out.Seconds, out.CutOff, out.BesideOps
	r.PutBytes = int64(out.PutBytes)
	if out.Ops == 0 {
		return
	}
	r.Mean = out.Seconds * 1e6 * float64(threads) / float64(out.Ops)
	if r.Name == "fillbatch" || r.Name == "multiget" {
		return // a call is many operations: its quantiles say nothing about one
	}
	r.TimedEvery = out.Every
	setQuantiles(r, out.Latencies)
}

func setQuantiles(r *record.Row, l meter.Latencies) {
	micros := func(quantile float64) float64 {
		return float64(l.Timed.ValueAtQuantile(quantile)) / 1e3
	}
	r.P50, r.P99, r.P999 = micros(50), micros(99), micros(99.9)
	r.Max = float64(l.Longest) / float64(time.Microsecond)
}

func setUsage(r *record.Row, before, after usage) {
	ops := float64(max(r.Ops, 1))
	r.CPUSeconds = (after.cpu - before.cpu).Seconds()
	r.Allocs = float64(after.allocs-before.allocs) / ops
	r.AllocBytes = float64(after.allocBytes-before.allocBytes) / ops
}

// setSpace tells what memory and disk are used now.
func (p *process) setSpace(r *record.Row) (err error) {
	m := memory.Read()
	r.AnonBytes, r.MappedBytes = int64(m.Anon), int64(m.File)
	r.DiskBytes, err = disk.Allocated(p.Dir)
	return err
}

func (p *process) settleInto(ctx context.Context, r *record.Row) error {
	took, err := p.settle(ctx)
	if err != nil {
		return err
	}
	r.SettleSeconds = took.Seconds()
	r.SettledBytes, err = disk.Allocated(p.Dir)
	return err
}

// A process is at rest that used next to no processor and wrote nothing for so many looks.
const (
	restLooks    = 8
	restCPUShare = 25 // one in so many of the time between two looks
	settleAtMost = 10 * time.Minute
)

// settle waits until the process is at rest, whatever the engine does in the background, and returns how long after the call the
// last work was seen. It does not ask the engine, since not every engine can tell.
func (p *process) settle(ctx context.Context) (time.Duration, error) {
	look := p.Rest / restLooks
	tick := time.NewTicker(look)
	defer tick.Stop()
	begun, quiet := time.Now(), 0
	busyUntil := begun
	last, err := readUsage()
	for err == nil && quiet < restLooks {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
		var now usage
		now, err = readUsage()
		if quiet++; now.cpu-last.cpu > look/restCPUShare || now.dirtied != last.dirtied {
			quiet, busyUntil = 0, time.Now()
		}
		last = now
		if time.Since(begun) > settleAtMost {
			return 0, fmt.Errorf("not at rest after %v", settleAtMost)
		}
	}
	return busyUntil.Sub(begun), err
}
