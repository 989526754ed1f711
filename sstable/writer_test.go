package sstable

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/tinykv/tinykv/internal/key"
)

func TestWriter_RefusesEntriesOutOfOrder(t *testing.T) {
	for _, c := range []struct{ entries, what string }{
		{"b#1,SET:x a#2,SET:x", "a key that is smaller"},
		{"a#1,SET:x a#2,SET:x", "a version that is newer"},
		{"a#1,SET:x a#1,SET:x", "the same entry twice"},
		{"a#1,DEL a#1,SET:x", "a greater kind of the same sequence number"},
		{"ab#1,SET:x a#1,SET:x", "a prefix of the key before"},
	} {
		w := NewWriter(&failing{nth: 1 << 30}, WriterOptions{ID: testID, BlockSize: 4096})
		entries := parse(t, c.entries)
		must(t, w.Add(entries[0].key.Stored, entries[0].key.Trailer, entries[0].value))
		if err := w.Add(entries[1].key.Stored, entries[1].key.Trailer, entries[1].value); err == nil {
			t.Errorf("%s is taken", c.what)
		}
		if _, _, err := w.Finish(); err == nil {
			t.Errorf("%s: Finish succeeds", c.what)
		}
	}
}

func TestWriter_NeedsAnEntry(t *testing.T) {
	if _, _, err := NewWriter(&failing{}, WriterOptions{}).Finish(); err == nil {
		t.Error("a table without entries was made")
	}
}

func TestWriter_KeepsNothingOfTheSlices(t *testing.T) {
	var out strings.Builder
	w := NewWriter(&out, WriterOptions{ID: testID, BlockSize: 1})
	stored, value := []byte("\x00a"), []byte("x")
	for i := range 5 {
		stored[1], value[0] = byte('a'+i), byte('v'+i)
		must(t, w.Add(stored, key.MakeTrailer(1, key.KindSet), value))
		stored[1], value[0] = 0xff, 0xff
	}
	_, _, err := w.Finish()
	must(t, err)
	same(t, scan(modes[0].mustOpen(t, []byte(out.String()), ReaderOptions{}).NewIter()),
		"[a#1,SET:v b#1,SET:w c#1,SET:x d#1,SET:y e#1,SET:z]")
}

func TestWriter_FailedWriteSticks(t *testing.T) {
	for nth := range 4 {
		w := NewWriter(&failing{nth: nth}, WriterOptions{ID: testID, BlockSize: 4096, BitsPerKey: 10})
		var failed error
		for i := range 200 {
			err := w.Add(fmt.Appendf([]byte{0}, "%05d", i), key.MakeTrailer(1, key.KindSet), make([]byte, 4096))
			if failed != nil && !errors.Is(err, errDisk) {
				t.Fatalf("write %d fails: a later Add returns %v", nth, err)
			}
			if failed == nil {
				failed = err
			}
		}
		if _, _, err := w.Finish(); !errors.Is(err, errDisk) {
			t.Errorf("write %d fails: Finish returns %v", nth, err)
		}
	}
}

func TestWriter_SizeEstimateIsNearTheTruth(t *testing.T) {
	for _, s := range shapes() {
		w := NewWriter(&failing{nth: 1 << 30}, WriterOptions{ID: testID, BlockSize: s.block, BitsPerKey: s.bits})
		last := int64(0)
		for _, e := range s.entries {
			must(t, w.Add(e.key.Stored, e.key.Trailer, e.value))
			last = w.SizeEstimate()
		}
		if w.Entries() != uint64(len(s.entries)) {
			t.Errorf("%s: %d entries, want %d", s.name, w.Entries(), len(s.entries))
		}
		_, size, err := w.Finish()
		must(t, err)
		if off, most := size-last, size/10+512+8*int64(len(s.entries))+2*int64(len(s.entries[0].key.Stored)); off < -most || off > most {
			t.Errorf("%s: estimated %d, made %d", s.name, last, size)
		}
	}
}

func TestWriter_EndsABlockAtItsSize(t *testing.T) {
	w := sorted(1000, func(i int) entry { return set(fmt.Sprintf("%05d", i), i+1, strings.Repeat("v", 50)) })
	blocks, _ := handles(t, table(t, WriterOptions{BlockSize: 1024}, w))
	for i, h := range blocks[:len(blocks)-1] {
		if h.length < 900 || h.length > 1024+100 {
			t.Errorf("block %d has %d bytes", i, h.length)
		}
	}
}

func TestWriter_SeparatorsAreShort(t *testing.T) {
	w := sorted(26, func(i int) entry { return set(strings.Repeat(string(rune('a'+i)), 100), 1, "v") })
	data := table(t, WriterOptions{BlockSize: 1}, w)
	_, f := handles(t, data)
	h := f.sections[sectionIndex]
	x, err := openIndex(data[h.off:h.off+h.length], f.sections[sectionFilter].off)
	must(t, err)
	for i := range x.count - 1 {
		if s := x.separator(i); len(s.Stored) != 2 && s.Stored[1] != w[i].key.Stored[1] {
			t.Errorf("separator %d is %v", i, s)
		}
	}
}

func TestWriter_SequenceNumbersTakeTheWidthOfTheirSpread(t *testing.T) {
	for _, c := range []struct {
		spread key.SeqNum
		width  int
	}{
		{0, 0}, {1, 2}, {1<<16 - 1, 2}, {1 << 16, 4}, {1<<32 - 1, 4}, {1 << 32, 8}, {key.MaxSeqNum - 2, 8},
	} {
		w := &blockWriter{}
		want := twin{set("a", 1, ""), set("b", 1, ""), set("c", 1, "")}
		want[1].key.Trailer = key.MakeTrailer(1+c.spread, key.KindSet)
		for _, e := range want {
			w.add(e.key.Stored, 0, e.key.Trailer, e.value)
		}
		data := w.appendTo(nil, testID, 0)
		must(t, checkBlock(data, testID, 0))
		b := makeBlock(data, 0)
		if b.seqWidth != c.width {
			t.Errorf("spread %d: %d bytes, want %d", c.spread, b.seqWidth, c.width)
		}
		for i, e := range want {
			same(t, b.trailer(i), e.key.Trailer)
		}
	}
}

func TestWriter_OffsetsTakeFourBytesWhenTwoAreTooFew(t *testing.T) {
	for _, size := range []int{65_500, 65_503, 65_504, 65_505, 65_506, 70_000} {
		w := &blockWriter{}
		first, second := set("a", 1, strings.Repeat("v", size)), set("b", 1, "w")
		w.add(first.key.Stored, 0, first.key.Trailer, first.value)
		w.add(second.key.Stored, 0, second.key.Trailer, second.value)
		data := w.appendTo(nil, testID, 0)
		must(t, checkBlock(data, testID, 0))
		b := makeBlock(data, 0)
		if b.wide != (len(data) > 1<<16-1) && b.wide != (len(data)-4 > 1<<16-1) {
			t.Errorf("a block of %d bytes, wide: %v", len(data), b.wide)
		}
		same(t, string(b.stored(1)), "\x00b")
	}
}

// Filters.

// hashes returns the hashes of n keys.
func hashes(prefix string, n int) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = Hash(fmt.Appendf(nil, "\x00%s%d", prefix, i))
	}
	return all
}

// library returns a filter as bloom/v3 sees it.
func library(f filter) *bloom.BloomFilter {
	words := make([]uint64, len(f)/8)
	for i := range words {
		words[i] = load8(f[8*i:])
	}
	return bloom.FromWithM(words, uint(len(f)*8), filterProbes)
}

func TestFilter_AgreesWithTheLibraryOnEveryVerdict(t *testing.T) {
	for _, n := range []int{1, 2, 50, 51, 52, 1000, 20_000} {
		for _, bits := range []int{1, 5, 10, 16, 30} {
			in := hashes("in", n)
			f := filter(buildFilter(in, bits))
			twin := library(f)
			lines := uint64(len(f) / filterLineLen)
			rng := rand.New(rand.NewPCG(uint64(n), uint64(bits)))
			for i := range 5000 {
				hash := rng.Uint64()
				if i < n {
					hash = in[i]
				}
				locations := filterLocations(hash, lines)
				if got, want := f.mayContain(hash), twin.TestLocations(locations[:]); got != want {
					t.Fatalf("%d keys, %d bits: %v for hash %x, the library says %v", n, bits, got, hash, want)
				}
			}
		}
	}
}

func TestFilter_NeverHidesAKey(t *testing.T) {
	for _, n := range []int{1, 51, 52, 1000, 50_000} {
		for _, bits := range []int{1, 3, 10, 40} {
			all := hashes("in", n)
			f := filter(buildFilter(all, bits))
			for i, hash := range all {
				if !f.mayContain(hash) {
					t.Fatalf("%d keys, %d bits: key %d is hidden", n, bits, i)
				}
			}
		}
	}
}

func TestFilter_LetsFewAbsentKeysPass(t *testing.T) {
	f := filter(buildFilter(hashes("in", 50_000), 10))
	passed := 0
	for _, hash := range hashes("out", 200_000) {
		if f.mayContain(hash) {
			passed++
		}
	}
	if rate := float64(passed) / 200_000; rate < 0.005 || rate > 0.0125 {
		t.Errorf("%.2f %% pass, 0.97 %% are expected", 100*rate)
	}
}

func TestFilter_TakesTheBitsItIsGiven(t *testing.T) {
	for _, c := range []struct{ keys, bits, bytes int }{
		{0, 10, 0}, {10, 0, 0}, {10, -1, 0}, {1, 10, 64}, {51, 10, 64}, {52, 10, 128}, {1000, 10, 1280},
	} {
		if got := len(buildFilter(hashes("in", c.keys), c.bits)); got != c.bytes {
			t.Errorf("%d keys, %d bits: %d bytes, want %d", c.keys, c.bits, got, c.bytes)
		}
	}
}

func TestFilter_ThatIsEmptyLetsEverythingPass(t *testing.T) {
	for _, hash := range []uint64{0, 1, 1 << 63, 1<<64 - 1} {
		if !filter(nil).mayContain(hash) {
			t.Errorf("hash %x is hidden", hash)
		}
	}
}

func TestFilter_OfATableHoldsEachKeyOnce(t *testing.T) {
	// 510 bits are one line, whether of 51 versions of a key or of 20 versions of each of 51.
	for _, versions := range []int{1, 20} {
		w := sorted(51*versions, func(i int) entry { return set(fmt.Sprint(i%51), i+1, "v") })
		_, f := handles(t, table(t, WriterOptions{BitsPerKey: 10}, w))
		same(t, f.sections[sectionFilter].length, filterLineLen)
	}
}
