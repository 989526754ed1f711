package isolation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
)

// Calls on single keys are linearizable: each takes effect at one moment between its beginning and its end. That is what porcupine finds
// out of registers, which clients read, set, compare and swap, delete, and update in transactions. (Lists cannot tell of compare and swap.)

const registers = 5

// call is what is done to a register. A value is above 0, and never set twice; 0 is no value.
type call struct {
	Do       string `json:"do"` // get, put, delete, put if absent, compare and swap, compare and delete, update
	Register int    `json:"register"`
	Old, New int    `json:",omitempty"`
}

// answer is what came of it.
type answer struct {
	Value int  `json:"value,omitempty"` // that was read
	Done  bool `json:"done,omitempty"`
	Known bool `json:"known"` // false: the process was killed
}

// registerLine is a line of a client's log: a call that begins, or its answer.
type registerLine struct {
	At     int64   `json:"at"`
	Call   *call   `json:"call,omitempty"`
	Answer *answer `json:"answer,omitempty"`
}

// register is the model.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, registers)
		for _, o := range history {
			r := o.Input.(call).Register
			parts[r] = append(parts[r], o)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) { return step(state.(int), input.(call), output.(answer)) },
}

// step tells whether a register can give an answer, and what it has then.
func step(state int, c call, a answer) (possible bool, next int) {
	switch c.Do {
	case "get":
		return !a.Known || a.Value == state, state
	case "put":
		return true, c.New
	case "delete":
		return true, 0
	case "update": // sets a new value, and tells what it read
		return !a.Known || a.Value == state, c.New
	case "put if absent":
		return conditional(state, state == 0, c.New, a)
	case "compare and swap":
		return conditional(state, state == c.Old && state != 0, c.New, a)
	default: // compare and delete
		return conditional(state, state == c.Old && state != 0, 0, a)
	}
}

func conditional(state int, holds bool, then int, a answer) (bool, int) {
	if holds {
		return !a.Known || a.Done, then
	}
	return !a.Known || !a.Done, state
}

func registerKey(i int) []byte { return fmt.Appendf(nil, "register %d", i) }

// runRegisters has clients call, until all are done.
func runRegisters(c config) error {
	db, err := tinykv.Open(filepath.Join(c.Dir, "store"), &tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10})
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		all.Go(func() { errs[i] = runRegisterClient(c, i, db) })
	}
	all.Wait()
	return errors.Join(append(errs, db.Close())...)
}

func runRegisterClient(c config, number int, db *tinykv.DB) error {
	before, log, err := resumeLog[registerLine](c.Dir, number)
	if err != nil {
		return err
	}
	defer log.Close()
	rng := rand.New(rand.NewPCG(c.Seed, uint64(number)<<32|uint64(len(before))))
	seen := 0
	for n := len(before); n < 2*c.Length; n += 2 {
		do := []string{"get", "get", "get", "put", "put", "delete", "put if absent", "compare and swap", "compare and swap", "compare and delete", "update", "update"}[rng.IntN(12)]
		x := call{Do: do, Register: rng.IntN(registers), Old: seen, New: (number+1)*1_000_000 + n + 1}
		if err := writeLine(log, registerLine{At: now(), Call: &x}); err != nil {
			return err
		}
		a, err := carryOut(db, x)
		if errors.Is(err, tinykv.ErrConflict) { // refused: it had no effect
			x.Do, a = "get", answer{}
			if err := writeLine(log, registerLine{At: now(), Call: &x}); err != nil {
				return err
			}
			a, err = carryOut(db, x)
		}
		if err != nil {
			return err
		}
		if a.Value != 0 {
			seen = a.Value
		}
		if err := writeLine(log, registerLine{At: now(), Answer: &a}); err != nil {
			return err
		}
		if n/2%pulse == 0 {
			fmt.Println(number)
		}
		if rng.IntN(300) == 0 {
			if err := db.Flush(context.Background()); err != nil {
				return err
			}
		}
	}
	return nil
}

// carryOut does a call.
func carryOut(db *tinykv.DB, x call) (a answer, err error) {
	k, value := registerKey(x.Register), func(v int) []byte { return tinykv.EncodeInt64(int64(v)) }
	a.Known = true
	switch x.Do {
	case "get":
		a.Value, err = valueOf(db.Get(k))
	case "put":
		err = db.Put(k, value(x.New))
	case "delete":
		err = db.Delete(k)
	case "put if absent":
		a.Done, err = db.PutIfAbsent(k, value(x.New))
	case "compare and swap":
		a.Done, err = db.CompareAndSwap(k, value(x.Old), value(x.New))
	case "compare and delete":
		a.Done, err = db.CompareAndDelete(k, value(x.Old))
	default:
		err = db.Update(func(tx *tinykv.Tx) (err error) {
			if a.Value, err = valueOf(tx.Get(k)); err != nil {
				return err
			}
			return tx.Put(k, value(x.New))
		})
	}
	return a, err
}

func valueOf(v []byte, err error) (int, error) {
	if errors.Is(err, tinykv.ErrNotFound) {
		return 0, nil
	}
	n, _ := tinykv.DecodeInt64(v)
	return int(n), err
}

// operations returns what a client's log says, as porcupine has it. What has no answer may take effect at any later time, or never.
func operations(client int, lines []registerLine) (all []porcupine.Operation) {
	for i, l := range lines {
		if l.Call == nil {
			continue
		}
		o := porcupine.Operation{ClientId: client, Input: *l.Call, Call: l.At, Output: answer{}, Return: math.MaxInt64}
		if i+1 < len(lines) && lines[i+1].Answer != nil {
			o.Output, o.Return = *lines[i+1].Answer, lines[i+1].At
		}
		all = append(all, o)
	}
	return all
}

// Row A23 of docs/RELIABILITY.md.
func TestRegister_CallsAreLinearizableThroughKills(t *testing.T) {
	histories, length, kills := tally.Pick(1, 5, 100), tally.Pick(200, 400, 400), 3
	calls, killed := 0, 0
	for i := range histories {
		c := config{Dir: t.TempDir(), Seed: tally.Seed() + uint64(i), Length: length, Registers: true}
		rng := rand.New(rand.NewPCG(c.Seed, 98))
		killed += livesOf(t, c, rng, kills)
		var history []porcupine.Operation
		for client := range clients {
			lines, _, err := readLog[registerLine](c.Dir, client)
			must(t, err)
			history = append(history, operations(client, lines)...)
		}
		calls += len(history)
		if result := porcupine.CheckOperationsTimeout(register, history, 2*time.Minute); result != porcupine.Ok {
			t.Fatalf("seed %d: porcupine says %v", c.Seed, result)
		}
	}
	tally.Row{
		ID: "A23", Suite: "registers", Load: fmt.Sprintf("%d histories of %d calls by each of %d clients on %d keys, killed and started again; checked by porcupine", histories, length, clients, registers),
		Faults: int64(killed), Unit: "kills", Seed: tally.Seed(),
		Counts: []tally.Count{{Name: "calls", N: int64(calls)}},
		Replay: "TINYKV_SEED=N go test -run TestRegister ./reliability/isolation",
	}.Record(t)
}

func TestRegister_ModelRefusesWhatCannotBe(t *testing.T) {
	at := func(client int, from, to int64, c call, a answer) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: c, Call: from, Output: a, Return: to}
	}
	put := func(v int) call { return call{Do: "put", New: v} }
	swap := func(old, v int) call { return call{Do: "compare and swap", Old: old, New: v} }
	get, done := call{Do: "get"}, answer{Known: true, Done: true}
	for _, c := range []struct {
		name    string
		history []porcupine.Operation
		want    bool
	}{
		{"one after the other", []porcupine.Operation{at(0, 1, 2, put(1), done), at(0, 3, 4, get, answer{Known: true, Value: 1})}, true},
		{"stale read", []porcupine.Operation{at(0, 1, 2, put(1), done), at(1, 3, 4, get, answer{Known: true})}, false},
		{"two swaps of one value", []porcupine.Operation{at(0, 1, 2, put(1), done), at(1, 3, 9, swap(1, 2), done), at(2, 3, 9, swap(1, 3), done)}, false},
		{"in doubt, later", []porcupine.Operation{at(0, 1, math.MaxInt64, put(1), answer{}), at(1, 3, 4, get, answer{Known: true}), at(1, 5, 6, get, answer{Known: true, Value: 1})}, true},
		{"in doubt, gone again", []porcupine.Operation{at(0, 1, math.MaxInt64, put(1), answer{}), at(1, 3, 4, get, answer{Known: true, Value: 1}), at(1, 5, 6, get, answer{Known: true})}, false},
	} {
		if got := porcupine.CheckOperations(register, c.history); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
