package isolation

import (
	"context"
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

// runHuge commits transactions of some size, one after the other, each of which writes its number to all of its keys.
func runHuge(c config) error {
	db, err := tinykv.Open(filepath.Join(c.Dir, "store"), &tinykv.Options{MemTableSize: 256 << 10})
	if err != nil {
		return err
	}
	first, err := hugeNumber(db)
	if err != nil {
		return err
	}
	value := make([]byte, 4<<10)
	for n := first + 1; ; n++ {
		err := db.Update(func(tx *tinykv.Tx) error {
			copy(value, fmt.Sprintf("%08d", n))
			for i := range c.Length {
				if err := tx.Put(fmt.Appendf(nil, "%06d", i), value); err != nil {
					return err
				}
				if i%50 == 0 {
					fmt.Println(i)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println("committed")
	}
}

// hugeNumber returns the number that all keys have, 0 in an empty store.
func hugeNumber(db *tinykv.DB) (number int, err error) {
	first := ""
	for item, err := range db.Scan(tinykv.All()) {
		if err != nil {
			return 0, err
		}
		if text := string(item.Value[:8]); first == "" {
			first = text
		} else if text != first {
			return 0, fmt.Errorf("%s is of transaction %s, those before of %s", item.Key, text, first)
		}
	}
	if first == "" {
		return 0, nil
	}
	_, err = fmt.Sscan(first, &number)
	return number, err
}

// Row A22 of docs/RELIABILITY.md. With each kill, somewhere in a transaction of many memtables or in its commit, all of it is there or
// nothing, and no file that no version knows.
func TestHuge_TransactionsAreWholeOrAbsentAfterAKill(t *testing.T) {
	kills, keys := tally.Pick(4, 15, 100), tally.Pick(500, 1000, 4000)
	c := config{Dir: t.TempDir(), Seed: tally.Seed(), Length: keys, Huge: true}
	store := filepath.Join(c.Dir, "store")
	rng := rand.New(rand.NewPCG(c.Seed, 8))
	most := 0
	for range kills {
		if !life(t, c, rng.IntN(3*(keys/50+1))) {
			t.Fatal("the child ended before it was killed")
		}
		db, err := tinykv.Open(store, nil)
		must(t, err)
		n, err := hugeNumber(db)
		if err != nil {
			t.Fatalf("after a kill: %v", err)
		}
		if count, err := db.Count(context.Background(), tinykv.All()); err != nil || n > 0 && count != uint64(keys) {
			t.Fatalf("transaction %d has %d keys, want %d: %v", n, count, keys, err)
		}
		most = max(most, n)
		must(t, db.Close())
		report, err := tinykv.Verify(context.Background(), store, nil)
		must(t, err)
		tables, err := filepath.Glob(filepath.Join(store, "*.sst"))
		must(t, err)
		if report.Err() != nil || len(tables) != int(report.Tables) {
			t.Fatalf("after a kill there are %d tables in the directory: %v", len(tables), report)
		}
	}
	tally.Row{
		ID: "A22", Suite: "large transactions", Load: fmt.Sprintf("transactions of %d values of 4 KiB, in memtables of 256 KiB", keys),
		Faults: int64(kills), Unit: "kills", Seed: c.Seed,
		Counts: []tally.Count{{Name: "transactions committed", N: int64(most)}},
		Replay: "TINYKV_SEED=N go test -run TestHuge ./reliability/isolation",
	}.Record(t)
}

// runOther runs what a child does but for histories.
func runOther(c config) (done bool, err error) {
	switch {
	case c.Bank:
		return true, runBank(c)
	case c.Huge:
		return true, runHuge(c)
	case c.Registers:
		return true, runRegisters(c)
	default:
		return false, nil
	}
}

// Part of row A22: a transaction that is larger than all memory that the store may use.
func TestHuge_TransactionLargerThanTheBudgetCommits(t *testing.T) {
	mib := tally.Pick(32, 128, 1024)
	db, err := tinykv.Open(filepath.Join(t.TempDir(), "store"), &tinykv.Options{MemoryBudget: int64(max(mib/8, 8)) << 20, CacheSize: -1})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	value := make([]byte, 10<<10)
	keys := mib << 20 / len(value)
	must(t, db.Update(func(tx *tinykv.Tx) error {
		for i := range keys {
			copy(value, fmt.Sprintf("%08d", i))
			if err := tx.Put(fmt.Appendf(nil, "%08d", i*7919%keys), value); err != nil {
				return err
			}
		}
		return nil
	}))
	if n, err := db.Count(context.Background(), tinykv.All()); err != nil || n != uint64(keys) {
		t.Fatalf("%d keys, %v; want %d", n, err, keys)
	}
}
