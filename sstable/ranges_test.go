package sstable

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// span makes a span of keyspace 0.
func span(lower, upper string, seqs ...key.SeqNum) rangedel.Span {
	return rangedel.Span{Lower: key.AppendStored(nil, 0, []byte(lower)), Upper: key.AppendStored(nil, 0, []byte(upper)), Seqs: seqs}
}

func rangesText(l rangedel.List) string {
	var parts []string
	for _, s := range l {
		parts = append(parts, fmt.Sprintf("%s..%s%v", key.FormatStored(s.Lower), key.FormatStored(s.Upper), s.Seqs))
	}
	return strings.Join(parts, " ")
}

func TestRanges_AreStoredAsDocumented(t *testing.T) {
	l := rangedel.List{span("a", "m", 5), span("m", "z", 9, 5)}
	want, err := hex.DecodeString(strings.ReplaceAll("02 00 61  02 00 6d  01 05 02 00 6d  02 00 7a  02 09 05", " ", ""))
	must(t, err)
	if got := encodeRanges(l); !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
	read, err := decodeRanges(want, 100)
	must(t, err)
	if got := rangesText(read); got != "a..m[105] m..z[109 105]" {
		t.Errorf("read with base 100: %s", got)
	}
}

func TestRanges_AreReadBackWithAndWithoutEntries(t *testing.T) {
	for _, entries := range []string{"", "b#3,SET:x k#12,DEL"} {
		var file bytes.Buffer
		w := NewWriter(&file, WriterOptions{ID: testID, BlockSize: 4096, BitsPerKey: 10})
		w.DeleteRanges(rangedel.List{span("a", "m", 5), span("x", "z", 9, 7)})
		for _, e := range parse(t, entries) {
			must(t, w.Add(e.key.Stored, e.key.Trailer, e.value))
		}
		props, _, err := w.Finish()
		must(t, err)
		largest := key.SeqNum(9)
		if entries != "" {
			largest = 12
		}
		if props.RangeDeletes != 2 || props.LargestSeq != largest {
			t.Errorf("%q: properties %+v", entries, props)
		}
		r, err := NewReader(&memory{data: file.Bytes()}, ReaderOptions{Name: "7.sst", ID: testID, SeqBase: 1000})
		must(t, err)
		if got := rangesText(r.RangeDeletes()); got != "a..m[1005] x..z[1009 1007]" {
			t.Errorf("%q: %s", entries, got)
		}
		it := r.NewIter()
		n := 0
		for kv := it.First(); kv != nil; kv = it.Next() {
			n++
		}
		for kv := it.Last(); kv != nil; kv = it.Prev() {
			n--
		}
		if n != 0 || it.Err() != nil || it.SeekGE([]byte{0}, key.MaxTrailer) == nil != (entries == "") {
			t.Errorf("%q: %d entries more forward than backward, %v", entries, n, it.Err())
		}
		must(t, r.Close())
		if got := rangesText(r.RangeDeletes()); got != "a..m[1005] x..z[1009 1007]" {
			t.Errorf("%q: after Close: %s", entries, got)
		}
	}
}

func TestRanges_MalformedOnesAreCorrupt(t *testing.T) {
	valid := encodeRanges(rangedel.List{span("a", "m", 5), span("m", "z", 9, 5)})
	for _, c := range []struct{ what, hex string }{
		{"no count", "020061 02006d"},
		{"no sequence number", "020061 02006d 00"},
		{"sequence number 0", "020061 02006d 01 00"},
		{"sequence numbers that grow", "020061 02006d 02 05 09"},
		{"the same sequence number twice", "020061 02006d 02 05 05"},
		{"more sequence numbers than bytes", "020061 02006d ffffffff0f 05"},
		{"upper bound below the lower", "02006d 020061 01 05"},
		{"empty span", "020061 020061 01 05"},
		{"empty bound", "00 020061 01 05"},
		{"bound beyond the end", "f0ffffffffffffffff01"},
		{"spans that overlap", "020061 02006d 01 05 020062 02007a 01 05"},
	} {
		data, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		must(t, err)
		if l, err := decodeRanges(data, 0); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%s: %s, %v", c.what, rangesText(l), err)
		}
	}
	for n := range valid {
		if l, err := decodeRanges(valid[:n], 0); err != nil != (n != 0 && n != 8) {
			t.Errorf("first %d bytes: %s, %v", n, rangesText(l), err)
		}
	}
}

func FuzzRanges(f *testing.F) {
	f.Add(encodeRanges(rangedel.List{span("a", "m", 5), span("m", "z", 9, 5)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := decodeRanges(data, 3)
		if err != nil {
			return
		}
		var again rangedel.List
		for _, s := range l {
			for i := range s.Seqs {
				s.Seqs[i] -= 3
			}
			again = append(again, s)
		}
		back, err := decodeRanges(encodeRanges(again), 0)
		if err != nil || rangesText(back) != rangesText(again) {
			t.Errorf("%s, %v, want %s", rangesText(back), err, rangesText(again))
		}
	})
}
