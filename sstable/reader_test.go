package sstable

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

// regions returns a table of at least n regions, with blocks that do not cross from one to the next
// by more than a little.
func regions(t *testing.T, n int) (data []byte, w twin) {
	t.Helper()
	w = sorted(n*20, func(i int) entry { return set(fmt.Sprintf("k%05d", i), i+1, strings.Repeat("v", 3600)) })
	return table(t, WriterOptions{BlockSize: 3600}, w), w
}

// touch reads the entry whose block begins nearest behind an offset.
func touch(t *testing.T, r *Reader, w twin, off int64) {
	t.Helper()
	i := slices.IndexFunc(w, func(e entry) bool {
		return r.index.block(r.index.seekGE(e.key.Stored, e.key.Trailer)).off >= off
	})
	same(t, get(r, w[i].key.Stored, key.MaxTrailer), w[i].String())
}

// pass goes on to the first block that begins at or behind an offset.
func pass(t *testing.T, r *Reader, off int64) {
	t.Helper()
	for i := range r.index.count {
		if r.index.block(i).off >= off {
			_, err := r.block(i, passing)
			must(t, err)
			return
		}
	}
	t.Fatalf("no block at %d", off)
}

func TestResidency_PopulatesARegionOnceHoweverOftenItIsRead(t *testing.T) {
	data, w := regions(t, 4)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID, Residency: NewResidency(1 << 40)})
	must(t, err)
	for range 3 {
		for _, e := range w {
			same(t, get(r, e.key.Stored, key.MaxTrailer), e.String())
		}
		same(t, len(scan(r.NewIter())), len(w))
	}
	slices.Sort(m.populated)
	var want []int64
	for off := int64(0); off < int64(len(data)); off += regionLen {
		want = append(want, off)
	}
	same(t, m.populated, want)
}

func TestResidency_WithoutOnePopulatesNothing(t *testing.T) {
	data, w := regions(t, 2)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID})
	must(t, err)
	same(t, len(scan(r.NewIter())), len(w))
	same(t, len(m.populated), 0)
}

func TestResidency_RegionIsColdAgainAfterEnoughOthersWereTouched(t *testing.T) {
	data, _ := regions(t, 40)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID, Residency: NewResidency(20 * regionLen)}) // an epoch is 10 touches
	must(t, err)
	populatedFirst := func() (n int) {
		for _, off := range m.populated {
			if off == 0 {
				n++
			}
		}
		return n
	}
	pass(t, r, 0)
	for i := range int64(8) {
		pass(t, r, (i+1)*regionLen)
	}
	pass(t, r, 0)
	same(t, populatedFirst(), 1)
	for i := range int64(20) {
		pass(t, r, (i+9)*regionLen)
	}
	pass(t, r, 0)
	same(t, populatedFirst(), 2)
}

// Where memory is too small for all regions, a lookup drives out no more than it needs.
func TestResidency_LookupInScarceMemoryBringsInItsBlockAlone(t *testing.T) {
	data, w := regions(t, 40)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID, Residency: NewResidency(20 * regionLen)}) // an epoch is 10 touches
	must(t, err)
	touch(t, r, w, 20*regionLen)
	same(t, m.lengths[len(m.lengths)-1], regionLen)
	for i := range int64(10) {
		pass(t, r, i*regionLen)
	}
	for range 2 {
		before := len(m.populated)
		touch(t, r, w, 30*regionLen)
		same(t, len(m.populated), before+1)
		if n := m.lengths[before]; n <= 0 || n > 8<<10 {
			t.Errorf("%d bytes brought in for a block", n)
		}
	}
	pass(t, r, 30*regionLen) // who goes over the table wants all of it
	same(t, m.lengths[len(m.lengths)-1], regionLen)
}

func TestResidency_RegionThatIsReadAllTheTimeStaysWarm(t *testing.T) {
	data, w := regions(t, 40)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID, Residency: NewResidency(20 * regionLen)})
	must(t, err)
	for i := range int64(38) {
		touch(t, r, w, (i+1)*regionLen)
		touch(t, r, w, 0)
	}
	same(t, slices.Index(m.populated[slices.Index(m.populated, 0)+1:], 0), -1)
}

func TestReader_FailureToPopulateIsReturnedAndTriedAgain(t *testing.T) {
	data, w := regions(t, 3)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID, Residency: NewResidency(1 << 40)})
	must(t, err)
	m.fault = errDisk
	if got := get(r, w[0].key.Stored, key.MaxTrailer); !strings.Contains(got, errDisk.Error()) {
		t.Errorf("Get: %s", got)
	}
	it := r.NewIter()
	if kv := it.First(); kv != nil || !errors.Is(it.Err(), errDisk) {
		t.Errorf("First: %v, %v", kv, it.Err())
	}
	m.fault = nil
	same(t, get(r, w[0].key.Stored, key.MaxTrailer), w[0].String())
	same(t, show(it.First(), it.Err()), w.show(0))
}

func TestReader_FailureToReadIsReturnedAndTriedAgain(t *testing.T) {
	data, w := small(t)
	m := &memory{data: data, copies: true}
	r, err := NewReader(m, ReaderOptions{ID: testID, Name: "7.sst"})
	must(t, err)
	m.fault = errDisk
	if got := get(r, w[0].key.Stored, key.MaxTrailer); !strings.HasPrefix(got, "error: 7.sst: read at 0: ") {
		t.Errorf("Get: %s", got)
	}
	m.fault = nil
	same(t, get(r, w[0].key.Stored, key.MaxTrailer), w[0].String())
}

func TestNewReader_FailureToReadIsNoCorruption(t *testing.T) {
	data, _ := small(t)
	m := &memory{data: data, copies: true, fault: errDisk}
	if _, err := NewReader(m, ReaderOptions{ID: testID}); !errors.Is(err, errDisk) || failure(err) == "corrupt" {
		t.Errorf("%v", err)
	}
}

func TestNewReader_ClosesTheMappingWhenItFails(t *testing.T) {
	m := &memory{data: []byte("no table")}
	if _, err := NewReader(m, ReaderOptions{}); failure(errOr(err)) != "corrupt" || m.closed != 1 {
		t.Errorf("%v, closed %d times", err, m.closed)
	}
}

func TestReader_CloseClosesTheMapping(t *testing.T) {
	data, _ := small(t)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID})
	must(t, err)
	same(t, r.Size(), len(data))
	must(t, r.NewIter().Close())
	same(t, m.closed, 0)
	must(t, r.Close())
	same(t, m.closed, 1)
}

func TestReader_MappedBlockIsVerifiedOnce(t *testing.T) {
	data, w := small(t)
	r := modes[0].mustOpen(t, data, ReaderOptions{})
	scan(r.NewIter())
	data[blockHeaderLen] ^= 1 // a fingerprint of the first block
	same(t, show(r.NewIter().First(), nil), w.show(0))
}

func TestReader_CopiedBlockIsVerifiedEveryTime(t *testing.T) {
	data, _ := small(t)
	for _, m := range modes[1:] {
		r := m.mustOpen(t, data, ReaderOptions{})
		same(t, len(scan(m.iter(r, data))), 24)
		data[blockHeaderLen] ^= 1
		it := m.iter(r, data)
		same(t, show(it.First(), it.Err()), "corrupt")
		data[blockHeaderLen] ^= 1
	}
}

func TestStream_ReadsLargePiecesInAscendingOrder(t *testing.T) {
	data, w := regions(t, 40)
	r := modes[0].mustOpen(t, data, ReaderOptions{})
	f := &counting{file: newFile(data)}
	it := r.NewStreamIter(f)
	same(t, len(scan(it)), len(w))
	if most := len(data)/(streamChunk-2*4096) + 1; f.reads > most {
		t.Errorf("%d reads for %d bytes", f.reads, len(data))
	}
	must(t, it.Close())
	must(t, it.Close())
	same(t, f.closed, 1)
}

// counting is a file that counts reads.
type counting struct {
	*file
	reads int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	return c.file.ReadAt(p, off)
}

func TestStream_FailureToReadIsNoCorruptionAndIsTriedAgain(t *testing.T) {
	data, w := small(t)
	r := modes[0].mustOpen(t, data, ReaderOptions{Name: "7.sst"})
	f := newFile(data)
	f.fault = errDisk
	it := r.NewStreamIter(f)
	if kv := it.First(); kv != nil || !errors.Is(it.Err(), errDisk) || failure(it.Err()) == "corrupt" {
		t.Errorf("%v, %v", kv, it.Err())
	}
	f.fault = nil
	same(t, scan(it), w.strings())
}

func TestStream_FileShorterThanTheTableIsCorruption(t *testing.T) {
	data, w := small(t)
	r := modes[0].mustOpen(t, data, ReaderOptions{})
	for _, n := range []int{0, 10, 100, 500} {
		got := scan(r.NewStreamIter(newFile(data[:n])))
		if len(got) == 0 || got[len(got)-1] != "corrupt" || !slices.Equal(got[:len(got)-1], w.strings()[:len(got)-1]) {
			t.Errorf("cut to %d bytes: %v", n, got)
		}
	}
}

func TestStream_OfATableThatIsNoLongerTheSameIsCorruption(t *testing.T) {
	data, w := small(t)
	r := modes[0].mustOpen(t, data, ReaderOptions{})
	other := table(t, WriterOptions{ID: testID + 1, BlockSize: 100, BitsPerKey: 10}, w)
	same(t, scan(r.NewStreamIter(newFile(other))), []string{"corrupt"})
}

func TestReadID_IsWhatTheFileStates(t *testing.T) {
	data, _ := small(t)
	id, err := ReadID(&memory{data: data})
	must(t, err)
	same(t, id, uint64(testID))
	if _, err := ReadID(&memory{data: data[:footerLen-1]}); failure(errOr(err)) != "corrupt" {
		t.Errorf("%v", err)
	}
	if _, err := ReadID(&memory{data: data, fault: io.ErrUnexpectedEOF}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

func TestGet_ReadsAtTheSequenceNumberItIsTold(t *testing.T) {
	w := twin(parse(t, "fig#12,SET:ripe fig#9,DEL fig#7,SET:green"))
	r := modes[0].mustOpen(t, table(t, WriterOptions{}, w), ReaderOptions{SeqBase: 100})
	for seq, want := range map[key.SeqNum]string{
		0: "none", 7: "none", 99: "none", 106: "none", 107: "fig#107,SET:green", 108: "fig#107,SET:green", 109: "fig#109,DEL:",
		111: "fig#109,DEL:", 112: "fig#112,SET:ripe", key.MaxSeqNum: "fig#112,SET:ripe",
	} {
		if got := get(r, []byte("\x00fig"), key.SeekTrailer(seq)); got != want {
			t.Errorf("at %d: %s, want %s", seq, got, want)
		}
	}
}

func TestGet_ValueOfATombstoneIsEmptyAndThatOfAnEmptySetToo(t *testing.T) {
	r := modes[0].mustOpen(t, table(t, WriterOptions{}, parse(t, "a#1,SET: b#2,DEL")), ReaderOptions{})
	for _, user := range []string{"a", "b"} {
		stored := key.AppendStored(nil, 0, []byte(user))
		if value, _, ok, err := r.Get(stored, Hash(stored), key.MaxTrailer); !ok || err != nil || value == nil || len(value) != 0 {
			t.Errorf("%s: %v, %v, %v", user, value, ok, err)
		}
	}
}

func TestGet_OfAKeyBehindTheTableTouchesNoBlock(t *testing.T) {
	data, _ := small(t)
	m := &memory{data: data, copies: true}
	r, err := NewReader(m, ReaderOptions{ID: testID})
	must(t, err)
	before := m.reads.Load()
	for _, user := range []string{"keyz", "kez", "z", "key11\x00"} {
		same(t, get(r, key.AppendStored(nil, 0, []byte(user)), key.MaxTrailer), "none")
	}
	same(t, m.reads.Load(), before)
}

func TestGet_FindsAmongEqualFingerprints(t *testing.T) {
	// The hash is the caller's, so all fingerprints can be made equal: then keys alone decide.
	w := &blockWriter{}
	var all twin
	for i := range 100 {
		e := set(fmt.Sprintf("%02d", i/2), 200-i, fmt.Sprint(i))
		all = append(all, e)
		w.add(e.key.Stored, 42<<32, e.key.Trailer, e.value)
	}
	b := makeBlock(w.appendTo(nil, testID, 0), 0)
	for _, e := range all {
		value, found, ok := b.get(e.key.Stored, 42<<32, e.key.Trailer)
		if !ok || found != e.key.Trailer || string(value) != string(e.value) {
			t.Errorf("%v: %q, %v", e, value, ok)
		}
		if _, _, ok := b.get(append(e.key.Stored, 'x'), 42<<32, key.MaxTrailer); ok {
			t.Errorf("%v with an x is found", e.key)
		}
	}
}

func TestGet_LooksAtNoEntryWithAnotherFingerprint(t *testing.T) {
	w := &blockWriter{}
	for i := range 30 {
		e := set(fmt.Sprintf("%02d", i), 1, "v")
		w.add(e.key.Stored, uint64(2*i)<<32, e.key.Trailer, e.value)
	}
	b := makeBlock(w.appendTo(nil, testID, 0), 0)
	for i := range 30 {
		// Those that differ in the last bit alone may be looked at: the search for eight at a time
		// sees one more where a borrow reaches it.
		for f := uint64(0); f < 256; f += 2 {
			if _, _, ok := b.get(fmt.Appendf([]byte{0}, "%02d", i), f<<32, key.MaxTrailer); ok != (f == uint64(2*i)) {
				t.Fatalf("entry %d is found by fingerprint %d: %v", i, f, ok)
			}
		}
	}
}
