package sstable

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// verify returns what is in a table and what is wrong with it, one line each.
func verify(t *testing.T, data []byte) (c Contents, problems []string) {
	t.Helper()
	read := int64(0)
	c, err := Verify(context.Background(), &memory{data: data}, VerifyOptions{
		Name: "7.sst", ID: testID,
		Damage: func(err error) {
			var e *corrupt.Error
			if !errors.As(err, &e) || e.File != "7.sst" || e.Offset < 0 {
				t.Fatalf("%#v does not say where", err)
			}
			problems = append(problems, err.Error())
		},
		Progress: func(n int64) { read += n },
	})
	must(t, err)
	if len(problems) == 0 && read != int64(len(data)) {
		t.Errorf("%d of %d bytes were read", read, len(data))
	}
	return c, problems
}

func TestVerify_FindsNothingInIntactTables(t *testing.T) {
	for _, s := range shapes() {
		for _, c := range []Compression{NoCompression, S2, Zstd} {
			data, props := tableOf(t, WriterOptions{BlockSize: s.block, BitsPerKey: s.bits, Compression: c}, s.entries)
			contents, problems := verify(t, data)
			if len(problems) > 0 || !contents.Whole || !reflect.DeepEqual(contents.Counted, props) {
				t.Errorf("%s, compression %d: %v\n%+v, want\n%+v", s.name, c, problems, contents.Counted, props)
			}
		}
	}
}

func TestVerify_ShowsEverythingInOrder(t *testing.T) {
	data, props := tableOf(t, WriterOptions{BlockSize: 30, BitsPerKey: 10}, parse(t, "a#3,SET:x b#2,SET:y b#1,DEL c#4,SET:z"))
	var seen []string
	note := func(format string, args ...any) { seen = append(seen, fmt.Sprintf(format, args...)) }
	_, err := Verify(context.Background(), &memory{data: data, copies: true}, VerifyOptions{
		ID:     testID,
		Stated: func(p Properties) { note("%d entries", p.Entries) },
		Block:  func(b BlockInfo) { note("block at %d of %d up to %v", b.Offset, b.Entries, b.Separator.Trailer) },
		Entry:  func(kv *iterator.KV) { note("%v:%s", key.Internal{Stored: kv.Stored, Trailer: kv.Trailer}, kv.Value) },
	})
	must(t, err)
	if len(seen) != 1+int(props.DataBlocks)+4 || seen[0] != "4 entries" || seen[2] != "a#3,SET:x" || seen[len(seen)-1] != "c#4,SET:z" {
		t.Errorf("%q", seen)
	}
}

// Not even a bit in a gap may differ.
func TestVerify_ReportsEveryFlippedBit(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2, Zstd} {
		var file bytes.Buffer
		w := NewWriter(&file, WriterOptions{ID: testID, BlockSize: 200, BitsPerKey: 10, Compression: c})
		w.DeleteRanges(rangedel.List{span("a", "m", 5), span("x", "z", 9, 7)})
		for i := range 40 {
			e := set(fmt.Sprintf("k%02d", i), i+1, strings.Repeat("v", 30))
			must(t, w.Add(e.key.Stored, e.key.Trailer, e.value))
		}
		_, _, err := w.Finish()
		must(t, err)
		for off := range file.Bytes() {
			data := bytes.Clone(file.Bytes())
			data[off] ^= 1 << (off % 8)
			if _, problems := verify(t, data); len(problems) == 0 {
				t.Fatalf("compression %d: byte %d of %d: no damage found", c, off, len(data))
			}
		}
		for size := range file.Len() {
			if _, problems := verify(t, file.Bytes()[:size]); len(problems) == 0 {
				t.Fatalf("compression %d: cut to %d: no damage found", c, size)
			}
		}
	}
}

// Tables whose checksums are right, but that were made wrong.
func TestVerify_ReportsWhatAFaultyWriterMakes(t *testing.T) {
	for _, tc := range []struct {
		fault string
		make  func(w *Writer, add func(text string))
		want  string
	}{
		{"order", func(w *Writer, add func(string)) {
			add("b#1,SET:x")
			w.last = key.Internal{}
			add("a#2,SET:y c#3,SET:z")
		}, "does not sort behind the one before"},
		{"the same entry twice", func(w *Writer, add func(string)) {
			add("b#1,SET:x")
			w.last.Trailer++
			add("b#1,SET:x")
		}, "does not sort behind the one before"},
		{"a key left out of the filter", func(w *Writer, add func(string)) {
			add("a#1,SET:x")
			w.hashes = nil
			add("b#2,SET:y")
		}, "does not pass the table's filter"},
		{"no filter", func(w *Writer, add func(string)) {
			add("a#1,SET:x")
			w.hashes = nil
		}, "state a filter of 10 bits a key, but there is none"},
		{"count", func(w *Writer, add func(string)) { add("a#1,SET:x"); w.props.Entries++ }, "state 2 entries, but there are 1"},
		{"tombstones", func(w *Writer, add func(string)) { add("a#1,SET:x"); w.props.Deletes++ }, "state 1 tombstones"},
		{"shadowed", func(w *Writer, add func(string)) { add("a#1,SET:x"); w.props.Shadowed++ }, "state 1 shadowed entries"},
		{"bytes", func(w *Writer, add func(string)) { add("a#1,SET:x"); w.props.KeyBytes++ }, "state 3 bytes of keys"},
		{"blocks", func(w *Writer, add func(string)) { add("a#1,SET:x"); w.props.DataBlocks++ }, "state 2 data blocks"},
		{"spans", func(w *Writer, add func(string)) { add("a#1,SET:x"); w.props.RangeDeletes = 1 }, "state 1 spans"},
		{"values that expire", func(w *Writer, add func(string)) { add("a#1,SETEXP@7:x"); w.props.Expiring++ }, "state 2 values that expire"},
		{"expiries", func(w *Writer, add func(string)) { add("a#1,SETEXP@7:x b#2,SETEXP@9:y"); w.props.LeastExpiry++ }, "state expiries from 8 to 9, but they are from 7 to 9"},
		{"sequence numbers", func(w *Writer, add func(string)) { add("a#4,SET:x"); w.props.SmallestSeq-- }, "state sequence numbers 3 to 4, but there are 4 to 4"},
		{"least key", func(w *Writer, add func(string)) {
			add("b#4,SET:x c#5,SET:y")
			w.props.Smallest.Trailer++
		}, "state keys"},
	} {
		var file bytes.Buffer
		w := NewWriter(&file, WriterOptions{ID: testID, BlockSize: 4096, BitsPerKey: 10})
		tc.make(w, func(text string) {
			for _, e := range parse(t, text) {
				must(t, w.Add(e.key.Stored, e.key.Trailer, e.value))
			}
		})
		_, _, err := w.Finish()
		must(t, err)
		if _, problems := verify(t, file.Bytes()); len(problems) == 0 || !strings.Contains(problems[0], tc.want) {
			t.Errorf("%s: %q, want %q", tc.fault, problems, tc.want)
		}
	}
}

func TestVerify_ReportsAFingerprintThatHidesItsKey(t *testing.T) {
	data := table(t, WriterOptions{BitsPerKey: 10}, parse(t, "a#1,SET:x b#2,SET:y"))
	data[blockFingerprints]++
	reseal(data)
	if _, problems := verify(t, data); len(problems) != 1 || !strings.Contains(problems[0], "another fingerprint") {
		t.Errorf("%q", problems)
	}
}

// Damage to a section leaves the blocks to be read, as long as it is not the index.
func TestVerify_GoesOnWithoutASection(t *testing.T) {
	data := table(t, WriterOptions{BlockSize: 100, BitsPerKey: 10, Compression: S2}, sorted(200, func(i int) entry {
		return set(fmt.Sprintf("k%03d", i), i+1, strings.Repeat("v", 40))
	}))
	_, f := handles(t, data)
	for i, h := range f.sections {
		if h.length == 0 {
			continue
		}
		damaged := bytes.Clone(data)
		damaged[h.off] ^= 1
		c, problems := verify(t, damaged)
		want := uint64(200)
		if i == sectionIndex {
			want = 0
		}
		if len(problems) != 1 || c.Whole || c.Counted.Entries != want {
			t.Errorf("section %d: %d entries, %q", i, c.Counted.Entries, problems)
		}
	}
}

func TestVerify_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	data := table(t, WriterOptions{}, parse(t, "a#1,SET:x"))
	if _, err := Verify(ctx, &memory{data: data}, VerifyOptions{ID: testID}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What no reader looks at is zero all the same: a later version may give it a meaning.
func TestVerify_ReportsReservedBytesThatAreNotZero(t *testing.T) {
	for _, off := range []int{footerSections, footerID - 1, footerVersion + 4, footerChecksum - 1} {
		data, _ := tableOf(t, WriterOptions{BlockSize: 30}, parse(t, "a#3,SET:x"))
		footer := data[len(data)-footerLen:]
		footer[off] = 1
		binary.LittleEndian.PutUint64(footer[footerChecksum:], xxhash.Sum64(footer[:footerChecksum])^salt(testID, 0))
		if _, problems := verify(t, data); len(problems) != 1 || !strings.Contains(problems[0], "reserved bytes are not zero") {
			t.Errorf("byte %d of the footer: %q", off, problems)
		}
	}
}
