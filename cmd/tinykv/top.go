package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
)

type topCommand struct {
	Interval time.Duration `default:"1s" placeholder:"1s" help:"How often to look."`
	Count    positive      `short:"n" placeholder:"N" help:"End after so many looks."`
	Once     bool          `help:"Tell of everything since the store was opened, and end."`
	JSON     bool          `name:"json" help:"An object on each line."`
}

// screenPause is for the terminal, which drops what is written to it while it deals with Ctrl-C.
const screenPause = 50 * time.Millisecond

// Codes of a terminal: another screen, and back; its beginning; what is behind is wiped out.
const (
	screenOpen  = "\x1b[?1049h\x1b[?25l"
	screenClose = "\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	lineRest    = "\x1b[K"
	screenRest  = "\x1b[J"
)

// Help tells what the numbers are.
func (c *topCommand) Help() string {
	return `Reads are those of single keys, of which the store counts one in 256: few of them
show as none, or as 256. p50 and p99 are the times within which half of the calls,
and all but one in a hundred, were done.`
}

// Run shows what a store does: on a terminal as a screen that is drawn anew, otherwise as a line each time.
func (c *topCommand) Run(e *environment) error {
	if c.Interval < 100*time.Millisecond {
		return usageError{"--interval wants 100ms or more"}
	}
	if c.Once {
		return e.look(func(s site) error { return c.once(e, s) })
	}
	s, err := e.running()
	if err != nil {
		return err
	}
	err = c.repeat(e, s, !c.JSON && isTerminal(os.Stdout))
	if e.ctx.Err() != nil {
		return nil // that is how it ends
	}
	return err
}

// once shows what there was since the opening.
func (c *topCommand) once(e *environment, s site) error {
	m, err := s.metrics()
	if err != nil {
		return err
	}
	r := ratesOf(&tinykv.Metrics{}, m, 0)
	if c.JSON {
		return e.jsonLine(r)
	}
	e.printf("%s", r.screen(m))
	return nil
}

func (c *topCommand) repeat(e *environment, s site, onScreen bool) error {
	if onScreen {
		e.printf("%s", screenOpen)
		defer func() {
			if e.ctx.Err() != nil {
				<-time.After(screenPause)
			}
			e.printf("%s", screenClose)
			_ = e.out.Flush() // fails again at the end
		}()
	}
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	before, at := (*tinykv.Metrics)(nil), time.Time{}
	for n := 0; ; {
		m, err := s.metrics()
		if err != nil {
			return err
		}
		now := time.Now()
		if before != nil {
			if err := c.show(e, m, ratesOf(before, m, now.Sub(at)), onScreen); err != nil {
				return err
			}
			if n++; n == int(c.Count) {
				return nil
			}
		}
		before, at = m, now
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return nil
		}
	}
}

func (c *topCommand) show(e *environment, m *tinykv.Metrics, r *rates, onScreen bool) error {
	switch {
	case c.JSON:
		if err := e.jsonLine(r); err != nil {
			return err
		}
	case onScreen:
		text := strings.ReplaceAll(r.screen(m), "\n", lineRest+"\n")
		e.printf("%s%s%s\nCtrl-C ends it%s", screenHome, text, lineRest, screenRest)
	default:
		e.printf("%s\n", r.line())
	}
	return e.out.Flush()
}

// screen tells all, at most 80 columns wide.
func (r *rates) screen(m *tinykv.Metrics) string {
	var b strings.Builder
	of := "in all"
	if r.Seconds > 0 {
		of = "a second"
	}
	fmt.Fprintf(&b, "%-9s %12s %12s %12s   %s\n", "", "read", "written", "synced", of)
	fmt.Fprintf(&b, "%-9s %12.0f %12.0f %12.0f\n", "calls", r.Reads, r.Writes, r.Syncs)
	fmt.Fprintf(&b, "%-9s %12s %12s %12s\n", "p50", r.ReadP50, r.WriteP50, r.SyncP50)
	fmt.Fprintf(&b, "%-9s %12s %12s %12s\n\n", "p99", r.ReadP99, r.WriteP99, r.SyncP99)
	fmt.Fprintf(&b, "cache     %s of reads of compressed blocks hit, %s of %s\n", part(r.CacheHit), shell.Size(m.Cache.Held), shell.Size(m.Cache.Size))
	fmt.Fprintf(&b, "filters   %s of tables were passed by, %s wrongly let pass\n", part(r.FilterNo), part(r.FilterFalse))
	fmt.Fprintf(&b, "memory    %s of memtables, %d sealed; of a budget of %s\n", shell.Size(m.Memory.MemTables), m.SealedMemTables, shell.Size(m.Memory.Budget))
	fmt.Fprintf(&b, "flushed   %s, merged to %s; %s pending, %s now\n", shell.Size(int64(r.FlushedBytes)), shell.Size(int64(r.CompactedBytes)), shell.Size(m.PendingCompactionBytes), shell.Counted(m.RunningCompactions, "compaction"))
	fmt.Fprintf(&b, "stalls    %d, %s; slowed down for %s\n", r.Stalls, r.StallTime, r.DelayTime)
	fmt.Fprintf(&b, "amplified %d places a read, %.1f a written byte, %.2f in space\n", m.ReadAmplification, m.WriteAmplification, m.SpaceAmplification)
	fmt.Fprintf(&b, "open      %s, %s, %s\n\n", shell.Counted(m.Iterators, "iterator"), shell.Counted(m.Snapshots, "snapshot"), shell.Counted(m.Watch.Watchers, "watcher"))
	return b.String() + shell.Levels(m)
}

// part writes a part of 1 in percent; below 0 it is not known.
func part(x float64) string {
	if x < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*x)
}

// line tells the most of it, reads and writes a second first, in 80 columns.
func (r *rates) line() string {
	cache := "-"
	if r.CacheHit >= 0 {
		cache = fmt.Sprintf("%.0f%%", 100*r.CacheHit)
	}
	return fmt.Sprintf("%s  %s r/s p99 %s  %s w/s p99 %s  cache %s  L0 %d stalls %d",
		r.At.Format(time.TimeOnly), shortCount(r.Reads), r.ReadP99, shortCount(r.Writes), r.WriteP99, cache, r.Level0, r.Stalls)
}

// shortCount writes a number in at most four columns, up to a thousand million.
func shortCount(n float64) string {
	switch {
	case n < 9999.5:
		return fmt.Sprintf("%.0f", n)
	case n < 999.5e3:
		return fmt.Sprintf("%.0fk", n/1e3)
	case n < 9.95e6:
		return fmt.Sprintf("%.1fM", n/1e6)
	default:
		return fmt.Sprintf("%.0fM", n/1e6)
	}
}
