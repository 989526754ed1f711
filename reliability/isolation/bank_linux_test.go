package isolation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
)

const (
	accounts = 20
	capital  = 1000 // in each account at first
)

func account(i int) []byte { return fmt.Appendf(nil, "account/%02d", i) }

// runBank moves money between accounts, by eight clients, until it is killed. One more looks at the sum all the while.
func runBank(c config) error {
	db, err := tinykv.Open(filepath.Join(c.Dir, "store"), &tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10})
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	errs := make(chan error, clients+1)
	for i := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(c.Seed, uint64(os.Getpid())<<8|uint64(i)))
			for n := range c.Length {
				if err := transfer(db, rng.IntN(accounts), rng.IntN(accounts), int64(rng.IntN(100))); err != nil && !errors.Is(err, tinykv.ErrConflict) {
					errs <- err
					return
				}
				if n%pulse == 0 {
					fmt.Println(i)
				}
			}
		})
	}
	all.Go(func() {
		for range c.Length {
			if err := audit(db); err != nil {
				errs <- err
				return
			}
		}
	})
	all.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return errors.Join(err, db.Close())
}

// transfer moves an amount, unless the account does not have it.
func transfer(db *tinykv.DB, from, to int, amount int64) error {
	return db.Update(func(tx *tinykv.Tx) error {
		balance := func(i int) int64 {
			v, _ := tx.Get(account(i))
			n, _ := tinykv.DecodeInt64(v)
			return n
		}
		if from == to || balance(from) < amount {
			return nil
		}
		less, more := balance(from)-amount, balance(to)+amount
		return errors.Join(tx.Put(account(from), tinykv.EncodeInt64(less)), tx.Put(account(to), tinykv.EncodeInt64(more)))
	})
}

// audit returns an error when the sum of all accounts is another than at first, or one of them is below zero.
func audit(db *tinykv.DB) error {
	return db.View(func(tx *tinykv.Tx) error {
		sum, n := int64(0), 0
		for item, err := range tx.Scan(tinykv.Prefix([]byte("account/"))) {
			if err != nil {
				return err
			}
			v, _ := tinykv.DecodeInt64(item.Value)
			if v < 0 {
				return fmt.Errorf("%s has %d", item.Key, v)
			}
			sum, n = sum+v, n+1
		}
		if n != accounts || sum != accounts*capital {
			return fmt.Errorf("%d accounts have %d together, want %d", n, sum, accounts*capital)
		}
		return nil
	})
}

// Row A21 of docs/RELIABILITY.md.
func TestBank_KeepsItsSumThroughKills(t *testing.T) {
	kills := tally.Pick(5, 20, 200)
	c := config{Dir: t.TempDir(), Seed: tally.Seed(), Length: 1 << 30, Bank: true}
	store := filepath.Join(c.Dir, "store")
	db, err := tinykv.Open(store, nil)
	must(t, err)
	for i := range accounts {
		must(t, db.Put(account(i), tinykv.EncodeInt64(capital)))
	}
	must(t, db.Close())
	rng := rand.New(rand.NewPCG(c.Seed, 7))
	transactions := int64(0)
	for range kills {
		if !life(t, c, 1+rng.IntN(60)) {
			t.Fatal("the child ended before it was killed")
		}
		db, err := tinykv.Open(store, nil)
		must(t, err)
		if err := audit(db); err != nil {
			t.Fatalf("after a kill: %v", err)
		}
		transactions = int64(db.Metrics().LastSeq) / 2
		must(t, db.Close())
	}
	tally.Row{
		ID: "A21", Suite: "bank transfers", Load: fmt.Sprintf("%d clients that move money between %d accounts; the sum is looked at all the while, and after each kill", clients, accounts),
		Faults: int64(kills), Unit: "kills", Seed: c.Seed,
		Counts: []tally.Count{{Name: "transfers", N: transactions}},
		Replay: "TINYKV_SEED=N go test -run TestBank ./reliability/isolation",
	}.Record(t)
}
