package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Time between updates, on a terminal and elsewhere.
const (
	redrawInterval = 200 * time.Millisecond
	plainInterval  = 5 * time.Second
)

const clearLine = "\r\x1b[K"

// progress shows on stderr how much of a tree was gone through: on a terminal in a line that is drawn
// anew, elsewhere in a plain line now and then.
type progress struct {
	w        io.Writer // nil: nobody wants to know
	what     string
	t        *tree
	terminal bool

	files       int
	bytes       int64
	start, last time.Time // last: of the last update
}

func newProgress(w io.Writer, what string, t *tree) *progress {
	now := time.Now()
	p := &progress{w: w, what: what, t: t, start: now, last: now}
	if os.Getenv("NO_PROGRESS") != "" {
		p.w = nil
	}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// did records a file and updates what is shown, if that is some time old.
func (p *progress) did(bytes int) {
	p.files++
	p.bytes += int64(bytes)
	interval := plainInterval
	if p.terminal {
		interval = redrawInterval
	}
	if p.w == nil || time.Since(p.last) < interval {
		return
	}
	p.last = time.Now()
	if p.terminal {
		fmt.Fprint(p.w, clearLine, p.text(p.last))
	} else {
		fmt.Fprintln(p.w, p.text(p.last))
	}
}

// end leaves a last line.
func (p *progress) end() {
	if p.w == nil {
		return
	}
	if p.terminal {
		fmt.Fprint(p.w, clearLine)
	}
	fmt.Fprintln(p.w, p.text(time.Now()))
}

// text tells how much is done, how fast, and how long the rest will take.
func (p *progress) text(now time.Time) string {
	seconds := max(now.Sub(p.start).Seconds(), 1e-9)
	rate := max(float64(p.bytes)/seconds, 1)
	left := float64(max(p.t.bytes-p.bytes, 0)) / rate
	return fmt.Sprintf("%s: %.1f %%, %d of %d files, %s/s, %.1f s, %.1f s left", p.what,
		100*float64(p.files)/float64(max(len(p.t.files), 1)), p.files, len(p.t.files), megabytes(int64(rate)), seconds, left)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
