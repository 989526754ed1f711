package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

func key1(s string) []byte { return []byte(s) }

// What a transaction reads, and what another write then does: in all of these it must not commit.
func TestTx_ConflictsWithWhatChangesWhatItReadWhereverThatLies(t *testing.T) {
	count := func(tx *tinykv.Tx, r tinykv.Range) error {
		_, err := tx.Count(context.Background(), r)
		return err
	}
	get := func(k string) func(tx *tinykv.Tx) error {
		return func(tx *tinykv.Tx) error {
			_, err := tx.Get(key1(k))
			if errors.Is(err, tinykv.ErrNotFound) {
				return nil
			}
			return err
		}
	}
	walk := func(moves func(*tinykv.Iterator)) func(tx *tinykv.Tx) error {
		return func(tx *tinykv.Tx) error {
			it, err := tx.NewIter(tinykv.All())
			if err != nil {
				return err
			}
			moves(it)
			return it.Close()
		}
	}
	put := func(k string) func(db *tinykv.DB) error {
		return func(db *tinykv.DB) error { return db.Put(key1(k), key1("new")) }
	}
	remove := func(k string) func(db *tinykv.DB) error {
		return func(db *tinykv.DB) error { return db.Delete(key1(k)) }
	}
	for _, c := range []struct {
		name      string
		read      func(tx *tinykv.Tx) error
		write     func(db *tinykv.DB) error
		conflicts bool
	}{
		{"a key overwritten", get("c"), put("c"), true},
		{"a key deleted", get("c"), remove("c"), true},
		{"an absent key written", get("cc"), put("cc"), true},
		{"another key written", get("c"), put("d"), false},
		{"a key range deleted", get("c"), func(db *tinykv.DB) error { return db.DeleteRange(key1("b"), key1("d")) }, true},
		{"a range deleted beside the key", get("c"), func(db *tinykv.DB) error { return db.DeleteRange(key1("d"), nil) }, false},
		{"a key merged", get("c"), func(db *tinykv.DB) error { return db.Merge(key1("c"), key1("x")) }, true},
		{"a key in a batch", get("c"), func(db *tinykv.DB) error {
			b := db.NewBatch()
			_ = b.Put(key1("a"), nil)
			_ = b.Put(key1("c"), nil)
			return db.Apply(b)
		}, true},
		{"a key in a large batch", get("c"), func(db *tinykv.DB) error {
			b := db.NewBatch()
			_ = b.Put(key1("c"), make([]byte, 60<<10))
			return db.Apply(b)
		}, true},
		{"a large batch beside the key", get("c"), func(db *tinykv.DB) error {
			b := db.NewBatch()
			_ = b.Put(key1("d"), make([]byte, 60<<10))
			return db.Apply(b)
		}, false},
		{"has", func(tx *tinykv.Tx) error { _, err := tx.Has(key1("c")); return err }, remove("c"), true},
		{"peek", func(tx *tinykv.Tx) error { return tx.Peek(key1("c"), func([]byte) error { return nil }) }, remove("c"), true},
		{"multi", func(tx *tinykv.Tx) error { _, err := tx.GetMulti(key1("a"), key1("c")); return err }, remove("c"), true},
		{"phantom in a count", func(tx *tinykv.Tx) error { return count(tx, tinykv.Between(key1("b"), key1("d"))) }, put("bb"), true},
		{"a key beside a count", func(tx *tinykv.Tx) error { return count(tx, tinykv.Between(key1("b"), key1("d"))) }, put("d"), false},
		{"a deletion in a scan", func(tx *tinykv.Tx) error {
			for _, err := range tx.Scan(tinykv.Prefix(key1("c"))) {
				if err != nil {
					return err
				}
			}
			return nil
		}, remove("c"), true},
		{"behind the limit of a scan", func(tx *tinykv.Tx) error {
			for range tx.Scan(tinykv.All(), tinykv.Limit(2)) {
			}
			return nil
		}, put("e"), false},
		{"within the limit of a scan", func(tx *tinykv.Tx) error {
			for range tx.Scan(tinykv.All(), tinykv.Limit(2)) {
			}
			return nil
		}, put("aa"), true},
		{"beyond the limit of a scan backward", func(tx *tinykv.Tx) error {
			for range tx.Scan(tinykv.All(), tinykv.Limit(3), tinykv.Reverse) {
			}
			return nil
		}, put("c"), false},
		{"within the limit of a scan backward", func(tx *tinykv.Tx) error {
			for range tx.Scan(tinykv.All(), tinykv.Limit(3), tinykv.Reverse) {
			}
			return nil
		}, put("dd"), true},
		{"between where a walk sought", walk(func(i *tinykv.Iterator) { i.SeekGE(key1("a")); i.SeekGE(key1("e")) }), put("c"), false},
		{"where a walk sought and found nothing", walk(func(i *tinykv.Iterator) { i.SeekGE(key1("f")) }), put("g"), true},
		{"before a key that was sought", walk(func(i *tinykv.Iterator) { i.SeekGE(key1("bb")) }), put("bc"), true},
		{"where a walk turned", walk(func(i *tinykv.Iterator) { i.SeekGE(key1("c")); i.Next(); i.Prev(); i.Prev() }), put("bb"), true},
		{"beyond where a walk turned", walk(func(i *tinykv.Iterator) { i.SeekGE(key1("c")); i.Next(); i.Prev() }), put("dd"), false},
		{"before the first key, met by a walk backward", walk(func(i *tinykv.Iterator) { i.SeekLT(key1("a")) }), put("A"), true},
		{"an iterator that was not moved", walk(func(*tinykv.Iterator) {}), put("c"), false},
		{"nothing read", func(*tinykv.Tx) error { return nil }, put("own"), false},
		{"an own write read", func(tx *tinykv.Tx) error { _, err := tx.Get(key1("own")); return err }, put("own"), false},
		{"a bucket that comes into being", func(tx *tinykv.Tx) error {
			_, err := tx.Bucket("b").Has(key1("k"))
			return err
		}, func(db *tinykv.DB) error { return db.Bucket("b").Put(key1("k"), nil) }, true},
		{"another key of a bucket that comes into being", func(tx *tinykv.Tx) error {
			_, err := tx.Bucket("b").Has(key1("k"))
			return err
		}, func(db *tinykv.DB) error { return db.Bucket("b").Put(key1("l"), nil) }, false},
		{"a scan of a bucket that comes into being", func(tx *tinykv.Tx) error {
			_, err := tx.Bucket("b").Count(context.Background(), tinykv.All())
			return err
		}, func(db *tinykv.DB) error { return db.Bucket("b").Put(key1("l"), nil) }, true},
		{"a bucket that is dropped", func(tx *tinykv.Tx) error {
			_, err := tx.Bucket("kept").Has(key1("k"))
			return err
		}, func(db *tinykv.DB) error { return db.DropBucket(context.Background(), "kept") }, true},
	} {
		for _, flush := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, flush %v", c.name, flush), func(t *testing.T) {
				options := tiny
				options.MergeOperator = tinykv.MergeAppend
				db := mustOpen(t, t.TempDir(), &options)
				for _, k := range []string{"a", "b", "c", "d", "e"} {
					must(t, db.Put(key1(k), key1("old")))
				}
				must(t, db.Bucket("kept").Put(key1("k"), nil))
				tx := begin(t, db, true)
				must(t, tx.Put(key1("own"), key1("mine")))
				must(t, c.read(tx))
				must(t, c.write(db))
				if flush {
					must(t, db.Compact(context.Background(), tinykv.All()))
				}
				err := tx.Commit()
				if c.conflicts != errors.Is(err, tinykv.ErrConflict) || !c.conflicts && err != nil {
					t.Fatalf("Commit returned %v, conflict wanted: %v", err, c.conflicts)
				}
				v, err := db.Get(key1("own"))
				if c.conflicts && err == nil && string(v) == "mine" || !c.conflicts && string(v) != "mine" {
					t.Fatalf("own key has %q, %v", v, err)
				}
			})
		}
	}
}

// Buckets of a transaction: those that were there, one that it makes, and one that another makes meanwhile.
func TestTx_WritesToBuckets(t *testing.T) {
	ctx := context.Background()
	for name, value := range map[string][]byte{"small": key1("mine"), "large": make([]byte, 200<<10)} {
		t.Run(name, func(t *testing.T) {
			options := tiny
			options.MergeOperator = tinykv.MergeAppend
			db := mustOpen(t, t.TempDir(), &options)
			must(t, db.Bucket("old").Put(key1("a"), key1("1")))
			must(t, db.Bucket("old").Put(key1("b"), key1("2")))
			must(t, db.Bucket("dropped").Put(key1("a"), key1("1")))
			tx := begin(t, db, true)
			old, made, other := tx.Bucket("old"), tx.Bucket("made"), tx.Bucket("other")
			must(t, old.DeleteRange(nil, key1("b")))
			must(t, old.Merge(key1("b"), key1("3")))
			must(t, made.Put(key1("k"), value))
			must(t, made.Put(key1("l"), value))
			must(t, made.DeleteRange(key1("l"), nil))
			must(t, other.Put(key1("k"), value))
			must(t, other.Delete(key1("gone")))
			must(t, tx.Bucket("dropped").Put(key1("b"), value))
			must(t, tx.Put(key1("k"), key1("outside")))
			wantBucket(t, old, "b=23")
			wantBucket(t, made, "k="+string(value))
			wantBucket(t, db.Bucket("made"), "")
			if names, err := db.Buckets(); fmt.Sprint(names) != "[dropped old]" || err != nil {
				t.Error(names, err)
			}
			must(t, db.Bucket("other").Put(key1("gone"), key1("1")))
			must(t, db.Bucket("other").Put(key1("stays"), key1("1")))
			must(t, db.DropBucket(ctx, "dropped"))
			must(t, tx.Commit())
			wantBucket(t, db.Bucket("old"), "b=23")
			wantBucket(t, db.Bucket("made"), "k="+string(value))
			wantBucket(t, db.Bucket("other"), "k="+string(value), "stays=1")
			wantBucket(t, db.Bucket("dropped"), "b="+string(value))
			if v, err := db.Get(key1("k")); string(v) != "outside" {
				t.Error(v, err)
			}
		})
	}
}

func wantBucket(t testing.TB, b *tinykv.Bucket, want ...string) {
	t.Helper()
	got, err := enginetest.Collect(b.Scan(tinykv.All()))
	must(t, err)
	if len(want) == 1 && want[0] == "" {
		want = nil
	}
	if len(got) != len(want) {
		t.Fatalf("%s has %d keys, not %d", b.Name(), len(got), len(want))
	}
	for i, e := range got {
		if e.Key+"="+e.Value != want[i] {
			t.Errorf("%s has %.40s, not %.40s", b.Name(), e.Key+"="+e.Value, want[i])
		}
	}
}

func TestTx_BucketsEndWithIt(t *testing.T) {
	options := tinykv.Options{MergeOperator: tinykv.MergeAppend}
	db := mustOpen(t, t.TempDir(), &options)
	k, ctx := key1("k"), context.Background()
	second := func(_ any, err error) error { return err }
	tx := begin(t, db, true)
	b := tx.Bucket("b")
	must(t, b.Put(k, k))
	wantError(t, second(b.EstimateSize(tinykv.All())), tinykv.ErrInvalidOption)
	wantError(t, second(b.Explain(k)), tinykv.ErrInvalidOption)
	wantError(t, second(b.PutIfAbsent(k, k)), tinykv.ErrInvalidOption)
	wantError(t, tx.Bucket("").Put(k, k), tinykv.ErrInvalidOption)
	scan := b.Scan(tinykv.All())
	must(t, tx.Commit())
	for name, err := range map[string]error{
		"Get": second(b.Get(k)), "GetTo": second(b.GetTo(nil, k)), "Has": second(b.Has(k)), "GetMulti": second(b.GetMulti(k)),
		"Peek": b.Peek(k, func([]byte) error { return nil }), "PeekItem": b.PeekItem(k, func(tinykv.Item) error { return nil }), "NewIter": second(b.NewIter(tinykv.All())),
		"Scan": second(enginetest.Collect(b.Scan(tinykv.All()))), "Scan before": second(enginetest.Collect(scan)), "Count": second(b.Count(ctx, tinykv.All())),
		"Put": b.Put(k, k), "Delete": b.Delete(k), "DeleteRange": b.DeleteRange(nil, nil), "Merge": b.Merge(k, k),
	} {
		if !errors.Is(err, tinykv.ErrTxDone) {
			t.Errorf("%s returned %v", name, err)
		}
	}
	must(t, db.View(func(tx *tinykv.Tx) error {
		wantError(t, tx.Bucket("b").Put(k, k), tinykv.ErrReadOnly)
		return nil
	}))
}

// A function that panics in the last try leaves no lock behind.
func TestUpdate_ThatPanicsInItsLastTryLetsOthersGoOn(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	tries := 0
	func() {
		defer func() {
			if recover() == nil {
				t.Errorf("no panic after %d tries", tries)
			}
		}()
		_ = db.Update(func(tx *tinykv.Tx) error {
			if tries++; tries == 10 {
				panic("the last")
			}
			_, _ = tx.Has(key1("k"))
			must(t, db.Put(key1("k"), nil))
			return tx.Put(key1("own"), nil)
		})
	}()
	must(t, db.Update(func(tx *tinykv.Tx) error { return tx.Put(key1("own"), nil) }))
}

// The last try of an Update waits for the commits of others, not for their functions, which may wait for it.
func TestUpdate_InItsLastTryWaitsForNoFunction(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	begun, over := make(chan struct{}), make(chan struct{})
	waiting := make(chan error)
	go func() {
		waiting <- db.Update(func(tx *tinykv.Tx) error {
			close(begun)
			<-over
			return tx.Put(key1("waiting"), nil)
		})
	}()
	<-begun
	err := db.Update(func(tx *tinykv.Tx) error {
		_, _ = tx.Has(key1("k"))
		must(t, db.Put(key1("k"), nil))
		return tx.Put(key1("own"), nil)
	})
	wantError(t, err, tinykv.ErrConflict)
	close(over)
	must(t, <-waiting)
}

// What Peek lends of the transaction's own writes holds when the function ends the transaction.
func TestTx_PeekLendsOwnWritesWhateverTheFunctionDoes(t *testing.T) {
	options := tiny
	db := mustOpen(t, t.TempDir(), &options)
	tx := begin(t, db, true)
	must(t, tx.Put(key1("k"), key1("value")))
	must(t, tx.Peek(key1("k"), func(v []byte) error {
		for i := range 200 {
			must(t, tx.Put(fmt.Append(nil, i), make([]byte, 1000)))
		}
		must(t, tx.Rollback())
		if string(v) != "value" {
			t.Errorf("lent %q", v)
		}
		return nil
	}))
}
