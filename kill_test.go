package tinykv_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// A real process writes to a real file system, says what was acknowledged, and is killed with
// SIGKILL. What it said must be there afterwards.

// killedEnv names the directory that the child process works in.
const killedEnv = "TINYKV_TEST_KILLED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedEnv); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// killedOptions make every kind of background work frequent.
func killedOptions(hook func(step string, begins bool)) *tinykv.Options {
	o := tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10}
	return o.With(tinykv.Internal{Hook: hook, ManifestGrowth: 256})
}

// killedCommit returns commit number n, which depends on nothing else.
func killedCommit(n int) *tinykv.Batch {
	r := enginetest.NewRandom(uint64(n))
	b := &tinykv.Batch{}
	ops := r.IntN(5)
	if n%60 == 0 {
		ops = 100 // more than the memtable holds
	}
	for range ops {
		k := fmt.Appendf(nil, "%04d", r.IntN(300))
		if r.OneIn(5) {
			_ = b.Delete(k)
		} else {
			_ = b.Put(k, fmt.Appendf(nil, "%0*d", 1+r.IntN(2000), n))
		}
	}
	_ = b.Put(counterKey, binary.BigEndian.AppendUint32(nil, uint32(n)))
	return b
}

// writeUntilKilled is the child. It goes on where the store stands and never ends.
func writeUntilKilled(dir string) error {
	db, err := tinykv.Open(dir, killedOptions(func(step string, begins bool) {
		if begins {
			fmt.Println("begin", step)
		} else {
			fmt.Println("end", step)
		}
	}))
	if err != nil {
		return err
	}
	n, err := counterOf(db)
	if err != nil {
		return err
	}
	for {
		n++
		opt := tinykv.NoSync
		if n%7 == 0 {
			opt = tinykv.Sync
		}
		if err := db.Apply(killedCommit(n), opt); err != nil {
			return err
		}
		fmt.Println("ack", n)
	}
}

// counterOf returns the number of the last commit in a store.
func counterOf(db *tinykv.DB) (int, error) {
	v, err := db.Get(counterKey)
	if errors.Is(err, tinykv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint32(v)), nil
}

// victim is a child process.
type victim struct {
	*testing.T
	acked int
	open  map[string]int // steps that began and did not end

	whileRunning func(cmd *exec.Cmd) // called after each acknowledgement; may be nil
}

// runUntil starts a child and kills it once it has begun the step for the nth time, and has said
// another few lines. It reports whether the step was under way when it died.
func (v *victim) runUntil(dir, step string, nth, lines int) bool {
	v.Helper()
	v.open = map[string]int{}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		v.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		v.Fatal(err)
	}
	for scanner := bufio.NewScanner(out); scanner.Scan(); { // to the end: what it said before it died counts
		word, rest, _ := strings.Cut(scanner.Text(), " ")
		switch word {
		case "begin":
			v.open[rest]++
			if rest == step {
				nth--
			}
		case "end":
			v.open[rest]--
		case "ack":
			if v.acked, err = strconv.Atoi(rest); err != nil {
				v.Fatal(err)
			}
			if v.whileRunning != nil {
				v.whileRunning(cmd)
			}
		default:
			v.Fatalf("child: %s", scanner.Text())
		}
		if nth <= 0 {
			if lines == 0 {
				if err := cmd.Process.Kill(); err != nil {
					v.Fatal(err)
				}
			}
			lines--
		}
	}
	_ = cmd.Wait() // it was killed
	return v.open[step] > 0
}

func TestKill_WhatWasAcknowledgedIsThere(t *testing.T) {
	dir := t.TempDir() + "/store"
	rng := enginetest.NewRandom(*firstSeed)
	v := &victim{T: t}
	model, upTo := &enginetest.Model{}, 0
	during := map[string]int{}
	kills, kinds := 0, []string{"flush", "compact", "manifest", "recover", "commit"}
	enough := func() bool {
		return kills >= 50 && !slices.ContainsFunc(kinds[:4], func(step string) bool { return during[step] < 5 })
	}
	for ; !enough() && kills < 400; kills++ {
		step := kinds[kills%len(kinds)]
		nth, lines := 1+rng.IntN(4), rng.IntN(4)
		switch step {
		case "recover": // there must be something to recover
			v.runUntil(dir, "commit", 0, 20+rng.IntN(50))
			nth, lines = 1, 0
		case "commit":
			nth, lines = 0, rng.IntN(200)
		}
		if v.runUntil(dir, step, nth, lines) {
			during[step]++
		}
		db, err := tinykv.Open(dir, killedOptions(nil))
		if err != nil {
			t.Fatalf("seed %d, kill %d, at %s: %v", *firstSeed, kills, step, err)
		}
		n, err := counterOf(db)
		if err != nil {
			t.Fatal(err)
		}
		if n < v.acked || n > v.acked+1 {
			t.Fatalf("seed %d, kill %d, at %s: recovered %d commits, %d were acknowledged", *firstSeed, kills, step, n, v.acked)
		}
		for ; upTo < n; upTo++ {
			model.Apply(killedCommit(upTo + 1))
		}
		got, err := enginetest.Collect(db.Scan(tinykv.All()))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, model.Entries(tinykv.All())) {
			t.Fatalf("seed %d, kill %d, at %s: %d entries after %d commits are not what was written", *firstSeed, kills, step, len(got), n)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d acknowledged commits; under way when it died: %v", kills, v.acked, during)
	if !enough() {
		t.Errorf("too few kills hit what they were meant to")
	}
}
