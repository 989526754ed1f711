package process_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// tight are limits of the process, tightened while it runs, from too little for anything to nearly enough.
var tight = []struct {
	name     string
	resource int
	limit    uint64
	text     string
}{
	{"file size", unix.RLIMIT_FSIZE, 1, "file too large"},
	{"open files", unix.RLIMIT_NOFILE, 1, "too many open files"},
	{"file size", unix.RLIMIT_FSIZE, 4096, "file too large"},
	{"open files", unix.RLIMIT_NOFILE, 11, "too many open files"},
	{"file size", unix.RLIMIT_FSIZE, 20_000, "file too large"},
	{"open files", unix.RLIMIT_NOFILE, 13, "too many open files"},
	{"file size", unix.RLIMIT_FSIZE, 60_000, "file too large"},
	{"open files", unix.RLIMIT_NOFILE, 15, "too many open files"},
	{"file size", unix.RLIMIT_FSIZE, 200_000, "file too large"},
	{"open files", unix.RLIMIT_NOFILE, 17, "too many open files"},
}

// limited counts what limits did.
type limited struct{ acks, refused, failed, resumed, openings int64 }

// What a limit forbids is an error that says so, or waits and is made good. The process lives; when the limit is gone, a store that
// has not failed for good goes on; and all that was acknowledged is there.
func TestLimits_ThatTightenWhileTheStoreIsOpenLoseNothing(t *testing.T) {
	t.Parallel()
	var n limited
	faults := 0
	for round := range tally.Pick(1, 2, 10) {
		for i, l := range tight {
			if i >= tally.Pick(2, len(tight), len(tight)) {
				break
			}
			c := configIn(t, load.Config{Writers: 2, SyncEvery: 3, ReadsMayFail: true, Seed: tally.Seed() + uint64(round*len(tight)+i)})
			n.tighten(t, c, l.resource, l.limit, fmt.Sprintf("seed %d, %s limited to %d", c.Seed, l.name, l.limit), l.text)
			faults++
		}
	}
	tally.Row{
		ID: "A6", Suite: "limits on file size and open files", Load: "2 writers, every 3rd commit synced; tightened and lifted while they write",
		Faults: int64(faults), Unit: "limits", Seed: tally.Seed(), Replay: "go test -run TestLimits ./reliability/process",
		Counts: []tally.Count{
			{Name: "acknowledged batches", N: n.acks},
			{Name: "writes refused", N: n.refused},
			{Name: "stores that failed for good, without an acknowledgement after that", N: n.failed},
			{Name: "stores that went on when the limit was lifted", N: n.resumed},
		},
	}.Record(t)
}

func (n *limited) tighten(t *testing.T, c load.Config, resource int, limit uint64, what, text string) {
	t.Helper()
	child := load.Start(t, c)
	if !child.Until(func() bool { return child.Acks() >= 100 }) {
		t.Fatalf("%s: %v", what, child.Wait())
	}
	var old unix.Rlimit
	must(t, unix.Prlimit(child.PID(), resource, nil, &old))
	must(t, unix.Prlimit(child.PID(), resource, &unix.Rlimit{Cur: limit, Max: old.Max}, nil))
	enough := child.Acks() + 400
	child.Until(func() bool { return child.State() == load.Failed || child.Failures() >= 10 || child.Acks() >= enough })
	must(t, unix.Prlimit(child.PID(), resource, &old, nil))
	if child.State() == load.Failed {
		n.failed++
	} else {
		goal := child.Acks() + 100
		if !child.Until(func() bool { return child.State() == load.Failed || child.Acks() >= goal }) {
			t.Fatalf("%s: %v", what, child.Wait())
		}
		n.resumed++
	}
	if err := child.Stop(); err != nil {
		t.Fatalf("%s: the child did not end in order: %v", what, err)
	}
	n.check(t, c, child, what, text)
}

// check wants a child that has ended to have said why, and its store to be whole.
func (n *limited) check(t *testing.T, c load.Config, child *load.Child, what, text string) {
	t.Helper()
	if err := child.Sound(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, told := range []string{child.Failure(), child.CloseFailure()} {
		if told != "" && !strings.Contains(told, text) {
			t.Errorf("%s: the error does not say why: %s", what, told)
		}
	}
	if _, err := load.NewOracle(c).Check(child.AckedBy(), child.IssuedBy()); err != nil {
		t.Errorf("%s: %v; the store had said: %s %s", what, err, child.Failure(), child.CloseFailure())
	}
	t.Logf("%s: %d acknowledged, %d refused, state %d: %s; close: %s",
		what, child.Acks(), child.Failures(), child.State(), child.Failure(), child.CloseFailure())
	n.acks += int64(child.Acks())
	n.refused += int64(child.Failures())
	if child.FailedToOpen() {
		n.openings++
	}
}

// A store that cannot even be opened says why.
func TestLimits_ThatForbidAnOpeningAreSaid(t *testing.T) {
	t.Parallel()
	prlimit := command(t, "prlimit")
	var n limited
	// opens tells whether a store can be opened and written to under a limit. One that can is closed again, for it may have to wait
	// for a file for ever.
	opens := func(limit, text string) bool {
		c := configIn(t, load.Config{Writers: 2, SyncEvery: 3, Limit: 50, Seed: tally.Seed()})
		child := load.Start(t, c, prlimit, limit)
		opened := child.Until(func() bool { return child.State() >= load.Writing })
		err := child.Stop()
		if said := strings.Contains(child.Failure(), text); opened && err != nil || !opened && (!child.FailedToOpen() || !said) {
			t.Errorf("%s: state %d: %v", limit, child.State(), err)
		}
		n.check(t, c, child, limit, text)
		return opened
	}
	if opens("--fsize=40000", "file too large") {
		t.Error("a store was opened that must not write its first segment")
	}
	// How many files suffice depends on those that a child inherits.
	files := 9
	for files < 100 && !opens(fmt.Sprintf("--nofile=%d", files), "too many open files") {
		files++
	}
	if files == 9 || files == 100 {
		t.Errorf("%d open files suffice for a store", files)
	}
}
