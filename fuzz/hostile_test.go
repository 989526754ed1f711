package fuzz

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// Stores made to do harm: every checksum is right, and what the files say is as costly as can be. Opening, reading and
// verifying one ends in an error or with answers that agree, within 2 s for each MB of files, and takes no more memory than 16 times the
// files and 64 MiB.

const hostileDir = "/s"

// hostile builds the files of a store.
type hostile struct {
	fs     vfs.FS
	nums   uint64
	edits  [][]byte
	log    [][]byte // records
	seq    key.SeqNum
	tables []manifest.AddedTable
}

func newHostile() *hostile {
	h := &hostile{fs: vfs.NewMem(), nums: 10, seq: 2}
	must(h.fs.MkdirAll(hostileDir))
	return h
}

func (h *hostile) next() uint64 { h.nums++; return h.nums }

// put makes a file.
func (h *hostile) put(name string, data []byte) {
	f, err := h.fs.Create(hostileDir + "/" + name)
	must(err)
	_, err = f.Write(data)
	must(errors.Join(err, f.Close()))
}

// batch adds a record of operations to the log.
func (h *hostile) batch(count int, ops []byte) {
	h.log = append(h.log, append(batchrepr.AppendHeader(nil, h.seq, uint32(count)), ops...))
	h.seq += key.SeqNum(count)
}

// table adds a table file to a level.
func (h *hostile) table(level manifest.Level, data []byte, smallest, largest key.Internal, seq key.SeqNum) {
	num := manifest.FileNum(h.next())
	h.put(manifest.Name(manifest.FileTable, num), data)
	h.tables = append(h.tables, manifest.AddedTable{Level: level, Table: &manifest.Table{
		Num: num, ID: 99, Size: int64(len(data)), Smallest: smallest, Largest: largest,
		SmallestSeq: seq, LargestSeq: seq, Entries: 1, DataBytes: 1,
	}})
}

// finish makes CURRENT, the manifest with all edits, and the log.
func (h *hostile) finish() vfs.FS {
	opts := manifest.Options{FS: h.fs, Dir: hostileDir}
	m, err := manifest.New(opts, 1, 5, manifest.State{
		Store: store, NextFile: 1 << 20, LastSeq: h.seq, Log: manifest.LogState{First: 1}, Version: &manifest.Version{},
	})
	must(err)
	must(errors.Join(m.Switch(), m.Close(), h.fs.Remove(m.Path())))
	first := &manifest.Edit{NextFile: 1 << 20, LastSeq: 1, Log: &manifest.LogState{First: 1, Exists: len(h.log) > 0}, Added: h.tables}
	if len(h.log) == 0 {
		first.LastSeq = h.seq
	}
	single, err := wal.CreateSingle(wal.SingleOptions{FS: h.fs, Path: m.Path(), Purpose: wal.PurposeManifest, Store: store, Number: 1, Epoch: 5, Room: 4096})
	must(err)
	for _, e := range slices.Concat([][]byte{first.Encode()}, h.edits) {
		must(single.Append(e))
	}
	must(single.Close())
	h.writeLog()
	return h.fs
}

func (h *hostile) writeLog() {
	if len(h.log) == 0 {
		return
	}
	log, err := wal.Create(wal.Options{
		FS: h.fs, Dir: hostileDir, Store: store, First: 1, Mark: 1,
		NewName:  func() string { return manifest.Name(manifest.FileLog, manifest.FileNum(h.next())) },
		NewEpoch: func() uint64 { return h.nums * 77 }, FirstSegmentBytes: 8 << 20, MaxSegmentBytes: 8 << 20,
	})
	must(err)
	seq := uint64(1)
	for _, r := range h.log {
		must(log.Reserve(1, int64(len(r))))
		_, count := batchrepr.Header(r)
		seq += uint64(count)
		log.Append(r, seq)
		must(log.Flush(false))
	}
	must(log.Close())
}

// hostileStores are stores of about a megabyte.
var hostileStores = []struct {
	name string
	make func(h *hostile)

	// contents is what a scan returns beyond the bytes of the files: compressed data is allowed to be much.
	contents int
}{
	{"thousands of edits that add a table each", func(h *hostile) {
		for i := range 12_000 {
			h.edits = append(h.edits, addition(0, i, i).Encode())
		}
	}, 0},
	{"thousands of edits that add a table to a deep level each", func(h *hostile) {
		for i := range 12_000 {
			h.edits = append(h.edits, addition(6, i, 20_000-i).Encode())
		}
	}, 0},
	{"thousands of edits that move a table each", func(h *hostile) {
		all := &manifest.Edit{}
		for i := range 5000 {
			all.Added = append(all.Added, addition(6, i, i).Added...)
		}
		h.edits = append(h.edits, all.Encode())
		for i := range 5000 {
			e := addition(Level(1+i%5), i, i)
			e.Deleted = []manifest.DeletedTable{{Level: 6, Num: e.Added[0].Table.Num}}
			h.edits = append(h.edits, e.Encode())
		}
	}, 0},
	{"empty edits", func(h *hostile) {
		for range 50_000 {
			h.edits = append(h.edits, (&manifest.Edit{NextFile: 1 << 21}).Encode())
		}
	}, 0},
	{"an edit that deletes what is not there", func(h *hostile) {
		e := &manifest.Edit{}
		for i := range 200_000 {
			e.Deleted = append(e.Deleted, manifest.DeletedTable{Level: 3, Num: manifest.FileNum(i)})
		}
		h.edits = append(h.edits, e.Encode())
	}, 0},
	{"a batch of the shortest operations", func(h *hostile) {
		var ops []byte
		for range 300_000 {
			ops = batchrepr.AppendOp(ops, key.KindDelete, 0, nil, nil)
		}
		h.batch(300_000, ops)
	}, 0},
	{"thousands of batches of one operation", func(h *hostile) {
		for range 30_000 {
			h.batch(1, batchrepr.AppendOp(nil, key.KindDelete, 0, nil, nil))
		}
	}, 0},
	{"batches without operations", func(h *hostile) {
		for range 30_000 {
			h.batch(0, nil)
		}
	}, 0},
	{"range deletions within one another, in one batch", func(h *hostile) {
		ops, n := nested(20_000, 0)
		h.batch(n, ops)
	}, 0},
	{"range deletions within one another, in many batches", func(h *hostile) {
		for i := range 15_000 {
			ops, n := nested(1, i)
			h.batch(n, ops)
		}
	}, 0},
	{"range deletions within one another, in batches of a hundred", func(h *hostile) {
		for i := range 300 {
			ops, n := nested(100, 100*i)
			h.batch(n, ops)
		}
	}, 0},
	{"a table of range deletions", func(h *hostile) {
		var spans rangedel.List
		for i := range 60_000 {
			at := binary.BigEndian.AppendUint32([]byte{0}, uint32(i))
			spans = append(spans, rangedel.Span{Lower: at, Upper: append(slices.Clone(at), 0), Seqs: []key.SeqNum{1}})
		}
		data := tableOf(sstable.NoCompression, nil, spans)
		h.table(6, data, internal(spans[0].Lower, 1, key.KindRangeDelete), key.Internal{Stored: spans[len(spans)-1].Upper, Trailer: key.MaxTrailer}, 1)
		h.tables[0].Table.RangeDeletes, h.tables[0].Table.Entries = uint64(len(spans)), 0
	}, 0},
	{"a table of blocks that decompress to 15 MiB each", func(h *hostile) {
		var entries []entry
		for i := range 10 {
			entries = append(entries, entry{internal(binary.BigEndian.AppendUint32([]byte{0}, uint32(i)), 1, key.KindSet), make([]byte, 15<<20)})
		}
		data := tableOf(sstable.S2, entries, nil)
		h.table(6, data, entries[0].key, entries[len(entries)-1].key, 1)
	}, 10 * 15 << 20},
	{"thousands of tables in level 0", func(h *hostile) {
		for i := range 1500 {
			k := internal([]byte("\x00k"), 1, key.KindSet)
			h.table(0, tableOf(sstable.NoCompression, []entry{{k, nil}}, nil), internal([]byte("\x00k"), 1+i, key.KindSet), internal([]byte("\x00k"), 1+i, key.KindSet), key.SeqNum(1+i))
			h.tables[i].Table.SeqBase = key.SeqNum(i)
			h.seq = key.SeqNum(1 + i)
		}
	}, 0},
	{"thousands of tables in level 0 whose keys lie between each other", func(h *hostile) {
		const tables, perTable = 1200, 40
		for i := range tables {
			var entries []entry
			for j := range perTable {
				entries = append(entries, entry{internal(binary.BigEndian.AppendUint32([]byte{0}, uint32(j*tables+i)), i+1, key.KindSet), nil})
			}
			h.table(0, tableOf(sstable.NoCompression, entries, nil), entries[0].key, entries[perTable-1].key, key.SeqNum(i+1))
			h.seq = key.SeqNum(i + 2)
		}
	}, 0},
	{"thousands of missing tables over one that is there", func(h *hostile) {
		const keys = 150_000
		var entries []entry
		for i := range keys {
			entries = append(entries, entry{internal(binary.BigEndian.AppendUint32([]byte{0}, uint32(i)), 1, key.KindSet), nil})
		}
		h.table(6, tableOf(sstable.S2, entries, nil), entries[0].key, entries[keys-1].key, 1)
		for i := range 12_000 {
			h.edits = append(h.edits, addition(3, i, 1<<20+2*i).Encode())
		}
	}, 0},
	{"a long block that is damaged in two places", func(h *hostile) {
		entries := []entry{{internal([]byte("\x00k"), 1, key.KindSet), make([]byte, 900<<10)}}
		data := tableOf(sstable.NoCompression, entries, nil)
		data[1000] ^= 3
		h.table(6, data, entries[0].key, entries[0].key, 1)
	}, 0},
	{"one key a hundred thousand times", func(h *hostile) {
		var entries []entry
		for i := range 100_000 {
			entries = append(entries, entry{internal([]byte("\x00k"), 100_000-i, key.KindDelete), nil})
		}
		data := tableOf(sstable.NoCompression, entries, nil)
		h.table(6, data, entries[0].key, entries[len(entries)-1].key, 1)
		h.tables[0].Table.LargestSeq, h.seq = 100_000, 100_001
	}, 0},
}

// Level saves words above.
type Level = manifest.Level

func internal(stored []byte, seq int, kind key.Kind) key.Internal {
	return key.Internal{Stored: stored, Trailer: key.MakeTrailer(key.SeqNum(seq), kind)}
}

// addition is an edit that adds a small table whose file is not there.
func addition(level Level, i, at int) *manifest.Edit {
	k := internal(binary.BigEndian.AppendUint32([]byte{0}, uint32(at)), i+1, key.KindSet)
	return &manifest.Edit{Added: []manifest.AddedTable{{Level: level, Table: &manifest.Table{
		Num: manifest.FileNum(i + 100), ID: 1, Size: 500, Smallest: k, Largest: k, SmallestSeq: key.SeqNum(i + 1), LargestSeq: key.SeqNum(i + 1), Entries: 1,
	}}}}
}

// nested returns n range deletions, each within the one before, the first of which is number from.
func nested(n, from int) (ops []byte, count int) {
	for i := range n {
		lower := binary.BigEndian.AppendUint32(nil, uint32(from+i))
		upper := key.AppendStored(nil, 0, binary.BigEndian.AppendUint32(nil, uint32(1<<30-from-i)))
		ops = batchrepr.AppendOp(ops, key.KindRangeDelete, 0, lower, upper)
	}
	return ops, n
}

// tableOf makes a table file.
func tableOf(c sstable.Compression, entries []entry, spans rangedel.List) []byte {
	var out bytes.Buffer
	w := sstable.NewWriter(&out, sstable.WriterOptions{ID: 99, BlockSize: 4096, BitsPerKey: 10, Compression: c})
	for _, e := range entries {
		must(w.Add(e.key.Stored, e.key.Trailer, e.value))
	}
	if spans != nil {
		w.DeleteRanges(spans)
	}
	_, _, err := w.Finish()
	must(err)
	return out.Bytes()
}

// useHostile does with a store what anybody would, and returns the first error. measured is called with each part of it.
func useHostile(t *testing.T, fsys vfs.FS, measured func(what string, do func())) (err error) {
	t.Helper()
	measured("Verify", func() {
		report, verr := tinykv.Verify(context.Background(), hostileDir, &tinykv.VerifyOptions{FS: fsys})
		if err = verr; err == nil {
			err = report.Err()
		}
	})
	for _, doubtful := range []bool{false, true} {
		measured("Repair", func() { err = errors.Join(err, repairHostile(t, fsys, doubtful)) })
	}
	for _, readOnly := range []bool{true, false} {
		var db *tinykv.DB
		measured("Open", func() {
			var oerr error
			db, oerr = tinykv.Open(hostileDir, &tinykv.Options{FS: fsys, ReadOnly: readOnly})
			err = errors.Join(err, oerr)
		})
		if db == nil {
			return err
		}
		forward, backward := 0, 0
		var ferr, berr error
		measured("Scan", func() { forward, ferr = count(db.Scan(tinykv.All())) })
		measured("Scan, Reverse", func() { backward, berr = count(db.Scan(tinykv.All(), tinykv.Reverse)) })
		if ferr == nil && berr == nil && forward != backward {
			t.Errorf("%d entries forward, %d backward", forward, backward)
		}
		measured("Get", func() {
			if _, gerr := db.Get([]byte("k")); !errors.Is(gerr, tinykv.ErrNotFound) {
				err = errors.Join(err, gerr)
			}
		})
		measured("Close", func() { err = errors.Join(err, ferr, berr, db.Close()) })
	}
	return err
}

// repairHostile copies a store and removes the copy.
func repairHostile(t *testing.T, fsys vfs.FS, doubtful bool) error {
	t.Helper()
	const dir = "/copy"
	report, err := tinykv.Repair(context.Background(), hostileDir, dir, &tinykv.RepairOptions{FS: fsys, KeepDoubtful: doubtful})
	if err == nil {
		err = report.Err()
	}
	names, lerr := fsys.List(dir)
	if lerr == nil && report != nil && len(names) == 0 {
		t.Errorf("a report and no copy: %v", err)
	}
	for _, name := range names {
		must(fsys.Remove(dir + "/" + name))
	}
	return err
}

func count(items func(yield func(tinykv.Item, error) bool)) (n int, err error) {
	for _, err := range items {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func sizeOf(fsys vfs.FS) (total int) {
	names, err := fsys.List(hostileDir)
	must(err)
	for _, name := range names {
		info, err := fsys.Stat(hostileDir + "/" + name)
		must(err)
		total += int(info.SizeBytes)
	}
	return total
}

// maxTime is how long anything may take that is done with so many bytes of files and of what they hold: 2 s per MB, and as long for less than
// that.
func maxTime(bytes int) time.Duration { return time.Duration(max(bytes, 1e6)) * 2 * time.Microsecond }

func TestHostile_StoresWithRightChecksumsAreReadInBoundedTimeAndMemory(t *testing.T) {
	calls := int64(0)
	for _, h := range hostileStores {
		t.Run(h.name, func(t *testing.T) {
			made := newHostile()
			h.make(made)
			fsys := made.finish()
			size := sizeOf(fsys)
			peak, done := watchHeap()
			err := useHostile(t, fsys, func(what string, do func()) {
				begin := time.Now()
				do()
				calls++
				if took := time.Since(begin); took > maxTime(size+h.contents) {
					t.Errorf("%s of %s takes %v", what, mb(size), took)
				} else if took > 100*time.Millisecond {
					t.Logf("%s: %v", what, took.Round(time.Millisecond))
				}
			})
			done()
			most := int64(16*size + 64<<20)
			if h.contents > 0 {
				// At hand in Scan: two blocks, and a value that belongs to the caller. In Repair: a value in its block, in the batch, in the new
				// block, and in the table with and without compression.
				most += 5 * maxBlockBytes
			}
			if *peak > most {
				t.Errorf("%s of files take %s of memory", mb(size), mb(int(*peak)))
			}
			t.Logf("%s of files, %s of memory; %.100s", mb(size), mb(int(*peak)), fmt.Sprint(err))
			for _, err := range unjoin(err) {
				if !errors.Is(err, tinykv.ErrCorrupt) {
					t.Errorf("not ErrCorrupt: %v", err)
				}
			}
		})
	}
	tally.Row{
		ID: "A13", Suite: "hostile files, made by hand", Load: "stores of about 1 MB: each call within 2 s per MB, memory within 16 times the files and 64 MiB",
		Faults: int64(len(hostileStores)), Unit: "stores", Counts: []tally.Count{{Name: "calls measured", N: calls}}, Replay: "go test -run TestHostile_Stores ./fuzz",
	}.Record(t)
}

// Changes of any kind to any file, with the checksums made right again: FuzzStoreSealed with scripts that are drawn.
func TestHostile_ChangedStoresWithRightChecksumsEndInErrorsOrAnswersThatAgree(t *testing.T) {
	all, rng := storeFiles(), rand.New(rand.NewPCG(tally.Seed(), 13))
	n := tally.Pick(600, 4000, 40_000)
	for range n {
		script := make([]byte, 8*(1+rng.IntN(6)))
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		which, name := byte(rng.Uint32()), byte(rng.Uint32())
		if useChanged(t, all, which, name, script); t.Failed() {
			t.Fatalf("store %d, file %d, script % x", which, name, script)
		}
	}
	tally.Row{
		ID: "A13", Suite: "files changed at random, checksums right", Load: "small stores with every kind of file, opened in all ways, read, verified, compacted",
		Faults: int64(n), Unit: "changed stores", Seed: tally.Seed(), Replay: "go test -run TestHostile_Changed ./fuzz",
	}.Record(t)
}

// unjoin returns the errors that were joined.
func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// watchHeap has the collector keep the heap close to what is in use, and tells how much more that was at most than now, once done
// was called.
func watchHeap() (peak *int64, done func()) {
	old := debug.SetGCPercent(20)
	runtime.GC()
	base, stop, stopped := heapBytes(), make(chan struct{}), make(chan struct{})
	peak = new(int64)
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(time.Millisecond); ; {
			*peak = max(*peak, heapBytes()-base)
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	return peak, func() {
		close(stop)
		<-stopped
		debug.SetGCPercent(old)
	}
}

func heapBytes() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

func mb(n int) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
