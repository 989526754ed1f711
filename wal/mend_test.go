package wal

import (
	"bytes"
	"testing"

	"github.com/tinykv/tinykv/internal/onebit"
)

// Whatever bit of a segment is flipped, up to the end of its last record, the bytes are again what they were.
func TestMend_PutsAnyFlippedBitRight(t *testing.T) {
	j := begin(t, "put a bb ccc*40000 d; sync; put e")
	data, err := readAll(j.killed(), "/db/000001.wal")
	must(t, err)
	used := len(bytes.TrimRight(data, "\x00"))
	for off := 0; off < used; off++ {
		if off > 400 && off < used-300 && off%601 != 0 && (off+8)%blockLen > 40 {
			continue
		}
		flipped := bytes.Clone(data)
		flipped[off] ^= 1 << (off % 8)
		if mended := Mend(flipped, &onebit.Budget{Left: 1 << 40}); len(mended) != 1 || !bytes.Equal(flipped, data) {
			t.Fatalf("byte %d of %d: mended at %v", off, used, mended)
		}
	}
	unused := make([]byte, 4096)
	unused[77] = 4
	if mended := Mend(unused, nil); len(mended) != 1 || unused[77] != 0 {
		t.Errorf("a file that was never used: %v", mended)
	}
}

func TestMend_LeavesAloneWhatIsIntactOrCannotBeMended(t *testing.T) {
	j := begin(t, "put a bb ccc; sync")
	data, err := readAll(j.killed(), "/db/000001.wal")
	must(t, err)
	for _, change := range []func(b []byte) []byte{
		func(b []byte) []byte { return b },
		func(b []byte) []byte { b[3] ^= 0x11; return b },
		func(b []byte) []byte { b[headerLen+chunkHeaderLen] ^= 0x11; return b },
		func(b []byte) []byte { return b[:60] },
		func(b []byte) []byte { return nil },
		func(b []byte) []byte { clear(b); return b },
	} {
		before := change(bytes.Clone(data))
		after := bytes.Clone(before)
		if mended := Mend(after, &onebit.Budget{Left: 1 << 40}); len(mended) > 0 || !bytes.Equal(before, after) {
			t.Errorf("mended at %v", mended)
		}
	}
}
