package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/meter"
)

// redrawInterval is the time between updates on a terminal.
const redrawInterval = 200 * time.Millisecond

// clearLine returns to the start of the line and wipes it. It is no colour: NO_COLOR has nothing to
// turn off.
const clearLine = "\r\x1b[K"

// progress shows on stderr how far a benchmark is: on a terminal in a line that is drawn anew and
// wiped at the end, elsewhere in a plain line now and then.
type progress struct {
	w        io.Writer
	interval time.Duration // 0: show nothing
	redraw   bool
}

func newProgress(w io.Writer, c *config) *progress {
	switch {
	case !c.progress || os.Getenv("NO_PROGRESS") != "":
		return &progress{}
	case isTerminal(w) && os.Getenv("TERM") != "dumb":
		return &progress{w: w, interval: redrawInterval, redraw: true}
	default:
		return &progress{w: w, interval: c.statsInterval}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// watch shows a status until the returned function is called, which returns when nothing more is
// shown.
func (p *progress) watch(name string, status func(elapsed time.Duration) string) (stop func()) {
	if p.interval == 0 {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		p.show(name, status, quit)
	}()
	return func() {
		close(quit)
		<-ended
	}
}

func (p *progress) show(name string, status func(time.Duration) string, quit <-chan struct{}) {
	start := time.Now()
	tick := time.NewTicker(p.interval)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			if p.redraw {
				fmt.Fprint(p.w, clearLine)
			}
			return
		case <-tick.C:
			line := fmt.Sprintf("%s: %s", name, status(time.Since(start)))
			if p.redraw {
				fmt.Fprint(p.w, clearLine, line)
			} else {
				fmt.Fprintln(p.w, line)
			}
		}
	}
}

// status returns what tells how far a benchmark is.
func (b *benchmark) status(db *tinykv.DB, meters []*meter.Meter) func(time.Duration) string {
	if b.state != nil {
		return func(elapsed time.Duration) string {
			return fmt.Sprintf("%.0f s, %s", elapsed.Seconds(), b.state(db))
		}
	}
	return func(elapsed time.Duration) string {
		var done, total uint64
		for _, m := range meters {
			done += m.Progress()
			total += m.Total
		}
		if limit := meters[0].Limit; limit > 0 {
			return timeLeft(done, elapsed, limit)
		}
		return percent(done, total, elapsed)
	}
}

// timeLeft tells how fast it is, and how long it will go on.
func timeLeft(done uint64, elapsed, limit time.Duration) string {
	return fmt.Sprintf("%.1f %%, %.0f ops/sec, %.0f s left", 100*min(elapsed.Seconds()/limit.Seconds(), 1),
		float64(done)/max(elapsed.Seconds(), 1e-9), max(limit-elapsed, 0).Seconds())
}

// percent tells how much is done, how fast, and how long the rest will take.
func percent(done, total uint64, elapsed time.Duration) string {
	rate := float64(done) / max(elapsed.Seconds(), 1e-9)
	left := "?"
	if rate > 0 {
		left = fmt.Sprintf("%.0f s", float64(total-min(done, total))/rate)
	}
	return fmt.Sprintf("%.1f %%, %.0f ops/sec, %s left", 100*float64(done)/float64(max(total, 1)), rate, left)
}
