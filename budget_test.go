package tinykv

import (
	"errors"
	"fmt"
	"testing"
)

func TestBudget_IsDividedAmongItsUsers(t *testing.T) {
	for _, budget := range []int64{1 << 20, 4 << 20, 64 << 20, 100 << 20, 1 << 30, 1 << 40} {
		o, err := (&Options{MemoryBudget: budget}).complete()
		if err != nil {
			t.Errorf("%d: %v", budget, err)
			continue
		}
		used := memTables(o.MemTableSize)*o.MemTableSize + garbagePart*o.CacheSize
		if used > budget-budget/restPart+garbagePart*minCache || o.MemTableSize > maxMemTableDef {
			t.Errorf("budget %d: memtables of %d, cache of %d: %d in all", budget, o.MemTableSize, o.CacheSize, used)
		}
		if budget >= 64<<20 && used < budget*3/4 {
			t.Errorf("budget %d: only %d are used", budget, used)
		}
	}
}

func TestBudget_GrowsWithSizesThatWereChosen(t *testing.T) {
	o, err := (&Options{MemTableSize: 256 << 20, CacheSize: 1 << 30}).complete()
	if err != nil {
		t.Fatal(err)
	}
	if need := int64(memTables(256<<20)*256<<20 + garbagePart<<30); o.MemoryBudget < need {
		t.Errorf("budget %d for %d", o.MemoryBudget, need)
	}
}

func TestBudget_ThatDoesNotHoldWhatWasChosenIsRefused(t *testing.T) {
	for _, o := range []Options{
		{MemoryBudget: 10 << 20, MemTableSize: 8 << 20},
		{MemoryBudget: 64 << 20, CacheSize: 64 << 20},
		{MemoryBudget: 1},
		{MemoryBudget: -1},
		{MemoryBudget: 1 << 50},
	} {
		if _, err := o.complete(); !errors.Is(err, ErrInvalidOption) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := (&Options{MemoryBudget: 10 << 20, CacheSize: -1}).complete(); err != nil {
		t.Errorf("no cache: %v", err)
	}
}

// An iterator that stays open keeps the memtables of its time; what they take is taken from the
// cache, and given back with them.
func TestBudget_MemtablesThatIteratorsHoldAreTakenFromTheCache(t *testing.T) {
	db, err := Open(t.TempDir(), &Options{MemTableSize: 64 << 10, CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var held []*Iterator
	for i := range 20 {
		if err := db.Put(fmt.Appendf(nil, "%d", i), nil); err != nil {
			t.Fatal(err)
		}
		it, err := db.NewIter(All())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, it)
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	full, least := db.opts.CacheSize, db.opts.CacheSize-(20-memTables(64<<10))*db.opts.MemTableSize/garbagePart
	if got := db.files.cache.Room(); got > least {
		t.Errorf("the cache has room for %d bytes while 20 memtables are held, want %d or less", got, least)
	}
	for _, it := range held {
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := db.files.cache.Room(); got != full {
		t.Errorf("the cache has room for %d bytes afterwards, want %d", got, full)
	}
}
