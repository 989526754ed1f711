package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
)

// Within a transaction that outgrows its memory again and again, reads and iterators in both directions answer as a model does to which its writes, and no others, are
// added; and after its end the store does, with the writes or without.
func TestTx_ThatSpillsIsThatOfTheModel(t *testing.T) {
	transactions := 30
	if testing.Short() {
		transactions = 10
	}
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		for _, config := range []storeConfig{storeConfigs[1], storeConfigs[8], storeConfigs[9], storeConfigs[10]} {
			t.Run(fmt.Sprintf("seed %d, %s", seed, config.name), func(t *testing.T) {
				options := config.options
				options.MergeOperator = tinykv.MergeAppend
				if config.fs != nil {
					options.FS = config.fs()
				}
				h := &txHistory{T: t, draw: enginetest.NewRandom(seed), db: mustOpen(t, t.TempDir()+"/store", &options), store: &enginetest.Model{}}
				for range transactions {
					h.transaction()
				}
			})
		}
	}
}

type txHistory struct {
	*testing.T
	draw  enginetest.Random
	db    *tinykv.DB
	store *enginetest.Model // what is committed

	tx   *tinykv.Tx
	seen *enginetest.Model // what the transaction sees
	open []*txCursor

	writes *tinykv.Batch // of the transaction
}

// txCursor is an iterator of the transaction beside one of the model.
type txCursor struct {
	it *tinykv.Iterator
	of *enginetest.Cursor
}

func (h *txHistory) transaction() {
	h.tx, h.seen = begin(h.T, h.db, true), h.store.Clone()
	h.writes = h.db.NewBatch()
	blind := h.draw.OneIn(2) // other writes come meanwhile, and the transaction reads nothing, so that it commits
	for range 1 + h.draw.IntN(300) {
		if h.draw.OneIn(3) && (blind || h.draw.OneIn(200)) {
			h.other()
		}
		h.write()
		if !blind {
			h.read()
			h.move()
		}
	}
	for _, c := range h.open {
		for range 10 {
			h.step(c)
		}
		must(h, c.it.Close())
	}
	h.open = nil
	if h.draw.OneIn(4) {
		must(h, h.tx.Rollback())
	} else {
		h.commit(blind)
	}
	h.same(h.db.Scan(tinykv.All()), h.store.Entries(tinykv.All()))
}

// commit commits. What other writes changed meanwhile is below what the transaction wrote.
func (h *txHistory) commit(blind bool) {
	err := h.tx.Commit()
	switch {
	case errors.Is(err, tinykv.ErrConflict) && !blind:
		return
	case err != nil:
		h.Fatal(err)
	}
	h.store.Apply(h.writes)
}

func (h *txHistory) other() {
	k, v := h.draw.Key(), h.draw.Value()
	must(h, h.db.Put(k, v))
	h.store.Put(string(k), string(v))
}

func (h *txHistory) write() {
	var b tinykv.Batch
	k, v := h.draw.Key(), append(h.draw.Value(), make([]byte, h.draw.IntN(1500))...)
	switch h.draw.IntN(8) {
	case 0:
		must(h, h.tx.Delete(k))
		must(h, b.Delete(k))
	case 1:
		r := h.draw.NarrowRange()
		err := h.tx.DeleteRange(r.Lower, r.Upper)
		if err2 := b.DeleteRange(r.Lower, r.Upper); (err == nil) != (err2 == nil) {
			h.Fatal(err, err2)
		}
	case 2, 3:
		must(h, h.tx.Merge(k, v[:min(len(v), 20)]))
		must(h, b.Merge(k, v[:min(len(v), 20)]))
	default:
		must(h, h.tx.Put(k, v))
		must(h, b.Put(k, v))
	}
	h.seen.Apply(&b)
	must(h, h.writes.Append(&b))
}

func (h *txHistory) read() {
	k := h.draw.Key()
	want, ok := h.seen.Get(string(k))
	got, err := h.tx.Get(k)
	if ok != (err == nil) || err != nil && !errors.Is(err, tinykv.ErrNotFound) || string(got) != want {
		h.Fatalf("Get(%q) = %.40q, %v; want %.40q, %v", k, got, err, want, ok)
	}
	if has, err := h.tx.Has(k); has != ok || err != nil {
		h.Fatalf("Has(%q) = %v, %v", k, has, err)
	}
	values, err := h.tx.GetMulti(k, h.draw.Key(), k)
	must(h, err)
	if (values[0] != nil) != ok || string(values[0]) != want || string(values[2]) != want {
		h.Fatalf("GetMulti(%q) = %.40q; want %.40q, %v", k, values[0], want, ok)
	}
	if h.draw.OneIn(8) {
		r := h.draw.Range()
		if entries := h.seen.Entries(r); h.draw.OneIn(2) {
			h.same(h.tx.Scan(r), entries)
		} else if n, err := h.tx.Count(context.Background(), r); err == nil && n != uint64(len(entries)) {
			h.Fatalf("Count = %d, %v; want %d", n, err, len(entries))
		}
	}
}

// move opens an iterator now and then, and moves one.
func (h *txHistory) move() {
	if len(h.open) == 0 || h.draw.OneIn(10) {
		r := h.draw.Range()
		it, err := h.tx.NewIter(r)
		if err != nil {
			return // an inverted range
		}
		h.open = append(h.open, &txCursor{it, h.seen.NewCursor(r)})
	}
	for range 4 {
		h.step(h.open[h.draw.IntN(len(h.open))])
	}
}

func (h *txHistory) step(c *txCursor) {
	k := h.draw.Key()
	var got, want bool
	switch h.draw.IntN(9) {
	case 0:
		got, want = c.it.First(), c.of.First()
	case 1:
		got, want = c.it.Last(), c.of.Last()
	case 2:
		got, want = c.it.SeekGE(k), c.of.SeekGE(string(k))
	case 3:
		got, want = c.it.SeekLT(k), c.of.SeekLT(string(k))
	case 4, 5, 6:
		got, want = c.it.Next(), c.of.Next()
	default:
		got, want = c.it.Prev(), c.of.Prev()
	}
	if got != want || c.it.Err() != nil {
		h.Fatalf("a move: %v, %v; want %v", got, c.it.Err(), want)
	}
	if want && (string(c.it.Key()) != c.of.Entry().Key || string(c.it.Value()) != c.of.Entry().Value) {
		h.Fatalf("at %q, %.40q; want %q, %.40q", c.it.Key(), c.it.Value(), c.of.Entry().Key, c.of.Entry().Value)
	}
}

func (h *txHistory) same(scan iter.Seq2[tinykv.Item, error], want []enginetest.Entry) {
	h.Helper()
	n := 0
	for item, err := range scan {
		if errors.Is(err, tinykv.ErrInvalidRange) {
			return
		}
		must(h, err)
		if n == len(want) || string(item.Key) != want[n].Key || string(item.Value) != want[n].Value {
			h.Fatalf("item %d is %q; want %q", n, item.Key, want[min(n, len(want)-1)].Key)
		}
		n++
	}
	if n != len(want) {
		h.Fatalf("%d items; want %d", n, len(want))
	}
}

// What a transaction has written to tables is there with its commit and gone without, files included.
func TestTx_ThatSpillsIsAllOrNothing(t *testing.T) {
	value := make([]byte, 1000)
	for _, c := range []struct {
		name  string
		end   func(db *tinykv.DB, tx *tinykv.Tx) error
		want  error
		there bool
	}{
		{"commit", func(_ *tinykv.DB, tx *tinykv.Tx) error { return tx.Commit() }, nil, true},
		{"rollback", func(_ *tinykv.DB, tx *tinykv.Tx) error { return tx.Rollback() }, nil, false},
		{"conflict", func(db *tinykv.DB, tx *tinykv.Tx) error {
			must(t, db.Put([]byte("read"), value))
			return tx.Commit()
		}, tinykv.ErrConflict, false},
		{"bucket dropped", func(db *tinykv.DB, tx *tinykv.Tx) error {
			must(t, db.DropBucket(context.Background(), "b"))
			return tx.Commit()
		}, tinykv.ErrConflict, false},
		{"bucket made after the first table", func(_ *tinykv.DB, tx *tinykv.Tx) error {
			for i := range 100 {
				must(t, tx.Bucket("late").Put(fmt.Append(nil, i), value))
			}
			must(t, tx.Bucket("late").DeleteRange([]byte("5"), nil))
			return tx.Commit()
		}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, options := t.TempDir(), tiny
			db := mustOpen(t, dir, &options)
			must(t, db.Bucket("b").Put([]byte("k"), nil))
			must(t, db.Put([]byte("old"), value))
			must(t, db.Put([]byte("k77"), value))
			must(t, db.Compact(context.Background(), tinykv.All()))
			before, err := filepath.Glob(dir + "/*")
			must(t, err)
			tx := begin(t, db, true)
			_, _ = tx.Has([]byte("read"))
			must(t, tx.DeleteRange([]byte("old"), nil))
			for i := range 500 {
				must(t, tx.Put(fmt.Appendf(nil, "k%d", i), value))
				must(t, tx.Bucket("b").Put(fmt.Appendf(nil, "k%d", i), value))
			}
			must(t, tx.DeleteRange([]byte("k3"), []byte("k4")))
			n, err := tx.Count(context.Background(), tinykv.All())
			if n != 500-111 || err != nil {
				t.Fatal(n, err)
			}
			if during, err := filepath.Glob(dir + "/*"); len(during) <= len(before) || err != nil {
				t.Fatalf("nothing was spilled: %v", err)
			}
			if err := c.end(db, tx); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("the end returned %v", err)
			}
			check := func(db *tinykv.DB) {
				t.Helper()
				n, err := db.Count(context.Background(), tinykv.Prefix([]byte("k")))
				if want := map[bool]uint64{true: 500 - 111, false: 1}[c.there]; n != want || err != nil {
					t.Errorf("%d keys, %v; want %d", n, err, want)
				}
				if has, err := db.Has([]byte("old")); has == c.there || err != nil {
					t.Error(has, err)
				}
				if n, err := db.Bucket("b").Count(context.Background(), tinykv.All()); c.there && n != 501 || err != nil {
					t.Error(n, err)
				}
				if n, err := db.Bucket("late").Count(context.Background(), tinykv.All()); err != nil || n != 0 && n != 45 {
					t.Error(n, err)
				}
			}
			check(db)
			if r, err := db.Verify(context.Background(), nil); err != nil || len(r.Problems) > 0 {
				t.Error(r, err)
			}
			must(t, db.Close())
			db = mustOpen(t, dir, &options)
			check(db)
			if !c.there {
				must(t, db.Compact(context.Background(), tinykv.All()))
				after, err := filepath.Glob(dir + "/*.sst")
				must(t, err)
				if len(after) > 3 {
					t.Errorf("left over: %v", after)
				}
			}
		})
	}
}

// Where values expire, operands that have gone to tables are put together with what expires when the transaction commits: expiries are
// kept, whoever wrote them and when, and nothing that was merged counts as read.
func TestTx_MergesInTablesGoByTheClockOfTheCommit(t *testing.T) {
	clock := newClock()
	db := openMerging(t, func(o *tinykv.Options) { o.Clock = clock.now })
	must(t, db.Put([]byte("session"), []byte("s"), tinykv.TTL(2*time.Hour)))
	must(t, db.Put([]byte("short"), []byte("s"), tinykv.TTL(time.Minute)))
	must(t, db.Put([]byte("plain"), []byte("p")))
	tx := begin(t, db, true)
	fill := func() {
		for i := range 1000 {
			must(t, tx.Put(fmt.Appendf(nil, "%04d", i), make([]byte, 200)))
		}
	}
	must(t, tx.Put([]byte("own"), []byte("o"), tinykv.TTL(2*time.Hour)))
	must(t, tx.Put([]byte("own short"), []byte("o"), tinykv.TTL(time.Minute)))
	keys := []string{"session", "short", "plain", "new", "0007", "own", "own short", "later", "gone", "under a range"}
	for _, operand := range []string{"+1", "+2"} {
		for _, k := range keys {
			must(t, tx.Merge([]byte(k), []byte(operand)))
		}
		fill() // more than a memtable
	}
	must(t, tx.Merge([]byte("session"), []byte("+3"))) // in memory
	must(t, db.Put([]byte("later"), []byte("l"), tinykv.TTL(2*time.Hour)))
	must(t, db.Put([]byte("gone"), []byte("g"), tinykv.TTL(2*time.Hour)))
	must(t, db.Put([]byte("under a range"), []byte("u"), tinykv.TTL(2*time.Hour)))
	must(t, db.Delete([]byte("gone")))
	must(t, db.DeleteRange([]byte("under"), nil))
	clock.step(time.Hour)
	must(t, tx.Commit())
	want := map[string]string{
		"session": "s+1+2+3", "short": "+1+2", "plain": "p+1+2", "new": "+1+2", "0007": string(make([]byte, 200)),
		"own": "o+1+2", "own short": "+1+2", "later": "l+1+2", "gone": "+1+2", "under a range": "+1+2",
	}
	for range 2 {
		for _, k := range keys {
			wantValue(t, db, k, want[k])
		}
		must(t, db.Compact(t.Context(), tinykv.All()))
	}
	clock.step(2 * time.Hour)
	for _, k := range []string{"session", "own", "later"} {
		want[k] = "-"
	}
	for _, k := range keys {
		wantValue(t, db, k, want[k])
	}
}

// A transaction with merges goes to tables though values expire: its memory is bounded all the same.
func TestTx_WithMergesSpillsWhereValuesExpire(t *testing.T) {
	fs := vfs.NewMem()
	db := openMerging(t, func(o *tinykv.Options) { o.FS = fs })
	must(t, db.Put([]byte("session"), []byte("s"), tinykv.TTL(time.Hour)))
	files := func() int {
		names, err := fs.List("/store")
		must(t, err)
		return len(names)
	}
	before := files()
	tx := begin(t, db, true)
	for i := range 1000 {
		must(t, tx.Merge([]byte("session"), fmt.Appendf(nil, "%0200d", i)))
	}
	if files() == before {
		t.Error("200 KB of operands are in memory, of which tables have 64")
	}
	must(t, tx.Commit())
	if v := get(t, db, "session"); len(v) != 1+1000*200 {
		t.Errorf("%d bytes", len(v))
	}
}

// A transaction that nobody else interferes with commits, though its own write is the first in the store that expires.
func TestTx_InTablesThatWritesTheFirstValueThatExpiresCommits(t *testing.T) {
	clock := newClock()
	db := openMerging(t, func(o *tinykv.Options) { o.Clock = clock.now })
	tx := begin(t, db, true)
	for i := range 300 {
		must(t, tx.Merge(fmt.Appendf(nil, "%03d", i), make([]byte, 1000)))
	}
	must(t, tx.Put([]byte("k"), nil, tinykv.TTL(time.Hour)))
	must(t, db.Put([]byte("007"), []byte("new"), tinykv.TTL(time.Hour))) // blind writes conflict with nothing
	must(t, tx.Merge([]byte("k"), []byte("+")))
	must(t, tx.Commit())
	wantValue(t, db, "k", "+")
	wantValue(t, db, "000", string(make([]byte, 1000)))
	wantValue(t, db, "007", "new"+string(make([]byte, 1000)))
	clock.step(time.Hour)
	wantValue(t, db, "k", "-")
	wantValue(t, db, "007", "-")
}
