package tinykv_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/tinykv/tinykv"
)

const compressedKeys = 4000

func compressedKey(n int) []byte { return fmt.Appendf(nil, "key%05d", n) }

// shrinking returns a value that compresses to a quarter or so, random one that does not compress.
func shrinking(n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%08x", n*int(int32(0x1e3779b1))), 12)
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	v := make([]byte, 96)
	for i := range v {
		v[i] = byte(rng.Uint32())
	}
	return v
}

// compressedStore returns a compacted store of compressedKeys keys, written in ascending order, so that
// tables could go down by moves alone.
func compressedStore(t testing.TB, dir string, o tinykv.Options, value func(n int) []byte) *tinykv.DB {
	t.Helper()
	o.MemTableSize, o.TableSize = 128<<10, 64<<10
	db, err := tinykv.Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	for n := range compressedKeys {
		if err := db.Put(compressedKey(n), value(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Compact(context.Background(), tinykv.All()); err != nil {
		t.Fatal(err)
	}
	return db
}

// stored returns the bytes of the tables for each byte of keys and values.
func stored(m *tinykv.Metrics) float64 {
	var bytes, data int64
	for _, l := range m.Levels {
		bytes, data = bytes+l.Bytes, data+l.DataBytes
	}
	return float64(bytes) / float64(data)
}

func TestCompression_StoresLessAsOptionsSay(t *testing.T) {
	for _, c := range []struct {
		name        string
		compression tinykv.Compression
		value       func(n int) []byte
		least, most float64
	}{
		{"default", tinykv.CompressionDefault, shrinking, 0.2, 0.6},
		{"none", tinykv.CompressionNone, shrinking, 1, 1.2},
		{"S2", tinykv.CompressionS2, shrinking, 0.2, 0.6},
		{"zstd", tinykv.CompressionZstd, shrinking, 0.1, 0.5},
		{"S2, of what does not shrink", tinykv.CompressionS2, random, 1, 1.2},
	} {
		db := compressedStore(t, t.TempDir(), tinykv.Options{Compression: c.compression}, c.value)
		m := db.Metrics()
		if got := stored(m); got < c.least || got > c.most {
			t.Errorf("%s: %.2f bytes are stored for each, want %.2f to %.2f\n%v", c.name, got, c.least, c.most, m)
		}
		for n := range compressedKeys {
			got, err := db.Get(compressedKey(n))
			if err != nil || !bytes.Equal(got, c.value(n)) {
				t.Fatalf("%s: key %d: %q, %v", c.name, n, got, err)
			}
		}
		reads := db.Metrics().Cache
		if looked := reads.Hits+reads.Misses > 0; looked != (c.most < 1) {
			t.Errorf("%s: %+v", c.name, reads)
		}
		must(t, db.Close())
	}
}

func TestCompression_AnotherChoiceTakesHoldByCompact(t *testing.T) {
	dir := t.TempDir()
	db := compressedStore(t, dir, tinykv.Options{Compression: tinykv.CompressionNone}, shrinking)
	must(t, db.Close())
	for _, c := range []struct {
		compression tinykv.Compression
		least, most float64
	}{{tinykv.CompressionZstd, 0.1, 0.5}, {tinykv.CompressionDefault, 0.2, 0.6}, {tinykv.CompressionNone, 1, 1.2}} {
		db := mustOpen(t, dir, &tinykv.Options{Compression: c.compression})
		must(t, db.Compact(context.Background(), tinykv.All()))
		if got := stored(db.Metrics()); got < c.least || got > c.most {
			t.Errorf("compression %d: %.2f bytes are stored for each, want %.2f to %.2f", c.compression, got, c.least, c.most)
		}
		before := db.Metrics().Compactions
		must(t, db.Compact(context.Background(), tinykv.All()))
		if n := db.Metrics().Compactions - before; n > 0 {
			t.Errorf("compression %d: %d compactions more, although nothing changed", c.compression, n)
		}
		must(t, db.Close())
	}
}

func TestCompression_CachedReadDoesNotAllocate(t *testing.T) {
	db := compressedStore(t, t.TempDir(), tinykv.Options{}, shrinking)
	defer db.Close()
	k, dst := compressedKey(1234), make([]byte, 0, 200)
	read := func() {
		var err error
		if dst, err = db.GetTo(dst[:0], k); err != nil {
			t.Fatal(err)
		}
	}
	for before := db.Metrics().Cache.Hits; db.Metrics().Cache.Hits == before; {
		read() // the cache takes its time
	}
	e, err := db.Explain(k)
	must(t, err)
	if p := e.Places[len(e.Places)-1]; !p.Cached || !p.Compressed || !p.Hit {
		t.Errorf("%+v", p)
	}
	if n := testing.AllocsPerRun(1000, read); n >= 1 {
		t.Errorf("%v allocations", n)
	}
	if m := db.Metrics(); m.Cache.Hits < 1000 || m.Cache.Held == 0 || m.Cache.Size == 0 {
		t.Errorf("%+v", m.Cache)
	}
}

// What an iterator lent, and the cache that it reads through, outlive the store; with the last iterator
// the cache goes.
func TestCompression_IteratorOutlivesTheStore(t *testing.T) {
	before := runtime.NumGoroutine()
	db := compressedStore(t, t.TempDir(), tinykv.Options{CacheSize: 64 << 10}, shrinking)
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	if !it.SeekGE(compressedKey(500)) {
		t.Fatal(it.Err())
	}
	for n := range 2000 {
		if _, err := db.Get(compressedKey(n)); err != nil {
			t.Fatal(err)
		}
	}
	k, v := it.Key(), it.Value()
	must(t, db.Close())
	if !bytes.Equal(k, compressedKey(500)) || !bytes.Equal(v, shrinking(500)) {
		t.Errorf("%q became %q", k, v)
	}
	must(t, it.Close())
	waitForGoroutines(t, "closed", before)
}

// A scan goes by the cache: it takes nothing away from those who ask for the same blocks again and
// again.
func TestCompression_ScansDoNotFillTheCache(t *testing.T) {
	db := compressedStore(t, t.TempDir(), tinykv.Options{}, shrinking)
	defer db.Close()
	for _, opts := range [][]tinykv.ScanOption{nil, {tinykv.Reverse}} {
		n := 0
		for item, err := range db.Scan(tinykv.All(), opts...) {
			if n++; err != nil || item.Key == nil {
				t.Fatal(err)
			}
		}
		if n != compressedKeys {
			t.Errorf("%d items", n)
		}
	}
	if c := db.Metrics().Cache; c.Misses == 0 || c.Held > 8*5000 {
		t.Errorf("%+v", c)
	}
}
