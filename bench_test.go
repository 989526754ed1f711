package tinykv

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// benchEntries is the size of the store that the benchmarks of reads run on: about 116 MB.
const benchEntries = 1_000_000

// benchKey writes the key of entry n, 16 bytes that spread over the whole key space, in a fixed
// random order.
func benchKey(buf []byte, n uint64) []byte {
	n *= 0x9e3779b97f4a7c15 // odd: a permutation of the 64-bit numbers
	n ^= n >> 32
	binary.BigEndian.PutUint64(buf, n)
	binary.BigEndian.PutUint64(buf[8:], n*0xd6e8feb86659fd93)
	return buf[:16]
}

// settledStore returns a raw store of benchEntries entries with 100-byte values, fully compacted.
func settledStore(b *testing.B) *DB {
	b.Helper()
	db, err := Open(b.TempDir(), &Options{Compression: CompressionNone})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	var k [16]byte
	value := make([]byte, 100)
	for n := range uint64(benchEntries) {
		binary.LittleEndian.PutUint64(value, n)
		if err := db.Put(benchKey(k[:], n), value); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Compact(context.Background(), All()); err != nil {
		b.Fatal(err)
	}
	return db
}

func BenchmarkSettled(b *testing.B) {
	db := settledStore(b)
	b.Log("\n" + db.Metrics().String())
	dst := make([]byte, 0, 200)
	get := func(hit bool) func(b *testing.B) {
		return func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			var k [17]byte
			b.ReportAllocs()
			for b.Loop() {
				key := benchKey(k[:], rng.Uint64N(benchEntries))
				if !hit {
					key = append(key, '.')
				}
				if _, err := db.GetTo(dst[:0], key); (err == nil) != hit {
					b.Fatal(err)
				}
			}
		}
	}
	get(true)(b) // every block is verified on first touch
	b.Run("GetTo/hit", get(true))
	b.Run("GetTo/miss", get(false))
	b.Run("Peek/hit", func(b *testing.B) {
		rng := rand.New(rand.NewPCG(1, 2))
		var k [16]byte
		sum := 0
		fn := func(v []byte) error { sum += int(v[0]); return nil }
		b.ReportAllocs()
		for b.Loop() {
			if err := db.Peek(benchKey(k[:], rng.Uint64N(benchEntries)), fn); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Parallel/hit", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			rng := rand.New(rand.NewPCG(rand.Uint64(), 2))
			var k [16]byte
			dst := make([]byte, 0, 200)
			for pb.Next() {
				if _, err := db.GetTo(dst[:0], benchKey(k[:], rng.Uint64N(benchEntries))); err != nil {
					b.Error(err)
				}
			}
		})
	})
	benchMulti(b, db)
	scan := func(b *testing.B, start, move func(*Iterator) bool) {
		it, err := db.NewIter(All())
		if err != nil {
			b.Fatal(err)
		}
		defer it.Close()
		sum := 0
		b.ReportAllocs()
		for b.Loop() {
			if !move(it) && !start(it) {
				b.Fatal(it.Err())
			}
			sum += len(it.Key()) + len(it.Value())
		}
	}
	b.Run("Next", func(b *testing.B) { scan(b, (*Iterator).First, (*Iterator).Next) })
	b.Run("Prev", func(b *testing.B) { scan(b, (*Iterator).Last, (*Iterator).Prev) })
	b.Run("SeekGE", func(b *testing.B) {
		it, err := db.NewIter(All())
		if err != nil {
			b.Fatal(err)
		}
		defer it.Close()
		rng := rand.New(rand.NewPCG(1, 2))
		var k [16]byte
		for b.Loop() {
			if !it.SeekGE(benchKey(k[:], rng.Uint64N(benchEntries))) {
				b.Fatal(it.Err())
			}
		}
	})
}

// benchMulti reads 100 keys at random, at once and one after the other.
func benchMulti(b *testing.B, db *DB) {
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([][]byte, 100)
	draw := func() {
		for i := range keys {
			keys[i] = benchKey(make([]byte, 16), rng.Uint64N(benchEntries))
		}
	}
	run := func(name string, read func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				draw()
				b.StartTimer()
				read()
			}
		})
	}
	run("GetMulti/100", func() {
		if _, err := db.GetMulti(keys...); err != nil {
			b.Fatal(err)
		}
	})
	run("GetMulti/loop of 100 Get", func() {
		for _, k := range keys {
			if _, err := db.Get(k); err != nil && err != ErrNotFound {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLayered reads a store as writing leaves it: a memtable in use, and several levels.
func BenchmarkLayered(b *testing.B) {
	db, err := Open(b.TempDir(), &Options{Compression: CompressionNone})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	var k [16]byte
	value := make([]byte, 100)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2 * benchEntries {
		if err := db.Put(benchKey(k[:], rng.Uint64N(benchEntries)), value); err != nil {
			b.Fatal(err)
		}
	}
	db.waitForCompactions()
	b.Log("\n" + db.Metrics().String())
	b.Run("GetTo", func(b *testing.B) {
		dst := make([]byte, 0, 200)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.GetTo(dst[:0], benchKey(k[:], rng.Uint64N(benchEntries))); err != nil && err != ErrNotFound {
				b.Fatal(err)
			}
		}
	})
	b.Run("SeekGE", func(b *testing.B) {
		it, err := db.NewIter(All())
		if err != nil {
			b.Fatal(err)
		}
		defer it.Close()
		b.ReportAllocs()
		for b.Loop() {
			it.SeekGE(benchKey(k[:], rng.Uint64N(benchEntries)))
		}
	})
	benchMulti(b, db)
	b.Run("NewIter+SeekGE", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			it, err := db.NewIter(All())
			if err != nil {
				b.Fatal(err)
			}
			it.SeekGE(benchKey(k[:], rng.Uint64N(benchEntries)))
			if err := it.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Next", func(b *testing.B) {
		it, err := db.NewIter(All())
		if err != nil {
			b.Fatal(err)
		}
		defer it.Close()
		for b.Loop() {
			if !it.Next() {
				it.First()
			}
		}
	})
	b.Run("Prev", func(b *testing.B) {
		it, err := db.NewIter(All())
		if err != nil {
			b.Fatal(err)
		}
		defer it.Close()
		for b.Loop() {
			if !it.Prev() {
				it.Last()
			}
		}
	})
}

// Several writers should do about as much as one.
func BenchmarkWriters(b *testing.B) {
	for _, writers := range []int{1, 2, 8} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			db, err := Open(b.TempDir(), &Options{MemTableSize: 64 << 20})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			var running sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				running.Go(func() { benchPuts(b, db, w, writers) })
			}
			running.Wait()
		})
	}
}

// benchPuts writes each of so many keys that is this writer's.
func benchPuts(b *testing.B, db *DB, writer, writers int) {
	var k [16]byte
	value := make([]byte, 100)
	for n := writer; n < b.N; n += writers {
		if err := db.Put(benchKey(k[:], uint64(n)), value); err != nil {
			b.Error(err)
			return
		}
	}
}

func BenchmarkPut(b *testing.B) {
	for _, order := range []string{"random", "ascending"} {
		b.Run(order, func(b *testing.B) {
			db, err := Open(b.TempDir(), &Options{Compression: CompressionNone})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			var k [16]byte
			value := make([]byte, 100)
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				key := benchKey(k[:], n)
				if order == "ascending" {
					binary.BigEndian.PutUint64(k[:], n)
				}
				if err := db.Put(key, value); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.Log("\n" + db.Metrics().String())
		})
	}
}
