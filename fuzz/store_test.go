package fuzz

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// storeFiles are the files of small stores that were not closed, by name: tables raw and compressed, in two levels, with range
// deletions, and a log.
func storeFiles() (all []map[string][]byte) {
	for _, c := range []tinykv.Compression{tinykv.CompressionNone, tinykv.CompressionS2, tinykv.CompressionZstd} {
		fsys := simfs.New()
		db, err := tinykv.Open(hostileDir, &tinykv.Options{FS: fsys, Compression: c, MemTableSize: 64 << 10, BlockSize: 256, CacheSize: -1})
		must(err)
		ctx := context.Background()
		for round := range 3 {
			for i := range 30 {
				must(db.Put(fmt.Appendf(nil, "key%02d", i*(round+1)%40), bytes.Repeat([]byte{byte('a' + i)}, 40)))
			}
			must(db.DeleteRange(fmt.Appendf(nil, "key%02d", 5*round), fmt.Appendf(nil, "key%02d", 5*round+7)))
			must(db.Delete([]byte("key11")))
			if round == 0 {
				must(db.Compact(ctx, tinykv.All()))
			} else if round == 1 {
				must(db.Flush(ctx))
			}
		}
		image := fsys.Image(simfs.KillProcess, 1)
		must(db.Close())
		names, err := image.List(hostileDir)
		must(err)
		files := map[string][]byte{}
		for _, name := range names {
			if data := contents(image, hostileDir+"/"+name); len(bytes.TrimRight(data, "\x00")) > 0 && name != "LOCK" {
				files[name] = data
			}
		}
		all = append(all, files)
	}
	return all
}

// special are numbers that a length, a count or an offset had better not be.
var special = []uint64{0, 1, 2, 63, 64, 127, 128, 255, 256, 1<<15 - 1, 1 << 15, 1<<16 - 1, 1 << 24, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<48 + 1, 1<<56 - 1, 1<<63 - 1, 1 << 63, 1<<64 - 1}

// mutate changes a file as a script says, eight bytes a step: where, what, and with which number.
func mutate(data, script []byte) []byte {
	data = bytes.Clone(data)
	used := len(bytes.TrimRight(data, "\x00"))
	for ; len(script) >= 8; script = script[8:] {
		at := int(binary.LittleEndian.Uint16(script)) % used
		if script[2]&0x80 != 0 {
			at = used - 1 - at
		}
		v := special[int(script[4])%len(special)]
		field := data[at:]
		switch script[3] % 12 {
		case 0:
			field[0] = script[5]
		case 1:
			field[0] += script[5]
		case 2:
			putWithin(field, 2, v)
		case 3:
			putWithin(field, 4, v)
		case 4:
			putWithin(field, 8, v)
		case 5:
			copy(field, binary.AppendUvarint(nil, v))
		case 6: // a part again, further on
			from := int(binary.LittleEndian.Uint16(script[5:])) % used
			copy(field, bytes.Clone(data[from:min(from+int(script[7]), used)]))
		case 7: // a part moves on, and something comes in its place
			n := min(int(script[5]), len(field))
			copy(field[n:], bytes.Clone(field))
		case 8: // a part is gone
			copy(field, field[min(int(script[5]), len(field)):])
		case 9:
			putWithin(field, 4, uint64(len(data))-uint64(script[5]))
		case 10:
			putWithin(field, 2, uint64(binary.LittleEndian.Uint16(script[5:])))
		default:
			field[0] ^= 1 << (script[5] % 8)
		}
	}
	return data
}

func putWithin(field []byte, n int, v uint64) {
	copy(field[:min(n, len(field))], binary.LittleEndian.AppendUint64(nil, v)[:n])
}

// sealed makes the checksums of a file right again.
func sealed(name string, data []byte) []byte {
	switch {
	case strings.HasSuffix(name, ".sst"):
		return sealTable(data)
	case name == "CURRENT":
		body, _, _ := bytes.Cut(data, []byte("checksum "))
		return fmt.Appendf(bytes.Clone(body), "checksum %016x\n", xxhash.Sum64(body))
	default:
		return sealSegment(data)
	}
}

// FuzzStoreSealed changes the files of a whole store, and makes their checksums right again. Opening it in every way, reading, verifying and
// compacting it must not panic nor hang, and end in answers that agree, or in an error.
func FuzzStoreSealed(f *testing.F) {
	all := storeFiles()
	for i := range 60 {
		f.Add(byte(i), byte(i/3), []byte{byte(i * 29), 0, byte(i << 7), byte(i), byte(i * 5), byte(i), 1, 9})
	}
	f.Fuzz(func(t *testing.T, which, name byte, script []byte) { useChanged(t, all, which, name, script) })
}

// useChanged changes up to two files of one of the stores, and uses it.
func useChanged(t *testing.T, all []map[string][]byte, which, name byte, script []byte) {
	files := maps.Clone(all[int(which)%len(all)])
	names := slices.Sorted(maps.Keys(files))
	for part := range slices.Chunk(script[:min(len(script), 64)], 32) {
		n := names[int(name)%len(names)]
		files[n] = sealed(n, mutate(files[n], part))
		name++
	}
	fsys := vfs.NewMem()
	must(fsys.MkdirAll(hostileDir))
	h := hostile{fs: fsys}
	for n, data := range files {
		h.put(n, data)
	}
	begin := time.Now()
	wellBehaved(t, 64*sizeOf(fsys), func() error { return useStore(t, fsys) })
	if took := time.Since(begin); took > 20*time.Second { // it takes milliseconds
		t.Errorf("took %v", took)
	}
}

// useStore does all that there is to do with a store, and wants what succeeds to agree: where verification finds nothing, and where it finds
// something, unless that is sequence numbers. Of two entries under one number, or of an older one that lies above a newer, which no store but a
// forged one has, a reader sees one or the other, and a compaction makes an end of that.
func useStore(t *testing.T, fsys vfs.FS) error {
	ctx := context.Background()
	report, err := tinykv.Verify(ctx, hostileDir, &tinykv.VerifyOptions{FS: fsys})
	if err == nil {
		err = report.Err()
	}
	healthy := err == nil
	ordered := report == nil || !slices.ContainsFunc(report.Problems, func(p *tinykv.CorruptionError) bool {
		return strings.Contains(p.Error(), "sequence number")
	})
	var before []string
	for _, readOnly := range []bool{true, false} {
		db, oerr := tinykv.Open(hostileDir, &tinykv.Options{FS: fsys, ReadOnly: readOnly, MemTableSize: 64 << 10, CacheSize: -1})
		if errors.Is(oerr, tinykv.ErrInvalidOption) && strings.Contains(oerr.Error(), "MergeOperator") {
			return nil // the manifest names one that nobody has
		}
		if oerr != nil {
			if healthy {
				t.Errorf("verification finds nothing, opening finds %v", oerr)
			}
			return oerr
		}
		items, rerr := readAll(t, db, ordered)
		if rerr != nil && healthy {
			t.Errorf("verification finds nothing, reading finds %v", rerr)
		}
		if rerr == nil && ordered && !readOnly && before != nil && !slices.Equal(items, before) {
			t.Errorf("%d entries read only, %d otherwise", len(before), len(items))
		}
		if rerr == nil {
			before = items
		}
		if healthy {
			checkGets(t, db, items)
		}
		if !readOnly {
			cerr := errors.Join(db.Put([]byte("key20"), []byte("new")), db.Compact(ctx, tinykv.All()))
			if cerr != nil && healthy && !errors.Is(cerr, tinykv.ErrReadOnly) { // as when there are no more sequence numbers
				t.Errorf("verification finds nothing, compaction finds %v", cerr)
			}
		}
		if cerr := db.Close(); cerr != nil && healthy {
			t.Errorf("verification finds nothing, but Close: %v", cerr)
		}
	}
	return nil
}

// readAll scans both ways, which must agree if entries have the sequence numbers that they should have.
func readAll(t *testing.T, db *tinykv.DB, ordered bool) (items []string, err error) {
	var back []string
	for item, err := range db.Scan(tinykv.All()) {
		if err != nil {
			return nil, err
		}
		items = append(items, fmt.Sprintf("%x=%x", item.Key, item.Value))
	}
	for item, err := range db.Scan(tinykv.All(), tinykv.Reverse) {
		if err != nil {
			return nil, err
		}
		back = append(back, fmt.Sprintf("%x=%x", item.Key, item.Value))
	}
	if slices.Reverse(back); ordered && !slices.Equal(items, back) {
		t.Errorf("forward %d entries, backward %d", len(items), len(back))
	}
	return items, nil
}

func checkGets(t *testing.T, db *tinykv.DB, items []string) {
	for i := range 40 {
		k := fmt.Appendf(nil, "key%02d", i)
		v, err := db.Get(k)
		there := slices.Contains(items, fmt.Sprintf("%x=%x", k, v))
		if err == nil && !there || err != nil && !errors.Is(err, tinykv.ErrNotFound) {
			t.Errorf("Get(%s) = %x, %v; a scan says otherwise", k, v, err)
		}
	}
}
