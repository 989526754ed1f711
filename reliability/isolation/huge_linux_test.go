package isolation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
)

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
