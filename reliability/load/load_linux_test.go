package load_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/reliability/load"
)

func TestMain(m *testing.M) {
	load.RunIfChild()
	os.Exit(m.Run())
}

func configIn(t *testing.T, writers int) load.Config {
	dir := t.TempDir()
	return load.Config{Dir: filepath.Join(dir, "store"), Ledger: filepath.Join(dir, "ledger"), Seed: 1, Writers: writers, SyncEvery: 7}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBatch_DependsOnSeedWriterAndNumberAlone(t *testing.T) {
	bytesOf := func(seed uint64, writer int, n uint64) []byte {
		b, err := load.Config{Seed: seed}.Batch(writer, n).MarshalBinary()
		must(t, err)
		return b
	}
	first := bytesOf(1, 2, 97)
	if !bytes.Equal(first, bytesOf(1, 2, 97)) {
		t.Error("the same number gave something else")
	}
	for i, other := range [][]byte{bytesOf(2, 2, 97), bytesOf(1, 3, 97), bytesOf(1, 2, 194)} {
		if bytes.Equal(first, other) {
			t.Errorf("case %d: another number gave the same", i)
		}
	}
	if size := (load.Config{}).Batch(0, 97).Size(); size <= 64<<10 {
		t.Errorf("the large batch has %d bytes, which a memtable holds", size)
	}
}

func TestChild_WhatItAcknowledgedIsCheckedAfterItsDeath(t *testing.T) {
	t.Parallel()
	c := configIn(t, 2)
	oracle := load.NewOracle(c)
	child := load.Start(t, c)
	if !child.Until(func() bool { return child.Acks() >= 300 }) {
		t.Fatal(child.Wait())
	}
	child.Kill()
	if !child.WasKilled() || child.State() != load.Writing || child.Openings() != 1 {
		t.Error(child.WasKilled(), child.State(), child.Openings())
	}
	must(t, child.Sound())
	found, err := oracle.Check(child.AckedBy(), child.IssuedBy())
	must(t, err)

	c.Limit, c.SyncEvery = 100, 1
	child = load.Start(t, c)
	must(t, child.Wait())
	must(t, child.Sound())
	if child.State() != load.Closed || child.CloseFailure() != "" || child.Failures() != 0 {
		t.Error(child.State(), child.CloseFailure(), child.Failures())
	}
	for w, n := range child.SyncedBy() {
		if n != found[w]+100 {
			t.Errorf("writer %d: %d commits, want 100 more than %d", w, n, found[w])
		}
	}
	_, err = oracle.Check(child.SyncedBy(), child.SyncedBy())
	must(t, err)
}

func TestChild_OpensAgainAndEndsWhenItIsAsked(t *testing.T) {
	t.Parallel()
	c := configIn(t, 1)
	c.ReopenEvery = 20
	child := load.Start(t, c)
	if !child.Until(func() bool { return child.Openings() >= 3 }) {
		t.Fatal(child.Wait())
	}
	must(t, child.Stop())
	must(t, child.Sound())
	_, err := load.NewOracle(c).Check(child.AckedBy(), child.AckedBy())
	must(t, err)
}

// The check itself must be able to fail.
func TestOracle_SeesWhatIsMissingWrongOrTooMuch(t *testing.T) {
	damages := map[string]func(db *tinykv.DB) error{
		"nothing":              func(*tinykv.DB) error { return nil },
		"a key is missing":     func(db *tinykv.DB) error { return db.Delete(someKey(t, db)) },
		"a value is another":   func(db *tinykv.DB) error { return db.Put(someKey(t, db), []byte("other")) },
		"a key is too many":    func(db *tinykv.DB) error { return db.Put([]byte("x"), nil) },
		"a counter is too low": func(db *tinykv.DB) error { return db.Put([]byte("00#"), []byte{0, 0, 0, 0, 0, 0, 0, 49}) },
		"a counter is missing": func(db *tinykv.DB) error { return db.Delete([]byte("00#")) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			c := configIn(t, 1)
			db, err := tinykv.Open(c.Dir, c.Options())
			must(t, err)
			for n := range uint64(50) {
				must(t, db.Apply(c.Batch(0, n+1)))
			}
			must(t, damage(db))
			must(t, db.Compact(context.Background(), tinykv.All()))
			must(t, db.Close())
			_, err = load.NewOracle(c).Check([]uint64{50}, []uint64{51})
			if (err == nil) != (name == "nothing") {
				t.Error(err)
			}
		})
	}
}

// someKey returns a key that is no counter.
func someKey(t *testing.T, db *tinykv.DB) []byte {
	for item, err := range db.Scan(tinykv.Between([]byte("00/"), nil)) {
		must(t, err)
		return item.Key
	}
	t.Fatal("the store is empty")
	return nil
}
