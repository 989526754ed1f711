package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/onebit"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// salvaged is what came out of a table.
type salvaged struct {
	entries []string // internal keys
	ranges  rangedel.List
	lost    []Loss
	mended  int
}

// salvage takes what it can out of a table, with a budget for flipped bits or none.
func salvage(t *testing.T, data []byte, base key.SeqNum, budget *onebit.Budget) (out salvaged) {
	t.Helper()
	read := int64(0)
	s := Salvage(&memory{data: data, copies: true}, SalvageOptions{
		Name: "7.sst", ID: testID, SeqBase: base, Mend: budget,
		Lost:   func(l Loss) { out.lost = append(out.lost, l) },
		Mended: func(error) { out.mended++ },
		Progress: func(n int64) {
			if read += n; read > int64(len(data)) {
				t.Fatalf("%d of %d bytes were read", read, len(data))
			}
		},
	})
	out.ranges = s.Ranges()
	for kv := s.Next(); kv != nil; kv = s.Next() {
		out.entries = append(out.entries, kv.Key().String())
	}
	if s.Read() != uint64(len(out.entries)) {
		t.Errorf("%d entries, %d counted", len(out.entries), s.Read())
	}
	return out
}

// ruin is a table with range tombstones, several versions of keys across blocks, and what is in it.
func ruin(t *testing.T, c Compression) (data []byte, entries twin) {
	t.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, WriterOptions{ID: testID, BlockSize: 200, BitsPerKey: 10, Compression: c})
	w.DeleteRanges(rangedel.List{span("a", "m", 5), span("x", "z", 9, 7)})
	for i := range 40 {
		for seq := 3; seq > 0; seq-- {
			e := set(fmt.Sprintf("k%02d", i), 3*i+seq, strings.Repeat("v", 30))
			must(t, w.Add(e.key.Stored, e.key.Trailer, []byte(e.value)))
			entries = append(entries, e)
		}
	}
	_, _, err := w.Finish()
	must(t, err)
	return file.Bytes(), entries
}

func TestSalvage_OfAnIntactTableHandsOutAll(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2, Zstd} {
		data, entries := ruin(t, c)
		out := salvage(t, data, 100, nil)
		var want []string
		for _, e := range entries.shift(100) {
			want = append(want, e.key.String())
		}
		if !reflect.DeepEqual(out.entries, want) || len(out.lost) > 0 {
			t.Errorf("compression %d: %q, %v", c, out.entries, out.lost)
		}
		if out.ranges.Newest([]byte("\x00b"), key.MaxSeqNum) != 105 {
			t.Errorf("range tombstones: %v", out.ranges)
		}
	}
}

// Whatever byte is damaged: an entry comes out right, or lies in a part that is told of.
func TestSalvage_TellsOfWhatItDoesNotHandOut(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2} {
		data, entries := ruin(t, c)
		for off := 0; off < len(data); off += 2 {
			damaged := bytes.Clone(data)
			damaged[off] ^= 0x11
			out := salvage(t, damaged, 0, nil)
			have, ranges := map[string]bool{}, len(out.ranges) == 2
			for _, k := range out.entries {
				have[k] = true
			}
			for _, e := range entries {
				if k := e.key.String(); !have[k] && !told(out.lost, e.key.Stored) {
					t.Fatalf("compression %d, byte %d: %s is missing; lost are %v", c, off, k, out.lost)
				} else {
					delete(have, k)
				}
			}
			if len(have) > 0 {
				t.Fatalf("compression %d, byte %d: %v were not there", c, off, have)
			}
			for _, l := range out.lost {
				ranges = ranges || l.Ranges
				if !errors.Is(l.Err, corrupt.ErrCorrupt) || l.IsTooNew() {
					t.Fatalf("byte %d: %v", off, l.Err)
				}
			}
			if !ranges {
				t.Fatalf("byte %d: range tombstones are missing without a word", off)
			}
		}
	}
}

// told tells whether a loss covers a stored key.
func told(lost []Loss, stored []byte) bool {
	for _, l := range lost {
		if l.Entries && (l.Lower == nil || bytes.Compare(l.Lower, stored) <= 0) && (l.Upper == nil || bytes.Compare(stored, l.Upper) < 0) {
			return true
		}
	}
	return false
}

func TestSalvage_PutsAnyFlippedBitRight(t *testing.T) {
	for _, c := range []Compression{NoCompression, Zstd} {
		data, entries := ruin(t, c)
		mended := 0
		for off := 0; off < len(data); off += 3 {
			flipped := bytes.Clone(data)
			flipped[off] ^= 1 << (off % 8)
			out := salvage(t, flipped, 0, &onebit.Budget{Left: 1 << 40})
			if len(out.entries) != len(entries) || len(out.ranges) != 2 || len(out.lost) > 0 {
				t.Fatalf("compression %d, byte %d: %d of %d entries, lost are %v", c, off, len(out.entries), len(entries), out.lost)
			}
			mended += out.mended
		}
		if mended < len(data)/6 {
			t.Errorf("%d of %d bits were put right", mended, len(data))
		}
	}
}
