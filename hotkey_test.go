package tinykv

import (
	"fmt"
	"testing"
)

// hotStore has keys of which the middle one was written so often, n times before and n after a snapshot.
func hotStore(t testing.TB, n int, flush bool) (*DB, *Snapshot) {
	t.Helper()
	db, err := Open(t.TempDir(), nil)
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	put := func(k, value string) { t.Helper(); check(t, db.Put([]byte(k), []byte(value))) }
	put("a", "first")
	for i := range n {
		put("hot", fmt.Sprint("before ", i))
	}
	put("z", "last")
	if flush { // then older and newer entries lie in different sources
		check(t, db.Flush(t.Context()))
	}
	snapshot, err := db.NewSnapshot()
	check(t, err)
	t.Cleanup(func() { check(t, snapshot.Close()) })
	for i := range n {
		put("hot", fmt.Sprint("after ", i))
	}
	return db, snapshot
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// However often a key was written, an iterator comes by it once, with the value of its time, in both directions.
func TestIterator_KeyWrittenManyTimesComesOnce(t *testing.T) {
	for _, flush := range []bool{false, true} {
		for _, n := range []int{1, jumpAfter - 1, jumpAfter, jumpAfter + 1, 2 * jumpAfter, 100} {
			db, snapshot := hotStore(t, n, flush)
			for _, c := range []struct {
				from interface {
					NewIter(Range) (*Iterator, error)
				}
				want string
			}{
				{db, fmt.Sprint("after ", n-1)},
				{snapshot, fmt.Sprint("before ", n-1)},
			} {
				it, err := c.from.NewIter(All())
				check(t, err)
				want := fmt.Sprintf("a=first hot=%s z=last ", c.want)
				if got := walked(it, it.First, it.Next); got != want {
					t.Errorf("flush %v, %d writes, forward: %s, want %s", flush, n, got, want)
				}
				want = fmt.Sprintf("z=last hot=%s a=first ", c.want)
				if got := walked(it, it.Last, it.Prev); got != want {
					t.Errorf("flush %v, %d writes, backward: %s, want %s", flush, n, got, want)
				}
				if !it.SeekGE([]byte("hot")) || !it.Prev() || string(it.Key()) != "a" || !it.Next() || string(it.Value()) != c.want || !it.Next() || string(it.Key()) != "z" {
					t.Errorf("flush %v, %d writes, to and fro: at %q=%q", flush, n, it.Key(), it.Value())
				}
				check(t, it.Close())
			}
		}
	}
}

func walked(it *Iterator, start, move func() bool) (text string) {
	for ok := start(); ok; ok = move() {
		text += fmt.Sprintf("%s=%s ", it.Key(), it.Value())
	}
	return text
}

// A step over a key costs about the same however often it was written.
func BenchmarkHotKey(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		db, snapshot := hotStore(b, n, false)
		for name, from := range map[string]interface {
			NewIter(Range) (*Iterator, error)
		}{"now": db, "snapshot": snapshot} {
			it, err := from.NewIter(All())
			check(b, err)
			b.Run(fmt.Sprintf("forward/%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					it.First()
					it.Next()
					it.Next()
				}
			})
			b.Run(fmt.Sprintf("backward/%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					it.Last()
					it.Prev()
					it.Prev()
				}
			})
			check(b, it.Close())
		}
	}
}
