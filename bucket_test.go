package tinykv_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// contentsOf returns what a reader holds, as text.
func contentsOf(t testing.TB, r interface {
	Scan(tinykv.Range, ...tinykv.ScanOption) iter.Seq2[tinykv.Item, error]
},
) string {
	t.Helper()
	var text []string
	for item, err := range r.Scan(tinykv.All()) {
		must(t, err)
		text = append(text, fmt.Sprintf("%s=%s", item.Key, item.Value))
	}
	return strings.Join(text, " ")
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func bucketNames(t testing.TB, db *tinykv.DB) string {
	t.Helper()
	all, err := db.Buckets()
	must(t, err)
	return strings.Join(all, " ")
}

func TestBucket_KeysOfOneAreNotThoseOfAnother(t *testing.T) {
	db := inMemory(t)
	a, b := db.Bucket("a"), db.Bucket("b")
	k := []byte("k")
	must(t, db.Put(k, []byte("outside")))
	must(t, a.Put(k, []byte("in a")))
	must(t, b.Put(k, []byte("in b")))
	must(t, b.Put(nil, nil))
	for range 2 { // in the memtable, then in a table
		equal(t, "outside", contentsOf(t, db), "k=outside")
		equal(t, "in a", contentsOf(t, a), "k=in a")
		equal(t, "in b", contentsOf(t, b), "= k=in b")
		must(t, db.Flush(t.Context()))
	}
	must(t, a.Delete(k))
	equal(t, "a", contentsOf(t, a), "")
	equal(t, "b", contentsOf(t, b), "= k=in b")
	equal(t, "names", bucketNames(t, db), "a b")
	equal(t, "name", a.Name(), "a")
}

// With more than 127 buckets, ids have two bytes, with more than 16,383 three, and up to 268,435,455 four.
func TestBucket_ReadsAreThoseOfAStoreWhateverTheLengthOfTheId(t *testing.T) {
	db := inMemory(t)
	for _, n := range []int{1, 127, 128, 1<<14 - 1, 1 << 14, 1<<21 - 1, 1 << 21, 1<<28 - 1} {
		if n > 1 {
			must(t, db.SkipSpaces(uint32(n)-1))
		}
		name := fmt.Sprintf("bucket %d", n)
		b := db.Bucket(name)
		for i := range 9 {
			must(t, b.Put(fmt.Appendf(nil, "key %d", i), fmt.Appendf(nil, "value %d of %d", i, n)))
		}
		must(t, b.Put(bytes.Repeat([]byte{0xff}, 127), []byte("long")))
		must(t, b.Put(bytes.Repeat([]byte{0xff}, 1<<16-1), []byte("longest")))
		for range 2 {
			readsLikeAStore(t, b, n)
			must(t, db.Flush(t.Context()))
		}
		s, err := db.NewSnapshot()
		must(t, err)
		must(t, b.DeleteRange([]byte("key 2"), []byte("key 4")))
		count, err := b.Count(t.Context(), tinykv.All())
		must(t, err)
		equal(t, "keys", count, 9)
		readsLikeAStore(t, s.Bucket(name), n)
		must(t, b.DeleteRange(nil, nil))
		equal(t, "cleared", contentsOf(t, b), "")
		readsLikeAStore(t, s.Bucket(name), n)
		must(t, s.Close())
	}
}

func readsLikeAStore(t *testing.T, b *tinykv.Bucket, n int) {
	t.Helper()
	v, err := b.Get([]byte("key 3"))
	must(t, err)
	equal(t, "Get", string(v), fmt.Sprintf("value 3 of %d", n))
	for _, length := range []int{127, 1<<16 - 1} {
		has, err := b.Has(bytes.Repeat([]byte{0xff}, length))
		must(t, err)
		equal(t, "Has", has, true)
	}
	must(t, b.Peek([]byte("key 4"), func(v []byte) error {
		equal(t, "Peek", string(v), fmt.Sprintf("value 4 of %d", n))
		return nil
	}))
	vs, err := b.GetMulti([]byte("key 8"), []byte("nothing"), []byte("key 0"))
	must(t, err)
	equal(t, "GetMulti", fmt.Sprintf("%s", vs), fmt.Sprintf("[value 8 of %d  value 0 of %d]", n, n))
	count, err := b.Count(t.Context(), tinykv.Prefix([]byte("key")))
	must(t, err)
	equal(t, "Count", count, 9)
	var keys []string
	for item, err := range b.Scan(tinykv.Between([]byte("key 2"), []byte("key 5")), tinykv.Reverse) {
		must(t, err)
		keys = append(keys, string(item.Key))
	}
	equal(t, "Scan", strings.Join(keys, ","), "key 4,key 3,key 2")
	i, err := b.NewIter(tinykv.All())
	must(t, err)
	defer i.Close()
	equal(t, "First", i.First() && string(i.Key()) == "key 0", true)
	equal(t, "SeekGE", i.SeekGE([]byte("key 5a")) && string(i.Key()) == "key 6", true)
	equal(t, "SeekLT", i.SeekLT([]byte("key 5")) && string(i.Key()) == "key 4", true)
	equal(t, "Last", i.Last() && len(i.Key()) == 1<<16-1, true)
	equal(t, "Next", i.Next(), false)
	size, err := b.EstimateSize(tinykv.All())
	must(t, err)
	if size == 0 || size > 1<<20 { // blocks of neighbours count too, and keys are long
		t.Errorf("EstimateSize: %d", size)
	}
	e, err := b.Explain([]byte("key 1"))
	must(t, err)
	equal(t, "Explain", e.Found && e.Bucket == b.Name(), true)
}

func TestBucket_ComesIntoBeingWithItsFirstWrite(t *testing.T) {
	db := inMemory(t)
	b := db.Bucket("b")
	_, err := b.Get([]byte("k"))
	equal(t, "Get", errors.Is(err, tinykv.ErrNotFound), true)
	equal(t, "Scan", contentsOf(t, b), "")
	done, err := b.CompareAndSwap([]byte("k"), nil, []byte("v"))
	must(t, err)
	equal(t, "CompareAndSwap", done, false)
	done, err = b.CompareAndDelete([]byte("k"), nil)
	must(t, err)
	equal(t, "CompareAndDelete", done, false)
	must(t, b.DeleteRange([]byte("x"), []byte("x"))) // of nothing
	equal(t, "names", bucketNames(t, db), "")
	done, err = b.PutIfAbsent([]byte("k"), []byte("v"))
	must(t, err)
	equal(t, "PutIfAbsent", done, true)
	equal(t, "names", bucketNames(t, db), "b")
	must(t, db.Bucket("deleted").Delete([]byte("k")))
	must(t, db.Bucket("cleared").DeleteRange(nil, nil))
	batch := db.NewBatch()
	must(t, batch.Bucket("batch").DeleteRange([]byte("a"), nil))
	equal(t, "names", bucketNames(t, db), "b cleared deleted")
	must(t, db.Apply(batch))
	equal(t, "names", bucketNames(t, db), "b batch cleared deleted")
}

func TestBucket_ConditionsAreThoseOfItsOwnKeys(t *testing.T) {
	db := inMemory(t)
	b := db.Bucket("b")
	k := []byte("k")
	must(t, db.Put(k, []byte("outside")))
	check := func(what string, want bool) func(bool, error) {
		return func(done bool, err error) {
			t.Helper()
			must(t, err)
			equal(t, what, done, want)
		}
	}
	check("put", true)(b.PutIfAbsent(k, []byte("1")))
	check("put again", false)(b.PutIfAbsent(k, []byte("2")))
	check("swap", true)(b.CompareAndSwap(k, []byte("1"), []byte("3")))
	check("swap again", false)(b.CompareAndSwap(k, []byte("1"), []byte("4")))
	check("delete what is not", false)(b.CompareAndDelete(k, []byte("outside")))
	check("delete", true)(b.CompareAndDelete(k, []byte("3")))
	equal(t, "b", contentsOf(t, b), "")
	equal(t, "outside", contentsOf(t, db), "k=outside")
}

func TestBucket_DeleteRangeOfAllClearsItAlone(t *testing.T) {
	db := inMemory(t)
	for _, w := range []interface {
		Put(k, v []byte, o ...tinykv.WriteOption) error
	}{db, db.Bucket("a"), db.Bucket("b"), db.Bucket("c")} {
		must(t, w.Put([]byte("k"), []byte("v")))
	}
	must(t, db.Bucket("b").DeleteRange(nil, nil))
	must(t, db.DeleteRange(nil, nil))
	equal(t, "outside", contentsOf(t, db), "")
	equal(t, "a", contentsOf(t, db.Bucket("a")), "k=v")
	equal(t, "b", contentsOf(t, db.Bucket("b")), "")
	equal(t, "c", contentsOf(t, db.Bucket("c")), "k=v")
	equal(t, "names", bucketNames(t, db), "a b c")
}

func TestDropBucket_TakesAllThatIsInIt(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	a, b := db.Bucket("a"), db.Bucket("b")
	for i := range 100 {
		must(t, a.Put(fmt.Append(nil, i), []byte("old")))
		must(t, b.Put(fmt.Append(nil, i), []byte("kept")))
		if i == 50 {
			must(t, db.Flush(t.Context()))
		}
	}
	s, err := db.NewSnapshot()
	must(t, err)
	i, err := a.NewIter(tinykv.All())
	must(t, err)
	must(t, db.DropBucket(t.Context(), "a"))
	equal(t, "names", bucketNames(t, db), "b")
	equal(t, "a", contentsOf(t, a), "")
	count, err := b.Count(t.Context(), tinykv.All())
	must(t, err)
	equal(t, "b", count, 100)
	must(t, a.Put([]byte("k"), []byte("new")))
	equal(t, "a anew", contentsOf(t, a), "k=new")

	count, err = s.Bucket("a").Count(t.Context(), tinykv.All())
	must(t, err)
	equal(t, "in the snapshot", count, 100)
	n := 0
	for i.Next() {
		n++
	}
	equal(t, "in the iterator", n, 100)
	must(t, errors.Join(i.Err(), i.Close(), s.Close(), db.Close()))

	db = mustOpen(t, dir, nil)
	equal(t, "names, opened again", bucketNames(t, db), "a b")
	equal(t, "a, opened again", contentsOf(t, db.Bucket("a")), "k=new")
	must(t, db.Close())
}

func TestDropBucket_OfOneThatIsNotThereIsNotFound(t *testing.T) {
	db := inMemory(t)
	equal(t, "never", errors.Is(db.DropBucket(t.Context(), "a"), tinykv.ErrNotFound), true)
	must(t, db.Bucket("a").Put(nil, nil))
	must(t, db.DropBucket(t.Context(), "a"))
	equal(t, "twice", errors.Is(db.DropBucket(t.Context(), "a"), tinykv.ErrNotFound), true)
}

func TestBuckets_ReadOnlyStoresHaveThem(t *testing.T) {
	fsys := vfs.NewMem()
	db := mustOpen(t, "/db", &tinykv.Options{FS: fsys})
	must(t, db.Bucket("gone").Put([]byte("k"), []byte("v")))
	must(t, db.Bucket("b").Put([]byte("k"), []byte("v")))
	must(t, db.DropBucket(t.Context(), "gone"))
	must(t, db.Close())
	db = mustOpen(t, "/db", &tinykv.Options{FS: fsys, ReadOnly: true})
	equal(t, "names", bucketNames(t, db), "b")
	equal(t, "b", contentsOf(t, db.Bucket("b")), "k=v")
	for what, err := range map[string]error{
		"Put": db.Bucket("b").Put(nil, nil), "Put elsewhere": db.Bucket("c").Put(nil, nil),
		"DropBucket": db.DropBucket(t.Context(), "b"), "DropBucket of none": db.DropBucket(t.Context(), "c"),
	} {
		equal(t, what, errors.Is(err, tinykv.ErrReadOnly), true)
	}
	must(t, db.Close())
}

func TestBatch_AcrossBucketsIsSeenWholeOrNotAtAll(t *testing.T) {
	db := inMemory(t)
	const rounds = 200
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range rounds {
			b := db.NewBatch()
			for _, name := range []string{"a", "b", "c"} {
				must(t, b.Bucket(name).Put([]byte("k"), fmt.Append(nil, i)))
			}
			must(t, b.Put([]byte("k"), fmt.Append(nil, i)))
			must(t, db.Apply(b))
			if i%20 == 7 {
				must(t, db.DropBucket(t.Context(), "b"))
			}
		}
	})
	for done := false; !done; {
		s, err := db.NewSnapshot()
		must(t, err)
		outside := contentsOf(t, s)
		equal(t, "a", contentsOf(t, s.Bucket("a")), outside)
		equal(t, "c", contentsOf(t, s.Bucket("c")), outside)
		if b := contentsOf(t, s.Bucket("b")); b != outside && b != "" {
			t.Errorf("b: %s, want %s or nothing", b, outside)
		}
		must(t, s.Close())
		done = outside == fmt.Sprintf("k=%d", rounds-1) || t.Failed()
	}
	wg.Wait()
}

func TestBatch_BelongsToNoStore(t *testing.T) {
	var b tinykv.Batch
	must(t, b.Bucket("x").Put([]byte("k"), []byte("1")))
	must(t, b.Bucket("y").Put([]byte("k"), []byte("2")))
	must(t, b.Bucket("x").DeleteRange([]byte("l"), nil))
	must(t, b.Bucket("x").Delete([]byte("gone")))
	must(t, b.Put([]byte("k"), []byte("3")))
	for i := range 2 {
		db := inMemory(t)
		if i == 1 { // other ids
			must(t, db.Bucket("y").Put([]byte("z"), []byte("4")))
		}
		must(t, db.Bucket("x").Put([]byte("m"), nil))
		must(t, db.Apply(&b))
		equal(t, "x", contentsOf(t, db.Bucket("x")), "k=1")
		equal(t, "y", contentsOf(t, db.Bucket("y")), []string{"k=2", "k=2 z=4"}[i])
		equal(t, "outside", contentsOf(t, db), "k=3")
	}
}

func TestBatch_AppliedAfterADropBringsTheBucketBack(t *testing.T) {
	db := inMemory(t)
	must(t, db.Bucket("a").Put([]byte("old"), nil))
	b := db.NewBatch()
	must(t, b.Bucket("a").Put([]byte("k"), []byte("v")))
	must(t, b.Bucket("a").DeleteRange([]byte("x"), []byte("y")))
	for range 3 {
		must(t, db.Apply(b))
		must(t, db.DropBucket(t.Context(), "a"))
	}
	must(t, db.Apply(b))
	equal(t, "a", contentsOf(t, db.Bucket("a")), "k=v")
}

func TestBatch_OpsTellBuckets(t *testing.T) {
	var a, b tinykv.Batch
	must(t, a.Bucket("x").Put([]byte("1"), []byte("v")))
	must(t, a.Put([]byte("2"), []byte("v")))
	must(t, b.Bucket("y").Delete([]byte("3")))
	must(t, b.Bucket("x").DeleteRange([]byte("4"), nil))
	must(t, b.Bucket("y").DeleteRange([]byte("5"), []byte("6")))
	must(t, a.Append(&b))
	must(t, a.Append(&a))
	data, err := a.MarshalBinary()
	must(t, err)
	equal(t, "Size", len(data), a.Size())
	var c tinykv.Batch
	must(t, c.UnmarshalBinary(data))
	for _, batch := range []*tinykv.Batch{&a, &c} {
		var text []string
		for op := range batch.Ops() {
			text = append(text, fmt.Sprintf("%s/%s:%s-%s", op.Bucket, op.Key, op.Value, op.Upper))
		}
		half := "x/1:v- /2:v- y/3:- x/4:- y/5:-6"
		equal(t, "operations", strings.Join(text, " "), half+" "+half)
	}
	a.Reset()
	must(t, a.Bucket("z").Put(nil, nil))
	for op := range a.Ops() {
		equal(t, "after Reset", op.Bucket, "z")
	}
}

func TestBatch_UnmarshalRefusesMalformedNames(t *testing.T) {
	var b tinykv.Batch
	must(t, b.Bucket("first").Put([]byte("k"), []byte("v")))
	must(t, b.Bucket("second").Put([]byte("k"), []byte("v")))
	data, err := b.MarshalBinary()
	must(t, err)
	for n := range data {
		var c tinykv.Batch
		if err := c.UnmarshalBinary(data[:n]); !errors.Is(err, tinykv.ErrCorrupt) || c.Len() != 0 {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	for at := range data {
		for v := range 256 {
			changed := bytes.Clone(data)
			changed[at] = byte(v)
			var c tinykv.Batch
			if c.UnmarshalBinary(changed) == nil {
				again, err := c.MarshalBinary()
				must(t, err)
				if !bytes.Equal(again[8:], changed[8:]) {
					t.Fatalf("byte %d set to %d: % x became % x", at, v, changed, again)
				}
			}
		}
	}
	for what, change := range map[string]func(d []byte) []byte{
		"a name twice": func(d []byte) []byte { return bytes.Replace(d, []byte("\x06second"), []byte("\x05first"), 1) },
		"no name":      func(d []byte) []byte { return bytes.Replace(d, []byte("\x06second"), []byte("\x00"), 1) },
		"one too many": func(d []byte) []byte {
			return bytes.Replace(d, []byte("\x02\x05first"), []byte("\x03\x05first\x01x"), 1)
		},
		"too long": func(d []byte) []byte {
			return bytes.Replace(d, []byte("\x05first"), append([]byte{0x80, 2}, make([]byte, 256)...), 1)
		},
		"none whatever": func(d []byte) []byte { return bytes.Replace(d, []byte("\x02\x05first\x06second"), []byte("\x00"), 1) },
	} {
		var c tinykv.Batch
		if err := c.UnmarshalBinary(change(data)); !errors.Is(err, tinykv.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestBucket_BadInput(t *testing.T) {
	db := inMemory(t)
	s, err := db.NewSnapshot()
	must(t, err)
	defer s.Close()
	b := db.NewBatch()
	ctx := t.Context()
	scan := func(b *tinykv.Bucket) (err error) {
		for _, e := range b.Scan(tinykv.All()) {
			err = e
		}
		return err
	}
	reads := func(b *tinykv.Bucket) map[string]error {
		_, get := b.Get(nil)
		_, has := b.Has(nil)
		_, multi := b.GetMulti(nil)
		_, it := b.NewIter(tinykv.All())
		_, count := b.Count(ctx, tinykv.All())
		_, size := b.EstimateSize(tinykv.All())
		_, explain := b.Explain(nil)
		return map[string]error{
			"Get": get, "Has": has, "GetMulti": multi, "NewIter": it, "Count": count, "EstimateSize": size, "Explain": explain,
			"Peek": b.Peek(nil, func([]byte) error { return nil }), "PeekItem": b.PeekItem(nil, func(tinykv.Item) error { return nil }), "Scan": scan(b),
		}
	}
	conditions := func(b *tinykv.Bucket) map[string]error {
		_, put := b.PutIfAbsent(nil, nil)
		_, swap := b.CompareAndSwap(nil, nil, nil)
		_, del := b.CompareAndDelete(nil, nil)
		return map[string]error{"PutIfAbsent": put, "CompareAndSwap": swap, "CompareAndDelete": del}
	}
	writes := func(b *tinykv.Bucket) map[string]error {
		return map[string]error{"Put": b.Put(nil, nil), "Delete": b.Delete(nil), "DeleteRange": b.DeleteRange(nil, nil)}
	}
	invalid := func(what string, results map[string]error) {
		for call, err := range results {
			if !errors.Is(err, tinykv.ErrInvalidOption) {
				t.Errorf("%s: %s: %v", what, call, err)
			}
		}
	}
	invalid("read a batch", reads(b.Bucket("x")))
	invalid("condition in a batch", conditions(b.Bucket("x")))
	invalid("condition in a snapshot", conditions(s.Bucket("x")))
	invalid("write to a snapshot", writes(s.Bucket("x")))
	for _, name := range []string{"", strings.Repeat("x", 256)} {
		what := fmt.Sprintf("a name of %d bytes", len(name))
		for _, bucket := range []*tinykv.Bucket{db.Bucket(name), s.Bucket(name), b.Bucket(name)} {
			for _, calls := range []map[string]error{reads(bucket), conditions(bucket), writes(bucket)} {
				invalid(what, calls)
			}
		}
		invalid(what, map[string]error{"DropBucket": db.DropBucket(ctx, name)})
	}
	invalid("an option", map[string]error{
		"Put": b.Bucket("x").Put(nil, nil, tinykv.Sync), "DeleteRange": b.Bucket("x").DeleteRange(nil, nil, tinykv.Sync),
		"DropBucket": db.DropBucket(nil, "x"), //lint:ignore SA1012 that is what is tested
	})
	x := b.Bucket("x")
	equal(t, "inverted", errors.Is(x.DeleteRange([]byte("b"), []byte("a")), tinykv.ErrInvalidRange), true)
	equal(t, "too long", errors.Is(x.Put(make([]byte, 1<<16), nil), tinykv.ErrKeyTooLarge), true)
	equal(t, "batch", b.Len(), 0)
	must(t, db.Apply(b))
	equal(t, "names", bucketNames(t, db), "")
	ended, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("enough"))
	must(t, db.Bucket("x").Put(nil, nil))
	equal(t, "DropBucket", fmt.Sprint(db.DropBucket(ended, "x")), "enough")
	equal(t, "names", bucketNames(t, db), "x")

	must(t, db.Bucket("\xff\x00").Put([]byte("k"), nil))
	must(t, db.Bucket(strings.Repeat("y", 255)).Put([]byte("k"), nil))
	equal(t, "buckets", len(strings.Fields(bucketNames(t, db))), 3)

	must(t, s.Close())
	must(t, db.Close())
	_, err = db.Buckets()
	results := map[string]error{"Buckets": err, "DropBucket": db.DropBucket(ctx, "x"), "DropBucket of no name": db.DropBucket(ctx, "")}
	for _, name := range []string{"x", "none", ""} {
		for call, err := range reads(db.Bucket(name)) {
			results[call+" "+name] = err
		}
		for call, err := range writes(db.Bucket(name)) {
			results[call+" "+name] = err
		}
		for call, err := range conditions(db.Bucket(name)) {
			results[call+" "+name] = err
		}
	}
	for call, err := range results {
		if !errors.Is(err, tinykv.ErrClosed) {
			t.Errorf("closed: %s: %v", call, err)
		}
	}
}

// A batch with more in it than a memtable holds goes to a table with the ids of its buckets.
func TestBatch_LargeAcrossBuckets(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tinykv.Options{MemTableSize: 1 << 20})
	b := db.NewBatch()
	value := make([]byte, 100<<10)
	for i := range 40 {
		must(t, b.Bucket(fmt.Sprint(i%3)).Put(fmt.Append(nil, i), value))
	}
	must(t, b.Bucket("0").DeleteRange([]byte("3"), []byte("34")))
	for range 2 {
		must(t, db.Apply(b))
		count, err := db.Bucket("0").Count(t.Context(), tinykv.All())
		must(t, err)
		equal(t, "keys", count, 11)
		must(t, db.DropBucket(t.Context(), "0"))
	}
	done, err := db.Bucket("large").PutIfAbsent([]byte("k"), make([]byte, 2<<20))
	must(t, err)
	equal(t, "PutIfAbsent", done, true)
	done, err = db.Bucket("none").CompareAndSwap([]byte("k"), nil, make([]byte, 2<<20))
	must(t, err)
	equal(t, "CompareAndSwap", done, false)
	equal(t, "names", bucketNames(t, db), "1 2 large")
	must(t, db.Close())
}

func TestBucket_OneMoreThanThereAreIdsIsRefusedAndHarmsNothing(t *testing.T) {
	db := inMemory(t)
	must(t, db.SkipSpaces(1<<28-2))
	must(t, db.Bucket("last").Put([]byte("k"), []byte("v")))
	b := db.NewBatch()
	must(t, b.Put([]byte("k"), nil))
	must(t, b.Bucket("one more").Put([]byte("k"), nil))
	for what, err := range map[string]error{"Put": db.Bucket("one more").Put(nil, nil), "Apply": db.Apply(b)} {
		if err == nil || errors.Is(err, tinykv.ErrFailed) || !strings.Contains(err.Error(), "268435455 buckets") {
			t.Errorf("%s: %v", what, err)
		}
	}
	equal(t, "names", bucketNames(t, db), "last")
	equal(t, "outside", contentsOf(t, db), "")
	must(t, db.Bucket("last").Put([]byte("l"), []byte("w")))
	equal(t, "last", contentsOf(t, db.Bucket("last")), "k=v l=w")
}

// Writers that meet a drop write to the bucket before or after it: what they were told is written is there, or was there
// when the drop came.
func TestDropBucket_LosesNoWriteThatCameAfter(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tinykv.Options{MemTableSize: 1 << 20})
	const writers, rounds = 4, 60
	var begun, ended atomic.Int64 // drops
	for range rounds {
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				b := db.NewBatch()
				for i := range 20 {
					k := fmt.Appendf(nil, "%d %d", w, i)
					before := ended.Load()
					quiet := begun.Load() == before
					switch i % 3 {
					case 0:
						must(t, db.Bucket("b").Put(k, nil))
					case 1:
						b.Reset()
						must(t, b.Bucket("b").Put(k, nil))
						must(t, b.Bucket("c").Put(k, nil))
						must(t, db.Apply(b))
					case 2:
						_, err := db.Bucket("b").PutIfAbsent(k, nil)
						must(t, err)
					}
					has, err := db.Bucket("b").Has(k)
					must(t, err)
					if quiet && begun.Load() == before && !has {
						t.Errorf("%s is not there, although nothing was dropped meanwhile", k)
					}
				}
			})
		}
		begun.Add(1)
		err := db.DropBucket(t.Context(), "b")
		ended.Add(1)
		if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
			must(t, err)
		}
		wg.Wait()
		must(t, db.Bucket("b").Put([]byte("after"), nil))
		has, err := db.Bucket("b").Has([]byte("after"))
		must(t, err)
		equal(t, "after the drop", has, true)
	}
	want := bucketNames(t, db)
	equal(t, "names", want, "b c")
	must(t, db.Close())
}

func TestBucket_CallsMakeNoGarbage(t *testing.T) {
	db := inMemory(t)
	b := db.Bucket("b")
	k, v := []byte("key"), []byte("value")
	must(t, b.Put(k, v))
	dst := make([]byte, 0, 100)
	for what, call := range map[string]func() error{
		"GetTo": func() error { _, err := b.GetTo(dst, k); return err },
		"Put":   func() error { return b.Put(k, v) },
		"Has":   func() error { _, err := b.Has(k); return err },
	} {
		if n := testing.AllocsPerRun(200, func() { must(t, call()) }); n >= 1 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	batch := db.NewBatch()
	in := batch.Bucket("b")
	if n := testing.AllocsPerRun(200, func() {
		batch.Reset()
		must(t, in.Put(k, v))
		must(t, db.Apply(batch))
	}); n >= 1 {
		t.Errorf("Apply: %v allocations", n)
	}
}

func TestBuckets_TenThousand(t *testing.T) {
	fsys := vfs.NewMem()
	db := mustOpen(t, "/db", &tinykv.Options{FS: fsys})
	var want []string
	for i := range 10_000 {
		name := fmt.Sprintf("bucket %d", i)
		must(t, db.Bucket(name).Put([]byte("k"), []byte(name)))
		if i%3 == 0 {
			must(t, db.DropBucket(t.Context(), name))
			continue
		}
		want = append(want, name)
	}
	must(t, db.Close())
	db = mustOpen(t, "/db", &tinykv.Options{FS: fsys})
	got, err := db.Buckets()
	must(t, err)
	slices.Sort(want)
	equal(t, "the same names", slices.Equal(got, want), true)
	for _, name := range want {
		v, err := db.Bucket(name).Get([]byte("k"))
		must(t, err)
		equal(t, name, string(v), name)
	}
	must(t, db.Close())
}

// BenchmarkBucket shows what a bucket costs beside calls of the DB: its name is looked up, and its id has a byte.
func BenchmarkBucket(b *testing.B) {
	db := mustOpen(b, b.TempDir(), nil)
	defer db.Close()
	buckets := map[string]interface {
		Put(k, v []byte, opts ...tinykv.WriteOption) error
		GetTo(dst, k []byte) ([]byte, error)
	}{"without": db, "one": db.Bucket("one"), "of 10,000": db.Bucket("name 5000")}
	batch := db.NewBatch()
	for i := range 10_000 {
		must(b, batch.Bucket(fmt.Sprint("name ", i)).Put(nil, nil))
	}
	must(b, db.Apply(batch))
	for name, in := range buckets {
		k, v, dst := make([]byte, 8), make([]byte, 100), make([]byte, 0, 100)
		b.Run("put/"+name, func(b *testing.B) {
			for i := range b.N {
				binary.BigEndian.PutUint64(k, uint64(i%100_000))
				must(b, in.Put(k, v))
			}
		})
		b.Run("get/"+name, func(b *testing.B) {
			binary.BigEndian.PutUint64(k, 5)
			must(b, in.Put(k, v))
			for range b.N {
				_, err := in.GetTo(dst, k)
				must(b, err)
			}
		})
	}
	b.Run("make one", func(b *testing.B) {
		for i := range b.N {
			must(b, db.Bucket(fmt.Sprint("new ", i)).Put(nil, nil))
		}
	})
}
