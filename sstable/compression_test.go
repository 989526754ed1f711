package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/s2"

	"github.com/tinykv/tinykv/internal/blockcache"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

var compressions = []Compression{S2, Zstd}

func TestCompressed_TableEqualsASortedSliceWhateverItsShapeAndHoweverItIsRead(t *testing.T) {
	for _, s := range shapes() {
		if s.name == "longest keys" {
			continue
		}
		for _, c := range compressions {
			data, made := tableOf(t, WriterOptions{BlockSize: s.block, BitsPerKey: s.bits, Compression: c}, s.entries)
			for _, m := range modes {
				for _, size := range []int64{0, 64 << 10} {
					t.Run(fmt.Sprintf("%s/%d of %d blocks by %d/%s/cache of %d", s.name, made.Compressed, made.DataBlocks, c, m.name, size), func(t *testing.T) {
						var cache *blockcache.Cache
						if size > 0 {
							cache = blockcache.New(size, 4096)
							defer cache.Unref()
						}
						r := m.mustOpen(t, data, ReaderOptions{Cache: cache})
						defer r.Close()
						checkScans(t, m.iter(r, data), s.entries)
						checkMoves(t, m.iter(r, data), s.entries)
						if !m.stream {
							checkGets(t, r, s.entries)
						}
					})
				}
			}
		}
	}
}

// letters returns entries that compress well, and some that do not compress at all.
func letters(n int, random bool) twin {
	rng := rand.New(rand.NewPCG(1, 2))
	return sorted(n, func(i int) entry {
		value := []byte(strings.Repeat(fmt.Sprint("value ", i, ","), 8))
		if random {
			for j := range value {
				value[j] = byte(rng.Uint32())
			}
		}
		return set(fmt.Sprintf("key%05d", i), i+1, string(value))
	})
}

func TestCompressed_BlocksAreStoredAsTheyAreUnlessThatSavesAnEighth(t *testing.T) {
	for _, c := range compressions {
		raw := table(t, WriterOptions{}, letters(2000, false))
		packed, made := tableOf(t, WriterOptions{Compression: c}, letters(2000, false))
		if made.Compressed != made.DataBlocks || len(packed) > len(raw)*6/10 {
			t.Errorf("compression %d: %d of %d blocks, %d of %d bytes", c, made.Compressed, made.DataBlocks, len(packed), len(raw))
		}
		raw = table(t, WriterOptions{}, letters(2000, true))
		packed, made = tableOf(t, WriterOptions{Compression: c}, letters(2000, true))
		if made.Compressed != 0 || !bytes.Equal(packed, raw) {
			t.Errorf("compression %d of random bytes: %d of %d blocks", c, made.Compressed, made.DataBlocks)
		}
	}
}

func TestCompressed_EveryFlippedBitIsFoundUnlessItIsPadding(t *testing.T) {
	w := letters(60, false)
	for _, c := range compressions {
		good := table(t, WriterOptions{BlockSize: 1000, BitsPerKey: 10, Compression: c}, w)
		padding := 0
		for bit := range len(good) * 8 {
			if bit%19 != 0 {
				continue
			}
			data := bytes.Clone(good)
			data[bit/8] ^= 1 << (bit % 8)
			if judge(t, data, w, fmt.Sprintf("compression %d, bit %d", c, bit)) {
				padding++
				if good[bit/8] != 0 {
					t.Errorf("compression %d: flipped bit %d of byte %d was not found", c, bit%8, bit/8)
				}
			}
		}
		if padding > len(good)/4 {
			t.Errorf("compression %d: %d of %d flips changed nothing", c, padding, len(good)*8/19)
		}
	}
}

func TestCompressed_BlockThatIsHostileIsCorruption(t *testing.T) {
	b := &blockWriter{}
	for i, e := range letters(20, false) {
		b.add(e.key.Stored, uint64(i), e.key.Trailer, e.value)
	}
	raw := b.appendTo(nil, testID, 128)
	pack := func(c Compression, raw []byte) []byte {
		packed, ok := c.pack(nil, raw, testID, 128)
		if !ok {
			t.Fatal("not worthwhile")
		}
		return packed
	}
	for _, c := range compressions {
		good := pack(c, raw)
		got, err := unpack(nil, good, testID, 128)
		must(t, err)
		must(t, checkStructure(got, 128))
		if !bytes.Equal(got[8:], raw[8:]) {
			t.Errorf("compression %d: other bytes", c)
		}
		for name, change := range map[string]func(b []byte) []byte{
			"another compression":   func(b []byte) []byte { b[blockCompression] ^= 3; return b },
			"an unknown one":        func(b []byte) []byte { b[blockCompression] = 3; return b },
			"a reserved byte":       func(b []byte) []byte { b[9] = 1; return b },
			"a length one less":     func(b []byte) []byte { b[packedLen]--; return b },
			"a length one more":     func(b []byte) []byte { b[packedLen]++; return b },
			"a length of nothing":   func(b []byte) []byte { clear(b[packedLen:packedHeaderLen]); return b },
			"a length of 4 GiB":     func(b []byte) []byte { copy(b[packedLen:], "\xff\xff\xff\xff"); return b },
			"contents cut short":    func(b []byte) []byte { return b[:len(b)-1] },
			"no contents":           func(b []byte) []byte { return b[:packedHeaderLen] },
			"contents that go on":   func(b []byte) []byte { return append(b, 1) },
			"other contents":        func(b []byte) []byte { b[packedHeaderLen+1] ^= 0x55; return b },
			"a block in the block":  func([]byte) []byte { return pack(c, append(bytes.Clone(good), make([]byte, 9000)...)) },
			"a block of many zeros": func([]byte) []byte { return pack(c, make([]byte, 10_000)) },
		} {
			b := change(bytes.Clone(good))
			binary.LittleEndian.PutUint64(b, xxhash.Sum64(b[8:])^salt(testID, 128))
			got, err := unpack(nil, b, testID, 128)
			if err == nil {
				err = checkStructure(got, 128)
			}
			if failure(errOr(err)) != "corrupt" {
				t.Errorf("compression %d, %s: %v", c, name, err)
			}
		}
	}
}

// Readers of tables without a compressed block do not look for any.
func TestCompressed_BlockThatThePropertiesDoNotMentionIsCorruption(t *testing.T) {
	w := letters(20, false)
	data := table(t, WriterOptions{Compression: S2}, w)
	_, f := handles(t, data)
	props := f.sections[sectionProperties]
	i := bytes.Index(data[props.off:][:props.length], []byte{tagCompressed, 1, 1})
	if i < 0 {
		t.Fatal("no such property")
	}
	data[int(props.off)+i+2] = 0
	reseal(data)
	for _, m := range modes {
		r := m.mustOpen(t, data, ReaderOptions{})
		it := m.iter(r, data)
		if it.First() != nil || failure(it.Err()) != "corrupt" {
			t.Errorf("%s: %v", m.name, it.Err())
		}
		must(t, it.Close())
		must(t, r.Close())
	}
}

func TestCompressed_CacheSparesReadingAndDecompressing(t *testing.T) {
	w := letters(2000, false)
	cache := blockcache.New(4<<20, 4096)
	defer cache.Unref()
	m := &memory{data: table(t, WriterOptions{BitsPerKey: 10, Compression: S2}, w), copies: true}
	r, err := NewReader(m, ReaderOptions{Name: "7.sst", ID: testID, Cache: cache})
	must(t, err)
	defer r.Close()
	checkScans(t, r.NewIter(), w)
	if s := cache.Stats(); s.Held+int64(s.Dropped) > 4*5000 {
		t.Errorf("a scan fills the cache: %+v", s)
	}
	for range 20 { // the cache may decide late
		checkGets(t, r, w)
		cache.Wait()
	}
	before := m.reads.Load()
	checkScans(t, r.NewIter(), w)
	checkGets(t, r, w)
	if n := m.reads.Load() - before; n > 10 {
		t.Errorf("%d blocks were read, all of them have room in the cache", n)
	}
	if s := cache.Stats(); s.Hits == 0 || s.Held < 50<<10 {
		t.Errorf("%+v", s)
	}
}

// What a cursor lent stays as it is wherever the cursor goes: package tinykv relies on it.
func TestCompressed_WhatAnIteratorLentIsNeverOverwritten(t *testing.T) {
	w := letters(2000, false)
	data := table(t, WriterOptions{Compression: S2}, w)
	for _, size := range []int64{0, 16 << 10} {
		cache := blockcache.New(size, 4096)
		r := modes[0].mustOpen(t, data, ReaderOptions{Cache: cache})
		var lent []iterator.KV
		it := r.NewIter()
		for kv := it.First(); kv != nil; kv = it.Next() {
			lent = append(lent, *kv)
		}
		for kv := it.Last(); kv != nil; kv = it.Prev() {
			it.SeekGE(kv.Stored, key.MaxTrailer)
		}
		for i, kv := range lent {
			if !bytes.Equal(kv.Stored, w[i].key.Stored) || !bytes.Equal(kv.Value, w[i].value) {
				t.Fatalf("entry %d became %q", i, kv.Stored)
			}
		}
		must(t, r.Close())
		cache.Unref()
	}
}

func TestCompressed_AStreamTakesNoMemoryForEachBlock(t *testing.T) {
	w := letters(2000, false)
	for _, c := range compressions {
		data, made := tableOf(t, WriterOptions{Compression: c}, w)
		r := modes[0].mustOpen(t, data, ReaderOptions{})
		scan := func() {
			it := r.NewStreamIter(newFile(data))
			for kv := it.First(); kv != nil; kv = it.Next() {
				continue
			}
			must(t, errors.Join(it.Err(), it.Close()))
		}
		scan()
		if n := testing.AllocsPerRun(10, scan); n > float64(made.DataBlocks)/4 && !raceDetector {
			t.Errorf("compression %d: %v allocations for %d blocks", c, n, made.DataBlocks)
		}
		must(t, r.Close())
	}
}

func TestCompressed_PointReadFromTheCacheDoesNotAllocate(t *testing.T) {
	w := letters(2000, false)
	cache := blockcache.New(4<<20, 4096)
	defer cache.Unref()
	r := modes[0].mustOpen(t, table(t, WriterOptions{BitsPerKey: 10, Compression: S2}, w), ReaderOptions{Cache: cache})
	defer r.Close()
	e := w[700]
	get(r, e.key.Stored, key.MaxTrailer)
	cache.Wait()
	allocs := testing.AllocsPerRun(1000, func() {
		if _, _, ok, err := r.Get(e.key.Stored, Hash(e.key.Stored), key.MaxTrailer); !ok || err != nil {
			t.Fatal(ok, err)
		}
	})
	if allocs >= 1 {
		t.Errorf("%v allocations", allocs)
	}
}

// The bytes within are put together by hand, from the descriptions of the two formats: what an encoder
// makes of a block may differ from version to version, and from processor to processor.
func TestCompressed_BlockHasTheseBytes(t *testing.T) {
	const run = 50 // the value ends with so many equal bytes
	b := &blockWriter{}
	e := set("fig", 12, "ripe"+strings.Repeat("!", run))
	b.add(e.key.Stored, Hash(e.key.Stored), e.key.Trailer, e.value)
	raw := b.appendTo(nil, testID, 128)
	literals := raw[8 : len(raw)-run+1]
	n, rest := byte(len(literals)), byte(run-1)

	header := func(c Compression) []byte {
		return []byte{0, 0, 0, 0, 0, 0, 0, 0, byte(c), 0, 0, 0, byte(len(raw)), 0, 0, 0}
	}
	whole, common := byte(len(raw)-8), []field{
		{8, "checksum"}, {1, "compression"}, {3, "zero"}, {4, "length of the data block within"},
	}
	for _, c := range []struct {
		name     string
		block    []byte
		contents []field
	}{
		{
			"block_s2.txt",
			slices.Concat(header(S2), []byte{whole, (n - 1) << 2}, literals, []byte{(rest-1)<<2 | 2, 1, 0}),
			[]field{
				{1, "S2: bytes in all"},
				{1, "  literal"},
				{int(n), ""},
				{1, "  copy of 49 bytes"},
				{2, "    from 1 byte before"},
			},
		},
		{
			"block_zstd.txt",
			slices.Concat(header(Zstd), []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, whole, n << 3, n >> 5, 0}, literals, []byte{rest<<3 | 2 | 1, rest >> 5, 0, '!'}),
			[]field{
				{4, "zstd: magic"},
				{1, "  frame header: single segment, no checksum"},
				{1, "  bytes in all"},
				{3, "  raw block"},
				{int(n), ""},
				{3, "  RLE block of 49 bytes, the last"},
				{1, ""},
			},
		},
	} {
		binary.LittleEndian.PutUint64(c.block, blockChecksum(c.block, testID, 128))
		golden(t, c.name, c.block, slices.Concat(common, c.contents))
		got, err := unpack(nil, c.block, testID, 128)
		must(t, err)
		if must(t, checkStructure(got, 128)); !bytes.Equal(got[8:], raw[8:]) {
			t.Errorf("%s: other bytes", c.name)
		}
	}
}

// A few bytes that say that they are many are refused before memory is taken for those.
func TestCompressed_HostileLengthsTakeNoMemory(t *testing.T) {
	const huge = 1 << 30
	for name, stated := range map[string]int{"header and contents": huge, "contents alone": 100, "header alone": huge} {
		contents := binary.AppendUvarint(nil, huge-blockCompression) // of S2: its length, and then what is too little
		if name == "header alone" {
			contents = s2.Encode(nil, make([]byte, 100))
		}
		b := append(make([]byte, packedHeaderLen), contents...)
		b[blockCompression] = byte(S2)
		binary.LittleEndian.PutUint32(b[packedLen:], uint32(stated))
		binary.LittleEndian.PutUint64(b, xxhash.Sum64(b[8:])^salt(testID, 128))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := unpack(nil, b, testID, 128)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; failure(errOr(err)) != "corrupt" || took > 16<<20 {
			t.Errorf("%s: takes %d bytes, %v", name, took, err)
		}
	}
}

// That the checksum of a compressed block is right says nothing of the block within.
func TestCompressed_ABlockWithinThatIsMalformedIsCorruption(t *testing.T) {
	data, _ := tableOf(t, WriterOptions{BlockSize: 4096, Compression: S2}, letters(20, false))
	r, err := NewReader(&memory{data: data}, ReaderOptions{ID: testID})
	must(t, err)
	h := r.index.block(0)
	raw, err := unpack(nil, data[h.off:][:h.length], testID, h.off)
	must(t, err)
	for off := blockFingerprints; off < len(raw); off++ { // whatever of it changes, so that it compresses to as many bytes
		changed := bytes.Clone(raw)
		changed[off] ^= 0x55
		packed, ok := S2.pack(nil, changed, testID, h.off)
		if !ok || int64(len(packed)) != h.length || checkStructure(changed, h.off) == nil {
			continue
		}
		hostile := bytes.Clone(data)
		copy(hostile[h.off:], packed)
		for _, copies := range []bool{false, true} {
			r, err := NewReader(&memory{data: hostile, copies: copies}, ReaderOptions{ID: testID})
			must(t, err)
			if _, err := r.block(0, sought); failure(errOr(err)) != "corrupt" {
				t.Errorf("byte %d, copied %v: %v", off, copies, err)
			}
		}
		return
	}
	t.Error("no change makes such a block")
}
