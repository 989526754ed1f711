package tinykv_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// Promise 2 of docs/GUARANTEES.md: whatever happens to the bytes of the files, an answer is right or
// it is an error that matches ErrCorrupt.

// keptStore is the files of a store that is not open, and what is in it.
type keptStore struct {
	fs     *simfs.FS
	states []*enginetest.Model // the last is what is there
}

func (s *keptStore) last() int { return len(s.states) - 1 }

// keepStore runs a small life of a store: tables in two levels, a log with synced and unsynced
// records. end says how it ends. Level 0 is raw, and level 6 compressed.
func keepStore(t *testing.T, end func(r *crashRun)) *keptStore {
	t.Helper()
	return keepCompressed(t, tinykv.CompressionDefault, end)
}

func keepCompressed(t *testing.T, c tinykv.Compression, end func(r *crashRun)) *keptStore {
	t.Helper()
	r := newCrashRun(t, 1)
	r.options.Compression = c
	r.open()
	r.puts(12, 100)
	r.compact()
	if l := r.db.Metrics().Levels[6]; (l.Bytes < l.DataBytes) != (c != tinykv.CompressionNone) {
		t.Fatalf("%d bytes of data are stored in %d", l.DataBytes, l.Bytes)
	}
	r.puts(6, 100)
	r.flush()
	r.puts(3, 60)
	r.puts(2, 60, tinykv.Sync)
	r.puts(3, 60)
	end(r)
	return &keptStore{fs: r.fs, states: r.states}
}

func closeInOrder(r *crashRun) { r.close() }

func killed(r *crashRun) { r.fs = r.fs.Image(simfs.KillProcess, 1) }

func powerCut(r *crashRun) { r.fs = r.fs.Image(simfs.KeepAll, 1) }

// files returns the names and contents of the files of the store.
func (s *keptStore) files(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := s.fs.List(crashDir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if name != "LOCK" {
			files[name] = readFile(t, s.fs, filepath.Join(crashDir, name))
		}
	}
	return files
}

func readFile(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	f, err := fsys.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// damaged opens the store with one file replaced, and returns the number of the state that it has,
// or the error that it reports.
func (s *keptStore) damaged(t *testing.T, name string, data []byte) (int, error) {
	t.Helper()
	image := s.fs.Image(simfs.KillProcess, 1)
	writeFile(t, image, filepath.Join(crashDir, name), data)
	return s.read(t, image)
}

// read opens a store and reads all of it in three ways, which must agree.
func (s *keptStore) read(t *testing.T, image *simfs.FS) (int, error) {
	t.Helper()
	db, err := tinykv.Open(crashDir, optionsOn(image, 1))
	if err != nil {
		return 0, err
	}
	return s.readOpen(t, db)
}

// readOpen is read of a store that is open; it closes it.
func (s *keptStore) readOpen(t *testing.T, db *tinykv.DB) (int, error) {
	t.Helper()
	defer db.Close()
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	if err != nil {
		return 0, err
	}
	back, err := enginetest.Collect(db.Scan(tinykv.All(), tinykv.Reverse))
	if err != nil {
		return 0, err
	}
	if slices.Reverse(back); !slices.Equal(got, back) {
		t.Fatalf("%d entries forward, %d backward", len(got), len(back))
	}
	for _, e := range s.states[s.last()].Entries(tinykv.All()) {
		v, err := db.Get([]byte(e.Key))
		if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
			return 0, err
		}
		if i := slices.IndexFunc(got, func(g enginetest.Entry) bool { return g.Key == e.Key }); (err == nil) != (i >= 0) || err == nil && got[i].Value != string(v) {
			t.Fatalf("Get(%q) = %q, %v: not what a scan says", e.Key, v, err)
		}
	}
	for n := range slices.Backward(s.states) {
		if slices.Equal(got, s.states[n].Entries(tinykv.All())) {
			return n, nil
		}
	}
	t.Fatalf("%d entries are no state that the store had", len(got))
	return 0, nil
}

// interesting tells which bytes to damage: all that are in use, and some of the zeros behind.
func interesting(data []byte) []int {
	used := len(bytes.TrimRight(data, "\x00"))
	var offsets []int
	for off := range data {
		if off < used+64 || off%997 == 0 || off == len(data)-1 {
			offsets = append(offsets, off)
		}
	}
	return offsets
}

var keptStores = []struct {
	name string
	end  func(r *crashRun)

	// mayLose is how many of the last commits damage may take unnoticed. What nothing vouches for
	// looks like the end of the log: the last record after the death of the process, and after a
	// power cut all that follow the last sync.
	mayLose int

	compression tinykv.Compression
}{
	{"closed in order", closeInOrder, 0, tinykv.CompressionDefault},
	{"process killed", killed, 1, tinykv.CompressionDefault},
	{"power cut", powerCut, 4, tinykv.CompressionDefault},
	{"zstd", closeInOrder, 0, tinykv.CompressionZstd},
	{"nothing compressed", closeInOrder, 0, tinykv.CompressionNone},
}

// checkReport sees that an error says where the damage is.
func checkReport(t *testing.T, err error, name string) {
	t.Helper()
	var c *tinykv.CorruptionError
	if !errors.As(err, &c) {
		t.Fatalf("%s: %v is no CorruptionError", name, err)
	}
	if c.File == "" || c.What == "" || c.Offset < 0 {
		t.Fatalf("%s: %#v does not say where", name, c)
	}
}

func TestDamage_AMissingFileIsReported(t *testing.T) {
	for _, kept := range keptStores {
		t.Run(kept.name, func(t *testing.T) {
			s := keepCompressed(t, kept.compression, kept.end)
			for name := range s.files(t) {
				image := s.fs.Image(simfs.KillProcess, 1)
				if err := image.Remove(filepath.Join(crashDir, name)); err != nil {
					t.Fatal(err)
				}
				n, err := s.read(t, image)
				if err == nil && n == s.last() {
					continue // a file that was left over
				}
				if !errors.Is(err, tinykv.ErrCorrupt) {
					t.Errorf("without %s: recovered %d of %d commits, %v", name, n, s.last(), err)
				}
			}
		})
	}
}

// Nor need a flush have come before: all that there is of such a store is its log.
func TestDamage_AMissingFileOfAStoreThatNeverFlushedIsReported(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(3, 60, tinykv.Sync)
	powerCut(r)
	s := &keptStore{fs: r.fs, states: r.states}
	for name := range s.files(t) {
		image := s.fs.Image(simfs.KillProcess, 1)
		must(t, image.Remove(filepath.Join(crashDir, name)))
		if n, err := s.read(t, image); !errors.Is(err, tinykv.ErrCorrupt) {
			t.Errorf("without %s: recovered %d of %d commits, %v", name, n, s.last(), err)
		}
	}
}

func TestDamage_SwappedFilesAreReported(t *testing.T) {
	s := keepStore(t, killed)
	files := s.files(t)
	for a, dataA := range files {
		for b, dataB := range files {
			if filepath.Ext(a) != filepath.Ext(b) || a >= b || strings.HasSuffix(a, ".wal") {
				continue // the names of log files mean nothing
			}
			image := s.fs.Image(simfs.KillProcess, 1)
			writeFile(t, image, filepath.Join(crashDir, a), dataB)
			writeFile(t, image, filepath.Join(crashDir, b), dataA)
			if n, err := s.read(t, image); !errors.Is(err, tinykv.ErrCorrupt) {
				t.Errorf("%s and %s swapped: state %d of %d, %v", a, b, n, s.last(), err)
			}
		}
	}
}

// A manifest that was put back from a backup names a state that the log has left behind.
func TestDamage_AStaleManifestIsReported(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(5, 100)
	r.close()
	stale := &keptStore{fs: r.fs.Image(simfs.KillProcess, 1), states: r.states}
	old := stale.files(t)
	r.open()
	r.puts(5, 100)
	r.flush()
	r.puts(5, 100)
	r.fs = r.fs.Image(simfs.KillProcess, 1)
	s := &keptStore{fs: r.fs, states: r.states}
	image := s.fs.Image(simfs.KillProcess, 1)
	for name, data := range old {
		if !strings.HasSuffix(name, ".sst") {
			writeFile(t, image, filepath.Join(crashDir, name), data)
		}
	}
	if n, err := s.read(t, image); !errors.Is(err, tinykv.ErrCorrupt) {
		t.Errorf("state %d of %d, %v", n, s.last(), err)
	}
}

// The last edit of a manifest that was not closed looks like its end when it is damaged. If it added a
// large batch, which is in no log, then what the log holds does not follow on the tables.
func TestDamage_ALargeBatchWhoseEditIsLostIsReported(t *testing.T) {
	r := newCrashRun(t, 1)
	r.options = *r.options.With(tinykv.Internal{Inline: func() bool { return false }}) // no compaction's edit behind it
	r.open()
	r.puts(3, 60)
	r.large()
	r.puts(3, 60, tinykv.Sync)
	killed(r)
	s := &keptStore{fs: r.fs, states: r.states}
	for name, data := range s.files(t) {
		if !strings.HasPrefix(name, "MANIFEST") {
			continue
		}
		data[len(bytes.TrimRight(data, "\x00"))-1] ^= 1
		if n, err := s.damaged(t, name, data); !errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), "sequence number") {
			t.Errorf("%s: state %d of %d, %v", name, n, s.last(), err)
		}
	}
}

// Damage to one block of one table leaves the other blocks readable, and an iterator gets past it.
func TestDamage_OneBlockLeavesTheRestReadable(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	const keys = 500
	b := r.db.NewBatch()
	key := func(n int) []byte { return fmt.Appendf(nil, "%05d", n) }
	for n := range keys {
		r.must(b.Put(key(n), bytes.Repeat([]byte{byte(n)}, 50)))
	}
	r.must(r.db.Apply(b))
	r.close()
	s := &keptStore{fs: r.fs}
	for name, data := range s.files(t) {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		data[5000] ^= 1
		writeFile(t, r.fs, filepath.Join(crashDir, name), data)
	}
	r.open()
	defer r.db.Close()
	bad := 0
	for n := range keys {
		v, err := r.db.Get(key(n))
		switch {
		case errors.Is(err, tinykv.ErrCorrupt):
			bad++
		case err != nil || !bytes.Equal(v, bytes.Repeat([]byte{byte(n)}, 50)):
			t.Fatalf("%s: %x, %v", key(n), v, err)
		}
	}
	if bad == 0 || bad > 20 {
		t.Errorf("%d of %d keys cannot be read, want those of a block", bad, keys)
	}
	it, err := r.db.NewIter(tinykv.All())
	r.must(err)
	defer it.Close()
	badSeeks := 0
	for n := range keys {
		if !it.SeekGE(key(n)) && errors.Is(it.Err(), tinykv.ErrCorrupt) {
			badSeeks++
		} else if !bytes.Equal(it.Key(), key(n)) {
			t.Fatalf("seek to %s: %s, %v", key(n), it.Key(), it.Err())
		}
	}
	if badSeeks != bad {
		t.Errorf("%d keys cannot be sought, %d not read", badSeeks, bad)
	}
	for ok, moves := it.First(), [](func() bool){it.Next, it.Prev}; len(moves) > 0; ok, moves = it.Last(), moves[1:] {
		for ; ok; ok = moves[0]() {
		}
		if !errors.Is(it.Err(), tinykv.ErrCorrupt) {
			t.Errorf("an iterator passes the damage without a word: %v", it.Err())
		}
	}
}

// One damaged block far down, newer keys above it: an iterator reaches all that lie beside the block,
// from either side.
func TestDamage_HidesNoKeyOfOtherPartsFromIterators(t *testing.T) {
	const keys = 400
	key := func(n int) []byte { return fmt.Appendf(nil, "%05d", n) }
	fsys := simfs.New()
	options := tinykv.Options{FS: fsys, BlockSize: 256, Compression: tinykv.CompressionNone}
	db := mustOpen(t, "/s", &options)
	for n := 0; n < keys; n += 2 {
		must(t, db.Put(key(n), make([]byte, 50)))
	}
	must(t, db.Compact(t.Context(), tinykv.All()))
	must(t, db.Close())
	names, err := fsys.List("/s")
	must(t, err)
	name := "/s/" + names[slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".sst") })]
	for _, off := range []int{30, 5000, 9000} { // the first block and two others
		options.FS = fsys.Image(simfs.KillProcess, 1)
		data := readFile(t, fsys, name)
		data[off] ^= 1
		writeFile(t, options.FS, name, data)
		db := mustOpen(t, "/s", &options)
		for n := 1; n < keys; n += 2 {
			must(t, db.Put(key(n), nil))
		}
		first, last := keys, 0 // of the keys that cannot be read
		for n := range keys {
			if _, err := db.Get(key(n)); errors.Is(err, tinykv.ErrCorrupt) {
				first, last = min(first, n), max(last, n)
			}
		}
		if first > last {
			t.Fatalf("byte %d damages nothing", off)
		}
		it, err := db.NewIter(tinykv.All())
		must(t, err)
		defer it.Close()
		// What separates the block from its neighbours is some key between theirs.
		for _, c := range []struct {
			what        string
			start       func() bool
			move        func() bool
			from, step  int
			least, most int // where it may stop
			damage      bool
		}{
			{"forward", it.First, it.Next, 0, 1, first - 1, first, true},
			{"forward behind the damage", func() bool { return it.SeekGE(key(last + 2)) }, it.Next, last + 2, 1, keys, keys, false},
			{"backward", it.Last, it.Prev, keys - 1, -1, last, last + 1, true},
			{"backward before the damage", func() bool { return it.SeekLT(key(max(first-2, 0))) }, it.Prev, first - 3, -1, -2, -1, false},
		} {
			if first == 0 && c.from < 0 {
				continue // nothing lies before the damage
			}
			n := c.from
			for ok := c.start(); ok; ok = c.move() {
				if !bytes.Equal(it.Key(), key(n)) {
					t.Fatalf("byte %d, %s: at %s instead of %d", off, c.what, it.Key(), n)
				}
				n += c.step
			}
			if n < c.least || n > c.most || errors.Is(it.Err(), tinykv.ErrCorrupt) != c.damage {
				t.Errorf("byte %d, %s: stops at %d with %v; keys %d to %d cannot be read", off, c.what, n, it.Err(), first, last)
			}
		}
		got, err := enginetest.Collect(db.Scan(tinykv.Between(nil, key(max(first-2, 0)))))
		if len(got) != max(first-2, 0) || err != nil {
			t.Errorf("byte %d: a range that ends before the damage has %d keys, %v", off, len(got), err)
		}
	}
}
