package tinykv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
)

// filled returns a store with n keys, from "00000000" on, in tables of several levels, and its
// directory.
func filled(t *testing.T, n int) (*DB, string) {
	t.Helper()
	dir := t.TempDir()
	db, err := Open(dir, &Options{MemTableSize: 64 << 10, TableSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for i := range n {
		if err := db.Put(numbered(i), bytes.Repeat([]byte{'v'}, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	db.waitForCompactions()
	return db, dir
}

func numbered(i int) []byte { return fmt.Appendf(nil, "%08d", i) }

// keys counts what an iterator finds, in both directions.
func keys(t *testing.T, r interface {
	NewIter(Range) (*Iterator, error)
}, of Range,
) int {
	t.Helper()
	it, err := r.NewIter(of)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	n, back := 0, 0
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	for ok := it.Last(); ok; ok = it.Prev() {
		back++
	}
	if it.Err() != nil || n != back {
		t.Fatalf("%d keys forward, %d backward, %v", n, back, it.Err())
	}
	return n
}

// dropped waits until the flush and the dropping of tables that a range deletion has set off are done,
// and returns how many entries are left in tables.
func (db *DB) dropped() (entries uint64) {
	_ = db.waitUntil(context.Background(), func() (bool, error) { return len(db.state.Load().sealed) == 0, nil })
	db.waitForCompactions()
	for _, l := range db.Metrics().Levels {
		entries += l.Entries
	}
	return entries
}

func TestDeleteRange_ClearsAStoreWithoutReadingIt(t *testing.T) {
	db, dir := filled(t, 5000)
	read := db.Metrics().Levels
	if err := db.DeleteRange(nil, nil); err != nil {
		t.Fatal(err)
	}
	if n := keys(t, db, All()); n != 0 {
		t.Errorf("%d keys right after the call", n)
	}
	if n := db.dropped(); n != 0 {
		t.Errorf("%d entries are left in tables", n)
	}
	for i, l := range db.Metrics().Levels {
		if l.ReadBytes-read[i].ReadBytes > 1000 { // what holds the tombstone may be read, to drop it too
			t.Errorf("level %d: %d bytes were read", i, l.ReadBytes-read[i].ReadBytes)
		}
	}
	if err := db.Put([]byte("new"), nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if tables, _ := filepath.Glob(filepath.Join(dir, "*.sst")); len(tables) > 2 {
		t.Errorf("%d files are left", len(tables))
	}
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n := keys(t, db, All()); n != 1 {
		t.Errorf("%d keys after opening again, want the one put since", n)
	}
}

func TestDeleteRange_DropsTheTablesWithinAndLeavesTheRest(t *testing.T) {
	db, _ := filled(t, 5000)
	if err := db.DeleteRange(numbered(1000), numbered(4000)); err != nil {
		t.Fatal(err)
	}
	if n := db.dropped(); n < 2000 || n > 4000 {
		t.Errorf("%d entries are left in tables of some 600 keys", n)
	}
	if n := keys(t, db, All()); n != 2000 {
		t.Errorf("%d keys, want 2000", n)
	}
	if n := keys(t, db, Between(numbered(500), numbered(4500))); n != 1000 {
		t.Errorf("%d keys, want 1000", n)
	}
	for _, i := range []int{999, 1000, 3999, 4000} {
		if has, err := db.Has(numbered(i)); err != nil || has != (i < 1000 || i >= 4000) {
			t.Errorf("key %d: %v, %v", i, has, err)
		}
	}
}

func TestDeleteRange_ASnapshotKeepsWhatItSees(t *testing.T) {
	db, _ := filled(t, 3000)
	s, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteRange(nil, nil); err != nil {
		t.Fatal(err)
	}
	if n := db.dropped(); n < 3000 {
		t.Errorf("%d entries are left in tables", n)
	}
	if err := db.Compact(context.Background(), All()); err != nil {
		t.Fatal(err)
	}
	if n := keys(t, s, All()); n != 3000 {
		t.Errorf("the snapshot sees %d keys", n)
	}
	if n := keys(t, db, All()); n != 0 {
		t.Errorf("the store has %d keys", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(context.Background(), All()); err != nil {
		t.Fatal(err)
	}
	if n := db.dropped(); n != 0 {
		t.Errorf("%d entries are left in tables once the snapshot is gone", n)
	}
}

// While a snapshot holds what is deleted, every range deletion would end a memtable for nothing.
func TestDeleteRange_SealsNoMemtableThatDropsNothing(t *testing.T) {
	db, _ := filled(t, 3000)
	before := db.Metrics().Flushes
	s, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 50 {
		if err := db.DeleteRange(nil, numbered(2000+i)); err != nil {
			t.Fatal(err)
		}
	}
	db.dropped()
	if n := db.Metrics().Flushes - before; n > 0 {
		t.Errorf("%d flushes", n)
	}
	if n := keys(t, s, All()); n != 3000 {
		t.Errorf("the snapshot sees %d keys", n)
	}
}

func TestDeleteRange_TombstonesGoWhereNothingIsBelow(t *testing.T) {
	db, _ := filled(t, 1000)
	for i := range 100 {
		if err := db.DeleteRange(numbered(10*i), numbered(10*i+5)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Compact(context.Background(), All()); err != nil {
		t.Fatal(err)
	}
	for _, tables := range db.state.Load().tree.version.Levels {
		for _, m := range tables {
			if m.RangeDeletes > 0 {
				t.Errorf("table %d has %d range tombstones", m.Num, m.RangeDeletes)
			}
		}
	}
	if n := keys(t, db, All()); n != 500 {
		t.Errorf("%d keys, want 500", n)
	}
}

func TestDeleteRange_ManyOverlappingOnesAreFlushedInTime(t *testing.T) {
	db, _ := filled(t, 100)
	for i := range 10_000 {
		if err := db.DeleteRange(numbered(i), numbered(i+500)); err != nil {
			t.Fatal(err)
		}
		if err := db.Put(numbered(i), []byte("again")); err != nil {
			t.Fatal(err)
		}
	}
	if n := keys(t, db, All()); n != 10_000 {
		t.Errorf("%d keys, want 10000", n)
	}
}

// Where n range deletions all lie on each other, their fragments could hold n times n sequence numbers. Of
// one batch readers see all or none, so one number for each fragment is enough; of batches one after
// the other a memtable takes so many as it has room for.
func TestDeleteRange_CostsNoSquareOfHowManyOverlap(t *testing.T) {
	const n = 10_000
	nested := func(i int) ([]byte, []byte) { return numbered(i), numbered(3*n - i) }
	for _, c := range []struct {
		what string
		do   func(t *testing.T, db *DB)
	}{
		{"in one batch", func(t *testing.T, db *DB) {
			var b Batch
			for i := range n {
				lower, upper := nested(i)
				if err := b.DeleteRange(lower, upper); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Apply(&b); err != nil {
				t.Fatal(err)
			}
		}},
		{"in batches of 1000", func(t *testing.T, db *DB) {
			var b Batch
			for i := range n {
				lower, upper := nested(i)
				if err := b.DeleteRange(lower, upper); err != nil {
					t.Fatal(err)
				}
				if i%1000 == 999 {
					if err := db.Apply(&b); err != nil {
						t.Fatal(err)
					}
					b.Reset()
				}
			}
		}},
		{"one by one", func(t *testing.T, db *DB) {
			for i := range n {
				if err := db.DeleteRange(nested(i)); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		db, err := Open("/db", &Options{FS: vfs.NewMem(), MemTableSize: 16 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{n / 2, 3*n/2 + 1, 3 * n} {
			if err := db.Put(numbered(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.do(t, db)
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 300 { // the square would be 400 for each copy
			t.Errorf("%s: %d MB were allocated", c.what, mb)
		}
		if found := keys(t, db, All()); found != 1 {
			t.Errorf("%s: %d keys, want the one outside", c.what, found)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d MB", c.what, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

// Bounds may be longer than what a small memtable holds.
func TestDeleteRange_OfLongBoundsInASmallMemtable(t *testing.T) {
	db, _ := filled(t, 10)
	long := bytes.Repeat([]byte("x"), 65_000)
	for _, r := range []Range{{Lower: long}, {Lower: long, Upper: append(bytes.Clone(long), 'y')}, {Upper: long}} {
		if err := db.Put(long, []byte("v")); err != nil {
			t.Fatal(err)
		}
		if err := db.DeleteRange(r.Lower, r.Upper); err != nil {
			t.Fatal(err)
		}
	}
	if has, err := db.Has(long); err != nil || !has {
		t.Errorf("the bound itself, which the last range does not include: %v, %v", has, err)
	}
	if n := keys(t, db, All()); n != 1 {
		t.Errorf("%d keys, want the bound alone", n)
	}
}

// What looks for tables to drop must not bring back one that another job has just replaced. Jobs meet in
// that way now and then: hence the seeds.
func TestDeleteRange_LeavesNoHandleOfATableThatIsGone(t *testing.T) {
	for seed := range uint64(5) {
		leaveNoHandle(t, seed)
	}
}

func leaveNoHandle(t *testing.T, seed uint64) {
	t.Helper()
	db, err := Open("/db", &Options{FS: vfs.NewMem(), MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 256, MaxBackground: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range 30_000 {
		k := rng.IntN(5000)
		if i%100 == 0 {
			if err := db.DeleteRange(numbered(k), numbered(k+rng.IntN(600))); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Put(numbered(k), make([]byte, 150)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.waitForCompactions()
	db.mu.Lock()
	defer db.mu.Unlock()
	live := map[manifest.FileNum]bool{}
	for _, tables := range db.state.Load().tree.version.Levels {
		for _, m := range tables {
			live[m.Num] = true
		}
	}
	for num := range db.tables {
		if !live[num] {
			t.Errorf("seed %d: table %d is held, and not part of the tree", seed, num)
		}
	}
}

// Dropping whole tables is a help and no more: a table with tombstones that cannot be read must not keep
// others from being compacted, nor writers from writing.
func TestDeleteRange_ADamagedTableWithTombstonesHoldsUpNobody(t *testing.T) {
	db, dir := filled(t, 2000)
	snapshot, err := db.NewSnapshot() // so that the tombstone is kept
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteRange(numbered(100), numbered(110)); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context(), All()); err != nil {
		t.Fatal(err)
	}
	var path string
	for _, tables := range db.state.Load().tree.version.Levels {
		for _, m := range tables {
			if m.RangeDeletes > 0 {
				path = db.files.path(m.Num)
			}
		}
	}
	if err := errors.Join(db.Close(), snapshot.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-footerSlack] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(dir, &Options{MemTableSize: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 30_000 {
		if err := db.Put(fmt.Appendf(nil, "z%05d", i*7919%10_000), make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
	}
	if m := db.Metrics(); m.Compactions == 0 {
		t.Errorf("nothing was compacted:\n%v", m)
	}
}

// footerSlack is within the footer of a table, from its end.
const footerSlack = 100

func TestDeleteRange_BadInput(t *testing.T) {
	db, _ := filled(t, 10)
	long := make([]byte, maxKeyLen+1)
	for _, c := range []struct {
		what         string
		lower, upper []byte
		want         error
	}{
		{"inverted", []byte("b"), []byte("a"), ErrInvalidRange},
		{"long lower bound", long, nil, ErrKeyTooLarge},
		{"long upper bound", nil, long, ErrKeyTooLarge},
		{"nothing between the bounds", []byte("0"), []byte("0"), nil},
		{"nothing before the empty key", nil, []byte{}, nil},
	} {
		if err := db.DeleteRange(c.lower, c.upper); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		b := db.NewBatch()
		if err := b.DeleteRange(c.lower, c.upper); !errors.Is(err, c.want) || b.Len() != 0 {
			t.Errorf("%s: batch: %v and %d operations, want %v and none", c.what, err, b.Len(), c.want)
		}
	}
	if err := db.DeleteRange(nil, nil, WriteOption(99)); !errors.Is(err, ErrInvalidOption) {
		t.Error(err)
	}
	if n := keys(t, db, All()); n != 10 {
		t.Errorf("%d keys, want 10", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteRange(nil, nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestBatch_OpsTellRangeDeletions(t *testing.T) {
	b := &Batch{}
	for _, r := range []Range{{[]byte("a"), []byte("c")}, {}, {Lower: []byte("x")}, {Upper: []byte("k")}} {
		if err := b.DeleteRange(r.Lower, r.Upper); err != nil {
			t.Fatal(err)
		}
	}
	data, err := b.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	read := &Batch{}
	if err := read.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	for _, batch := range []*Batch{b, read} {
		var got string
		for op := range batch.Ops() {
			got += fmt.Sprintf("%v %v %q %q %v; ", op.Delete, op.Range, op.Key, op.Upper, op.Upper == nil)
		}
		const want = `true true "a" "c" false; true true "" "" true; true true "x" "" true; true true "" "k" false; `
		if got != want {
			t.Errorf("%s", got)
		}
	}
}

// BenchmarkClear times DeleteRange(nil, nil) on a store of a million keys, and a scan across a million
// keys deleted one by one, against one over as many that are there.
func BenchmarkClear(b *testing.B) {
	db := settledStore(b)
	scan := func(b *testing.B) {
		for b.Loop() {
			it, err := db.NewIter(All())
			if err != nil {
				b.Fatal(err)
			}
			for ok := it.First(); ok; ok = it.Next() {
			}
			_ = it.Close()
		}
	}
	b.Run("scan/live", scan)
	var k [16]byte
	for n := range uint64(benchEntries) {
		if err := db.Delete(benchKey(k[:], n)); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("scan/deleted", scan)
	b.Run("clear", func(b *testing.B) {
		for b.Loop() {
			if err := db.DeleteRange(nil, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("scan/cleared", scan)
}

func TestDropBucket_GivesTheSpaceOfWholeTablesBackAtOnce(t *testing.T) {
	db, _ := filled(t, 0)
	value := make([]byte, 1000)
	for _, name := range []string{"kept", "dropped", "kept too"} {
		for i := range 3000 {
			if err := db.Bucket(name).Put(numbered(i), value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Compact(t.Context(), All()); err != nil {
		t.Fatal(err)
	}
	if err := db.DropBucket(t.Context(), "dropped"); err != nil {
		t.Fatal(err)
	}
	if n := db.dropped(); n > 6500 { // the first and the last table have keys of others too
		t.Errorf("%d entries are left in tables", n)
	}
	for _, name := range []string{"kept", "kept too"} {
		if n, err := db.Bucket(name).Count(t.Context(), All()); n != 3000 || err != nil {
			t.Errorf("%s: %d keys, %v", name, n, err)
		}
	}
}
