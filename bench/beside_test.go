package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace_HoldsToARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p, paused := pace{start: start, rate: 1000}, time.Duration(0)
		for range 100 {
			paused += p.wait(t.Context(), 100)
		}
		if took := time.Since(start); took != 10*time.Second || paused != took {
			t.Errorf("10,000 bytes at 1000 a second took %v, %v of it in pauses", took, paused)
		}
	})
}

// A writer that was held up may catch up.
func TestPace_IsOfTheWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{start: time.Now(), rate: 1000}
		time.Sleep(5 * time.Second) // by the clock of the bubble
		for range 50 {
			if d := p.wait(t.Context(), 100); d != 0 {
				t.Fatalf("paused for %v", d)
			}
		}
		if d := p.wait(t.Context(), 100); d != 100*time.Millisecond {
			t.Errorf("paused for %v", d)
		}
	})
}

func TestPace_WithoutARateIsFree(t *testing.T) {
	var p pace
	if d := p.wait(t.Context(), 1<<30); d != 0 {
		t.Errorf("paused for %v", d)
	}
}

func TestPace_EndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := pace{start: time.Now(), rate: 1}
	p.wait(ctx, 1<<30) // or the test takes 34 years
}

// The thread beside the others writes all the time, is told of apart, and ends when they do, even in
// the middle of a pause of days.
func TestRun_ThreadBesideOthers(t *testing.T) {
	stdout, _ := bench(t, exitDone, "-num=2000", "-threads=2", "-benchmark_write_rate_limit=1",
		"-benchmarks=fillseq,readwhilewriting")
	want := []string{
		"fillseq : 4000 operations;",
		"readwhilewriting : 4000 operations; (4000 of 4000 found)",
	}
	got := resultLines(stdout)
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %q, want %q", got, want)
	}
}
