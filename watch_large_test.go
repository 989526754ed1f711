package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
)

// writesOf are ways to write many keys at once, in the order that they are given in.
var writesOf = []struct {
	name   string
	large  uint64 // tables that come of it
	length int    // of values
	write  func(t testing.TB, db *tinykv.DB, keys []int, value []byte)
}{
	{"a small batch", 0, 10, writeBatch},
	{"a large batch", 1, 5000, writeBatch},
	{"a transaction of several tables", 3, 10_000, func(t testing.TB, db *tinykv.DB, keys []int, value []byte) {
		tx := begin(t, db, true)
		for _, k := range keys {
			must(t, tx.Put(fmt.Appendf(nil, "k%02d", k), value))
		}
		must(t, tx.Commit())
	}},
}

func writeBatch(t testing.TB, db *tinykv.DB, keys []int, value []byte) {
	b := db.NewBatch()
	for _, k := range keys {
		must(t, b.Put(fmt.Appendf(nil, "k%02d", k), value))
	}
	must(t, db.Apply(b))
}

// ordersOf returns 0 to n-1 ascending, descending and shuffled.
func ordersOf(n int) map[string][]int {
	up := make([]int, n)
	for i := range up {
		up[i] = i
	}
	down := slices.Clone(up)
	slices.Reverse(down)
	return map[string][]int{"ascending": up, "descending": down, "shuffled": rand.New(rand.NewPCG(1, 2)).Perm(n)}
}

// upToEnd returns what a watch tells until the key "end" was put.
func upToEnd(ctx context.Context, db *tinykv.DB, since uint64) (told []tinykv.Event, err error) {
	for e, err := range db.Watch(ctx, tinykv.All(), since) {
		if err != nil || string(e.Key) == "end" {
			return told, err
		}
		told = append(told, e)
	}
	return told, nil
}

// Whoever is cut off behind any event, whatever it was, and goes on from its number, misses none of those that follow; and sees by the
// numbers what was told before.
func TestWatch_GoesOnFromEveryEventOfABatchWithoutALoss(t *testing.T) {
	const n = 25
	for _, c := range writesOf {
		for order, keys := range ordersOf(n) {
			for _, first := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, first %v", c.name, order, first), func(t *testing.T) {
					o := tiny
					db := mustOpen(t, t.TempDir(), &o)
					defer db.Close()
					defer lasting(t, db)()
					watch := db.Watch(t.Context(), tinykv.All(), 0)
					if !first {
						must(t, db.Put([]byte("before"), nil))
					}
					c.write(t, db, keys, make([]byte, c.length))
					if got := db.Metrics().LargeWrites; got != c.large {
						t.Fatalf("%d tables, want %d", got, c.large)
					}
					must(t, db.Put([]byte("end"), nil))
					resumeEverywhere(t, db, watch, n)
				})
			}
		}
	}
}

func resumeEverywhere(t *testing.T, db *tinykv.DB, watch func(func(tinykv.Event, error) bool), n int) {
	var all []tinykv.Event
	for e, err := range watch {
		must(t, err)
		if string(e.Key) == "end" {
			break
		}
		all = append(all, e)
	}
	if len(all) < n {
		t.Fatalf("told %d events, want %d", len(all), n)
	}
	last := uint64(0)
	for i, e := range all {
		if e.Seq <= last {
			t.Errorf("event %d has number %d, the one before %d", i, e.Seq, last)
		}
		last = e.Seq
		rest, err := upToEnd(t.Context(), db, e.Seq)
		must(t, err)
		if e.Last && len(rest) != len(all)-1-i {
			t.Errorf("behind event %d, the last of its batch: told %d events of %d", i, len(rest), len(all)-1-i)
		}
		rest = slices.DeleteFunc(rest, func(again tinykv.Event) bool { return again.Seq <= e.Seq })
		if got, want := inWords(rest), inWords(all[i+1:]); got != want {
			t.Errorf("behind event %d of %d, number %d: told %s, want %s", i, len(all), e.Seq, got, want)
		}
	}
	if want := lastSeq(db) - 1; last != want {
		t.Errorf("the last event has number %d, and was written with %d", last, want)
	}
}

// inWords writes keys and numbers.
func inWords(events []tinykv.Event) string {
	var s strings.Builder
	for _, e := range events {
		fmt.Fprintf(&s, " %s#%d", e.Key, e.Seq)
	}
	return s.String()
}

// In another life of the store, and behind compactions, what was not told of a batch is ErrLagged, and never passed over.
func TestWatch_BehindTheMiddleOfABatchOfAnotherLifeItLags(t *testing.T) {
	const n = 25
	for _, c := range writesOf {
		for order, keys := range ordersOf(n) {
			dir := t.TempDir()
			o := tiny
			db := mustOpen(t, dir, &o)
			watch := db.Watch(t.Context(), tinykv.All(), 0)
			stop := lasting(t, db)
			c.write(t, db, keys, make([]byte, c.length))
			var all []tinykv.Event
			for e, err := range watch {
				must(t, err)
				if all = append(all, e); e.Last {
					break
				}
			}
			stop()
			must(t, db.Close())
			for again := range 2 {
				db = mustOpen(t, dir, &o)
				next := db.Watch(t.Context(), tinykv.All(), all[n-1].Seq)
				must(t, db.Put([]byte("end"), nil))
				for i, e := range all[:n-1] {
					if _, err := upToEnd(t.Context(), db, e.Seq); !errors.Is(err, tinykv.ErrLagged) {
						t.Errorf("%s, %s: behind event %d: %v, want ErrLagged", c.name, order, i, err)
					}
				}
				if again == 0 {
					if got := take(t, 1, next); got != "+end=." {
						t.Errorf("%s, %s: behind the last event: told %s", c.name, order, got)
					}
				}
				must(t, db.Compact(t.Context(), tinykv.All()))
				must(t, db.Close())
			}
		}
	}
}

// A watcher of a part is told the last number of the batch with the last event that is told to it; range deletions that touch are one.
func TestWatch_OfAPartOfALargeBatchEndsWithItsLastNumber(t *testing.T) {
	o := tiny
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	must(t, db.Put([]byte("before"), nil))
	defer lasting(t, db)()
	b := db.NewBatch()
	must(t, b.Put([]byte("z"), make([]byte, 100<<10)))
	must(t, b.Put([]byte("c"), []byte("1")))
	must(t, b.DeleteRange([]byte("d"), []byte("g")))
	must(t, b.DeleteRange([]byte("e"), []byte("f")))
	must(t, b.DeleteRange([]byte("g"), []byte("h")))
	must(t, b.Put([]byte("a"), []byte("2")))
	must(t, b.Put([]byte("e"), []byte("3")))
	must(t, db.Apply(b))
	must(t, db.Put([]byte("b"), nil))
	for _, c := range []struct {
		r    tinykv.Range
		n    int
		want string
	}{
		{tinykv.Between(nil, []byte("x")), 4, " d#2 a#3 c#4 e#8"},
		{tinykv.Prefix([]byte("a")), 1, " a#8"},
		{tinykv.Prefix([]byte("e")), 2, " e#2 e#8"},
		{tinykv.Prefix([]byte("b")), 1, " b#9"},
	} {
		var told []tinykv.Event
		for e, err := range db.Watch(t.Context(), c.r, 1) {
			must(t, err)
			told = append(told, e)
			if e.Last {
				break
			}
		}
		if got := inWords(told); got != c.want || len(told) != c.n {
			t.Errorf("of %v: told%s, want%s", c.r, got, c.want)
		}
	}
}

// Operands that an operator could not put together are told in the order in which they were merged.
func TestWatch_TellsOperandsOfALargeBatchOldestFirst(t *testing.T) {
	o := tiny
	o.MergeOperator = refusing{}
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	defer lasting(t, db)()
	watch := db.Watch(t.Context(), tinykv.Prefix([]byte("k")), 0)
	b := db.NewBatch()
	must(t, b.Put([]byte("fill"), make([]byte, 100<<10)))
	must(t, b.Put([]byte("k"), []byte("a")))
	must(t, b.Merge([]byte("k"), []byte("b")))
	must(t, b.Merge([]byte("k"), []byte("c")))
	must(t, db.Apply(b))
	if got := take(t, 3, watch); got != "+k=a *k*b *k*c." {
		t.Errorf("told %s", got)
	}
}

// refusing is a merge operator that fails.
type refusing struct{}

func (refusing) Name() string { return "refusing" }

func (refusing) Merge(_, _ []byte) []byte { panic("refused") }
