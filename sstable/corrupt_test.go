package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// small returns a table of several blocks with versions and tombstones, less than 2 KiB long.
func small(t *testing.T) (data []byte, w twin) {
	t.Helper()
	w = sorted(24, func(i int) entry {
		if i%5 == 4 {
			return del(fmt.Sprintf("key%02d", i/2), i+1)
		}
		return set(fmt.Sprintf("key%02d", i/2), i+1, fmt.Sprint("value", i))
	})
	return table(t, WriterOptions{BlockSize: 100, BitsPerKey: 10}, w), w
}

// judge reads a table in every way and wants nothing but right answers and ErrCorrupt. It tells
// whether everything was right.
func judge(t *testing.T, data []byte, w twin, what string) (unharmed bool) {
	t.Helper()
	unharmed = true
	for _, m := range modes {
		r, err := m.open(data, ReaderOptions{})
		if err != nil {
			if failure(err) != "corrupt" {
				t.Errorf("%s, %s: open: %v", what, m.name, err)
			}
			unharmed = false
			continue
		}
		for _, e := range w {
			if !r.MayContain(Hash(e.key.Stored)) {
				t.Errorf("%s, %s: the filter hides %v", what, m.name, e.key)
			}
			for _, at := range []key.Trailer{key.MaxTrailer, e.key.Trailer} {
				got, want := get(r, e.key.Stored, at), w.get(e.key.Stored, at)
				if got != want && got != "corrupt" {
					t.Errorf("%s, %s: Get of %v: %s, want %s", what, m.name, e.key, got, want)
				}
				unharmed = unharmed && got == want
			}
		}
		if got := get(r, []byte("\x00key05x"), key.MaxTrailer); got != "none" && got != "corrupt" {
			t.Errorf("%s, %s: Get of an absent key: %s", what, m.name, got)
		}
		got := scan(m.iter(r, data))
		if n := len(got) - 1; n >= 0 && got[n] == "corrupt" {
			got, unharmed = got[:n], false
		} else if len(got) != len(w) {
			t.Errorf("%s, %s: a scan ends after %d of %d entries", what, m.name, len(got), len(w))
		}
		if !slices.Equal(got, w.strings()[:len(got)]) {
			t.Errorf("%s, %s: a scan gives %v", what, m.name, got)
		}
	}
	return unharmed
}

func TestReader_EveryFlippedBitIsFoundUnlessItIsPadding(t *testing.T) {
	data, w := small(t)
	blocks, f := handles(t, data)
	used := make([]bool, len(data))
	for _, h := range slices.Concat(blocks, f.sections[:]) {
		for i := h.off; i < h.off+h.length; i++ {
			used[i] = true
		}
	}
	for i := len(data) - footerLen; i < len(data); i++ {
		used[i] = true
	}
	for bit := range len(data) * 8 {
		damaged := bytes.Clone(data)
		damaged[bit/8] ^= 1 << (bit % 8)
		if unharmed := judge(t, damaged, w, fmt.Sprintf("bit %d of byte %d", bit%8, bit/8)); unharmed == used[bit/8] {
			t.Errorf("bit %d of byte %d, which is used: %v; everything is right: %v", bit%8, bit/8, used[bit/8], unharmed)
		}
	}
}

func TestReader_EveryTruncationIsFound(t *testing.T) {
	data, _ := small(t)
	for n := range data {
		for _, m := range modes {
			if r, err := m.open(data[:n:n], ReaderOptions{}); err == nil || failure(err) != "corrupt" {
				t.Errorf("cut to %d bytes, %s: %v, %v", n, m.name, r, err)
			}
		}
	}
}

func TestReader_FileThatIsLongerIsFound(t *testing.T) {
	data, _ := small(t)
	for _, more := range [][]byte{{0}, make([]byte, 64), data} {
		if bytes.Equal(more, data) {
			more = data[:len(data)-footerLen] // a second footer would make it another table
		}
		if _, err := modes[0].open(slices.Concat(data, more), ReaderOptions{}); failure(err) != "corrupt" {
			t.Errorf("%d bytes longer: %v", len(more), err)
		}
	}
}

func TestReader_SwappedBlocksAreFound(t *testing.T) {
	w := sorted(20, func(i int) entry { return set(fmt.Sprintf("k%02d", i), 5, "value") })
	data := table(t, WriterOptions{BlockSize: 60}, w)
	blocks, _ := handles(t, data)
	a, b := blocks[1], blocks[2]
	if a.length != b.length {
		t.Fatalf("blocks of %d and %d bytes", a.length, b.length)
	}
	if err := checkBlock(data[b.off:][:b.length], testID, a.off); !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("the checksum of a block holds in the place of another: %v", err)
	}
	damaged := bytes.Clone(data)
	copy(damaged[a.off:a.off+a.length], data[b.off:])
	copy(damaged[b.off:b.off+b.length], data[a.off:])
	if judge(t, damaged, w, "swapped blocks") {
		t.Error("nobody noticed")
	}
}

func TestReader_BlockOfAnotherTableIsFound(t *testing.T) {
	data, w := small(t)
	other := table(t, WriterOptions{ID: testID + 1, BlockSize: 100, BitsPerKey: 10}, w)
	blocks, _ := handles(t, data)
	for i, h := range blocks {
		damaged := bytes.Clone(data)
		copy(damaged[h.off:h.off+h.length], other[h.off:])
		if judge(t, damaged, w, "a foreign block") {
			t.Errorf("nobody noticed block %d", i)
		}
	}
}

func TestReader_AnotherTableIsFound(t *testing.T) {
	data, _ := small(t)
	_, err := modes[0].open(data, ReaderOptions{ID: testID + 1, Name: "7.sst"})
	var e *corrupt.Error
	if !errors.As(err, &e) || e.File != "7.sst" || !strings.Contains(e.Detail, "file is table 7ab1e7ab1e7ab1e7, want 7ab1e7ab1e7ab1e8") {
		t.Errorf("%v", err)
	}
}

func TestReader_NewerVersionIsTooNewAndNotCorrupt(t *testing.T) {
	data, _ := small(t)
	data[len(data)-footerLen+footerVersion]++
	reseal(data)
	_, err := modes[0].open(data, ReaderOptions{})
	if !errors.Is(err, corrupt.ErrTooNew) || errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if !strings.Contains(fmt.Sprint(err), "7.sst") {
		t.Errorf("%v: does not name the file", err)
	}
}

func TestReader_DamageNamesFileAndOffset(t *testing.T) {
	data, _ := small(t)
	blocks, f := handles(t, data)
	for _, c := range []struct {
		at   int64 // what is damaged
		want int64 // the offset in the error
		what string
	}{
		{blocks[1].off + 30, blocks[1].off, "data block"},
		{f.sections[sectionFilter].off, f.sections[sectionFilter].off, "table section"},
		{f.sections[sectionIndex].off + 5, f.sections[sectionIndex].off, "table section"},
		{f.sections[sectionProperties].off, f.sections[sectionProperties].off, "table section"},
		{int64(len(data)) - 1, int64(len(data)) - footerLen, "table footer"},
	} {
		damaged := bytes.Clone(data)
		damaged[c.at] ^= 1
		var err error
		r, err := modes[0].open(damaged, ReaderOptions{Name: "7.sst"})
		if err == nil {
			it := r.NewIter()
			scan(it)
			err = it.Err()
		}
		var e *corrupt.Error
		if !errors.As(err, &e) || e.File != "7.sst" || e.Offset != c.want || e.What != c.what {
			t.Errorf("damage at %d: %v; want %s at offset %d", c.at, err, c.what, c.want)
		}
	}
}

func TestReader_DamageInsideASectionIsLocatedInTheFile(t *testing.T) {
	data, _ := small(t)
	_, f := handles(t, data)
	index := f.sections[sectionIndex]
	data[index.off+indexHeaderLen+indexEntryLen] ^= 1 // head of the second separator
	reseal(data)
	_, err := modes[0].open(data, ReaderOptions{})
	var e *corrupt.Error
	if !errors.As(err, &e) || e.Offset != index.off+indexHeaderLen+indexEntryLen {
		t.Errorf("%v, want offset %d", err, index.off+indexHeaderLen+indexEntryLen)
	}
}

func TestIter_DamagedBlockLeavesEveryOtherKeyReadable(t *testing.T) {
	data, w := small(t)
	blocks, _ := handles(t, data)
	for n, h := range blocks {
		damaged := bytes.Clone(data)
		damaged[h.off+blockHeaderLen] ^= 1
		for _, m := range modes {
			r := m.mustOpen(t, damaged, ReaderOptions{})
			it := m.iter(r, damaged)
			lost := twin{}
			for _, e := range w {
				got := show(it.SeekGE(e.key.Stored, e.key.Trailer), it.Err())
				switch got {
				case e.String():
				case "corrupt":
					lost = append(lost, e)
				default:
					t.Errorf("block %d, %s: %v is %s", n, m.name, e.key, got)
				}
			}
			if len(lost) == 0 || len(lost) > 6 {
				t.Errorf("block %d, %s: %d entries are lost", n, m.name, len(lost))
			}
		}
	}
}

func TestIter_FailureSticksUntilTheNextAbsoluteMove(t *testing.T) {
	data, w := small(t)
	blocks, _ := handles(t, data)
	data[blocks[1].off+blockHeaderLen] ^= 1
	for _, m := range modes {
		it := m.iter(m.mustOpen(t, data, ReaderOptions{}), data)
		n := len(scan(it)) - 1
		for _, kv := range []any{it.Next(), it.Prev(), it.Next()} {
			if fmt.Sprint(kv) != "<nil>" || failure(it.Err()) != "corrupt" {
				t.Errorf("%s: a step after the failure led to %v, %v", m.name, kv, it.Err())
			}
		}
		same(t, show(it.First(), it.Err()), w.show(0))
		same(t, show(it.Last(), it.Err()), w.show(len(w)-1))
		for range len(w) - n - 1 {
			if it.Prev() == nil {
				break
			}
		}
		if failure(it.Err()) != "corrupt" {
			t.Errorf("%s: backward, the damaged block is passed: %v", m.name, it.Err())
		}
		if kv := it.Next(); kv != nil {
			t.Errorf("%s: a step after the failure led to %v", m.name, kv.Key())
		}
	}
}

func TestIter_EqualsASortedSliceOrFailsWhereBlocksAreDamaged(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 0))
		data, w := small(t)
		blocks, _ := handles(t, data)
		for _, h := range blocks {
			if rng.IntN(3) == 0 {
				data[h.off+rng.Int64N(h.length)] ^= 1 << rng.IntN(8)
			}
		}
		for _, m := range modes {
			it := m.iter(m.mustOpen(t, data, ReaderOptions{}), data)
			at, failed := -1, true
			for i := range 200 {
				k := w[rng.IntN(len(w))].key
				got, want := "", ""
				switch pick := rng.IntN(10); {
				case pick == 0:
					got, at = show(it.First(), it.Err()), 0
				case pick == 1:
					got, at = show(it.Last(), it.Err()), len(w)-1
				case pick < 5 || failed:
					got, at = show(it.SeekGE(k.Stored, k.Trailer), it.Err()), w.from(k)
				case pick == 5:
					got, at = show(it.SeekLT(k.Stored, k.Trailer), it.Err()), w.from(k)-1
				case pick%2 == 0 && at < len(w) || at < 0:
					got, at = show(it.Next(), it.Err()), at+1
				default:
					got, at = show(it.Prev(), it.Err()), at-1
				}
				failed = got == "corrupt"
				if want = w.show(at); !failed && got != want {
					t.Fatalf("seed %d, move %d, %s: %s, want %s", seed, i, m.name, got, want)
				}
			}
		}
	}
}

// Hostile files: every checksum is right.

func TestReader_HostileFilesGiveNoPanic(t *testing.T) {
	for seed := range uint64(6000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		data, w := small(t)
		if seed%3 == 0 {
			data = table(t, WriterOptions{BlockSize: 40_000, BitsPerKey: 10}, sorted(4, func(i int) entry { return set(fmt.Sprint(i), i*70_000, strings.Repeat("v", 20_000)) }))
		}
		for range 1 + rng.IntN(4) {
			mutate(rng, data)
		}
		reseal(data)
		m := modes[rng.IntN(len(modes))]
		r, err := m.open(data, ReaderOptions{SeqBase: key.SeqNum(rng.Uint64() >> (8 + rng.IntN(56)))})
		if err != nil {
			if failure(err) != "corrupt" && failure(err) != "too new" {
				t.Fatalf("seed %d: %v", seed, err)
			}
			continue
		}
		for _, e := range w {
			if got := get(r, e.key.Stored, key.MaxTrailer); strings.HasPrefix(got, "error") {
				t.Fatalf("seed %d: %s", seed, got)
			}
		}
		it := m.iter(r, data)
		for _, e := range scan(it) {
			if strings.HasPrefix(e, "error") {
				t.Fatalf("seed %d: %s", seed, e)
			}
		}
		for kv := it.Last(); kv != nil; kv = it.Prev() {
		}
		for _, e := range w[:5] {
			it.SeekGE(e.key.Stored, e.key.Trailer)
			it.SeekLT(e.key.Stored, e.key.Trailer)
		}
	}
}

// mutate changes a few bytes of a table, often where lengths and counts stand.
func mutate(rng *rand.Rand, data []byte) {
	size := len(data)
	at := rng.IntN(size)
	switch rng.IntN(4) {
	case 0: // the footer
		at = size - footerLen + rng.IntN(footerLen-8)
	case 1: // header of the first block
		at = rng.IntN(64)
	case 2: // the index
		at = int(binary.LittleEndian.Uint64(data[size-footerLen+24*sectionIndex:]))
		at = min(max(at, 0), size-100) + rng.IntN(100)
	}
	interesting := []uint64{0, 1, 7, 8, 63, 64, 127, 128, 255, 256, 1<<15 - 1, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 62, 1 << 63, 1<<64 - 1, uint64(size), uint64(size - footerLen)}
	v := interesting[rng.IntN(len(interesting))]
	switch rng.IntN(5) {
	case 0:
		data[at] ^= 1 << rng.IntN(8)
	case 1:
		data[at] = byte(v)
	case 2:
		if at+4 <= size {
			binary.LittleEndian.PutUint32(data[at:], uint32(v))
		}
	case 3:
		if at+8 <= size {
			binary.LittleEndian.PutUint64(data[at:], v)
		}
	case 4:
		data[at]++
	}
}

// indexOf makes an index of blocks of 30 bytes with these separators.
func indexOf(users ...string) *indexWriter {
	w := &indexWriter{}
	for i, user := range users {
		w.add(set(user, 0, "").key, handle{off: int64(i) * alignment, length: 30})
	}
	return w
}

func TestReader_IndexThatIsHostileIsCorruption(t *testing.T) {
	good := func() *indexWriter { return indexOf("b", "d", "f") }
	const dataEnd = 192
	if _, err := openIndex(good().finish(1), dataEnd); err != nil {
		t.Fatal(err)
	}
	entry := func(i, field int) int { return indexHeaderLen + i*indexEntryLen + field }
	offset := func(i int) int { return indexHeaderLen + 3*indexEntryLen + 4*i }
	put32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	for name, change := range map[string]func(b []byte){
		"no blocks":                          put32(0, 0),
		"too many blocks":                    put32(0, 4),
		"4 G blocks":                         put32(0, 1<<32-1),
		"keys that share too much":           put32(4, 3),
		"keys that share 2 GiB":              put32(4, 1<<31-1),
		"keys that share 4 GiB":              put32(4, 1<<32-1),
		"a block that is too short":          put32(entry(0, 12), blockHeaderLen-1),
		"blocks that overlap":                put32(entry(0, 12), 65),
		"blocks out of order":                put32(entry(2, 8), 0),
		"a block behind the data":            put32(entry(2, 8), 1<<32-1),
		"a block that reaches into sections": put32(entry(2, 12), 65),
		"a block of 4 GiB":                   put32(entry(2, 12), 1<<32-1),
		"separators that begin late":         put32(offset(0), 1),
		"a separator of negative length":     put32(offset(1), 100),
		"a separator of no bytes":            put32(offset(1), 0),
		"separators that end too far":        put32(offset(3), 10),
		"an offset of 2 GiB":                 put32(offset(1), 1<<31),
		"a last offset of 2 GiB":             put32(offset(3), 1<<31),
		"a wrong head":                       put32(entry(1, 0), 1),
		"separators out of order":            func(b []byte) { b[len(b)-1] = 'a' },
		"a separator with another prefix":    func(b []byte) { b[len(b)-2] = 1 },
		"a trailer without an end":           func(b []byte) { b[len(b)-3] = 0x80 },
	} {
		b := good().finish(1)
		change(b)
		if _, err := openIndex(b, dataEnd); failure(fmt.Errorf("%w", errOr(err))) != "corrupt" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"keys that share more than they have":         good().finish(3),
		"keys that share 2 GiB, with heads":           good().finish(1<<31 - 1),
		"separators out of order":                     indexOf("b", "d", "c").finish(1),
		"a separator twice":                           indexOf("b", "d", "d").finish(1),
		"separators out of order whose heads tie":     indexOf("12345678b", "12345678a").finish(1),
		"separators that share less than they should": indexOf("ab", "cb").finish(2),
	} {
		if _, err := openIndex(b, dataEnd); failure(errOr(err)) != "corrupt" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range good().finish(1) {
		if _, err := openIndex(good().finish(1)[:n], dataEnd); failure(errOr(err)) != "corrupt" {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

// errOr stands in for an error that should be there.
func errOr(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

func TestReader_BlockThatIsHostileIsCorruption(t *testing.T) {
	w := &blockWriter{}
	for i, e := range []entry{set("a", 5, "x"), del("b", 7), set("c", 100_000, "z")} {
		w.add(e.key.Stored, uint64(i), e.key.Trailer, e.value)
	}
	good := w.appendTo(nil, testID, 128)
	const fingerprints, shared, heads, offsets, sequences, kinds, entries = 24, 27, 28, 34, 40, 52, 55
	must(t, checkBlock(good, testID, 128))
	for name, change := range map[string]func(b []byte) []byte{
		"compressed":                   func(b []byte) []byte { b[blockCompression] = 1; return b },
		"an unknown layout":            func(b []byte) []byte { b[blockLayout] |= 0x10; return b },
		"wide offsets":                 func(b []byte) []byte { b[blockLayout] |= layoutWide; return b },
		"wider sequence numbers":       func(b []byte) []byte { b[blockLayout] |= 3 << layoutSeqShift; return b },
		"narrower sequence numbers":    func(b []byte) []byte { b[blockLayout] &^= 3 << layoutSeqShift; return b },
		"one kind":                     func(b []byte) []byte { b[blockLayout] &^= layoutKinds; return b },
		"fewer shared bytes":           func(b []byte) []byte { b[blockShared] = 0; return b },
		"more shared bytes":            func(b []byte) []byte { b[blockShared] = 2; return b },
		"255 shared bytes":             func(b []byte) []byte { b[blockShared] = 255; return b },
		"another shared byte":          func(b []byte) []byte { b[shared] = 1; return b },
		"another head":                 func(b []byte) []byte { b[heads+2]++; return b },
		"heads out of order":           func(b []byte) []byte { b[heads+1], b[heads+5] = b[heads+5], b[heads+1]; return b },
		"no entries":                   func(b []byte) []byte { b[blockCount] = 0; return b },
		"fewer entries":                func(b []byte) []byte { b[blockCount] = 2; return b },
		"more entries":                 func(b []byte) []byte { b[blockCount] = 4; return b },
		"4 G entries":                  func(b []byte) []byte { copy(b[blockCount:], "\xff\xff\xff\xff"); return b },
		"a base that is no number":     func(b []byte) []byte { b[blockBase+7] = 1; return b },
		"a base of the largest number": func(b []byte) []byte { copy(b[blockBase:], "\xff\xff\xff\xff\xff\xff\xff"); return b },
		"a sequence number that wraps": func(b []byte) []byte { copy(b[blockBase:], "\xff\xff\xff\xff\xff\xff\xff\xff"); return b },
		"a gap before the first entry": func(b []byte) []byte { b[offsets]++; return b },
		"a gap between entries":        func(b []byte) []byte { b[offsets+2]++; return b },
		"an offset before the columns": func(b []byte) []byte { b[offsets] = 0; return b },
		"an offset behind the end":     func(b []byte) []byte { b[offsets+4] = 0xff; return b },
		"offsets out of order":         func(b []byte) []byte { b[offsets+2] = b[offsets+4]; return b },
		"an unknown kind":              func(b []byte) []byte { b[kinds+1] = 3; return b },
		"kind zero":                    func(b []byte) []byte { b[kinds] = 0; return b },
		"a key of no bytes":            func(b []byte) []byte { b[entries] = 0; return b },
		"a key longer than its entry":  func(b []byte) []byte { b[entries] = 4; return b },
		"a key length without an end": func(b []byte) []byte {
			b[len(b)-1] = 0x80
			b[len(b)-2] = 0x80
			b[len(b)-3] = 0x80
			b[len(b)-4] = 0x80
			return b
		},
		"a last entry of no bytes":       func(b []byte) []byte { return b[:len(b)-4] },
		"a last entry that is cut short": func(b []byte) []byte { return b[:len(b)-3] },
		"nothing but a header":           func(b []byte) []byte { return b[:blockHeaderLen] },
	} {
		b := change(bytes.Clone(good))
		binary.LittleEndian.PutUint64(b, blockChecksum(b, testID, 128))
		if err := checkBlock(b, testID, 128); failure(errOr(err)) != "corrupt" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range good {
		b := bytes.Clone(good[:n])
		if n >= 8 {
			binary.LittleEndian.PutUint64(b, blockChecksum(b, testID, 128))
		}
		if err := checkBlock(b, testID, 128); err != nil && failure(err) != "corrupt" {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestReader_SectionsOfHostileFootersAreCorruption(t *testing.T) {
	data, _ := small(t)
	end := int64(len(data)) - footerLen
	for _, h := range []handle{
		{off: -64},
		{length: -1},
		{off: end + 64},
		{length: end + 1},
		{off: 64, length: end - 63},
		{off: 1, length: 1},
		{off: 1<<63 - 64, length: 64},
		{off: 64, length: 1<<63 - 1},
	} {
		for i := range sectionCount {
			changed := bytes.Clone(data)
			_, f := handles(t, data)
			f.sections[i] = h
			copy(changed[end:], f.encode())
			if _, err := modes[0].open(changed, ReaderOptions{}); failure(errOr(err)) != "corrupt" {
				t.Errorf("section %d with %d bytes at %d: %v", i, h.length, h.off, err)
			}
		}
	}
}

func TestReader_FilterThatIsNoLinesIsCorruption(t *testing.T) {
	data, _ := small(t)
	f := data[len(data)-footerLen:]
	binary.LittleEndian.PutUint64(f[24*sectionFilter+8:], 63)
	reseal(data)
	if _, err := modes[0].open(data, ReaderOptions{}); failure(errOr(err)) != "corrupt" {
		t.Errorf("%v", err)
	}
}

// Iterators and searches rely on the order of entries; so it is seen to, though their checksum is right.
func TestReader_EntriesOutOfOrderAreCorruption(t *testing.T) {
	entries := twin{set("axx1", 1, "v"), set("axx2", 2, "v"), set("axx3", 3, "v"), set("axx4", 4, "v"), set("bxx1", 5, "v"), set("bxx2", 6, "v")}
	for name, c := range map[string]struct {
		blockSize int
		change    func(data []byte, blocks []handle)
	}{
		"two keys of a block": {4096, func(data []byte, _ []handle) {
			i, j := bytes.Index(data, []byte("axx2")), bytes.Index(data, []byte("axx3"))
			data[i+3], data[j+3] = '3', '2'
		}},
		"a key twice": {4096, func(data []byte, _ []handle) { data[bytes.Index(data, []byte("axx3"))+3] = '2' }},
		"two blocks": {1, func(data []byte, blocks []handle) {
			a, b := blocks[1], blocks[2]
			swap := bytes.Clone(data[a.off:][:a.length])
			copy(data[a.off:][:a.length], data[b.off:][:b.length])
			copy(data[b.off:][:b.length], swap)
		}},
	} {
		data := table(t, WriterOptions{BlockSize: c.blockSize}, slices.Clone(entries))
		blocks, _ := handles(t, data)
		c.change(data, blocks)
		reseal(data)
		for _, m := range modes {
			got := scan(m.iter(m.mustOpen(t, data, ReaderOptions{}), data))
			if got[len(got)-1] != "corrupt" {
				t.Errorf("%s, %s: a scan gives %v", name, m.name, got)
			}
		}
	}
}
