package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// newSegment returns an empty segment of the given size on a file system in memory.
func newSegment(t *testing.T, size int64) *segment {
	t.Helper()
	log, err := vfs.NewMem().CreateLog("/1.wal")
	must(t, err)
	must(t, log.Extend(size))
	s, err := startSegment("/1.wal", log, header{purpose: PurposeLog, store: testStore, number: 1, epoch: 99})
	must(t, err)
	return s
}

// contents returns the bytes of a segment's file.
func contents(t *testing.T, s *segment) []byte {
	t.Helper()
	data := make([]byte, s.log.Size())
	if _, err := s.log.ReadAt(data, 0); err != nil && !isEOF(err) {
		t.Fatal(err)
	}
	return data
}

// records reads a segment from its first record on, as far as they go.
func records(s *segment, data []byte) (all [][]byte) {
	in := &scanner{header: s.header, data: data, off: headerLen}
	for r, ok := in.next(); ok; r, ok = in.next() {
		all = append(all, bytes.Clone(r))
	}
	return all
}

func TestSegment_HasTheseBytes(t *testing.T) {
	j := begin(t, "")
	j.opts.Store = testStore
	j.run("put ripe; flush; put fig; sync; put plum; flush")
	data, err := readAll(j.fs, segmentPath(t, j.fs, 1))
	must(t, err)
	chunk := func(name string, n int) []field {
		return []field{
			{8, name + ": checksum"},
			{2, "  length"},
			{1, "  type: whole record"},
			{1, "  vouched lag"},
			{4, "  vouched offset"},
			{n, "  payload"},
		}
	}
	golden(t, "segment.txt", data, slices.Concat([]field{
		{8, "magic"},
		{2, "version"},
		{2, "purpose: log"},
		{4, "room"},
		{8, "store"},
		{8, "number"},
		{8, "epoch"},
		{8, "cache: hash of 51b00000-0000-4000-8000-000000000001"},
		{8, "previous length: a log begins here"},
		{8, "previous mark"},
		{56, "zero"},
		{8, "checksum"},
	}, chunk("record 1, vouches for the header", 4), chunk("record 2, vouches for the same", 3), chunk("record 3, vouches for records 1 and 2", 4)))
}

func TestHeader_RoundTrip(t *testing.T) {
	for _, h := range []header{
		{purpose: PurposeLog, room: headerLen, store: 1, number: 1},
		{purpose: PurposeLog, room: maxSegmentLen, store: 1<<64 - 1, number: MaxSegmentNum, epoch: 1<<64 - 1, cache: 1<<64 - 1, prevLen: maxSegmentLen, prevMark: 1<<64 - 1},
	} {
		if got, err := decodeHeader(h.encode(), h.purpose, h.store); err != nil || got != h {
			t.Errorf("wrote %+v, read %+v, %v", h, got, err)
		}
	}
}

func TestHeader_EveryFlippedBitIsFound(t *testing.T) {
	h := header{purpose: PurposeLog, room: 4096, store: 5, number: 7, epoch: 9}
	for bit := range headerLen * 8 {
		b := h.encode()
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeHeader(b, PurposeLog, 5); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("bit %d: %v", bit, err)
		}
	}
}

func TestHeader_RefusesWhatDoesNotBelong(t *testing.T) {
	good := header{purpose: PurposeLog, room: 4096, store: 5, number: 7, epoch: 9}
	for name, change := range map[string]func(h *header){
		"another purpose":           func(h *header) { h.purpose = PurposeManifest },
		"no purpose":                func(h *header) { h.purpose = 0 },
		"another store":             func(h *header) { h.store = 6 },
		"number zero":               func(h *header) { h.number = 0 },
		"room smaller than itself":  func(h *header) { h.room = headerLen - 1 },
		"previous length too large": func(h *header) { h.prevLen = maxSegmentLen + 1 },
		"previous length below 0":   func(h *header) { h.prevLen = -1 },
	} {
		h := good
		change(&h)
		if _, err := decodeHeader(h.encode(), PurposeLog, 5); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeader_OfANewerVersionIsTooNewAndNotCorrupt(t *testing.T) {
	b := (&header{purpose: PurposeLog, room: 4096, store: 5, number: 7}).encode()
	b[8] = formatVersion + 1
	sealHeader(b)
	if _, err := decodeHeader(b, PurposeLog, 5); !errors.Is(err, corrupt.ErrTooNew) || errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// borders are sizes of records around those that fill a block.
func borders() (sizes []int) {
	full := blockLen - headerLen - chunkHeaderLen // fills what the header leaves of the first block
	for _, base := range []int{0, full, full + blockLen - chunkHeaderLen, full - chunkHeaderLen} {
		for d := -2 * chunkHeaderLen; d <= 2*chunkHeaderLen; d++ {
			if base+d >= 0 {
				sizes = append(sizes, base+d)
			}
		}
	}
	return sizes
}

func TestSegment_RecordsAroundBlockBordersAreReadBack(t *testing.T) {
	for _, syncFollows := range []bool{false, true} {
		for _, size := range borders() {
			s := newSegment(t, 4*blockLen)
			want := [][]byte{bytes.Repeat([]byte("x"), size), {}, []byte("second"), bytes.Repeat([]byte("y"), blockLen)}
			for _, r := range want {
				s.append(r, 0, Position{})
			}
			must(t, s.flush(syncFollows))
			if got := records(s, contents(t, s)); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("record of %d bytes, sync follows %v: %d records are read back", size, syncFollows, len(got))
			}
		}
	}
}

func TestSegment_MappedAndWrittenBytesAreTheSame(t *testing.T) {
	for _, size := range borders() {
		var files [2][]byte
		for i, syncFollows := range []bool{false, true} {
			s := newSegment(t, 3*blockLen)
			s.append(bytes.Repeat([]byte("x"), size), 0, Position{})
			s.append([]byte("second"), 0, Position{})
			must(t, s.flush(syncFollows))
			files[i] = contents(t, s)
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("record of %d bytes: the files differ", size)
		}
	}
}

func TestSegment_OldRecordsOfARecycledFileAreNeverRead(t *testing.T) {
	// The file is full of records of an earlier epoch, at every place where a chunk may begin.
	const size = 3 * blockLen
	for _, first := range borders() {
		if first > size-blockLen {
			continue
		}
		s := newSegment(t, size)
		for s.fits(framedLen(1, 1)) {
			s.append([]byte("o"), 0, Position{})
		}
		must(t, s.flush(true))
		fresh, err := startSegment(s.name, s.log, header{purpose: PurposeLog, store: testStore, number: 2, epoch: 100, prevLen: s.end})
		must(t, err)
		want := [][]byte{bytes.Repeat([]byte("x"), first), []byte("second")}
		for _, r := range want {
			fresh.append(r, 0, Position{})
			must(t, fresh.flush(false))
		}
		data := contents(t, s)
		if got := records(fresh, data); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("first record of %d bytes: %d records are read back", first, len(got))
		}
		in := scanner{header: fresh.header, data: data}
		for c := range in.intactFrom(fresh.end) {
			t.Fatalf("first record of %d bytes: an old chunk before %d passes for a new one", first, c.end)
		}
	}
}

func TestSegment_OfAnotherEpochHasNoRecords(t *testing.T) {
	s := newSegment(t, 4096)
	s.append([]byte("a"), 0, Position{})
	must(t, s.flush(true))
	s.header.epoch++
	if got := records(s, contents(t, s)); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestChunk_MovedElsewhereDoesNotPass(t *testing.T) {
	s := newSegment(t, 4096)
	s.append([]byte("a"), 0, Position{})
	must(t, s.flush(true))
	data := contents(t, s)
	for off := int64(headerLen); off < 2048; off++ {
		moved := slices.Concat(make([]byte, off), data[headerLen:headerLen+chunkHeaderLen+1], make([]byte, 100))
		if _, ok := decodeChunk(moved, &s.header, off); ok != (off == headerLen) {
			t.Errorf("chunk of offset %d passes at %d: %v", headerLen, off, ok)
		}
	}
}

func TestChunk_EveryFlippedBitIsFound(t *testing.T) {
	h := header{number: 300, epoch: 5}
	good := appendChunk(make([]byte, headerLen), &h, headerLen, chunkWhole, Position{299, 4000}, []byte("fig"))
	for bit := headerLen * 8; bit < len(good)*8; bit++ {
		data := bytes.Clone(good)
		data[bit/8] ^= 1 << (bit % 8)
		if _, ok := decodeChunk(data, &h, headerLen); ok {
			t.Errorf("bit %d of the chunk can be flipped", bit-headerLen*8)
		}
	}
}

func TestChunk_CutAnywhereIsNone(t *testing.T) {
	h := header{number: 1, epoch: 5}
	good := appendChunk(make([]byte, headerLen), &h, headerLen, chunkWhole, Position{}, []byte("fig"))
	for n := range len(good) {
		if _, ok := decodeChunk(good[:n:n], &h, headerLen); ok {
			t.Errorf("passes with %d of %d bytes", n, len(good))
		}
	}
}

func TestChunk_VouchedPositionRoundTrip(t *testing.T) {
	for _, c := range []struct {
		segment       SegmentNum
		vouched, want Position
	}{
		{1, Position{}, Position{}},
		{1, Position{1, 128}, Position{1, 128}},
		{7, Position{3, maxSegmentLen}, Position{3, maxSegmentLen}},
		{300, Position{46, 128}, Position{46, 128}},
		{300, Position{45, 128}, Position{}}, // more than 254 segments back: vouches for nothing
		{1 << 40, Position{1, 128}, Position{}},
	} {
		h := header{number: c.segment, epoch: 5}
		data := appendChunk(make([]byte, headerLen), &h, headerLen, chunkWhole, c.vouched, nil)
		if got, ok := decodeChunk(data, &h, headerLen); !ok || got.vouched != c.want {
			t.Errorf("segment %d, %v: read as %v, %v", c.segment, c.vouched, got.vouched, ok)
		}
	}
}

func TestFramedLen_BoundsWhatRecordsTakeWhereverTheyBegin(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := newSegment(t, 1<<20)
		s.append(make([]byte, rng.IntN(2*blockLen)), 0, Position{})
		start, payload, n := s.end, int64(0), rng.IntN(60)
		for range n {
			size := rng.IntN(1 + rng.IntN(3*blockLen/2))
			if rng.IntN(2) == 0 { // end somewhere around a border
				size = max(0, int(blockEnd(s.end)-s.end)-2*chunkHeaderLen+rng.IntN(3*chunkHeaderLen))
			}
			if s.end+int64(size) > 900<<10 {
				size = 0
			}
			payload += int64(size)
			s.append(make([]byte, size), 0, Position{})
		}
		if got, bound := s.end-start, framedLen(n, payload); got > bound {
			t.Fatalf("seed %d: %d records of %d bytes from %d on take %d bytes, more than %d", seed, n, payload, start, got, bound)
		}
	}
}

func TestScanner_OutOfPlaceChunksEndTheRecords(t *testing.T) {
	// Chunks are intact, but their types do not make a record.
	for _, types := range []string{"M", "L", "FW", "FF", "WM", "WL", "FMF", "F", "FM"} {
		h := header{number: 1, epoch: 5}
		data := make([]byte, headerLen)
		for _, c := range types {
			typ := chunkType(1 + strings.IndexRune("WFML", c))
			data = appendChunk(data, &h, int64(len(data)), typ, Position{}, []byte{'x'})
		}
		in := &scanner{header: h, data: data, off: headerLen}
		n := 0
		for _, ok := in.next(); ok; _, ok = in.next() {
			n++
		}
		if want := strings.Count(types[:1], "W"); n != want || in.bad < headerLen {
			t.Errorf("%s: %d records, bad at %d; want %d", types, n, in.bad, want)
		}
	}
}

func TestPosition_OrdersBySegmentThenOffset(t *testing.T) {
	ordered := []Position{{}, {1, 128}, {1, 129}, {2, 0}, {2, 500}}
	for i, a := range ordered {
		for j, b := range ordered {
			if a.Before(b) != (i < j) {
				t.Errorf("%v before %v: %v", a, b, a.Before(b))
			}
		}
	}
	same(t, fmt.Sprint(Position{7, 128}), "segment 7 offset 128")
}

func TestReadAll_RefusesAFileThatNoSegmentCanBe(t *testing.T) {
	// A sparse file of a terabyte must not be read into memory.
	fs := &fixed{files: map[string][]byte{"/1.wal": make([]byte, 4096)}, size: 1 << 40}
	if _, err := readAll(fs, "/1.wal"); !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}
