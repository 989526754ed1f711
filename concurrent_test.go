package tinykv_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// parallel runs functions at the same time and waits for all of them.
func parallel(functions ...func()) {
	var running sync.WaitGroup
	for _, f := range functions {
		running.Go(f)
	}
	running.Wait()
}

// repeated returns n times the same function, each with its number.
func repeated(n int, f func(i int)) []func() {
	functions := make([]func(), n)
	for i := range functions {
		functions[i] = func() { f(i) }
	}
	return functions
}

func number(v []byte) uint64 {
	if len(v) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// Promise 4: a read sees every write that was acknowledged before it began, from any goroutine.
func TestConcurrent_ReadsSeeWhatWasAcknowledged(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tiny)
	const writers, writes = 4, 3000
	var acked [writers]atomic.Uint64
	var done atomic.Bool
	write := repeated(writers, func(w int) {
		k := fmt.Appendf(nil, "writer %d", w)
		for n := uint64(1); n <= writes; n++ {
			v := append(binary.BigEndian.AppendUint64(nil, n), make([]byte, 100)...)
			opt := tinykv.NoSync
			if n%500 == 0 {
				opt = tinykv.Sync
			}
			if err := db.Put(k, v, opt); err != nil {
				t.Error(err)
				return
			}
			acked[w].Store(n)
		}
	})
	read := repeated(3, func(int) {
		for !done.Load() {
			for w := range writers {
				least := acked[w].Load()
				v, err := db.Get(fmt.Appendf(nil, "writer %d", w))
				if err != nil && (least > 0 || !errors.Is(err, tinykv.ErrNotFound)) {
					t.Error(err)
					return
				}
				if got := number(v); got < least {
					t.Errorf("read %d after %d was acknowledged", got, least)
					return
				}
			}
		}
	})
	var writing sync.WaitGroup
	for _, f := range write {
		writing.Go(f)
	}
	go func() {
		writing.Wait()
		done.Store(true)
	}()
	parallel(read...)
	writing.Wait()
}

// A batch is seen whole or not at all: by snapshots, iterators and scans, while memtables and tables
// change below them.
func TestConcurrent_BatchesAreSeenWhole(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tiny)
	keys := []string{"a", "m", "z"}
	const batches = 2000
	var done atomic.Bool
	write := func() {
		defer done.Store(true)
		b := db.NewBatch()
		for n := uint64(1); n <= batches; n++ {
			b.Reset()
			size := 100
			if n%400 == 0 {
				size = 60 << 10 // a table of its own
			}
			for _, k := range keys {
				must(t, b.Put([]byte(k), append(binary.BigEndian.AppendUint64(nil, n), make([]byte, size)...)))
			}
			if err := db.Apply(b); err != nil {
				t.Error(err)
				return
			}
		}
	}
	read := func(r interface {
		enginetest.Scanner
		Get([]byte) ([]byte, error)
	},
	) {
		first := uint64(0)
		for item, err := range r.Scan(tinykv.All()) {
			if err != nil {
				t.Error(err)
				return
			}
			if n := number(item.Value); first == 0 {
				first = n
			} else if n != first {
				t.Errorf("a scan sees batch %d and batch %d", first, n)
			}
		}
		if s, ok := r.(*tinykv.Snapshot); ok {
			for _, k := range keys {
				v, err := s.Get([]byte(k))
				if err != nil && !errors.Is(err, tinykv.ErrNotFound) || number(v) != first {
					t.Errorf("a snapshot of batch %d sees batch %d, %v", first, number(v), err)
				}
			}
		}
	}
	parallel(write, func() {
		for !done.Load() {
			read(db)
		}
	}, func() {
		for !done.Load() {
			s, err := db.NewSnapshot()
			must(t, err)
			read(s)
			must(t, s.Close())
		}
	}, func() {
		for !done.Load() {
			if err := db.Compact(context.Background(), tinykv.All()); err != nil {
				t.Error(err)
			}
		}
	})
}

// Of many writers that compare and swap one counter, none loses an increment.
func TestConcurrent_CompareAndSwapLosesNothing(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tiny)
	k := []byte("counter")
	const writers, increments = 6, 300
	parallel(repeated(writers, func(int) {
		for n := 0; n < increments; {
			old, err := db.Get(k)
			next := binary.BigEndian.AppendUint64(nil, number(old)+1)
			var done bool
			if errors.Is(err, tinykv.ErrNotFound) {
				done, err = db.PutIfAbsent(k, next)
			} else if err == nil {
				done, err = db.CompareAndSwap(k, old, next)
			}
			if err != nil {
				t.Error(err)
				return
			}
			if done {
				n++
			}
		}
	})...)
	v, err := db.Get(k)
	must(t, err)
	if number(v) != writers*increments {
		t.Errorf("counter is %d, want %d", number(v), writers*increments)
	}
}

// Close may come at any moment: every call returns its answer or ErrClosed, and nothing hangs.
func TestConcurrent_CloseAtAnyMoment(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		db := mustOpen(t, t.TempDir(), &tiny)
		var calls atomic.Int64
		ok := func(err error) bool {
			calls.Add(1)
			if err != nil && !errors.Is(err, tinykv.ErrNotFound) && !errors.Is(err, tinykv.ErrClosed) {
				t.Errorf("round %d: %v", round, err)
			}
			return !errors.Is(err, tinykv.ErrClosed)
		}
		loop := func(call func(rng *rand.Rand) error) func() {
			return func() {
				rng := rand.New(rand.NewPCG(uint64(round), rand.Uint64()))
				for ok(call(rng)) {
				}
			}
		}
		key := func(rng *rand.Rand) []byte { return fmt.Appendf(nil, "%03d", rng.IntN(500)) }
		put := loop(func(rng *rand.Rand) error { return db.Put(key(rng), make([]byte, rng.IntN(2000))) })
		parallel(put, put,
			loop(func(rng *rand.Rand) error { return db.Put(key(rng), nil, tinykv.Sync) }),
			loop(func(rng *rand.Rand) error { _, err := db.Get(key(rng)); return err }),
			loop(func(*rand.Rand) error { _, err := enginetest.Collect(db.Scan(tinykv.All())); return err }),
			loop(func(rng *rand.Rand) error {
				b := db.NewBatch()
				for range 40 {
					must(t, b.Put(key(rng), make([]byte, rng.IntN(2000))))
				}
				return db.Apply(b)
			}),
			loop(func(*rand.Rand) error { return db.Flush(context.Background()) }),
			loop(func(*rand.Rand) error { return db.Compact(context.Background(), tinykv.All()) }),
			loop(func(rng *rand.Rand) error { _, err := db.PutIfAbsent(key(rng), nil); return err }),
			loop(func(*rand.Rand) error {
				s, err := db.NewSnapshot()
				if err != nil {
					return err
				}
				defer s.Close()
				it, err := s.NewIter(tinykv.All())
				if err != nil {
					return err
				}
				defer it.Close()
				for it.Next() {
				}
				return it.Err()
			}),
			loop(func(*rand.Rand) error { _ = db.Metrics().String(); return db.Sync() }),
			func() {
				for calls.Load() < int64(100+50*(round%8)) {
					runtime.Gosched()
				}
				parallel(func() { _ = db.Close() }, func() { _ = db.Close() })
			})
	}
}

// What iterators lend stays as it is while the store goes on, and after Close of the store the
// iterator's own Close gives the memory back.
func TestConcurrent_IteratorsKeepWhatTheyLent(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, &tiny)
	fill := func(round byte) {
		for n := range 2000 {
			must(t, db.Put(fmt.Appendf(nil, "%05d", n), bytes.Repeat([]byte{round}, 100)))
		}
	}
	fill(1)
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	if !it.First() {
		t.Fatal(it.Err())
	}
	lentKey, lentValue := it.Key(), it.Value()
	fill(2)
	must(t, db.Compact(context.Background(), tinykv.All()))
	n := 0
	for ok := it.Valid(); ok; ok = it.Next() {
		if !bytes.Equal(it.Value(), bytes.Repeat([]byte{1}, 100)) {
			t.Fatalf("%s: %x", it.Key(), it.Value())
		}
		n++
	}
	must(t, it.Err())
	if n != 2000 {
		t.Errorf("%d entries", n)
	}
	must(t, db.Close())
	if string(lentKey) != "00000" || lentValue[0] != 1 { // files are gone, memory is not
		t.Errorf("%s %x", lentKey, lentValue)
	}
	must(t, it.Close())
	if left := mappings(t, dir); left != "" {
		t.Errorf("still mapped:\n%s", left)
	}
	db = mustOpen(t, dir, &tiny)
	tables := 0
	for _, l := range db.Metrics().Levels {
		tables += l.Tables
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	if len(files) != tables {
		t.Errorf("%d table files, %d tables", len(files), tables)
	}
}

// mappings returns the mappings of files below a directory, where the system tells.
func mappings(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Log("no mappings to look at:", err)
		return ""
	}
	var found strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, dir) {
			found.WriteString(line)
		}
	}
	return found.String()
}

// waitForGoroutines waits until there are no more goroutines than wanted.
func waitForGoroutines(t *testing.T, what string, want int) {
	t.Helper()
	for i := 0; runtime.NumGoroutine() > want; i++ {
		runtime.Gosched()
		if i == 50_000_000 {
			buf := make([]byte, 1<<16)
			t.Fatalf("%s: %d goroutines, want %d:\n%s", what, runtime.NumGoroutine(), want, buf[:runtime.Stack(buf, true)])
		}
	}
}

// Promise 5: a store that nobody uses has no goroutines, and a closed one leaves nothing.
func TestConcurrent_IdleStoreHasNoGoroutines(t *testing.T) {
	dir := t.TempDir()
	settled := func(what string, want int) { waitForGoroutines(t, what, want) }
	before := runtime.NumGoroutine()
	db := mustOpen(t, dir, &tiny)
	settled("opened", before)
	for n := range 5000 {
		must(t, db.Put(fmt.Append(nil, n), make([]byte, 200)))
	}
	must(t, db.Flush(context.Background()))
	settled("written", before)
	must(t, db.Close())
	settled("closed", before)
	if left := mappings(t, dir); left != "" {
		t.Errorf("still mapped:\n%s", left)
	}
}

// What compactions replace stays mapped, and its file on the disk, as long as an iterator reads it; also a table that first stays
// in its level while others there are replaced.
func TestIterator_ReadsTablesThatCompactionsHaveReplaced(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, Compression: tinykv.CompressionNone})
	const keys = 5000
	key := func(n int) []byte { return fmt.Appendf(nil, "%05d", n) }
	fill := func(v string, from, to int) {
		for n := from; n < to; n++ {
			must(t, db.Put(key(n), bytes.Repeat([]byte(v), 100)))
		}
		must(t, db.Compact(context.Background(), tinykv.Between(key(from), key(to))))
	}
	fill("a", 0, keys)
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	ok := it.First() // in the lowest table, which is read in place from now on
	fill("b", keys/2, keys)
	fill("c", 0, keys/2)
	n := 0
	for ; ok; ok = it.Next() {
		if !bytes.Equal(it.Value(), bytes.Repeat([]byte("a"), 100)) {
			t.Fatalf("%s is %.10q", it.Key(), it.Value())
		}
		n++
	}
	if n != keys || it.Err() != nil {
		t.Errorf("%d keys, %v", n, it.Err())
	}
	must(t, errors.Join(it.Close(), db.Close()))
}
