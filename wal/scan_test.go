package wal

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestSalt_IsToldFromItsEpochAndBack(t *testing.T) {
	for range 1000 {
		epoch, off := rand.Uint64(), rand.Int64()
		if got := unsalt(salt(epoch, off), off); got != epoch {
			t.Fatalf("epoch %016x at %d became %016x", epoch, off, got)
		}
	}
}

// deceiving fills bytes that will stand at off of a segment with what costs a scan most: every second byte looks like the start of a
// chunk that reaches to the end of its block.
func deceiving(b []byte, off int64) {
	for i := range b {
		at := off + int64(i)
		if b[i] = byte(chunkWhole); at%2 == 0 {
			b[i] = byte(max(blockEnd(at)-at-3*chunkHeaderLen, 0) >> 8)
		}
	}
}

// segmentOf returns the bytes of a segment: its header, some records, and what fill puts behind them.
func segmentOf(t *testing.T, size int, epoch uint64, records [][]byte, fill func(b []byte, off int64)) ([]byte, header) {
	t.Helper()
	h := header{purpose: PurposeLog, room: headerLen, store: testStore, number: 1, epoch: epoch}
	data := h.encode()
	for _, r := range records {
		for first := true; first || len(r) > 0; first = false {
			at := chunkStart(int64(len(data)))
			data = append(data, make([]byte, at-int64(len(data)))...)
			n := min(len(r), int(blockEnd(at)-at)-chunkHeaderLen)
			data = appendChunk(data, &h, at, typeOf(first, n == len(r)), Position{}, r[:n])
			r = r[n:]
		}
	}
	rest := make([]byte, size-len(data))
	fill(rest, int64(len(data)))
	return append(data, rest...), h
}

// A file that anybody made costs a scan less than 2 s per MB: about one. The bound is wider, so that it holds on a slow machine and
// under the race detector.
func TestScan_OfAnyContentsIsBounded(t *testing.T) {
	const size = 1 << 20
	data, h := segmentOf(t, size, 7, nil, deceiving)
	candidates, hashed := 0, int64(0)
	for off := int64(headerLen); off+chunkHeaderLen <= size; off++ {
		if _, end, ok := impliedEpoch(data, off); ok {
			candidates++
			hashed += end - off
		}
	}
	if candidates < size/3 || hashed>>10 < 7*size {
		t.Fatalf("the contents deceive too little: %d candidates of %d bytes", candidates, hashed)
	}
	begin := time.Now()
	s := scanner{header: h, data: data}
	for range s.intactFrom(headerLen) {
		t.Fatal("an intact chunk")
	}
	took := time.Since(begin)
	t.Logf("%v for a megabyte of which %d MB are hashed", took, hashed>>20)
	if took > 20*time.Second {
		t.Errorf("%v for a megabyte", took)
	}
}

// Records chosen to deceive, left by an earlier use of a file, cost no more than one block of them.
func TestScan_PassesOverWhatAnEarlierUseLeft(t *testing.T) {
	const size = 8 << 20
	for _, recordLen := range []int{10_000, 100, 40_000, 200_000, 3 << 20} {
		var records [][]byte
		for total := 0; total+recordLen < size-size/10; total += recordLen + 64 {
			r := make([]byte, recordLen)
			deceiving(r, int64(headerLen+total))
			records = append(records, r)
		}
		old, _ := segmentOf(t, size, 7, records, func([]byte, int64) {})
		now, h := segmentOf(t, 100_000, 8, [][]byte{[]byte("ripe"), make([]byte, 50_000)}, func(b []byte, off int64) { copy(b, old[off:]) })
		data := append(now, old[len(now):]...)
		s := scanner{header: h, data: data, off: headerLen}
		for _, ok := s.next(); ok; _, ok = s.next() {
		}
		bytewise := 0
		for off := s.bad + 1; off < size; {
			if off%blockLen == 0 {
				if end := s.earlierUse(off); end > off {
					off = end
					continue
				}
			}
			if data[off] != 0 {
				bytewise++
			}
			off++
		}
		if bytewise > 2*blockLen {
			t.Errorf("records of %d bytes: %d bytes are tried one by one", recordLen, bytewise)
		}
		for c := range s.intactFrom(s.bad + 1) {
			t.Errorf("records of %d bytes: an intact chunk before %d", recordLen, c.end)
		}
	}
}

// What is passed over holds no chunk of this use: a scan finds the same as one that tries every byte.
func TestScan_FindsWhatTryingEveryByteFinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	records := func(n int) (all [][]byte) {
		for range n {
			all = append(all, make([]byte, rng.IntN(9000)))
		}
		return all
	}
	for range 40 {
		old, _ := segmentOf(t, 400_000, 7, records(30), func([]byte, int64) {})
		data, h := segmentOf(t, 400_000, 8, records(20), func(b []byte, off int64) { copy(b, old[off:]) })
		for range rng.IntN(4) { // pages that never were written anew, or are damaged
			at := rng.IntN(len(data)/4096) * 4096
			if copy(data[at:at+4096], old[at:]); rng.IntN(2) == 0 {
				data[at+rng.IntN(4096)] ^= 1
			}
		}
		copy(data, h.encode())
		var want, got []int64
		for off := int64(headerLen); off < int64(len(data)); off++ {
			if c, ok := decodeChunk(data, &h, off); ok {
				want = append(want, c.end)
				off = c.end - 1
			}
		}
		s := scanner{header: h, data: data}
		for c := range s.intactFrom(headerLen) {
			got = append(got, c.end)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("found chunks that end at\n%v\nwant\n%v", got, want)
		}
		if bytes.Equal(data, old) || binary.LittleEndian.Uint64(data[32:]) != 8 {
			t.Fatal("nothing is new")
		}
	}
}
