package tinykv_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
)

// openTx opens a store in memory for transactions, with some fruits.
func openTx(t testing.TB) *tinykv.DB {
	t.Helper()
	db := openMerging(t, nil)
	for _, k := range []string{"apple", "fig", "kiwi", "plum"} {
		must(t, db.Put([]byte(k), []byte(k+" 1")))
	}
	return db
}

func begin(t testing.TB, db *tinykv.DB, writable bool) *tinykv.Tx {
	t.Helper()
	tx, err := db.Begin(writable)
	must(t, err)
	t.Cleanup(func() { must(t, tx.Rollback()) })
	return tx
}

// get returns the value of a key, "-" for none.
func get(t testing.TB, from interface{ Get([]byte) ([]byte, error) }, k string) string {
	t.Helper()
	v, err := from.Get([]byte(k))
	if errors.Is(err, tinykv.ErrNotFound) {
		return "-"
	}
	must(t, err)
	return string(v)
}

func TestTx_SeesOneMomentAndItsOwnWrites(t *testing.T) {
	db := openTx(t)
	tx := begin(t, db, true)
	must(t, db.Put([]byte("fig"), []byte("later")))
	must(t, db.Put([]byte("lemon"), []byte("later")))
	must(t, tx.Put([]byte("date"), []byte("own")))
	must(t, tx.Delete([]byte("kiwi")))
	must(t, tx.DeleteRange([]byte("p"), nil))
	must(t, tx.Merge([]byte("apple"), []byte("+")))
	must(t, tx.Put([]byte("quince"), []byte("own")))
	for k, want := range map[string]string{"fig": "fig 1", "lemon": "-", "date": "own", "kiwi": "-", "plum": "-", "apple": "apple 1+", "quince": "own"} {
		if got := get(t, tx, k); got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
	got, err := enginetest.Collect(tx.Scan(tinykv.All()))
	must(t, err)
	if fmt.Sprint(got) != "[{apple apple 1+ 0} {date own 0} {fig fig 1 0} {quince own 0}]" {
		t.Errorf("scan: %v", got)
	}
	if get(t, db, "date") != "-" {
		t.Error("others see what is not committed")
	}
}

func TestTx_CommitIsAllOrNothing(t *testing.T) {
	db := openTx(t)
	for _, c := range []struct {
		name string
		end  func(*tinykv.Tx) error
		want string
	}{
		{"rolled back", (*tinykv.Tx).Rollback, "fig 1"},
		{"committed", func(tx *tinykv.Tx) error { return tx.Commit(tinykv.Sync) }, "own"},
	} {
		tx := begin(t, db, true)
		must(t, tx.Put([]byte("fig"), []byte("own")))
		must(t, c.end(tx))
		if got := get(t, db, "fig"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What others write between the reads of a transaction and its commit.
func TestTx_ConflictsAreThoseOfWhatWasRead(t *testing.T) {
	scan := func(r tinykv.Range, opts ...tinykv.ScanOption) func(*tinykv.Tx) error {
		return func(tx *tinykv.Tx) error {
			_, err := enginetest.Collect(tx.Scan(r, opts...))
			return err
		}
	}
	get := func(k string) func(*tinykv.Tx) error {
		return func(tx *tinykv.Tx) error {
			if _, err := tx.Get([]byte(k)); err != nil && !errors.Is(err, tinykv.ErrNotFound) {
				return err
			}
			return nil
		}
	}
	put := func(k string) func(*tinykv.DB) error {
		return func(db *tinykv.DB) error { return db.Put([]byte(k), []byte("other")) }
	}
	between := func(lower, upper string) tinykv.Range { return tinykv.Between([]byte(lower), []byte(upper)) }
	walk := func(fn func(*tinykv.Iterator)) func(*tinykv.Tx) error {
		return func(tx *tinykv.Tx) error {
			it, err := tx.NewIter(tinykv.All())
			if err == nil {
				fn(it)
				err = it.Err()
			}
			return err // left open
		}
	}
	for _, c := range []struct {
		name     string
		read     func(*tinykv.Tx) error
		write    func(*tinykv.DB) error
		conflict bool
	}{
		{"key, put", get("fig"), put("fig"), true},
		{"key, put elsewhere", get("fig"), put("figs"), false},
		{"key, deleted", get("fig"), func(db *tinykv.DB) error { return db.Delete([]byte("fig")) }, true},
		{"key, range deleted", get("fig"), func(db *tinykv.DB) error { return db.DeleteRange([]byte("f"), []byte("g")) }, true},
		{"key, range deleted elsewhere", get("fig"), func(db *tinykv.DB) error { return db.DeleteRange([]byte("g"), []byte("h")) }, false},
		{"key, merged", get("fig"), func(db *tinykv.DB) error { return db.Merge([]byte("fig"), []byte("x")) }, true},
		{"absent key, put", get("lemon"), put("lemon"), true},
		{"absent key, deleted", get("lemon"), func(db *tinykv.DB) error { return db.Delete([]byte("lemon")) }, true},
		{"Has", func(tx *tinykv.Tx) error { _, err := tx.Has([]byte("fig")); return err }, put("fig"), true},
		{"Peek", func(tx *tinykv.Tx) error { return tx.Peek([]byte("fig"), func([]byte) error { return nil }) }, put("fig"), true},
		{"PeekItem", func(tx *tinykv.Tx) error { return tx.PeekItem([]byte("fig"), func(tinykv.Item) error { return nil }) }, put("fig"), true},
		{"own key, PeekItem", func(tx *tinykv.Tx) error {
			return errors.Join(tx.Put([]byte("fig"), nil), tx.PeekItem([]byte("fig"), func(tinykv.Item) error { return nil }))
		}, put("fig"), false},
		{"GetMulti", func(tx *tinykv.Tx) error { _, err := tx.GetMulti([]byte("a"), []byte("fig")); return err }, put("fig"), true},
		{"Count", func(tx *tinykv.Tx) error { _, err := tx.Count(t.Context(), between("f", "g")); return err }, put("few"), true},
		{"Count elsewhere", func(tx *tinykv.Tx) error { _, err := tx.Count(t.Context(), between("f", "g")); return err }, put("grape"), false},
		{"own key", func(tx *tinykv.Tx) error { return errors.Join(tx.Put([]byte("fig"), nil), get("fig")(tx)) }, put("fig"), false},
		{"own merge, read", func(tx *tinykv.Tx) error { return errors.Join(tx.Merge([]byte("fig"), []byte("x")), get("fig")(tx)) }, put("fig"), true},
		{"blind write", func(tx *tinykv.Tx) error { return tx.Put([]byte("fig"), nil) }, put("fig"), false},
		{"blind merge", func(tx *tinykv.Tx) error { return tx.Merge([]byte("fig"), []byte("x")) }, put("fig"), false},
		{"scan, inserted", scan(between("f", "l")), put("grape"), true},
		{"scan, inserted before", scan(between("f", "l")), put("eggplant"), false},
		{"scan, inserted at the end", scan(between("f", "l")), put("l"), false},
		{"scan, deleted", scan(between("f", "l")), func(db *tinykv.DB) error { return db.Delete([]byte("kiwi")) }, true},
		{"scan, range deleted", scan(between("f", "l")), func(db *tinykv.DB) error { return db.DeleteRange([]byte("kiwi"), nil) }, true},
		{"scan of nothing, inserted", scan(between("x", "y")), put("xx"), true},
		{"scan, limited, inserted behind", scan(tinykv.All(), tinykv.Limit(2)), put("grape"), false},
		{"scan, limited, inserted within", scan(tinykv.All(), tinykv.Limit(2)), put("banana"), true},
		{"scan back, limited, inserted before", scan(tinykv.All(), tinykv.Reverse, tinykv.Limit(2)), put("grape"), false},
		{"scan back, limited, inserted within", scan(tinykv.All(), tinykv.Reverse, tinykv.Limit(2)), put("lemon"), true},
		{"scan back, inserted at the end", scan(tinykv.All(), tinykv.Reverse, tinykv.Limit(1)), put("zucchini"), true},
		{"seek, inserted between", walk(func(it *tinykv.Iterator) { it.SeekGE([]byte("g")) }), put("h"), true},
		{"seek, inserted behind", walk(func(it *tinykv.Iterator) { it.SeekGE([]byte("g")) }), put("l"), false},
		{"seek, inserted before", walk(func(it *tinykv.Iterator) { it.SeekGE([]byte("g")) }), put("f"), false},
		{"seek down, inserted between", walk(func(it *tinykv.Iterator) { it.SeekLT([]byte("k")) }), put("h"), true},
		{"seek down, inserted before", walk(func(it *tinykv.Iterator) { it.SeekLT([]byte("k")) }), put("b"), false},
		{"there and back, at the far end", walk(func(it *tinykv.Iterator) { it.First(); it.Next(); it.Next(); it.Prev(); it.Prev() }), put("kiw"), true},
		{"there and back, behind", walk(func(it *tinykv.Iterator) { it.First(); it.Next(); it.Next(); it.Prev(); it.Prev() }), put("l"), false},
		{"back and there, at the far end", walk(func(it *tinykv.Iterator) { it.Last(); it.Prev(); it.Prev(); it.Next(); it.Next() }), put("fi"), false},
		{"back and there, within", walk(func(it *tinykv.Iterator) { it.Last(); it.Prev(); it.Prev(); it.Next(); it.Next() }), put("figs"), true},
		{"two seeks", walk(func(it *tinykv.Iterator) { it.SeekGE([]byte("a")); it.SeekGE([]byte("k")) }), put("aa"), true},
		{"two seeks, between", walk(func(it *tinykv.Iterator) { it.SeekGE([]byte("a")); it.SeekGE([]byte("k")) }), put("g"), false},
		{"iterator not moved", walk(func(*tinykv.Iterator) {}), put("fig"), false},
		{"large batch", get("x0001"), func(db *tinykv.DB) error {
			b := db.NewBatch()
			for i := range 1000 {
				must(t, b.Put(fmt.Appendf(nil, "x%04d", i), make([]byte, 200)))
			}
			return db.Apply(b)
		}, true},
	} {
		for _, flush := range []bool{false, true} {
			db := openTx(t)
			tx := begin(t, db, true)
			must(t, c.read(tx))
			must(t, tx.Put([]byte("zz"), []byte("own")))
			must(t, c.write(db))
			if flush {
				must(t, db.Compact(t.Context(), tinykv.All()))
			}
			err := tx.Commit()
			if (err != nil) != c.conflict || err != nil && !errors.Is(err, tinykv.ErrConflict) {
				t.Errorf("%s, flush %v: %v, want a conflict: %v", c.name, flush, err, c.conflict)
			}
			if has, err := db.Has([]byte("zz")); err != nil || has == c.conflict {
				t.Errorf("%s: written: %v, %v", c.name, has, err)
			}
		}
	}
}

// Two transactions that each read what the other writes: one of them must lose.
func TestTx_WriteSkewIsRefused(t *testing.T) {
	db := openTx(t)
	one, two := begin(t, db, true), begin(t, db, true)
	get(t, one, "fig")
	get(t, two, "kiwi")
	must(t, one.Put([]byte("kiwi"), nil))
	must(t, two.Put([]byte("fig"), nil))
	must(t, one.Commit())
	if err := two.Commit(); !errors.Is(err, tinykv.ErrConflict) {
		t.Errorf("both were committed: %v", err)
	}
}

func TestTx_EndsOnce(t *testing.T) {
	db := openTx(t)
	for _, end := range []func(*tinykv.Tx) error{(*tinykv.Tx).Rollback, func(tx *tinykv.Tx) error { return tx.Commit() }} {
		tx := begin(t, db, true)
		it, err := tx.NewIter(tinykv.All())
		must(t, err)
		it.First()
		must(t, tx.Put([]byte("a"), nil))
		must(t, end(tx))
		k := []byte("fig")
		_, scanErr := enginetest.Collect(tx.Scan(tinykv.All()))
		_, getErr := tx.Get(k)
		_, toErr := tx.GetTo(nil, k)
		_, hasErr := tx.Has(k)
		_, multiErr := tx.GetMulti(k)
		_, iterErr := tx.NewIter(tinykv.All())
		_, countErr := tx.Count(t.Context(), tinykv.All())
		if it.Next() || it.First() || it.Valid() || it.Key() != nil {
			t.Error("an iterator outlives its transaction")
		}
		for name, err := range map[string]error{
			"Get": getErr, "GetTo": toErr, "Has": hasErr, "GetMulti": multiErr, "Scan": scanErr, "NewIter": iterErr, "Count": countErr, "iterator": it.Err(),
			"Peek": tx.Peek(k, func([]byte) error { return nil }), "PeekItem": tx.PeekItem(k, func(tinykv.Item) error { return nil }), "Put": tx.Put(k, nil), "Delete": tx.Delete(k), "Merge": tx.Merge(k, nil),
			"DeleteRange": tx.DeleteRange(k, nil), "Commit": tx.Commit(),
		} {
			if !errors.Is(err, tinykv.ErrTxDone) {
				t.Errorf("%s: %v, want ErrTxDone", name, err)
			}
		}
		must(t, tx.Rollback())
		must(t, it.Close())
	}
}

func TestTx_ThatOnlyReadsTakesNoWrites(t *testing.T) {
	db := openTx(t)
	must(t, db.View(func(tx *tinykv.Tx) error {
		k := []byte("k")
		for name, err := range map[string]error{"Put": tx.Put(k, nil), "Delete": tx.Delete(k), "Merge": tx.Merge(k, nil), "DeleteRange": tx.DeleteRange(k, nil)} {
			if !errors.Is(err, tinykv.ErrReadOnly) {
				t.Errorf("%s: %v, want ErrReadOnly", name, err)
			}
		}
		if got := get(t, tx, "fig"); got != "fig 1" {
			t.Errorf("fig is %q", got)
		}
		return nil
	}))
}

func TestUpdate_CommitsReturnsErrorsAndRollsBackPanics(t *testing.T) {
	db := openTx(t)
	own := errors.New("own")
	if err := db.Update(func(tx *tinykv.Tx) error { must(t, tx.Put([]byte("fig"), nil)); return own }); err != own {
		t.Errorf("%v, want the function's own error", err)
	}
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic does not go through")
			}
		}()
		_ = db.Update(func(tx *tinykv.Tx) error { must(t, tx.Put([]byte("fig"), nil)); panic("boom") })
	}()
	must(t, db.Update(func(tx *tinykv.Tx) error {
		for name, err := range map[string]error{"Commit": tx.Commit(), "Rollback": tx.Rollback()} {
			if !errors.Is(err, tinykv.ErrInvalidOption) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return tx.Put([]byte("kiwi"), []byte("2"))
	}))
	if get(t, db, "fig") != "fig 1" || get(t, db, "kiwi") != "2" {
		t.Errorf("fig is %q, kiwi is %q", get(t, db, "fig"), get(t, db, "kiwi"))
	}
	if m := db.Metrics(); m.Snapshots != 0 {
		t.Errorf("%d snapshots are left", m.Snapshots)
	}
	for name, err := range map[string]error{"Update": db.Update(nil), "View": db.View(nil)} {
		if !errors.Is(err, tinykv.ErrInvalidOption) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

func TestUpdate_IsTriedAgainAndGivesUpInTheEnd(t *testing.T) {
	db := openTx(t)
	for _, c := range []struct {
		conflicts int
		want      error
	}{{3, nil}, {1000, tinykv.ErrConflict}} {
		tries := 0
		err := db.Update(func(tx *tinykv.Tx) error {
			get(t, tx, "fig")
			if tries++; tries <= c.conflicts {
				must(t, db.Put([]byte("fig"), nil)) // which no Update keeps out
			}
			return tx.Put([]byte("kiwi"), fmt.Append(nil, tries))
		})
		if !errors.Is(err, c.want) || tries > 20 || tries <= min(c.conflicts, 3) {
			t.Errorf("%d conflicts: %v after %d tries", c.conflicts, err, tries)
		}
	}
}

func TestUpdate_CountersAreExact(t *testing.T) {
	db := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = tinykv.MergeAddInt64 })
	const writers, each = 8, 300
	var all sync.WaitGroup
	var tries atomic.Int64
	for w := range writers {
		all.Go(func() {
			for i := range each {
				must(t, db.Update(func(tx *tinykv.Tx) error {
					tries.Add(1)
					n, err := tx.GetMulti([]byte("hot"), fmt.Appendf(nil, "%d", w))
					if err != nil {
						return err
					}
					hot, _ := tinykv.DecodeInt64(n[0])
					own, _ := tinykv.DecodeInt64(n[1])
					if own != int64(i) {
						return fmt.Errorf("writer %d has %d, want %d", w, own, i)
					}
					return errors.Join(tx.Put([]byte("hot"), tinykv.EncodeInt64(hot+1)), tx.Put(fmt.Appendf(nil, "%d", w), tinykv.EncodeInt64(own+1)))
				}))
			}
		})
	}
	all.Wait()
	v, err := db.Get([]byte("hot"))
	must(t, err)
	if n, _ := tinykv.DecodeInt64(v); n != writers*each {
		t.Errorf("%d, want %d", n, writers*each)
	}
}

// A transaction, with what it sees of a store that others write to, is what a copy of the model is with the same writes.
func TestTx_IsThatOfTheModel(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 0))
		fsys := vfs.NewMem()
		db := mustOpen(t, "/store", &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, MergeOperator: tinykv.MergeAppend})
		model := &enginetest.Model{}
		k := func() []byte { return fmt.Appendf(nil, "%02d", rng.IntN(40)) }
		v := func() []byte {
			if rng.IntN(20) == 0 {
				return bytes.Repeat([]byte{'v'}, rng.IntN(9000))
			}
			return fmt.Append(nil, rng.IntN(1000))
		}
		type writer interface {
			Put(k, v []byte, opts ...tinykv.WriteOption) error
			Delete(k []byte, opts ...tinykv.WriteOption) error
			DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
			Merge(k, operand []byte, opts ...tinykv.WriteOption) error
		}
		write := func(to writer, m *enginetest.Model) {
			key, value := k(), v()
			switch rng.IntN(10) {
			case 0, 1:
				must(t, to.Delete(key))
				m.Delete(string(key))
			case 2:
				upper := append(k(), byte('0'+rng.IntN(10)))
				if bytes.Compare(key, upper) > 0 {
					key, upper = upper, key
				}
				must(t, to.DeleteRange(key, upper))
				m.DeleteRange(tinykv.Between(key, upper))
			case 3, 4, 5:
				must(t, to.Merge(key, value))
				m.Merge(string(key), string(value))
			default:
				must(t, to.Put(key, value))
				m.Put(string(key), string(value))
			}
		}
		for range 30 {
			for range rng.IntN(40) {
				write(db, model)
			}
			tx, err := db.Begin(true)
			must(t, err)
			seen := model.Clone()
			var its []*tinykv.Iterator
			var cursors []*enginetest.Cursor
			for range 10 + rng.IntN(60) {
				switch rng.IntN(12) {
				case 0, 1, 2, 3:
					write(tx, seen)
				case 4:
					write(db, model)
				case 5:
					if rng.IntN(10) == 0 {
						must(t, db.Flush(t.Context()))
					}
				case 6:
					var opts []tinykv.ScanOption
					want := seen.Entries(tinykv.All())
					if rng.IntN(2) == 0 {
						opts = append(opts, tinykv.Reverse)
						for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
							want[i], want[j] = want[j], want[i]
						}
					}
					got, err := enginetest.Collect(tx.Scan(tinykv.All(), opts...))
					must(t, err)
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Fatalf("seed %d: scan %v\ngot  %.300v\nwant %.300v", seed, opts, got, want)
					}
				case 7:
					if len(its) < 4 {
						it, err := tx.NewIter(tinykv.All())
						must(t, err)
						its, cursors = append(its, it), append(cursors, seen.NewCursor(tinykv.All()))
					}
				case 8, 9:
					for i, it := range its {
						for range rng.IntN(6) {
							to := k()
							var got, want bool
							switch rng.IntN(6) {
							case 0:
								got, want = it.SeekGE(to), cursors[i].SeekGE(string(to))
							case 1:
								got, want = it.SeekLT(to), cursors[i].SeekLT(string(to))
							case 2, 3:
								got, want = it.Next(), cursors[i].Next()
							default:
								got, want = it.Prev(), cursors[i].Prev()
							}
							if got != want || got && (string(it.Key()) != cursors[i].Entry().Key || string(it.Value()) != cursors[i].Entry().Value) {
								t.Fatalf("seed %d: iterator at %q = %.20q, %v, %v; want %v", seed, it.Key(), it.Value(), got, it.Err(), want)
							}
						}
					}
				default:
					key := k()
					want, ok := seen.Get(string(key))
					got, err := tx.Get(key)
					if ok != (err == nil) || string(got) != want {
						t.Fatalf("seed %d: %s is %.20q, %v; want %.20q, %v", seed, key, got, err, want, ok)
					}
				}
			}
			if rng.IntN(2) == 0 {
				must(t, tx.Rollback())
				continue
			}
			before := db.Metrics().LastSeq
			switch err := tx.Commit(); {
			case errors.Is(err, tinykv.ErrConflict):
				if tx.Seq() == before {
					t.Fatalf("seed %d: a conflict with nobody", seed)
				}
			case err != nil:
				t.Fatal(err)
			case tx.Seq() == before: // nobody wrote meanwhile
				model = seen
			default: // others did: the outcome is another one; go on with what is there
				model = &enginetest.Model{}
				all, err := enginetest.Collect(db.Scan(tinykv.All()))
				must(t, err)
				for _, e := range all {
					model.Put(e.Key, e.Value)
				}
			}
			all, err := enginetest.Collect(db.Scan(tinykv.All()))
			must(t, err)
			if fmt.Sprint(all) != fmt.Sprint(model.Entries(tinykv.All())) {
				t.Fatalf("seed %d: after the commit\ngot  %.400v\nwant %.400v", seed, all, model.Entries(tinykv.All()))
			}
		}
		must(t, db.Close())
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, c := range []struct {
		name string
		hot  bool
	}{{"disjoint", false}, {"hot", true}} {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/writers=%d", c.name, writers), func(b *testing.B) {
				db := mustOpen(b, b.TempDir(), nil)
				defer db.Close()
				var all sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for w := range writers {
					all.Go(func() {
						k := fmt.Appendf(nil, "counter %d", w)
						if c.hot {
							k = []byte("counter")
						}
						var buf []byte
						for range b.N / writers {
							must(b, db.Update(func(tx *tinykv.Tx) error {
								v, err := tx.GetTo(buf[:0], k)
								if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
									return err
								}
								n, _ := tinykv.DecodeInt64(v)
								return tx.Put(k, tinykv.EncodeInt64(n+1))
							}))
						}
					})
				}
				all.Wait()
			})
		}
	}
}

// What a transaction merges with a value that has expired begins anew, and stays.
func TestTx_MergeWithWhatHasExpiredStays(t *testing.T) {
	now := time.Unix(1000, 0)
	db := openMerging(t, func(o *tinykv.Options) { o.Clock = func() time.Time { return now } })
	must(t, db.Put([]byte("gone"), []byte("old"), tinykv.TTL(time.Minute)))
	must(t, db.Put([]byte("here"), []byte("old"), tinykv.TTL(time.Hour)))
	now = now.Add(2 * time.Minute)
	tx := begin(t, db, true)
	must(t, tx.Merge([]byte("gone"), []byte("+new")))
	must(t, tx.Merge([]byte("here"), []byte("+new")))
	want := []string{"+new true", "old+new false"}
	for _, opts := range [][]tinykv.ScanOption{nil, {tinykv.Reverse}} {
		var got []string
		for item, err := range tx.Scan(tinykv.All(), opts...) {
			must(t, err)
			got = append(got, fmt.Sprint(string(item.Value), " ", item.ExpiresAt.IsZero()))
		}
		if opts != nil {
			got[0], got[1] = got[1], got[0]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	must(t, tx.Commit())
	wantValue(t, db, "gone", "+new")
	wantValue(t, db, "here", "old+new")
}

// A transaction sees its own writes over those of a store whatever sequence numbers that has come to.
func TestTx_SeesItsOwnWritesAtTheEndOfSequenceNumbers(t *testing.T) {
	db := openMerging(t, nil)
	db.SetLastSeq(1<<56 - 1<<42)
	must(t, db.Put([]byte("a"), []byte("old")))
	must(t, db.Put([]byte("b"), []byte("old")))
	tx := begin(t, db, true)
	must(t, tx.Put([]byte("a"), []byte("own")))
	must(t, db.Put([]byte("b"), []byte("later")))
	must(t, tx.Merge([]byte("b"), []byte("+")))
	for item, err := range tx.Scan(tinykv.All()) {
		must(t, err)
		if want := map[string]string{"a": "own", "b": "old+"}[string(item.Key)]; string(item.Value) != want {
			t.Errorf("%s is %q, want %q", item.Key, item.Value, want)
		}
	}
	must(t, tx.Rollback())
	db.SetLastSeq(1<<56 - 1<<41)
	if err := db.Put([]byte("a"), nil); !errors.Is(err, tinykv.ErrReadOnly) {
		t.Errorf("a store without numbers left takes a write: %v", err)
	}
}
