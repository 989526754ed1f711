package process_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// errnos are the failures that calls are made to return, and how the error that the store gives must say so. No mmap is made to
// fail: the runtime, whose memory comes from there, would end the process.
var errnos = []struct {
	call, errno, text string
	reads             bool // reads need the call, too
}{
	{call: "fdatasync", errno: "EIO", text: "input/output error"},
	{call: "fsync", errno: "EIO", text: "input/output error"},
	{call: "/^rename", errno: "EIO", text: "input/output error"},
	{call: "openat", errno: "EMFILE", text: "too many open files", reads: true},
	{call: "pwrite64", errno: "ENOSPC", text: "no space left on device"},
	{call: "write", errno: "ENOSPC", text: "no space left on device"},
	{call: "fdatasync", errno: "ENOSPC", text: "no space left on device"},
	{call: "/^unlink", errno: "EIO", text: "input/output error"},
	{call: "pwrite64", errno: "EIO", text: "input/output error"},
	{call: "openat", errno: "EACCES", text: "permission denied", reads: true},
}

// failedCalls counts what became of calls that failed.
type failedCalls struct {
	mu                             sync.Mutex
	at                             map[string]int // errno, call and kind of file
	points, latched, openings      int
	acks, refused, harmless, other int64
}

// A call that fails is answered by an error or made good. The process lives, nothing is acknowledged by a store that has failed, reads go on, Close
// ends, and the next opening finds all that was acknowledged.
func TestErrno_ACallThatFailsEndsNoProcessAndLosesNothing(t *testing.T) {
	command(t, "strace")
	c := load.Config{Writers: 2, SyncEvery: 3, ReopenEvery: 60, Seed: tally.Seed()}
	plain := calibrate(t, c)
	f := &failedCalls{at: map[string]int{}}
	points := tally.Pick(2, 60, 300)
	t.Run("lanes", func(t *testing.T) {
		for lane := range 2 {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				f.lane(t, c, plain, lane, points/2)
			})
		}
	})
	row := tally.Row{
		ID: "A6", Suite: "system calls that fail", Load: "2 writers, every 3rd commit synced; a call fails once, three times, from then on",
		Faults: int64(f.points), Unit: "failed calls on files of the store",
		Counts: []tally.Count{
			{Name: "acknowledged batches", N: f.acks},
			{Name: "writes refused", N: f.refused},
			{Name: "stores that failed for good, without an acknowledgement after that", N: int64(f.latched)},
			{Name: "openings that returned the error", N: int64(f.openings)},
			{Name: "failures made good", N: f.harmless},
		},
		Seed: tally.Seed(), Replay: "go test -run TestErrno ./reliability/process",
	}
	for _, name := range slices.Sorted(maps.Keys(f.at)) {
		row.Counts = append(row.Counts, tally.Count{Name: name, N: int64(f.at[name])})
	}
	row.Record(t)
}

func (f *failedCalls) lane(t *testing.T, c load.Config, plain *trace, lane, points int) {
	r := enginetest.NewRandom(c.Seed<<8 + uint64(lane))
	for i, hit := lane, 0; hit < points; i += 2 {
		if i > 40*points+40 {
			t.Fatalf("only %d of %d failures hit", hit, i/2)
		}
		e := errnos[(i/2+lane*len(errnos)/2)%len(errnos)]
		nth := 1 + r.IntN(max(plain.most(e.call), 1))
		when := []string{"", "+", fmt.Sprintf("..%d", nth+2)}[i/2%3]
		c.ReadsMayFail = e.reads
		c.Seed++
		if f.point(t, configIn(t, c), e.call, e.errno, e.text, nth, when) {
			hit++
		}
	}
}

// point runs a child one of whose calls fails, and tells whether that was one on a file of the store.
func (f *failedCalls) point(t *testing.T, c load.Config, name, errno, text string, nth int, when string) (hit bool) {
	t.Helper()
	out := filepath.Join(filepath.Dir(c.Dir), "trace")
	c.Limit = 150
	command := straced(t, out, name, name+":error="+errno+whenNth(nth)+when)
	if name == "write" {
		command = append(command, onFilesOf(c.Dir)...)
	}
	child := load.Start(t, c, command...)
	child.Until(func() bool { return child.State() == load.Failed || child.Failures() >= 20 })
	wasLatched := child.State() == load.Failed
	err := child.Stop()
	failed, ok := readTrace(t, out, c.Dir).nth(name, nth)
	what := fmt.Sprintf("seed %d, %s of call %d%s of %s, of %q", c.Seed, errno, nth, when, name, failed.file)
	switch {
	case child.State() == load.Starting:
		return false // it did not get as far as the store
	case child.State() == load.Opening && !child.FailedToOpen(), child.State() > load.Opening && err != nil:
		t.Fatalf("%s: the child did not end in order in state %d: %v", what, child.State(), err)
	}
	if err := child.Sound(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, told := range []string{child.Failure(), child.CloseFailure()} {
		if told != "" && !strings.Contains(told, text) {
			t.Errorf("%s: the error does not say what failed: %s", what, told)
		}
	}
	if _, err := load.NewOracle(c).Check(child.AckedBy(), child.IssuedBy()); err != nil {
		t.Fatalf("%s: %v; the store had said: %s %s", what, err, child.Failure(), child.CloseFailure())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acks += int64(child.Acks())
	f.refused += int64(child.Failures())
	if !ok || failed.file == "" {
		f.other++
		return false
	}
	f.points++
	f.at[errno+" from "+failed.name+" of "+failed.file]++
	switch {
	case child.FailedToOpen():
		f.openings++
	case wasLatched:
		f.latched++
	case child.Failure() == "" && child.CloseFailure() == "":
		f.harmless++
	}
	return true
}

// A disk that takes its time makes writers wait, and nothing else.
func TestErrno_ASlowDiskIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := configIn(t, load.Config{Writers: 4, SyncEvery: 1, Limit: tally.Pick(4, 20, 50), Seed: tally.Seed()})
	const delay = "50000" // microseconds
	out := filepath.Join(filepath.Dir(c.Dir), "trace")
	child := load.Start(t, c, straced(t, out, "fdatasync", "fdatasync:delay_enter="+delay)...)
	must(t, child.Wait())
	must(t, child.Sound())
	if child.State() != load.Closed || child.Failures() > 0 || child.CloseFailure() != "" || child.Longest() < 50_000 {
		t.Errorf("state %d, %d failures, close: %q, longest write %d µs", child.State(), child.Failures(), child.CloseFailure(), child.Longest())
	}
	_, err := load.NewOracle(c).Check(child.IssuedBy(), child.IssuedBy())
	must(t, err)
}
