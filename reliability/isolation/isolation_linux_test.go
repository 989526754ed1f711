package isolation

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
)

// Row A20 of docs/RELIABILITY.md.
func TestIsolation_HistoriesWithKillsAreSerializable(t *testing.T) {
	histories, length := tally.Pick(1, 6, 200), tally.Pick(300, 1000, 1000)
	var txns, kills, refused atomic.Int64
	t.Run("histories", func(t *testing.T) {
		for i := range histories {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				h := run(t, config{Dir: t.TempDir(), Seed: tally.Seed() + uint64(i), Length: length}, 4)
				txns.Add(int64(len(h.txns)))
				kills.Add(int64(h.kills))
				for _, x := range h.txns {
					if x.Outcome == aborted {
						refused.Add(1)
					}
				}
				for _, a := range check(h.txns) {
					t.Errorf("seed %d: %v", tally.Seed()+uint64(i), a)
				}
			})
		}
	})
	tally.Row{
		ID: "A20", Suite: "isolation",
		Load:   fmt.Sprintf("%d histories of %d transactions by each of %d clients, in two buckets and outside, killed and started again; searched for anomalies", histories, length, clients),
		Faults: kills.Load(), Unit: "kills", Seed: tally.Seed(),
		Counts: []tally.Count{{Name: "transactions", N: txns.Load()}, {Name: "refused for conflicts, or rolled back", N: refused.Load()}},
		Replay: "TINYKV_SEED=N go test -run TestIsolation ./reliability/isolation",
	}.Record(t)
}

type history struct {
	txns  []*txn
	kills int
}

// run has a child run a history, kills it some times, and adds what the store has in the end.
func run(t *testing.T, c config, kills int) history {
	t.Helper()
	rng := rand.New(rand.NewPCG(c.Seed, 99))
	h := history{kills: livesOf(t, c, rng, kills)}
	keys := map[string]bool{}
	for client := range clients {
		entries, _, err := readLog[entry](c.Dir, client)
		must(t, err)
		h.txns = append(h.txns, transactions(client, entries)...)
	}
	for _, x := range h.txns {
		for _, o := range x.Ops {
			keys[o.Key] = true
		}
	}
	h.txns = append(h.txns, finally(t, c, keys))
	return h
}

// livesOf runs a child to its end, and kills it some times before. It returns how often: a child may be quicker than that, but once it
// must be killed.
func livesOf(t *testing.T, c config, rng *rand.Rand, kills int) (killed int) {
	t.Helper()
	pulses := clients * c.Length / pulse // about so many in all lives together
	for killed < kills {
		if !life(t, c, rng.IntN(max(pulses/(2*kills), 1))) {
			break
		}
		killed++
	}
	if killed == 0 {
		t.Fatal("the child ended before it was killed")
	}
	if killed == kills {
		life(t, c, -1)
	}
	return killed
}

// life starts a child and kills it after so many signs of life; -1 is never. It reports whether it was killed.
func life(t *testing.T, c config, pulses int) (killed bool) {
	t.Helper()
	text, err := json.Marshal(c)
	must(t, err)
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if n == pulses {
			must(t, cmd.Process.Kill())
			killed = true
		}
	}
	if err := cmd.Wait(); err != nil && !killed {
		t.Fatalf("the child failed: %v: %s", err, said.String())
	}
	return killed
}

// transactions returns what a client's log says.
func transactions(client int, entries []entry) (all []*txn) {
	for _, e := range entries {
		if !e.Ended {
			x := &txn{Client: client, Invoked: e.At}
			for _, o := range e.Ops {
				if o.Append != 0 { // what it would have read is not known
					x.Ops = append(x.Ops, o)
				}
			}
			all = append(all, x)
			continue
		}
		x := all[len(all)-1]
		x.Done, x.Outcome, x.Ops = e.At, e.Outcome, e.Ops
	}
	return all
}

// finally reads all lists, as a last transaction.
func finally(t *testing.T, c config, keys map[string]bool) *txn {
	t.Helper()
	db, err := tinykv.Open(filepath.Join(c.Dir, "store"), options())
	must(t, err)
	defer func() { must(t, db.Close()) }()
	x := &txn{Client: -1, Invoked: now(), Outcome: committed}
	sorted := make([]string, 0, len(keys))
	for k := range keys {
		sorted = append(sorted, k)
	}
	slices.Sort(sorted)
	must(t, db.View(func(tx *tinykv.Tx) error {
		for _, k := range sorted {
			bucket, at := place(k)
			v, err := inTx(tx)(bucket).Get(at)
			if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
				return err
			}
			x.Ops = append(x.Ops, op{Key: k, List: list(v)})
		}
		return nil
	}))
	x.Done = now()
	return x
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
