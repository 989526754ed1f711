package sstable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

func TestTable_HasTheseBytes(t *testing.T) {
	data := table(t, WriterOptions{BitsPerKey: 10}, parse(t, "fig#12,SET:ripe fig#7,SET:green kiwi#13,DEL"))
	golden(t, "table.txt", data, []field{
		{8, "data block: checksum"},
		{1, "  no compression"},
		{1, "  layout: sequence numbers of 2 bytes, kinds differ"},
		{1, "  kind of the first"},
		{1, "  keys share 1 byte"},
		{4, "  3 entries"},
		{8, "  smallest sequence number"},
		{3, "  fingerprints"},
		{1, "  shared byte"},
		{6, "  heads: if if ik"},
		{6, "  offsets"},
		{6, "  sequence numbers, less the smallest"},
		{3, "  kinds: SET SET DEL"},
		{9, "  fig#12,SET:ripe"},
		{10, "  fig#7,SET:green"},
		{6, "  kiwi#13,DEL"},
		{128 - 74, "zeros up to a multiple of 64"},
		{64, "filter"},
		{4, "index: 1 block"},
		{4, "  keys share 1 byte"},
		{8, "  zero"},
		{8, "  head of the separator"},
		{4, "  block offset / 64"},
		{4, "  block length"},
		{4, "  separator begins"},
		{4, "  and ends"},
		{6, "  separator: trailer 0, kiwi"},
		{256 - 238, "zeros up to a multiple of 64"},
		{3, "properties: entries"},
		{3, "  deletes"},
		{3, "  key bytes"},
		{3, "  value bytes"},
		{3, "  data blocks"},
		{3, "  smallest sequence number"},
		{3, "  largest sequence number"},
		{3, "  bits per key"},
		{3, "  shadowed"},
		{8, "  smallest key"},
		{9, "  largest key"},
		{320 - 300, "zeros up to a multiple of 64"},
		{8, "footer: filter offset"},
		{8, "  length"},
		{8, "  checksum"},
		{8, "  index offset"},
		{8, "  length"},
		{8, "  checksum"},
		{8, "  properties offset"},
		{8, "  length"},
		{8, "  checksum"},
		{8, "  range deletions offset"},
		{8, "  length: none"},
		{8, "  checksum"},
		{32, "  zero"},
		{8, "  table id"},
		{4, "  version"},
		{4, "  zero"},
		{8, "  checksum"},
		{8, "  magic"},
	})
}

func TestTable_EqualsASortedSliceWhateverItsShapeAndHoweverItIsRead(t *testing.T) {
	for _, s := range shapes() {
		data := table(t, WriterOptions{BlockSize: s.block, BitsPerKey: s.bits}, s.entries)
		for _, m := range modes {
			for _, base := range []key.SeqNum{0, 1, 1000, 1 << 54} {
				if base == 1 && s.block >= 16<<10 || base != 1000 && s.name == "longest keys" {
					continue
				}
				if s.entries[len(s.entries)-1].key.Trailer.Seq()+base >= key.MaxSeqNum {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/base %d", s.name, m.name, base), func(t *testing.T) {
					r := m.mustOpen(t, data, ReaderOptions{SeqBase: base})
					w := s.entries.shift(base)
					checkScans(t, m.iter(r, data), w)
					checkMoves(t, m.iter(r, data), w)
					if !m.stream {
						checkGets(t, r, w)
					}
				})
			}
		}
	}
}

// checkScans compares a table with its twin from end to end, both ways.
func checkScans(t *testing.T, it *Iter, w twin) {
	t.Helper()
	if got, want := scan(it), w.strings(); !slices.Equal(got, want) {
		t.Fatalf("forward: %d entries, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
	i := len(w)
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		if i--; show(kv, it.Err()) != w.show(i) {
			t.Fatalf("backward, entry %d: %s, want %s", i, show(kv, it.Err()), w.show(i))
		}
	}
	if i != 0 || it.Err() != nil {
		t.Fatalf("backward ends before entry %d: %v", i, it.Err())
	}
	must(t, it.Close())
	must(t, it.Close())
}

// checkGets looks up every key of the twin, and neighbours of each, at several sequence numbers.
func checkGets(t *testing.T, r *Reader, w twin) {
	t.Helper()
	for i, e := range w {
		if len(w) > 1000 && i%10 != 0 {
			continue
		}
		stored := e.key.Stored
		seq := e.key.Trailer.Seq()
		if !r.MayContain(Hash(stored)) {
			t.Fatalf("the filter says that %v is absent", e.key)
		}
		for _, at := range []key.Trailer{key.MaxTrailer, key.SeekTrailer(seq), key.SeekTrailer(seq - 1), key.SeekTrailer(0)} {
			if got, want := get(r, stored, at), w.get(stored, at); got != want {
				t.Fatalf("%s at %d: %s, want %s", key.FormatStored(stored), at.Seq(), got, want)
			}
		}
		for _, absent := range [][]byte{append(bytes.Clone(stored), 0), stored[:len(stored)-1], append(bytes.Clone(stored[:len(stored)-1]), stored[len(stored)-1]+1)} {
			if got, want := get(r, absent, key.MaxTrailer), w.get(absent, key.MaxTrailer); got != want {
				t.Fatalf("%s: %s, want %s", key.FormatStored(absent), got, want)
			}
		}
	}
}

// targets returns keys to seek: those of the table and others around them.
func targets(w twin) []key.Internal {
	all := []key.Internal{{Trailer: key.MaxTrailer}, {Stored: []byte{0xff, 0xff}, Trailer: key.MinTrailer}}
	for i, e := range w {
		if len(w) > 400 && i%(len(w)/200) != 0 {
			continue
		}
		k := e.key
		all = append(all, k, key.Internal{Stored: k.Stored, Trailer: key.MinTrailer}, key.Internal{Stored: k.Stored, Trailer: key.MaxTrailer},
			key.Internal{Stored: k.Stored, Trailer: k.Trailer - 1}, key.Internal{Stored: k.Stored, Trailer: k.Trailer + 1},
			key.Internal{Stored: append(bytes.Clone(k.Stored), 0), Trailer: key.MaxTrailer},
			key.Internal{Stored: k.Stored[:len(k.Stored)-1], Trailer: key.MinTrailer})
	}
	return all
}

// checkMoves makes random moves on an iterator and on its twin.
func checkMoves(t *testing.T, it *Iter, w twin) {
	t.Helper()
	const seed = 13
	rng := rand.New(rand.NewPCG(seed, 0))
	seek := targets(w)
	at := -1
	it.First()
	at = 0
	for i := range 400 {
		target := seek[rng.IntN(len(seek))]
		move := ""
		got := ""
		switch pick := rng.IntN(12); {
		case pick == 0:
			move, got, at = "First", show(it.First(), it.Err()), 0
		case pick == 1:
			move, got, at = "Last", show(it.Last(), it.Err()), len(w)-1
		case pick == 2:
			move, got, at = "SeekGE", show(it.SeekGE(target.Stored, target.Trailer), it.Err()), w.from(target)
		case pick == 3:
			move, got, at = "SeekLT", show(it.SeekLT(target.Stored, target.Trailer), it.Err()), w.from(target)-1
		case pick%2 == 0 && at < len(w) || at < 0:
			move, got, at = "Next", show(it.Next(), it.Err()), at+1
		default:
			move, got, at = "Prev", show(it.Prev(), it.Err()), at-1
		}
		if want := w.show(at); got != want {
			t.Fatalf("seed %d, move %d, %s %v: %s, want %s", seed, i, move, target, got, want)
		}
	}
	must(t, it.Close())
}

func TestIter_SeeksFindEveryEntryAndEveryGap(t *testing.T) {
	for _, s := range shapes() {
		if len(s.entries) > 400 {
			continue
		}
		data := table(t, WriterOptions{BlockSize: s.block, BitsPerKey: s.bits}, s.entries)
		r := modes[0].mustOpen(t, data, ReaderOptions{})
		it := r.NewIter()
		for _, k := range targets(s.entries) {
			if got, want := show(it.SeekGE(k.Stored, k.Trailer), it.Err()), s.entries.show(s.entries.from(k)); got != want {
				t.Fatalf("%s: SeekGE %v: %s, want %s", s.name, k, got, want)
			}
			if got, want := show(it.SeekLT(k.Stored, k.Trailer), it.Err()), s.entries.show(s.entries.from(k)-1); got != want {
				t.Fatalf("%s: SeekLT %v: %s, want %s", s.name, k, got, want)
			}
		}
	}
}

func TestIter_LendsSlicesThatCannotGrowIntoTheTable(t *testing.T) {
	data := table(t, WriterOptions{}, parse(t, "a#1,SET:x b#1,SET:y"))
	before := bytes.Clone(data)
	r := modes[0].mustOpen(t, data, ReaderOptions{})
	kv := r.NewIter().First()
	_ = append(kv.Stored, "overrun"...)
	_ = append(kv.Value, "overrun"...)
	value, _, _, _ := r.Get([]byte("\x00a"), Hash([]byte("\x00a")), key.MaxTrailer)
	_ = append(value, "overrun"...)
	if !bytes.Equal(data, before) {
		t.Error("appending to what was lent changed the table")
	}
}

func TestReader_ReadsWithoutACopyWhenMapped(t *testing.T) {
	data := table(t, WriterOptions{}, parse(t, "a#1,SET:xyz"))
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID})
	must(t, err)
	value, _, _, err := r.Get([]byte("\x00a"), Hash([]byte("\x00a")), key.MaxTrailer)
	must(t, err)
	if i := bytes.Index(data, []byte("xyz")); &value[0] != &data[i] || m.reads.Load() != 0 {
		t.Error("the value was copied")
	}
}

func TestReader_IsSafeForManyGoroutines(t *testing.T) {
	w := sorted(2000, func(i int) entry { return set(fmt.Sprintf("user%06d", i), i+1, fmt.Sprint("value", i)) })
	data := table(t, WriterOptions{BlockSize: 512, BitsPerKey: 10}, w)
	for _, m := range modes {
		r := m.mustOpen(t, data, ReaderOptions{Residency: NewResidency(4 * regionLen)})
		if !m.copies {
			r.mapping = &quiet{r.mapping.(*memory)}
		}
		var running sync.WaitGroup
		for g := range 4 {
			running.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 0))
				for range 3000 {
					e := w[rng.IntN(len(w))]
					if got := get(r, e.key.Stored, key.MaxTrailer); got != e.String() {
						t.Errorf("%s, want %v", got, e)
					}
				}
				if got := scan(m.iter(r, data)); len(got) != len(w) {
					t.Errorf("%d entries, want %d", len(got), len(w))
				}
			})
		}
		running.Wait()
	}
}

// quiet is a mapping that does not note what is populated.
type quiet struct{ *memory }

func (quiet) Populate(int64, int64) error { return nil }

func (quiet) Announce(int64, int64) {}

func TestProperties_SayWhatIsInTheTable(t *testing.T) {
	entries := parse(t, "fig#12,SET:ripe fig#9,DEL fig#7,SET:green kiwi#13,DEL lime#5,SET:")
	data, made := tableOf(t, WriterOptions{BitsPerKey: 12}, entries)
	want := Properties{
		Entries: 5, Deletes: 2, Shadowed: 2, KeyBytes: 4 + 4 + 4 + 5 + 5, ValueBytes: 9, DataBlocks: 1,
		SmallestSeq: 5, LargestSeq: 13, BitsPerKey: 12, Smallest: entries[0].key, Largest: entries[4].key,
	}
	same(t, fmt.Sprintf("%+v", made), fmt.Sprintf("%+v", want))
	same(t, fmt.Sprintf("%+v", modes[0].mustOpen(t, data, ReaderOptions{SeqBase: 100}).Properties()), fmt.Sprintf("%+v", want))
}

func TestProperties_OfUnknownTagsAreSkipped(t *testing.T) {
	p := Properties{Entries: 3, Smallest: set("a", 1, "").key, Largest: set("b", 1, "").key}
	data := slices.Concat(appendProperty(nil, 99, []byte("from the future")), p.encode(), appendProperty(nil, 1<<30, nil))
	got, err := decodeProperties(data)
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", p) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestProperties_EveryTruncationAndEveryChangedByteIsRefusedOrRead(t *testing.T) {
	p := Properties{Entries: 300, Smallest: set("a", 1, "").key, Largest: set("b", 1, "").key}
	data := p.encode()
	for n := range data {
		if _, err := decodeProperties(data[:n]); err != nil && failure(err) != "corrupt" {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
		for v := range 256 {
			changed := bytes.Clone(data)
			changed[n] = byte(v)
			if _, err := decodeProperties(changed); err != nil && failure(err) != "corrupt" {
				t.Errorf("byte %d set to %#x: %v", n, v, err)
			}
		}
	}
}

func TestBlocksAndSections_BeginAtMultiplesOf64(t *testing.T) {
	for _, s := range shapes() {
		blocks, f := handles(t, table(t, WriterOptions{BlockSize: s.block, BitsPerKey: s.bits}, s.entries))
		for _, h := range slices.Concat(blocks, f.sections[:]) {
			if h.off%alignment != 0 {
				t.Errorf("%s: something begins at %d", s.name, h.off)
			}
		}
	}
}
