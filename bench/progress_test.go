package main

import (
	"bytes"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		done, total uint64
		elapsed     time.Duration
		want        string
	}{
		{250, 1000, time.Second, "25.0 %, 250 ops/sec, 3 s left"},
		{0, 1000, time.Second, "0.0 %, 0 ops/sec, ? left"},
		{1000, 1000, 2 * time.Second, "100.0 %, 500 ops/sec, 0 s left"},
	} {
		if got := percent(c.done, c.total, c.elapsed); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestProgress_PlainLinesNowAndThen(t *testing.T) {
	watchFor(t, &progress{interval: 10 * time.Second}, 25*time.Second, "b: at 10\nb: at 20\n")
}

func TestProgress_OneLineOnATerminalWipedAtTheEnd(t *testing.T) {
	watchFor(t, &progress{interval: time.Second, redraw: true}, 2500*time.Millisecond,
		"\r\x1b[Kb: at 1\r\x1b[Kb: at 2\r\x1b[K")
}

func TestProgress_NothingWhereNotWanted(t *testing.T) {
	t.Setenv("NO_PROGRESS", "1")
	watchFor(t, newProgress(nil, &config{progress: true, statsInterval: time.Second}), time.Minute, "")
}

// watchFor watches something for a while, by the clock of a bubble.
func watchFor(t *testing.T, p *progress, d time.Duration, want string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p.w = &b
		stop := p.watch("b", func(elapsed time.Duration) string { return "at " + strconv.Itoa(int(elapsed.Seconds())) })
		time.Sleep(d)
		stop()
		if b.String() != want {
			t.Errorf("got %q, want %q", &b, want)
		}
	})
}
