package process_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// filesOf returns the sizes of the files in a directory, but for log segments, which a store makes ahead of need.
func filesOf(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	sizes := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		if filepath.Ext(e.Name()) != ".wal" {
			sizes[e.Name()] = info.Size()
		}
	}
	return sizes
}

// A store has one opener, whatever process it is in. The others get ErrLocked and change nothing; when the one is killed, the lock is free at once, and the
// file that it leaves keeps nobody away.
func TestLock_IsHeldByOneProcessAndDiesWithIt(t *testing.T) {
	t.Parallel()
	c := configIn(t, load.Config{SyncEvery: 1, Seed: tally.Seed(), Limit: 1 << 30, PauseMicros: 60_000_000})
	oracle := load.NewOracle(c)
	rounds := tally.Pick(3, 20, 100)
	refused := 0
	for range rounds {
		holder := load.Start(t, c)
		goal := holder.Acks() + 1
		if !holder.Until(func() bool { return holder.Acks() >= goal }) {
			t.Fatal(holder.Wait())
		}
		must(t, holder.Pause()) // what it does in the background would look like the work of others
		before := filesOf(t, c.Dir)
		for _, o := range []*tinykv.Options{c.Options(), {ReadOnly: true}} {
			if db, err := tinykv.Open(c.Dir, o); !errors.Is(err, tinykv.ErrLocked) {
				t.Fatalf("a second opener got %v, %v", db, err)
			}
			refused++
		}
		other := c
		other.Ledger = filepath.Join(filepath.Dir(c.Ledger), "other")
		second := load.Start(t, other)
		if err := second.Wait(); err == nil || !second.FailedToOpen() {
			t.Fatalf("a second process could open the store: %v", err)
		}
		refused++
		if after := filesOf(t, c.Dir); !maps.Equal(before, after) {
			t.Errorf("an opener that was refused has changed files: %v, before %v", after, before)
		}
		holder.Kill()
		must(t, holder.Sound())
		if _, err := os.Stat(filepath.Join(c.Dir, "LOCK")); err != nil {
			t.Error(err)
		}
		if _, err := oracle.Check(holder.AckedBy(), holder.IssuedBy()); err != nil { // no LockTimeout
			t.Fatal(err)
		}
	}
	tally.Row{
		ID: "A15", Suite: "two openers", Load: "one process holds the store and is killed; others try, to write and to read, and open it after that",
		Faults: int64(rounds), Unit: "kills of the holder", Counts: []tally.Count{{Name: "openers refused with ErrLocked", N: int64(refused)}},
		Seed: tally.Seed(), Replay: "go test -run TestLock ./reliability/process",
	}.Record(t)
}

// Of processes that open a store at the same moment one gets it.
func TestLock_GoesToOneOfManyAtOnce(t *testing.T) {
	t.Parallel()
	c := configIn(t, load.Config{SyncEvery: 1, Seed: tally.Seed(), PauseMicros: 60_000_000})
	for range tally.Pick(2, 5, 30) {
		var children []*load.Child
		for i := range 4 {
			one := c
			one.Ledger = filepath.Join(filepath.Dir(c.Ledger), string(rune('a'+i)))
			must(t, os.RemoveAll(one.Ledger))
			children = append(children, load.Start(t, one))
		}
		open := 0
		for _, child := range children {
			child.UntilState(load.Writing)
			if child.State() >= load.Writing {
				open++
			} else if !child.FailedToOpen() {
				t.Errorf("a child ended in state %d: %v", child.State(), child.Wait())
			}
		}
		if open != 1 {
			t.Errorf("%d processes have the store open", open)
		}
		for _, child := range children {
			child.Kill()
		}
		must(t, os.RemoveAll(c.Dir))
	}
}
