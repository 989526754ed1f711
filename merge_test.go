package tinykv_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
)

// openMerging opens a store in memory that appends.
func openMerging(t testing.TB, change func(*tinykv.Options)) *tinykv.DB {
	t.Helper()
	o := &tinykv.Options{FS: vfs.NewMem(), MergeOperator: tinykv.MergeAppend, MemTableSize: 64 << 10, TableSize: 32 << 10}
	if change != nil {
		change(o)
	}
	db := mustOpen(t, "/store", o)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// wantValue compares what every way to read a key gives; absent is "-".
func wantValue(t *testing.T, db *tinykv.DB, k, want string) {
	t.Helper()
	got := map[string]string{}
	note := func(way string, v []byte, err error) {
		switch {
		case errors.Is(err, tinykv.ErrNotFound):
			got[way] = "-"
		case err != nil:
			got[way] = err.Error()
		default:
			got[way] = string(v)
		}
	}
	v, err := db.Get([]byte(k))
	note("Get", v, err)
	v, err = db.GetTo([]byte("x"), []byte(k))
	note("GetTo", bytes.TrimPrefix(v, []byte("x")), err)
	err = db.Peek([]byte(k), func(value []byte) error { v = bytes.Clone(value); return nil })
	note("Peek", v, err)
	err = db.PeekItem([]byte(k), func(it tinykv.Item) error { v = bytes.Clone(it.Value); return nil })
	note("PeekItem", v, err)
	all, err := db.GetMulti([]byte("0"), []byte(k), []byte(k))
	must(t, err)
	if all[1] == nil {
		note("GetMulti", nil, tinykv.ErrNotFound)
	} else {
		note("GetMulti", all[1], nil)
	}
	if has, err := db.Has([]byte(k)); has != (want != "-") || err != nil {
		t.Errorf("Has(%s) = %v, %v", k, has, err)
	}
	one := tinykv.Between([]byte(k), append([]byte(k), 0))
	for name, opts := range map[string][]tinykv.ScanOption{"Scan": nil, "Scan backward": {tinykv.Reverse}} {
		note(name, nil, tinykv.ErrNotFound)
		for item, err := range db.Scan(one, opts...) {
			note(name, item.Value, err)
		}
	}
	e, err := db.Explain([]byte(k))
	must(t, err)
	if e.Found != (want != "-") || e.Found && e.ValueBytes != len(want) {
		t.Errorf("Explain(%s): %+v", k, e)
	}
	for way, v := range got {
		if v != want {
			t.Errorf("%s(%s) = %q, want %q", way, k, v, want)
		}
	}
}

func merge(t testing.TB, db *tinykv.DB, k string, operands ...string) {
	t.Helper()
	for _, o := range operands {
		must(t, db.Merge([]byte(k), []byte(o)))
	}
}

func TestMerge_FollowsWhatTheKeyHas(t *testing.T) {
	long := strings.Repeat("long", 100)
	for _, flush := range []string{"", "before", "between", "after", "all", "compact"} {
		t.Run("flush "+flush, func(t *testing.T) {
			db := openMerging(t, nil)
			sync := func(when ...string) {
				for _, w := range when {
					if w == flush || flush == "all" {
						must(t, db.Flush(t.Context()))
					}
				}
			}
			put := func(k, v string) { t.Helper(); must(t, db.Put([]byte(k), []byte(v))) }
			for _, k := range []string{"b", "e", "f", "h"} {
				put(k, k+"=")
			}
			sync("before")
			must(t, db.Delete([]byte("e")))
			must(t, db.DeleteRange([]byte("f"), []byte("g")))
			sync("between")
			for _, k := range []string{"a", "b", "e", "f"} {
				merge(t, db, k, "1")
				sync("between")
				merge(t, db, k, "2", "3")
			}
			merge(t, db, "h", long, "1", "", long, "2")
			merge(t, db, "i", "")
			sync("after")
			if flush == "compact" {
				must(t, db.Compact(t.Context(), tinykv.All()))
			}
			wantValue(t, db, "a", "123")
			wantValue(t, db, "b", "b=123")
			wantValue(t, db, "e", "123")
			wantValue(t, db, "f", "123")
			wantValue(t, db, "g", "-")
			wantValue(t, db, "h", "h="+long+"1"+long+"2")
			wantValue(t, db, "i", "")
			put("a", "new")
			merge(t, db, "a", "4")
			must(t, db.Delete([]byte("b")))
			wantValue(t, db, "a", "new4")
			wantValue(t, db, "b", "-")
		})
	}
}

// A counter that is merged with again and again is one entry when it is read, in a memtable already.
func TestMerge_HotCounterIsReadAtOnce(t *testing.T) {
	for _, based := range []bool{false, true} {
		db := openMerging(t, func(o *tinykv.Options) { o.MergeOperator, o.MemTableSize = tinykv.MergeAddInt64, 8<<20 })
		k := []byte("hits")
		if based {
			must(t, db.Put(k, tinykv.EncodeInt64(1000)))
			must(t, db.Flush(t.Context()))
		}
		const n = 20_000
		for range n {
			must(t, db.Merge(k, tinykv.EncodeInt64(1)))
		}
		want := int64(n)
		if based {
			want += 1000
		}
		calls := testing.AllocsPerRun(10, func() {
			v, err := db.Get(k)
			if got, ok := tinykv.DecodeInt64(v); err != nil || !ok || got != want {
				t.Fatalf("%d, %v; want %d", got, err, want)
			}
		})
		if calls > 20 { // not one for each operand
			t.Errorf("reading the counter takes %v allocations", calls)
		}
	}
}

func TestMerge_IteratorsGoBothWaysOverOperands(t *testing.T) {
	for _, flush := range []bool{false, true} {
		db := openMerging(t, nil)
		merge(t, db, "b", "1")
		merge(t, db, "c", "x")
		must(t, db.Put([]byte("d"), []byte("d")))
		if flush {
			must(t, db.Flush(t.Context()))
		}
		long := strings.Repeat("y", 300)
		merge(t, db, "a", "0", long)
		merge(t, db, "b", "2", long, "3")
		merge(t, db, "d", long, "4")
		it, err := db.NewIter(tinykv.All())
		must(t, err)
		merge(t, db, "a", "later")
		merge(t, db, "bb", "later")
		merge(t, db, "d", "later")
		want := []string{"a=0" + long, "b=12" + long + "3", "c=x", "d=d" + long + "4"}
		at := func() string { return string(it.Key()) + "=" + string(it.Value()) }
		rng := rand.New(rand.NewPCG(1, 1))
		pos := -1
		for range 2000 {
			var ok bool
			switch rng.IntN(4) {
			case 0:
				ok, pos = it.Next(), pos+1
			case 1:
				ok, pos = it.Prev(), pos-1
			case 2:
				pos = rng.IntN(4)
				ok = it.SeekGE([]byte{byte('a' + pos)})
			case 3:
				pos = rng.IntN(4)
				ok = it.SeekLT([]byte{byte('a' + pos), 0})
			}
			if pos < 0 || pos > 3 {
				if ok {
					t.Fatalf("at %s, want the end", at())
				}
				pos = 0
				if !it.First() {
					t.Fatal(it.Err())
				}
			}
			if at() != want[pos] {
				t.Fatalf("at %.20s, want %.20s", at(), want[pos])
			}
		}
		must(t, it.Close())
	}
}

func TestMerge_BuiltInOperatorsDoWhatTheySay(t *testing.T) {
	n := tinykv.EncodeInt64
	for _, c := range []struct {
		op       tinykv.MergeOperator
		operands [][]byte
		want     []byte
	}{
		{tinykv.MergeAddInt64, [][]byte{n(5)}, n(5)},
		{tinykv.MergeAddInt64, [][]byte{n(5), n(-7), n(1 << 40)}, n(1<<40 - 2)},
		{tinykv.MergeAddInt64, [][]byte{n(-1 << 63), n(-1)}, n(1<<63 - 1)},
		{tinykv.MergeAppend, [][]byte{[]byte("a"), nil, []byte("b")}, []byte("ab")},
		{tinykv.MergeMax, [][]byte{[]byte("b"), []byte("a"), []byte("bb"), []byte("b")}, []byte("bb")},
		{tinykv.MergeMax, [][]byte{nil, []byte("a"), nil}, []byte("a")},
	} {
		for split := range len(c.operands) + 1 { // some of them as the value, some in one batch
			db := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = c.op })
			b := db.NewBatch()
			for i, operand := range c.operands {
				if i < split {
					must(t, db.Merge([]byte("k"), operand))
				} else {
					must(t, b.Merge([]byte("k"), operand))
				}
			}
			must(t, db.Flush(t.Context()))
			must(t, db.Apply(b))
			wantValue(t, db, "k", string(c.want))
		}
	}
}

func TestMerge_ValueOfAnotherShapeCountsAsAbsent(t *testing.T) {
	db := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = tinykv.MergeAddInt64 })
	must(t, db.Put([]byte("k"), []byte("no number")))
	must(t, db.Merge([]byte("k"), tinykv.EncodeInt64(3)))
	wantValue(t, db, "k", string(tinykv.EncodeInt64(3)))
}

func TestMerge_WhatDoesNotApplyIsRefusedAndChangesNothing(t *testing.T) {
	none := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = nil })
	add := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = tinykv.MergeAddInt64 })
	short := none.NewBatch()
	must(t, short.Put([]byte("k"), nil))
	must(t, short.Merge([]byte("k"), []byte("short")))
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"no operator", none.Merge([]byte("k"), []byte("x")), tinykv.ErrInvalidOption},
		{"no operator, batch", none.Apply(short), tinykv.ErrInvalidOption},
		{"operand", add.Merge([]byte("k"), []byte("short")), tinykv.ErrInvalidOperand},
		{"operand in a batch", add.Apply(short), tinykv.ErrInvalidOperand},
		{"long key", add.Merge(make([]byte, 1<<16), tinykv.EncodeInt64(1)), tinykv.ErrKeyTooLarge},
		{"expiry", add.Merge([]byte("k"), tinykv.EncodeInt64(1), tinykv.WriteOption(1<<63|1)), tinykv.ErrInvalidOption},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	wantValue(t, none, "k", "-")
	wantValue(t, add, "k", "-")
}

// reverse is an operator of the user's own: the newest operand comes first.
type reverse struct{ name string }

func (r reverse) Name() string { return r.name }

func (r reverse) Merge(older, newer []byte) []byte { return append(bytes.Clone(newer), older...) }

func TestMerge_OperatorIsTheStoresForEver(t *testing.T) {
	fsys := vfs.NewMem()
	open := func(op tinykv.MergeOperator, readOnly bool) (*tinykv.DB, error) {
		return tinykv.Open("/store", &tinykv.Options{FS: fsys, MergeOperator: op, ReadOnly: readOnly})
	}
	var operators []tinykv.MergeOperator // of the openings of one store, nil first
	for _, own := range []tinykv.MergeOperator{tinykv.MergeMax, reverse{"test.reverse"}} {
		fsys = vfs.NewMem()
		operators = []tinykv.MergeOperator{nil, own}
		for _, op := range operators { // a store may get one later
			db, err := open(op, false)
			must(t, err)
			must(t, db.Put([]byte("a"), []byte("1")))
			must(t, db.Close())
		}
		for _, readOnly := range []bool{false, true} {
			for _, other := range []tinykv.MergeOperator{tinykv.MergeAppend, reverse{"test.other"}} {
				_, err := open(other, readOnly)
				if !errors.Is(err, tinykv.ErrInvalidOption) || !strings.Contains(err.Error(), own.Name()) || !strings.Contains(err.Error(), other.Name()) {
					t.Errorf("opened with %s: %v", other.Name(), err)
				}
			}
			db, err := open(nil, readOnly)
			if _, builtIn := own.(tinykv.BuiltinMerge); !builtIn {
				if !errors.Is(err, tinykv.ErrInvalidOption) || !strings.Contains(err.Error(), own.Name()) {
					t.Errorf("opened without: %v", err)
				}
				continue
			}
			must(t, err)
			if !readOnly {
				must(t, db.Merge([]byte("a"), []byte("2")))
			}
			wantValue(t, db, "a", "2")
			must(t, db.Close())
		}
	}
	db, err := open(reverse{"test.reverse"}, false)
	must(t, err)
	merge(t, db, "a", "2", "3")
	wantValue(t, db, "a", "321")
	must(t, db.Close())
}

func TestMerge_NamesOfOperatorsAreChecked(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("n", 256), "tinykv.append"} {
		if _, err := tinykv.Open("/store", &tinykv.Options{FS: vfs.NewMem(), MergeOperator: reverse{name}}); !errors.Is(err, tinykv.ErrInvalidOption) {
			t.Errorf("name %.20q: %v", name, err)
		}
	}
	if _, err := tinykv.Open("/store", &tinykv.Options{FS: vfs.NewMem(), MergeOperator: tinykv.BuiltinMerge(9)}); !errors.Is(err, tinykv.ErrInvalidOption) {
		t.Errorf("unknown built-in operator: %v", err)
	}
}

// fragile panics when it meets a bomb.
type fragile struct{}

func (fragile) Name() string { return "test.fragile" }

func (fragile) Merge(older, newer []byte) []byte {
	if bytes.Contains(older, []byte("bomb")) || bytes.Contains(newer, []byte("bomb")) {
		panic("boom")
	}
	return append(older, newer...)
}

func TestMerge_OperatorThatPanicsLosesNothing(t *testing.T) {
	fsys := vfs.NewMem()
	o := &tinykv.Options{FS: fsys, MergeOperator: fragile{}}
	db := mustOpen(t, "/store", o)
	must(t, db.Put([]byte("a"), []byte("1")))
	merge(t, db, "a", "2", "bomb", "3")
	merge(t, db, "b", "4")
	for range 2 {
		if _, err := db.Get([]byte("a")); err == nil || !strings.Contains(err.Error(), "test.fragile") || !strings.Contains(err.Error(), "boom") {
			t.Errorf("read: %v", err)
		}
		if _, err := enginetest.Collect(db.Scan(tinykv.All())); err == nil || !strings.Contains(err.Error(), "key a ") {
			t.Errorf("a scan that ends at a key does not say at which: %v", err)
		}
		it, err := db.NewIter(tinykv.All())
		must(t, err)
		if it.First() || it.Err() == nil {
			t.Errorf("iterator: %v", it.Err())
		}
		if !it.SeekGE([]byte("b")) || string(it.Value()) != "4" {
			t.Errorf("iterator past the key: %v", it.Err())
		}
		must(t, it.Close())
		must(t, db.Compact(t.Context(), tinykv.All()))
		must(t, db.Close())
		db = mustOpen(t, "/store", o)
	}
	must(t, db.Put([]byte("a"), []byte("fine")))
	wantValue(t, db, "a", "fine")
	must(t, db.Close())
}

// appending does as MergeAppend, but what it returns lies now here, now there.
type appending struct{}

func (appending) Name() string { return "test.appending" }

func (appending) Merge(older, newer []byte) []byte {
	switch {
	case len(older) == 0:
		return newer
	case len(newer) == 0:
		return older
	case older[0]%2 == 0:
		return append(older, newer...)
	default:
		return append(bytes.Clone(older), newer...)
	}
}

// lastWins returns what it was given: newer, or a slice that it keeps.
type lastWins struct{ none []byte }

func (*lastWins) Name() string { return "test.last" }

func (l *lastWins) Merge(_, newer []byte) []byte {
	if len(newer) == 0 {
		return l.none
	}
	return newer
}

// What an operator returns is never written to: neither an operand, wherever that lies, nor what the operator keeps.
func TestMerge_OperatorMayReturnWhatItWasGivenOrKeeps(t *testing.T) {
	op := &lastWins{none: []byte("none")}
	db := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = op })
	const keys = 20
	b := db.NewBatch()
	for round := range 3 {
		for n := range keys {
			k := fmt.Sprintf("%02d", n)
			must(t, b.Merge([]byte(k), fmt.Appendf(nil, "of %d in %s", round, k)))
		}
	}
	must(t, b.Merge([]byte("empty"), []byte("something")))
	must(t, b.Merge([]byte("empty"), nil))
	before, err := b.MarshalBinary()
	must(t, err)
	want := func(round string) {
		t.Helper()
		for _, way := range [][]tinykv.ScanOption{nil, {tinykv.Reverse}} {
			items, err := enginetest.Collect(db.Scan(tinykv.Between(nil, []byte("a")), way...))
			must(t, err)
			for _, item := range items {
				if want := fmt.Sprintf("of %s in %s", round, item.Key); string(item.Value) != want || len(items) != keys {
					t.Errorf("%s of %d is %q, want %q", item.Key, len(items), item.Value, want)
				}
			}
		}
		for n := range keys {
			k := fmt.Sprintf("%02d", n)
			wantValue(t, db, k, fmt.Sprintf("of %s in %s", round, k))
		}
	}
	for range 2 {
		must(t, db.Apply(b))
		want("2")
		must(t, db.Flush(t.Context()))
		want("2")
		for n := range keys {
			k := fmt.Sprintf("%02d", n)
			merge(t, db, k, "of 7 in "+k, "of 8 in "+k)
		}
		want("8")
		must(t, db.Flush(t.Context()))
		must(t, db.Apply(b)) // operands above a table
		want("2")
		must(t, db.Compact(t.Context(), tinykv.All()))
		want("2")
	}
	wantValue(t, db, "empty", "none")
	if after, err := b.MarshalBinary(); !bytes.Equal(before, after) || err != nil {
		t.Error("the batch was written to")
	}
	if string(op.none) != "none" {
		t.Errorf("what the operator keeps was written to: %q", op.none)
	}
}

func TestMerge_SnapshotsSeeWhatWasMergedThen(t *testing.T) {
	db := openMerging(t, nil)
	var snapshots []*tinykv.Snapshot
	want := ""
	var wants []string
	for i := range 30 {
		operand := fmt.Sprint(i, ",")
		if i%7 == 0 {
			operand = strings.Repeat(operand, 100)
		}
		merge(t, db, "k", operand)
		want += operand
		if i%3 == 0 {
			s, err := db.NewSnapshot()
			must(t, err)
			snapshots, wants = append(snapshots, s), append(wants, want)
		}
		if i == 20 {
			must(t, db.Flush(t.Context()))
		}
	}
	for range 2 {
		for i, s := range snapshots {
			if v, err := s.Get([]byte("k")); err != nil || string(v) != wants[i] {
				t.Errorf("snapshot %d: %q, want %q, %v", i, v, wants[i], err)
			}
		}
		must(t, db.Compact(t.Context(), tinykv.All()))
	}
	for _, s := range snapshots {
		must(t, s.Close())
	}
}

// Counters are exact whoever merges when, and whatever becomes of the memtables meanwhile.
func TestMerge_CountersOfManyWritersAreExact(t *testing.T) {
	db := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = tinykv.MergeAddInt64 })
	const writers, each, keys = 8, 2000, 5
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				k := []byte{byte('a' + (i+w)%keys)}
				if i%10 == 0 {
					b := db.NewBatch()
					must(t, b.Merge(k, tinykv.EncodeInt64(1)))
					must(t, b.Put(fmt.Appendf(nil, "%d/%d", w, i), make([]byte, 300)))
					must(t, db.Apply(b))
					continue
				}
				must(t, db.Merge(k, tinykv.EncodeInt64(1)))
			}
		})
	}
	all.Wait()
	sum := int64(0)
	for k := range keys {
		v, err := db.Get([]byte{byte('a' + k)})
		must(t, err)
		n, _ := tinykv.DecodeInt64(v)
		sum += n
	}
	if sum != writers*each {
		t.Errorf("%d, want %d", sum, writers*each)
	}
}

func TestMerge_LargeBatchesPutTheirOperandsTogether(t *testing.T) {
	db := openMerging(t, nil)
	must(t, db.Put([]byte("k2"), []byte("=")))
	merge(t, db, "k3", "a")
	b := db.NewBatch()
	must(t, b.Merge([]byte("k1"), []byte("1")))
	must(t, b.Merge([]byte("k2"), []byte("1")))
	must(t, b.Merge([]byte("k4"), []byte("gone")))
	must(t, b.DeleteRange([]byte("k4"), []byte("k5")))
	for i := range 1000 {
		must(t, b.Put(fmt.Appendf(nil, "x%d", i), make([]byte, 200)))
	}
	for _, k := range []string{"k1", "k2", "k3", "k4"} {
		must(t, b.Merge([]byte(k), []byte("2")))
		must(t, b.Merge([]byte(k), []byte("3")))
	}
	must(t, db.Apply(b))
	for range 2 {
		wantValue(t, db, "k1", "123")
		wantValue(t, db, "k2", "=123")
		wantValue(t, db, "k3", "a23")
		wantValue(t, db, "k4", "23")
		must(t, db.Compact(t.Context(), tinykv.All()))
	}
}

func TestBatch_OpsAndEncodingKeepMerges(t *testing.T) {
	var b, again, both tinykv.Batch
	must(t, b.Merge([]byte("k"), []byte("operand")))
	must(t, b.Put([]byte("k"), []byte("v")))
	data, err := b.MarshalBinary()
	must(t, err)
	must(t, again.UnmarshalBinary(data))
	must(t, both.Append(&again))
	for op := range both.Ops() {
		if op.Merge != (string(op.Value) == "operand") || op.Delete {
			t.Errorf("%+v", op)
		}
	}
	db := openMerging(t, func(o *tinykv.Options) { o.MergeOperator = nil })
	if err := db.Apply(&both); !errors.Is(err, tinykv.ErrInvalidOption) {
		t.Errorf("merges are forgotten on the way: %v", err)
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, keys := range []uint64{1, 1_000_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			db := mustOpen(b, b.TempDir(), &tinykv.Options{MergeOperator: tinykv.MergeAddInt64})
			defer db.Close()
			one := tinykv.EncodeInt64(1)
			var k [8]byte
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n = n*6364136223846793005 + 1442695040888963407
				v := n >> 33 % keys
				for i := range k {
					k[i] = byte(v >> (8 * i))
				}
				if err := db.Merge(k[:], one); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
