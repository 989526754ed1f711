package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tinykv/tinykv/bench/internal/draw"
	"github.com/tinykv/tinykv/bench/internal/memory"
)

// overwriteBeside writes random keys, of which each is as likely as any other, until the threads that
// count are done, and no faster than -benchmark_write_rate_limit. It calls begun after the first write.
func overwriteBeside(w *worker, begun func()) error {
	p := pace{start: time.Now(), rate: float64(w.config.writeRate)}
	all := draw.Uniform(w.config.num)
	for first := true; w.Next(); first = false {
		bytes, err := put(w, w.db, all.Draw(w.rng), w.opts)
		if err != nil {
			return err
		}
		w.Did(1, bytes)
		if first {
			begun()
		}
		w.Paused(p.wait(w.ctx, bytes))
	}
	return nil
}

// minPause is how far ahead of its pace a writer may be: to sleep for less takes longer than asked.
const minPause = time.Millisecond

// pace holds a writer to a number of bytes a second.
type pace struct {
	start time.Time
	rate  float64 // 0: any
	bytes float64 // since start
}

// wait returns when so many bytes more are due, and how long it waited.
func (p *pace) wait(ctx context.Context, bytes int) time.Duration {
	if p.rate == 0 {
		return 0
	}
	p.bytes += float64(bytes)
	due := p.start.Add(time.Duration(p.bytes / p.rate * float64(time.Second)))
	begin := time.Now()
	if due.Sub(begin) < minPause {
		return 0
	}
	select {
	case <-time.After(due.Sub(begin)):
	case <-ctx.Done():
	}
	return time.Since(begin)
}

// besideText tells what the thread beside the others did.
func besideText(r *result) string {
	seconds := max(r.elapsed.Seconds(), 1e-9)
	return fmt.Sprintf("beside: %d writes, not counted; %.0f ops/sec, %.1f MB/s",
		r.ops, float64(r.ops)/seconds, float64(r.bytes)/memory.BytesPerMB/seconds)
}
