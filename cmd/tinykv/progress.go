package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tinykv/tinykv/internal/shell"
)

// progressFlag says whether to tell how far it is.
type progressFlag struct {
	Progress progressMode `complete:"json,no" help:"Tell on standard error how far it is, also where that is no terminal; =json: an object on each line, =no: nothing."`
}

// progressMode is what --progress says: nothing, "yes", "json" or "no".
type progressMode string

// IsBool tells kong that the flag may stand without a value.
func (m progressMode) IsBool() bool { return true }

// Decode reads what stands behind the =, if anything does.
func (m *progressMode) Decode(c *kong.DecodeContext) error {
	*m = "yes"
	if c.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	switch v := fmt.Sprint(c.Scan.Pop().Value); v {
	case "yes", "json", "no":
		*m = progressMode(v)
		return nil
	default:
		return fmt.Errorf("want yes, json or no, but got %q", v)
	}
}

// How often is told how far it is.
const (
	progressEvery = 100 * time.Millisecond // on a terminal
	progressLines = 2 * time.Second        // where each time is a line
)

// step is how far something is.
type step struct {
	Phase string // what is being done: a verb or the part at hand; a new one begins a new count
	Done  int64
	Total int64  // 0: not known
	Unit  string // what is counted, in the plural; empty: bytes
	Note  string // anything else
}

// meter tells on standard error how far something is: over one line of a terminal, or on a line of its own now and then. It belongs to one
// goroutine at a time. The zero Unit counts bytes.
//
//	m := c.meter(e)
//	for ... {
//		m.update(step{Phase: "importing", Done: read, Total: size})
//	}
//	m.end()
type meter struct {
	e     *environment
	mode  progressMode // "no", "line" over one line, "yes" and "json" line by line
	begun time.Time    // of the phase
	first int64        // what was done when the phase began
	last  time.Time    // when it was told
	now   step
	used  bool
}

// meter returns one that tells as far as the flag, the terminal and NO_PROGRESS say.
func (f progressFlag) meter(e *environment) *meter {
	mode := f.Progress
	switch {
	case mode == "" && (os.Getenv("NO_PROGRESS") != "" || !isTerminal(e.errors)):
		mode = "no"
	case mode == "" || mode == "yes" && isTerminal(e.errors):
		mode = "line"
	}
	return &meter{e: e, mode: mode}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// update takes how far it is, and tells it if it is time to.
func (m *meter) update(s step) {
	now := time.Now()
	if s.Phase != m.now.Phase || m.begun.IsZero() {
		m.begun, m.first, m.last = now, s.Done, time.Time{}
	}
	m.now = s
	every := progressEvery
	if m.mode == "yes" {
		every = progressLines
	}
	if m.mode == "no" || now.Sub(m.last) < every {
		return
	}
	m.last, m.used = now, true
	m.tell(now, false)
}

// end tells the last of it, and removes the line from a terminal.
func (m *meter) end() {
	switch {
	case m.mode == "line" && m.used:
		fmt.Fprintf(m.e.errors, "\r%78s\r", "")
	case (m.mode == "json" || m.mode == "yes") && !m.begun.IsZero():
		m.tell(time.Now(), true)
	}
	m.used = false
}

func (m *meter) tell(now time.Time, ended bool) {
	switch m.mode {
	case "json":
		_ = json.NewEncoder(m.e.errors).Encode(m.json(now, ended)) // it would fail for the error message, too
	case "line":
		fmt.Fprintf(m.e.errors, "\r%-78.78s", m.text(now))
	default:
		fmt.Fprintf(m.e.errors, "%s\n", m.text(now))
	}
}

// rate returns how much is done in a second, and how long the rest will take; 0 where that is not known.
func (m *meter) rate(now time.Time) (perSecond float64, left time.Duration) {
	done, passed := m.now.Done-m.first, now.Sub(m.begun)
	if done <= 0 || passed < progressEvery {
		return 0, 0
	}
	perSecond = float64(done) / passed.Seconds()
	if m.now.Total > m.now.Done {
		left = time.Duration(float64(m.now.Total-m.now.Done) / perSecond * float64(time.Second))
	}
	return perSecond, left
}

// amount writes a count in the unit of the step.
func (s step) amount(n int64) string {
	if s.Unit == "" {
		return shell.Size(n)
	}
	return fmt.Sprintf("%d %s", n, s.Unit)
}

// done tells how far it is, without how fast: "tables: 12.0 MiB of 40.0 MiB".
func (s step) done() string {
	if s.Total <= 0 {
		return fmt.Sprintf("%s: %s", s.Phase, s.amount(s.Done))
	}
	if s.Unit != "" {
		return fmt.Sprintf("%s: %d of %s", s.Phase, s.Done, s.amount(s.Total))
	}
	return fmt.Sprintf("%s: %s of %s", s.Phase, s.amount(s.Done), s.amount(s.Total))
}

func (m *meter) text(now time.Time) string {
	var b strings.Builder
	if m.now.Total > 0 {
		fmt.Fprintf(&b, "%3d%% ", percent(m.now))
	}
	b.WriteString(m.now.done())
	perSecond, left := m.rate(now)
	if perSecond > 0 {
		fmt.Fprintf(&b, ", %s/s", m.now.amount(int64(perSecond)))
	}
	if left > 0 {
		fmt.Fprintf(&b, ", %s left", left.Round(time.Second))
	}
	if m.now.Note != "" {
		fmt.Fprintf(&b, ", %s", m.now.Note)
	}
	return b.String()
}

func percent(s step) int {
	if s.Total <= 0 || s.Done >= s.Total {
		return 100
	}
	return int(float64(s.Done) / float64(s.Total) * 100)
}

// jsonProgress is a line of --progress=json.
type jsonProgress struct {
	Phase     string `json:"phase"`
	Done      int64  `json:"done"`
	Total     int64  `json:"total,omitempty"`
	Unit      string `json:"unit"`
	Percent   *int   `json:"percent,omitempty"`
	PerSecond int64  `json:"per_second"`
	LeftMS    int64  `json:"left_ms,omitempty"`
	Note      string `json:"note,omitempty"`
	Ended     bool   `json:"ended,omitempty"` // on the last line
}

func (m *meter) json(now time.Time, ended bool) jsonProgress {
	perSecond, left := m.rate(now)
	j := jsonProgress{
		Phase: m.now.Phase, Done: m.now.Done, Total: m.now.Total, Unit: m.now.Unit,
		PerSecond: int64(perSecond), LeftMS: left.Milliseconds(), Note: m.now.Note, Ended: ended,
	}
	if j.Unit == "" {
		j.Unit = "bytes"
	}
	if j.Total > 0 {
		p := percent(m.now)
		j.Percent = &p
	}
	return j
}

// stoppedError is an interruption with what was done until then.
type stoppedError struct {
	cause error
	done  string
}

func (e stoppedError) Error() string { return "interrupted; until then, " + e.done }
func (e stoppedError) Unwrap() error { return e.cause }

// stopped adds to the error of an interruption how far it was.
func (m *meter) stopped(err error) error {
	if !errors.Is(err, context.Canceled) || m.begun.IsZero() {
		return err
	}
	return stoppedError{err, m.now.done()}
}
