package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/sstable"
)

// entry is what a table holds.
type entry struct {
	key   key.Internal
	value []byte
}

// table makes a table file of entries, which it sorts.
func table(blockSize, bits int, entries []entry) []byte {
	return compressed(sstable.NoCompression, blockSize, bits, entries)
}

// compressed is table with compressed blocks.
func compressed(c sstable.Compression, blockSize, bits int, entries []entry) []byte {
	slices.SortFunc(entries, func(a, b entry) int { return key.Compare(a.key, b.key) })
	var out bytes.Buffer
	w := sstable.NewWriter(&out, sstable.WriterOptions{ID: 99, BlockSize: blockSize, BitsPerKey: bits, Compression: c})
	for _, e := range entries {
		must(w.Add(e.key.Stored, e.key.Trailer, e.value))
	}
	_, _, err := w.Finish()
	must(err)
	return out.Bytes()
}

func numbered(n int, value string) (entries []entry) {
	for i := range n {
		kind := key.KindSet
		if i%5 == 4 {
			kind = key.KindDelete
		}
		k := key.Internal{Stored: key.AppendStored(nil, 0, fmt.Appendf(nil, "key%02d", i/2)), Trailer: key.MakeTrailer(key.SeqNum(i*1000+1), kind)}
		entries = append(entries, entry{k, []byte(value)})
	}
	return entries
}

// expiringEntries are values that expire, and merge operands.
func expiringEntries(n int) (entries []entry) {
	for i, e := range numbered(n, "v") {
		seq := e.key.Trailer.Seq()
		if i%3 == 0 {
			e.key.Trailer, e.value = key.MakeTrailer(seq, key.KindMerge), key.AppendOperand(nil, 0, e.value)
		} else {
			e.key.Trailer, e.value = key.MakeTrailer(seq, key.KindSetExpiring), key.AppendExpiring(nil, int64(1+i)<<55, e.value)
		}
		entries = append(entries, e)
	}
	return entries
}

func addTables(f *testing.F) {
	f.Add(table(4096, 10, numbered(1, "v")))
	f.Add(table(100, 10, numbered(20, "value")))
	f.Add(table(4096, 0, numbered(9, "")))
	f.Add(table(1<<20, 10, numbered(3, strings.Repeat("v", 30_000))))
	f.Add(rangeTable(numbered(9, "v")))
	f.Add(rangeTable(nil))
	f.Add(table(200, 10, expiringEntries(20)))
	f.Add([]byte("no table"))
	for _, c := range []sstable.Compression{sstable.S2, sstable.Zstd} {
		f.Add(compressed(c, 4096, 10, numbered(1, strings.Repeat("v", 200))))
		f.Add(compressed(c, 200, 10, numbered(60, "value, value, value, value")))
		f.Add(compressed(c, 4096, 0, numbered(200, "a longer value, a longer value")))
		f.Add(compressed(c, 1<<20, 10, numbered(3, strings.Repeat("value", 6_000))))
	}
}

// A compressed block takes memory that its table does not pay for, of a size that it states and that is
// bounded, each time it is read.
const (
	mostGets      = 20
	mostSeeks     = 40
	maxBlockBytes = 16 << 20
)

// stated returns how much memory the reading of a table by readTable may take.
func stated(data []byte) int {
	total, largest := len(data), 0
	eachBlock(data, func(b []byte) {
		if len(b) >= 16 && (b[8] == byte(sstable.S2) || b[8] == byte(sstable.Zstd)) {
			n := int(min(binary.LittleEndian.Uint32(b[12:]), maxBlockBytes))
			total, largest = total+n, max(largest, n)
		}
	})
	return total + (mostGets+mostSeeks)*largest
}

// rangeTable makes a table file of entries and two range tombstones.
func rangeTable(entries []entry) []byte {
	slices.SortFunc(entries, func(a, b entry) int { return key.Compare(a.key, b.key) })
	var out bytes.Buffer
	w := sstable.NewWriter(&out, sstable.WriterOptions{ID: 99, BlockSize: 100, BitsPerKey: 10})
	for _, e := range entries {
		must(w.Add(e.key.Stored, e.key.Trailer, e.value))
	}
	w.DeleteRanges(rangedel.List{
		{Lower: []byte("\x00key01"), Upper: []byte("\x00key03"), Seqs: []key.SeqNum{900, 7}},
		{Lower: []byte("\x00key05"), Upper: []byte("\x01"), Seqs: []key.SeqNum{5}},
	})
	_, _, err := w.Finish()
	must(err)
	return out.Bytes()
}

// readTable opens a table file in one of its modes and looks at everything in it.
func readTable(t *testing.T, data []byte, mode int) error {
	m := &mapping{Reader: bytes.NewReader(data), data: data, copies: mode == 1}
	id, err := sstable.ReadID(m)
	if err != nil {
		return err
	}
	r, err := sstable.NewReader(m, sstable.ReaderOptions{Name: "7.sst", ID: id, SeqBase: 5})
	if err != nil {
		return err
	}
	it := r.NewIter()
	if mode == 2 {
		it = r.NewStreamIter(&file{Reader: bytes.NewReader(data)})
	}
	var damage error
	seen := 0
	for kv := it.First(); kv != nil; kv = it.Next() {
		if seen++; seen > len(data) {
			t.Fatalf("more than %d entries in %d bytes", seen, len(data))
		}
		stored, trailer := bytes.Clone(kv.Stored), kv.Trailer
		if seen%7 == 1 && seen < 7*mostGets {
			hash := sstable.Hash(stored)
			_ = r.MayContain(hash)
			_, _, _, err := r.Get(stored, hash, trailer)
			damage = errors.Join(damage, err)
		}
	}
	damage = errors.Join(damage, it.Err())
	back := 0
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		if back++; back > len(data) {
			t.Fatalf("more than %d entries backward in %d bytes", back, len(data))
		}
	}
	damage = errors.Join(damage, it.Err())
	if damage == nil && back != seen {
		t.Errorf("%d entries forward, %d backward", seen, back)
	}
	for _, target := range []string{"", "\x00", "\x00key05", "\x00key05\x00", "\xff"} {
		for _, seek := range []func([]byte, key.Trailer) *iterator.KV{it.SeekGE, it.SeekLT} {
			seek([]byte(target), key.MaxTrailer)
			damage = errors.Join(damage, it.Err())
			it.Next()
			it.Prev()
		}
	}
	_ = r.Properties()
	for _, target := range []string{"", "\x00key02", "\xff"} {
		_ = r.RangeDeletes().Newest([]byte(target), key.MaxSeqNum)
	}
	return errors.Join(damage, it.Close(), r.Close())
}

// verifyTable verifies a table file. Verification must find damage where reading does.
func verifyTable(t *testing.T, data []byte) {
	t.Helper()
	m := &mapping{Reader: bytes.NewReader(data), data: data}
	id, err := sstable.ReadID(m)
	if err != nil {
		return
	}
	var found error
	wellBehaved(t, stated(data), func() error {
		_, err := sstable.Verify(t.Context(), m, sstable.VerifyOptions{
			Name: "7.sst", ID: id, Damage: func(err error) { found = errors.Join(found, err) },
		})
		return errors.Join(err, found)
	})
	if err := readTable(t, data, 0); err != nil && found == nil {
		t.Errorf("verification finds nothing wrong, reading finds %v", err)
	}
}

func FuzzTable(f *testing.F) {
	addTables(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for mode := range 3 {
			wellBehaved(t, stated(data), func() error { return readTable(t, data, mode) })
		}
		verifyTable(t, data)
	})
}

func FuzzTableSealed(f *testing.F) {
	addTables(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		data = sealTable(data)
		for mode := range 3 {
			wellBehaved(t, stated(data), func() error { return readTable(t, data, mode) })
		}
		verifyTable(t, data)
	})
}

// FuzzTableRoundTrip makes a table of entries cut from the input and reads them back.
func FuzzTableRoundTrip(f *testing.F) {
	f.Add([]byte("\x02fig\x03ripe\x01k\x00"), uint16(100), byte(10))
	f.Add(bytes.Repeat([]byte{3, 'a', 0xff, 0, 2, 'x', 'y'}, 30), uint16(40), byte(1))
	f.Add([]byte{}, uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, blockSize uint16, bits byte) {
		var entries []entry
		seen := map[string]bool{}
		take := func(n int) (b []byte) {
			n = min(n, len(data))
			b, data = data[:n], data[n:]
			return b
		}
		for len(data) > 8 && len(entries) < 2000 {
			user := take(int(take(1)[0] % 40))
			seq := take(1 + len(entries)%5)
			var number [8]byte
			copy(number[:7], seq)
			kind := key.KindSet
			var value []byte
			if n := take(1); len(n) > 0 && n[0]%4 == 0 {
				kind = key.KindDelete
			} else if len(n) > 0 {
				value = take(int(n[0]))
			}
			trailer := key.MakeTrailer(key.SeqNum(binary.LittleEndian.Uint64(number[:]))%(key.MaxSeqNum-1)+1, kind)
			k := key.Internal{Stored: key.AppendStored(nil, key.Space(len(user)%3), user), Trailer: trailer}
			if !seen[k.String()] {
				seen[k.String()] = true
				entries = append(entries, entry{k, value})
			}
		}
		if len(entries) == 0 {
			return
		}
		for mode := range 9 {
			made := compressed(sstable.Compression(mode/3), int(blockSize), int(bits)-5, entries)
			mode %= 3
			m := &mapping{Reader: bytes.NewReader(made), data: made, copies: mode == 1}
			r, err := sstable.NewReader(m, sstable.ReaderOptions{ID: 99})
			if err != nil {
				t.Fatal(err)
			}
			it := r.NewIter()
			if mode == 2 {
				it = r.NewStreamIter(&file{Reader: bytes.NewReader(made)})
			}
			kv := it.First()
			for i, e := range entries {
				if kv == nil || key.Compare(kv.Key(), e.key) != 0 || !bytes.Equal(kv.Value, e.value) {
					t.Fatalf("entry %d: %v, want %v", i, kv, e.key)
				}
				kv = it.Next()
				hash := sstable.Hash(e.key.Stored)
				value, found, ok, err := r.Get(e.key.Stored, hash, e.key.Trailer)
				if !r.MayContain(hash) || err != nil || !ok || found != e.key.Trailer || !bytes.Equal(value, e.value) {
					t.Fatalf("Get of %v: %d, %v, %v", e.key, found, ok, err)
				}
			}
			if kv != nil || it.Err() != nil {
				t.Fatalf("behind the last: %v, %v", kv, it.Err())
			}
		}
	})
}
