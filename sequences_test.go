package tinykv_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// The crash model, with all short sequences of operations on a fresh store instead of long lives. Most crash
// bugs that were ever found in file systems need no more than three operations on an empty one.

// crashSteps are the operations. Each leaves the store open.
var crashSteps = []struct {
	name string
	run  func(r *crashRun)
}{
	{"put", func(r *crashRun) { r.puts(1, 100) }},
	{"synced put", func(r *crashRun) { r.puts(1, 100, tinykv.Sync) }},
	{"long puts", func(r *crashRun) { r.puts(2, 30_000) }},
	{"delete range", func(r *crashRun) { r.deleteRange([]byte("005"), []byte("040")) }},
	{"clear", func(r *crashRun) { r.deleteRange(nil, nil, tinykv.Sync) }},
	{"large batch", func(r *crashRun) { r.large() }},
	{"flush", (*crashRun).flush},
	{"compact", (*crashRun).compact},
	{"sync", (*crashRun).sync},
	{"close and open", func(r *crashRun) { r.close(); r.reopened() }},
	{"die and open", func(r *crashRun) { r.die() }},
}

// reopened opens the store once more.
func (r *crashRun) reopened() {
	r.openings++
	r.options = crashOptions(r.fs, r.openings)
	r.open()
}

// die has the process die, and opens what it left.
func (r *crashRun) die() {
	dead, watched := r.db, r.watched
	r.fs.SetHook(nil)
	r.fs = r.fs.Image(simfs.KillProcess, r.seed)
	r.must(dead.Close())
	r.openings++
	r.options = crashOptions(r.fs, r.openings)
	if watched {
		r.watch()
	}
	r.open()
	r.synced = r.acked // recovery makes durable what it found
}

// Row A1 of docs/RELIABILITY.md.
func TestCrash_EveryShortSequenceOfOperations(t *testing.T) {
	longest := tally.Pick(2, 3, 3)
	if testing.Short() {
		longest = 1
	}
	rotate := tally.Pick(4, 12, 3) // of so many policies, one after each operation of the file system
	var sequences, images, operations atomic.Int64
	t.Run("sequences", func(t *testing.T) {
		for first := range crashSteps {
			t.Run(crashSteps[first].name, func(t *testing.T) {
				t.Parallel()
				everySequence([]int{first}, longest, func(sequence []int) {
					r := newCrashRun(t, uint64(sequences.Add(1))+tally.Seed())
					r.perKind, r.rotate = 1, rotate
					r.runSequence(sequence)
					images.Add(int64(r.images))
					operations.Add(int64(r.operations))
				})
			})
		}
	})
	tally.Row{
		ID: "A1", Suite: "crashes in all short sequences of operations",
		Load: fmt.Sprintf("each sequence of up to %d of %d operations on a fresh store; a crash after each file operation of the last one, %d ways to crash",
			longest, len(crashSteps), len(simfs.Policies())),
		Faults: images.Load(), Unit: "crash images", Seed: tally.Seed(),
		Counts: []tally.Count{{Name: "sequences", N: sequences.Load()}, {Name: "file operations", N: operations.Load()}},
		Replay: "go test -run TestCrash_EveryShortSequence .",
	}.Record(t)
}

// everySequence calls run with every sequence of up to n steps that begins with the given ones.
func everySequence(begun []int, n int, run func(sequence []int)) {
	run(begun)
	if len(begun) == n {
		return
	}
	for next := range crashSteps {
		everySequence(append(begun[:len(begun):len(begun)], next), n, run)
	}
}

// runSequence runs a sequence with crashes in its last step, and in the Close behind it. Crashes in the
// steps before are those of a shorter sequence.
func (r *crashRun) runSequence(sequence []int) {
	r.Helper()
	var names []string
	for _, i := range sequence {
		names = append(names, crashSteps[i].name)
	}
	r.where = strings.Join(names, ", ") + ": "
	r.open()
	for n, i := range sequence {
		if n == len(sequence)-1 {
			r.watch()
		}
		crashSteps[i].run(r)
	}
	if r.OneIn(2) {
		r.close()
		return
	}
	r.fs.SetHook(nil)
	r.must(r.db.Close())
}
