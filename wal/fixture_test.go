package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

const (
	dir       = "/db"
	testStore = 0x00c0ffee00c0ffee
)

// journal is a log under test, and what is known of it. A script is calls separated by semicolons:
//
//	put NAME...     append records; NAME*SIZE has SIZE bytes
//	flush           hand them to the system
//	sync            the same, and sync
//	syncer          sync what was flushed before, as a background sync does
//	rotate          begin a segment
//	prepare         make a spare
//	retire N        note durably that the log begins at segment N, then give up those before
//	keep N          the same, where N is the number of older segments that are kept
type journal struct {
	t    *testing.T
	fs   vfs.FS
	sim  *simfs.FS // the same, unless it is another one
	log  *Log
	opts Options

	records  []record
	appended int // records that put was called for
	flushed  int // of these, known to survive the process
	synced   int // of these, known to survive a power cut
	first    SegmentNum
	exists   bool // the first segment is known to be on stable storage
	epochs   uint64
	files    int
}

// record is one that was written.
type record struct {
	name    string
	payload []byte
	segment SegmentNum
}

// blank returns a journal without a log yet, with segments of 4 KiB.
func blank(t *testing.T, fs vfs.FS, dir string) *journal {
	t.Helper()
	j := &journal{t: t, fs: fs, first: 1}
	j.sim, _ = fs.(*simfs.FS)
	must(t, fs.MkdirAll(dir))
	j.opts = Options{
		FS: fs, Dir: dir, Store: testStore, CacheID: fs.CacheID(dir), First: 1, Mark: 0,
		NewName:           func() string { j.files++; return fmt.Sprintf("%06d.wal", j.files) },
		NewEpoch:          func() uint64 { j.epochs++; return j.epochs * 0x1111111111111111 },
		FirstSegmentBytes: 4096, MaxSegmentBytes: 4096, Spares: 2,
	}
	return j
}

// create begins the log.
func (j *journal) create() *journal {
	j.t.Helper()
	log, err := Create(j.opts)
	must(j.t, err)
	j.log, j.exists, j.first = log, true, j.opts.First
	return j
}

// begin returns a journal on a simulated file system, after a script.
func begin(t *testing.T, script string) *journal {
	t.Helper()
	return blank(t, simfs.New(), dir).create().run(script)
}

// run makes calls, all of which must succeed.
func (j *journal) run(script string) *journal {
	j.t.Helper()
	for call := range strings.SplitSeq(script, ";") {
		if err := j.try(call); err != nil {
			j.t.Fatalf("%s: %v", call, err)
		}
	}
	return j
}

// try makes one call.
func (j *journal) try(call string) (err error) {
	words := strings.Fields(call)
	if len(words) == 0 {
		return nil
	}
	switch words[0] {
	case "put":
		return j.put(words[1:]...)
	case "flush", "sync":
		n := len(j.records)
		if err = j.log.Flush(words[0] == "sync"); err == nil {
			j.flushed = n
			if words[0] == "sync" {
				j.synced = n
			}
		}
	case "syncer":
		n := j.flushed
		if err = j.log.Sync(); err == nil {
			j.synced = n
		}
	case "rotate":
		_, err = j.log.Rotate()
	case "prepare":
		err = j.log.Prepare()
	case "retire":
		err = j.retire(SegmentNum(number(words[1])))
	case "keep":
		err = j.retire(max(j.first+SegmentNum(number(words[1])), j.log.Number()) - SegmentNum(number(words[1])))
	default:
		j.t.Fatalf("unknown call %q", call)
	}
	return err
}

func (j *journal) put(names ...string) error {
	for _, name := range names {
		r := record{name: name, payload: payload(name)}
		if err := j.log.Reserve(1, int64(len(r.payload))); err != nil {
			return err
		}
		r.segment = j.log.Number()
		j.appended++
		j.records = append(j.records, r)
		j.log.Append(r.payload, uint64(len(j.records)))
	}
	return nil
}

// retire does what a flush of a memtable does: the segment that the log will begin with is made
// durable, then a manifest says so, then those before it are given up.
func (j *journal) retire(n SegmentNum) error {
	flushed := j.flushed
	if err := j.log.Sync(); err != nil {
		return err
	}
	j.synced = flushed
	j.first = n
	return j.log.Retire(n)
}

// payload returns the bytes of a record: NAME once, or NAME and dots up to SIZE bytes.
func payload(name string) []byte {
	text, size, ok := strings.Cut(name, "*")
	if !ok {
		return []byte(name)
	}
	b := bytes.Repeat([]byte("."), number(size))
	copy(b, text)
	return b
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// recovered describes what Recover finds: the names of the records, and behind them the corruption.
func (j *journal) recovered(fs vfs.FS) string {
	j.t.Helper()
	names, _, err := j.recover(fs)
	text := strings.Join(names, " ")
	switch {
	case err == nil:
		return text
	case errors.Is(err, corrupt.ErrCorrupt):
		return "corrupt: " + detail(err)
	default:
		return "error: " + err.Error()
	}
}

// detail is what a corruption error says beside the file and what was being read.
func detail(err error) string {
	var e *corrupt.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Detail
}

func (j *journal) recover(fs vfs.FS) (names []string, found Recovered, err error) {
	j.t.Helper()
	marks := map[string]int{}
	for i, r := range j.records {
		marks[string(r.payload)] = i + 1
	}
	found, err = Recover(RecoverOptions{
		FS: fs, Paths: paths(j.t, fs, j.opts.Dir), Store: j.opts.Store, CacheID: fs.CacheID(j.opts.Dir),
		First: j.first, FirstExists: j.exists,
	}, func(payload []byte) (uint64, error) {
		mark := marks[string(payload)]
		if mark == 0 {
			return 0, fmt.Errorf("record %.40q was never written", payload)
		}
		names = append(names, j.records[mark-1].name)
		return uint64(mark), nil
	})
	return names, found, err
}

// paths returns all log files of a directory, in an order that says nothing.
func paths(t *testing.T, fs vfs.FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	slices.Sort(names)
	slices.Reverse(names)
	var paths []string
	for _, name := range names {
		if strings.HasSuffix(name, ".wal") {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

// after returns what is recovered after a crash.
func (j *journal) after(policy simfs.Policy) string {
	j.t.Helper()
	return j.recovered(j.sim.Image(policy, 1))
}

// cut returns the file system after a power cut that everything survived but the system's cache.
func (j *journal) cut() *simfs.FS { return j.sim.Image(simfs.KeepAll, 1) }

// killed returns the file system after the death of the process.
func (j *journal) killed() *simfs.FS { return j.sim.Image(simfs.KillProcess, 1) }

// segment returns the path of the file that a segment is in.
func segmentPath(t *testing.T, fs vfs.FS, n SegmentNum) string {
	t.Helper()
	for _, path := range paths(t, fs, dir) {
		h, ok, err := readHeader(fs, path, PurposeLog, testStore)
		if err == nil && ok && h.number == n {
			return path
		}
	}
	t.Fatalf("there is no segment %d", n)
	return ""
}

// edit replaces the contents of a file by what change makes of them.
func edit(t *testing.T, fs vfs.FS, path string, change func(data []byte) []byte) {
	t.Helper()
	data, err := readAll(fs, path)
	must(t, err)
	must(t, fs.Remove(path))
	f, err := fs.Create(path)
	must(t, err)
	_, err = f.Write(change(data))
	must(t, err)
	must(t, errors.Join(f.Sync(), f.Close(), fs.SyncDir(filepath.Dir(path))))
}

// flip changes one bit of a segment.
func flip(t *testing.T, fs vfs.FS, n SegmentNum, off int64) {
	t.Helper()
	edit(t, fs, segmentPath(t, fs, n), func(data []byte) []byte {
		data[off] ^= 1
		return data
	})
}

// damage changes the first bit of a record's payload.
func damage(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	want := payload(name)
	for _, path := range paths(t, fs, dir) {
		h, ok, err := readHeader(fs, path, PurposeLog, testStore)
		must(t, err)
		data, err := readAll(fs, path)
		must(t, err)
		in := &scanner{header: h, data: data}
		for c := range in.intactFrom(headerLen) {
			if ok && len(c.payload) > 0 && bytes.HasPrefix(want, c.payload) {
				c.payload[0] ^= 1
				edit(t, fs, path, func([]byte) []byte { return data })
				return
			}
		}
	}
	t.Fatalf("no file holds record %s", name)
}

// rehead rewrites the header of a segment, checksum included.
func rehead(t *testing.T, fs vfs.FS, n SegmentNum, change func(h *header)) {
	t.Helper()
	path := segmentPath(t, fs, n)
	edit(t, fs, path, func(data []byte) []byte {
		h, err := decodeHeader(data[:headerLen], PurposeLog, testStore)
		must(t, err)
		change(&h)
		copy(data, h.encode())
		return data
	})
}

// sealHeader makes the checksum of a header right again.
func sealHeader(b []byte) { binary.LittleEndian.PutUint64(b[120:], xxhash.Sum64(b[:120])) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

// isCorrupt wants a description of corruption that contains a text.
func isCorrupt(t *testing.T, got, text string) {
	t.Helper()
	if !strings.HasPrefix(got, "corrupt: ") || !strings.Contains(got, text) {
		t.Errorf("\ngot  %s\nwant corrupt: ...%s...", got, text)
	}
}

// field is a named part of a golden file.
type field struct {
	width int
	name  string
}

// golden compares bytes, field by field, with the hex in a file of testdata.
func golden(t *testing.T, file string, data []byte, fields []field) {
	t.Helper()
	var b strings.Builder
	off := 0
	for _, f := range fields {
		for row := range slices.Chunk(data[off:off+f.width], 16) {
			fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("%6d  %-47s  %s", off, fmt.Sprintf("% x", row), f.name), " "))
			off += len(row)
			f.name = ""
		}
	}
	if rest := data[off:]; len(bytes.Trim(rest, "\x00")) > 0 {
		t.Errorf("behind the last field: % x", rest)
	}
	path := filepath.Join("testdata", file)
	if *update {
		must(t, os.WriteFile(path, []byte(b.String()), 0o666))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if b.String() != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s: got\n%swant\n%s", path, b.String(), want)
	}
}

// fixed is a file system of finished files, for readers alone.
type fixed struct {
	vfs.FS
	files map[string][]byte
	size  int64 // if not zero, what Size says of every file
}

func (f *fixed) Open(name string) (vfs.File, error) {
	data, ok := f.files[name]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return &fixedFile{ReaderAt: bytes.NewReader(data), size: max(f.size, int64(len(data)))}, nil
}

type fixedFile struct {
	vfs.File
	io.ReaderAt
	size int64
}

func (f *fixedFile) ReadAt(p []byte, off int64) (int, error) { return f.ReaderAt.ReadAt(p, off) }
func (f *fixedFile) Size() (int64, error)                    { return f.size, nil }
func (f *fixedFile) Close() error                            { return nil }

// checksum is that of a seal.
func checksum(b []byte) uint64 { return xxhash.Sum64(b) }
