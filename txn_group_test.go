package tinykv

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv/vfs"
)

// waiting returns how many writers wait for the leader.
func (q *commitQueue) waiting() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for r := q.first; r != nil; r = r.next {
		n++
	}
	return n
}

// inOneGroup has several writers commit in one group, in order.
func inOneGroup(t *testing.T, db *DB, writes ...func() error) []error {
	t.Helper()
	errs := make([]error, len(writes))
	var all sync.WaitGroup
	check(t, db.exclusively(func() error {
		for i, w := range writes {
			all.Go(func() { errs[i] = w() })
			for db.queue.waiting() <= i {
				runtime.Gosched()
			}
		}
		return nil
	}))
	all.Wait()
	return errs
}

// Transactions that are committed together are checked against each other, and against all else in the group.
func TestTx_ConflictsWithinAGroupAreFound(t *testing.T) {
	for _, c := range []struct {
		name       string
		read       func(*Tx) error
		before     func(*DB) error // comes first in the group, is not the leader
		wantSecond error
	}{
		{"a put", func(tx *Tx) error { _, err := tx.Has([]byte("k")); return err }, func(db *DB) error { return db.Put([]byte("k"), nil) }, ErrConflict},
		{"a put elsewhere", func(tx *Tx) error { _, err := tx.Has([]byte("k")); return err }, func(db *DB) error { return db.Put([]byte("l"), nil) }, nil},
		{"a batch", func(tx *Tx) error { _, err := tx.Has([]byte("k")); return err }, func(db *DB) error {
			b := db.NewBatch()
			return errors.Join(b.Put([]byte("a"), nil), b.Delete([]byte("k")), db.Apply(b))
		}, ErrConflict},
		{"a range deletion", func(tx *Tx) error { _, err := tx.Has([]byte("k")); return err }, func(db *DB) error { return db.DeleteRange([]byte("j"), nil) }, ErrConflict},
		{"a put into a range", func(tx *Tx) error { _, err := tx.Count(t.Context(), Prefix([]byte("k"))); return err }, func(db *DB) error { return db.Put([]byte("kk"), nil) }, ErrConflict},
		{"a range deletion over a range", func(tx *Tx) error { _, err := tx.Count(t.Context(), Prefix([]byte("k"))); return err }, func(db *DB) error { return db.DeleteRange([]byte("kk"), []byte("kl")) }, ErrConflict},
		{"a range deletion beside a range", func(tx *Tx) error { _, err := tx.Count(t.Context(), Prefix([]byte("k"))); return err }, func(db *DB) error { return db.DeleteRange([]byte("l"), []byte("m")) }, nil},
	} {
		for _, asLeader := range []bool{false, true} {
			db, err := Open("/store", &Options{FS: vfs.NewMem()})
			check(t, err)
			tx, err := db.Begin(true)
			check(t, err)
			check(t, c.read(tx))
			check(t, tx.Put([]byte("own"), nil))
			writes := []func() error{
				func() error { return c.before(db) },
				func() error { return tx.Commit() },
				func() error { return db.Put([]byte("last"), nil) },
			}
			if !asLeader {
				writes = append([]func() error{func() error { return db.Put([]byte("first"), nil) }}, writes...)
			}
			errs := inOneGroup(t, db, writes...)
			at := len(errs) - 2
			if !errors.Is(errs[at], c.wantSecond) || errs[at-1] != nil || errs[at+1] != nil {
				t.Errorf("%s, by the leader %v: %v, want %v for the transaction alone", c.name, asLeader, errs, c.wantSecond)
			}
			if has, err := db.Has([]byte("own")); err != nil || has != (c.wantSecond == nil) {
				t.Errorf("%s: written: %v, %v", c.name, has, err)
			}
			check(t, db.Close())
		}
	}
}

// Of several in a group that have read what the others write, the first wins.
func TestTx_WriteSkewWithinAGroupIsRefused(t *testing.T) {
	db, err := Open("/store", &Options{FS: vfs.NewMem()})
	check(t, err)
	defer db.Close()
	var commits []func() error
	for i := range 6 {
		tx, err := db.Begin(true)
		check(t, err)
		_, err = tx.Count(t.Context(), All())
		check(t, err)
		check(t, tx.Put([]byte{byte(i)}, nil))
		commits = append(commits, func() error { return tx.Commit() })
	}
	won := 0
	for _, err := range inOneGroup(t, db, commits...) {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrConflict) {
			t.Error(err)
		}
	}
	if n, err := db.Count(t.Context(), All()); won != 1 || n != 1 || err != nil {
		t.Errorf("%d have won, %d keys, %v", won, n, err)
	}
}

// What others write between the look of a transaction at what its operands in tables follow, and its turn, is found: a value that expires, and a bucket that
// takes the id which one of the transaction's would get.
func TestTx_InTablesMeetsWhatIsWrittenWhileItWaits(t *testing.T) {
	for _, byName := range []bool{false, true} {
		for _, before := range []bool{false, true} { // something expires before
			var now atomic.Int64
			now.Store(1000)
			db, err := Open("/store", &Options{FS: vfs.NewMem(), MemTableSize: 64 << 10, MergeOperator: MergeAppend, Clock: func() time.Time { return time.Unix(now.Load(), 0) }})
			check(t, err)
			if before {
				check(t, db.Put([]byte("a"), []byte("a"), TTL(time.Hour)))
			}
			tx, err := db.Begin(true)
			check(t, err)
			for i := range 300 {
				check(t, tx.Merge([]byte{'k', byte(i)}, make([]byte, 1000)))
			}
			check(t, tx.Merge([]byte("a"), []byte("+")))
			check(t, tx.Merge([]byte("b"), []byte("+")))
			if byName {
				check(t, tx.Bucket("mine").Merge([]byte("b"), []byte("+")))
			}
			if len(tx.own.spills) == 0 {
				t.Fatal("all is in memory")
			}
			errs := inOneGroup(t, db,
				func() error { return db.Put([]byte("b"), []byte("b"), TTL(time.Hour)) },
				func() error { return db.Bucket("other").Put([]byte("b"), nil) },
				func() error { return tx.Commit() })
			check(t, errors.Join(errs...))
			want := map[string]string{"a": "+", "b": "b+", "mine": ""}
			if before {
				want["a"] = "a+"
			}
			if byName {
				want["mine"] = "+"
			}
			look := func() {
				for k, v := range want {
					var got []byte
					if k == "mine" {
						got, err = db.Bucket("mine").Get([]byte("b"))
					} else {
						got, err = db.Get([]byte(k))
					}
					if string(got) != v || (err != nil) != (v == "") {
						t.Errorf("by name %v, before %v: %s is %q, %v, want %q", byName, before, k, got, err, v)
					}
				}
			}
			look()
			now.Add(3600)
			if want["b"] = ""; before {
				want["a"] = ""
			}
			look()
			check(t, db.Close())
		}
	}
}

// Watchers are told of all writes of a group, in order.
func TestWatch_TellsOfAllWhoShareAGroup(t *testing.T) {
	db, err := Open("/store", &Options{FS: vfs.NewMem()})
	check(t, err)
	defer db.Close()
	changes := db.Watch(t.Context(), All(), 0)
	var writes []func() error
	for i := range 5 {
		writes = append(writes, func() error { return db.Put([]byte{byte('a' + i)}, nil) })
	}
	for _, err := range inOneGroup(t, db, writes...) {
		check(t, err)
	}
	got := ""
	for e, err := range changes {
		check(t, err)
		if got += string(e.Key); len(got) == len(writes) || e.Seq >= uint64(len(writes)) {
			break
		}
	}
	if got != "abcde" {
		t.Errorf("told of %q", got)
	}
}
