package tinykv_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// Damage of every kind to every file of stores of every kind. Each damaged store is opened for writing and read
// in three ways, opened for reading only, and verified; that must agree, and the answer be right or
// ErrCorrupt. What may get lost without a word is stated with each store, and counted.

// damageStore is a store before damage.
type damageStore struct {
	name string
	live func(r *crashRun)
	end  func(r *crashRun)

	// mayLose is how many of the last commits damage to one place of the log may take unnoticed: those that nothing
	// vouches for. edit says that damage to the last edit of the manifest may do the same.
	mayLose int
	edit    bool
}

var damageStores = []damageStore{
	{name: "two levels, closed", live: liveTwoLevels(tinykv.CompressionDefault), end: closeInOrder},
	{name: "two levels, killed", live: liveTwoLevels(tinykv.CompressionDefault), end: killed, mayLose: 1},
	{name: "two levels, power cut", live: liveTwoLevels(tinykv.CompressionDefault), end: powerCut, mayLose: 4},
	{name: "zstd, closed", live: liveTwoLevels(tinykv.CompressionZstd), end: closeInOrder},
	{name: "not compressed, closed", live: liveTwoLevels(tinykv.CompressionNone), end: closeInOrder},
	{name: "many edits, closed", live: liveEdits, end: closeInOrder},
	{name: "many edits, killed", live: liveEdits, end: killed, mayLose: 1},
	{name: "range deletions, closed", live: liveRanges, end: closeInOrder},
	{name: "range deletions, killed", live: liveRanges, end: killed, mayLose: 1},
	{name: "several segments, killed", live: liveSegments, end: killed, mayLose: 1},
	{name: "several segments, power cut", live: liveSegments, end: powerCut, mayLose: 3},
	{name: "large batches, closed", live: liveLarge, end: closeInOrder},
	{name: "large batch last, killed", live: liveLarge, end: killed, mayLose: 1, edit: true},
	{name: "many blocks, closed", live: liveBlocks, end: closeInOrder},
}

func liveTwoLevels(c tinykv.Compression) func(r *crashRun) {
	return func(r *crashRun) {
		r.options.Compression = c
		r.open()
		r.puts(12, 100)
		r.compact()
		r.puts(6, 100)
		r.flush()
		r.puts(3, 60)
		r.puts(2, 60, tinykv.Sync)
		r.puts(3, 60)
	}
}

func liveEdits(r *crashRun) {
	r.options = *r.options.With(tinykv.Internal{ManifestGrowth: 64 << 10, Random: crashRandom(1), Inline: func() bool { return false }})
	r.open()
	for range 6 {
		r.puts(1, 100)
		r.flush()
	}
	r.puts(2, 60)
}

func liveRanges(r *crashRun) {
	r.open()
	r.puts(8, 100)
	r.flush()
	r.deleteRange([]byte("010"), []byte("030"))
	r.puts(2, 60)
	r.flush()
	r.deleteRange([]byte("020"), nil, tinykv.Sync)
	r.puts(2, 60)
}

func liveSegments(r *crashRun) {
	r.options.MemTableSize = 128 << 10 // of which a segment holds a half
	r.open()
	for usedSegments(r) < 2 {
		r.puts(1, 6000, tinykv.Sync)
	}
	r.puts(2, 60, tinykv.Sync)
	r.puts(2, 60)
	if r.db.Metrics().Flushes > 0 {
		r.Fatal("there was a flush")
	}
}

// usedSegments counts the segments that hold something.
func usedSegments(r *crashRun) (n int) {
	for name, data := range (&keptStore{fs: r.fs}).files(r.T) {
		if strings.HasSuffix(name, ".wal") && len(bytes.TrimRight(data, "\x00")) > 0 {
			n++
		}
	}
	return n
}

func liveLarge(r *crashRun) {
	r.options = *r.options.With(tinykv.Internal{ManifestGrowth: 64 << 10, Random: crashRandom(1), Inline: func() bool { return false }})
	r.open()
	r.puts(3, 60)
	r.large()
}

func liveBlocks(r *crashRun) {
	r.open()
	for n := range 3 {
		b := r.db.NewBatch()
		for i := n; i < 700; i += n + 1 {
			r.must(b.Put(fmt.Appendf(nil, "%05d", i), fmt.Appendf(nil, "%0*d", 20+i%90, i*n)))
		}
		r.commit(b)
		r.flush()
	}
}

// make runs the life of a store.
func (d *damageStore) make(t *testing.T) *keptStore {
	t.Helper()
	r := newCrashRun(t, tally.Seed())
	d.live(r)
	d.end(r)
	return &keptStore{fs: r.fs, states: r.states}
}

// lastChunk returns where the last intact chunk of a segment begins, see package wal.
func lastChunk(data []byte) int {
	const headerLen, chunkHeaderLen, blockLen = 128, 16, 32 << 10
	last := headerLen
	for off := headerLen; off+chunkHeaderLen <= len(data); {
		if left := blockLen - off%blockLen; left < chunkHeaderLen {
			off += left
			continue
		}
		end := off + chunkHeaderLen + int(binary.LittleEndian.Uint16(data[off+8:]))
		if end > len(data) || !intactChunk(data, off, end) {
			break
		}
		last, off = off, end
	}
	return last
}

func intactChunk(data []byte, off, end int) bool {
	salt := (binary.LittleEndian.Uint64(data[32:]) ^ uint64(off)*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	return binary.LittleEndian.Uint64(data[off:]) == xxhash.Sum64(data[off+8:end])^salt^salt>>32
}

// change is one way to damage a store: it changes the files of an image.
type change struct {
	what string
	file string // of the damage
	make func(t *testing.T, image *simfs.FS)

	// tail says that everything behind some place of the file is gone or as it once was. Where that is the log
	// of a store that was not closed, nothing is left that could vouch.
	tail bool
}

// replaced is a change of one file's contents.
func replaced(what, name string, data func() []byte) change {
	return change{what: what, file: name, make: func(t *testing.T, image *simfs.FS) {
		writeFile(t, image, filepath.Join(crashDir, name), data())
	}}
}

// outcomes counts what came of changes.
type outcomes struct{ faults, reported, harmless, unvouched, edits, tails atomic.Int64 }

func (o *outcomes) row(id, suite, unit, replay string) tally.Row {
	r := tally.Row{
		ID: id, Suite: suite, Unit: unit, Seed: tally.Seed(), Replay: replay,
		Load: fmt.Sprintf("%d small stores, closed, killed or without power; each read in three ways, read only, and verified", len(damageStores)),
	}
	r.Faults = o.faults.Load()
	r.Counts = []tally.Count{{Name: "reported", N: o.reported.Load()}, {Name: "harmless", N: o.harmless.Load()}}
	for _, e := range []tally.Count{
		{Name: "took the last commits of a log, which nothing vouches for", N: o.unvouched.Load()},
		{Name: "took the last edit of a manifest, which nothing vouches for", N: o.edits.Load()},
		{Name: "took the whole end of a log after an unclean stop", N: o.tails.Load()},
	} {
		if e.N > 0 {
			r.Exceptions = append(r.Exceptions, e)
		}
	}
	return r
}

// try damages the store in one way and judges what comes of it.
func (d *damageStore) try(t *testing.T, s *keptStore, c change, o *outcomes) {
	t.Helper()
	o.faults.Add(1)
	image := s.fs.Image(simfs.KillProcess, 1)
	c.make(t, image)
	found := s.everyWay(t, image, c.what)
	switch n, err := found.state, found.err; {
	case errors.Is(err, tinykv.ErrCorrupt):
		o.reported.Add(1)
		checkPlace(t, err, c.what)
		if found.verified == nil {
			t.Fatalf("%s, %s: verification finds nothing, reading finds %v", d.name, c.what, err)
		}
	case err != nil:
		t.Fatalf("%s, %s: %v", d.name, c.what, err)
	case n == s.last():
		o.harmless.Add(1)
	case strings.HasSuffix(c.file, ".wal") && n >= s.last()-d.mayLose:
		o.unvouched.Add(1)
	case strings.HasPrefix(c.file, "MANIFEST") && d.edit && n == s.last()-1:
		o.edits.Add(1)
	case strings.HasSuffix(c.file, ".wal") && c.tail && d.mayLose > 0:
		o.tails.Add(1)
	default:
		t.Fatalf("%s, %s: state %d of %d without a word", d.name, c.what, n, s.last())
	}
}

// checkPlace sees that an error says which file is damaged, or the directory, where files are missing.
func checkPlace(t *testing.T, err error, what string) {
	t.Helper()
	var c *tinykv.CorruptionError
	if !errors.As(err, &c) || c.File == "" || c.What == "" || c.Offset < 0 && c.File != crashDir {
		t.Fatalf("%s: %#v does not say where", what, err)
	}
}

// finding is what the ways to look at a store say of it.
type finding struct {
	state    int
	err      error // of opening or reading
	verified error
}

// everyWay looks at a store in every way there is.
func (s *keptStore) everyWay(t *testing.T, image *simfs.FS, what string) finding {
	t.Helper()
	var f finding
	switch report, err := tinykv.Verify(context.Background(), crashDir, &tinykv.VerifyOptions{FS: image}); {
	case err != nil:
		f.verified = err
	default:
		f.verified = report.Err()
	}
	readOnly := -1
	ops := image.Ops()
	ro, readOnlyErr := tinykv.Open(crashDir, readOnlyOn(image))
	if readOnlyErr == nil {
		readOnly, readOnlyErr = s.readOpen(t, ro)
	}
	if image.Ops() != ops {
		t.Fatalf("%s: looking on changes files: %v", what, image.Trace())
	}
	db, err := tinykv.Open(crashDir, optionsOn(image, 1))
	if err != nil {
		f.state, f.err = -1, err
	} else {
		live, verr := db.Verify(context.Background(), nil)
		must(t, verr)
		f.state, f.err = s.readOpen(t, db)
		if f.err != nil && live.Err() == nil {
			t.Fatalf("%s: DB.Verify finds nothing, reading finds %v", what, f.err)
		}
	}
	if (f.err == nil) != (readOnlyErr == nil) || f.err == nil && readOnly != f.state {
		t.Fatalf("%s: read only it is state %d, %v; otherwise state %d, %v", what, readOnly, readOnlyErr, f.state, f.err)
	}
	return f
}

// sample returns at most n of the changes, as the seed has it; 0 stands for all.
func sample(all []change, n int, seed uint64) []change {
	if n == 0 || len(all) <= n {
		return all
	}
	rng := enginetest.NewRandom(seed)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

// damageAll tries the changes that list makes of each store, so many of each at most.
func damageAll(t *testing.T, perStore int, list func(t *testing.T, s *keptStore) []change) *outcomes {
	o := &outcomes{}
	t.Run("stores", func(t *testing.T) {
		for _, d := range damageStores {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				s := d.make(t)
				if f := s.everyWay(t, s.fs.Image(simfs.KillProcess, 1), "intact"); f.err != nil || f.verified != nil || f.state != s.last() {
					t.Fatalf("before any damage: %+v", f)
				}
				for _, c := range sample(list(t, s), perStore, tally.Seed()) {
					d.try(t, s, c, o)
				}
			})
		}
	})
	return o
}

// sensitive tells whether all bits of a byte are worth a flip: manifests, CURRENT, and the heads and ends of other
// files, where their lengths and places stand.
func sensitive(name string, off, size int) bool {
	return !strings.Contains(name, ".") || off < 256 || off >= size-224
}

func TestDamage_NoBitFlipGoesUnnoticed(t *testing.T) {
	o := damageAll(t, tally.Pick(300, 1500, 6000), func(t *testing.T, s *keptStore) (all []change) {
		for name, data := range s.sorted(t) {
			used := len(bytes.TrimRight(data, "\x00"))
			for _, off := range interesting(data) {
				for bit := range 8 {
					if bit != off%8 && !sensitive(name, off, used) {
						continue
					}
					all = append(all, replaced(fmt.Sprintf("%s, bit %d of byte %d", name, bit, off), name, func() []byte {
						flipped := bytes.Clone(data)
						flipped[off] ^= 1 << bit
						return flipped
					}))
				}
			}
		}
		return all
	})
	o.row("A10", "bit flips in all files", "flipped bits", "go test -run TestDamage_NoBitFlipGoesUnnoticed .").Record(t)
	wantFaults(t, o, 50_000)
}

// wantFaults sees that a full run is one.
func wantFaults(t *testing.T, o *outcomes, full int64) {
	t.Helper()
	if n := o.faults.Load(); tally.Level() == tally.Full && n < full || o.reported.Load() == 0 || o.harmless.Load() == 0 {
		t.Errorf("%d faults, want %d; %d reported, %d harmless", n, full, o.reported.Load(), o.harmless.Load())
	}
}

func TestDamage_NoCutGoesUnnoticed(t *testing.T) {
	o := damageAll(t, tally.Pick(100, 700, 3000), func(t *testing.T, s *keptStore) (all []change) {
		for name, data := range s.sorted(t) {
			for _, size := range interesting(data) {
				c := replaced(fmt.Sprintf("%s, cut to %d bytes", name, size), name, func() []byte { return data[:size] })
				c.tail = size < 128 // less than a header: as a segment that was never begun
				all = append(all, c)
			}
		}
		return all
	})
	o.row("A11", "files cut at each byte", "cuts", "go test -run TestDamage_NoCutGoesUnnoticed .").Record(t)
	wantFaults(t, o, 20_000)
}

// sorted returns the files of the store in the order of their names.
func (s *keptStore) sorted(t *testing.T) func(yield func(string, []byte) bool) {
	files := s.files(t)
	return func(yield func(string, []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if !yield(name, files[name]) {
				return
			}
		}
	}
}

// Sectors and pages that come to nothing, or hold what was elsewhere.
func TestDamage_NoLostOrMisplacedSectorGoesUnnoticed(t *testing.T) {
	o := damageAll(t, tally.Pick(60, 400, 1500), func(t *testing.T, s *keptStore) (all []change) {
		for name, data := range s.sorted(t) {
			used, last := len(bytes.TrimRight(data, "\x00")), lastChunk(data)
			for _, size := range []int{64, 512, 4096} {
				for off := 0; off < used; off += size {
					for what, fill := range map[string]func(part []byte){
						"zeros":          func(part []byte) { clear(part) },
						"ones":           func(part []byte) { copy(part, bytes.Repeat([]byte{0xff}, len(part))) },
						"what follows":   func(part []byte) { copy(part, data[min(off+size, len(data)):]) },
						"the file again": func(part []byte) { copy(part, data) },
					} {
						c := replaced(fmt.Sprintf("%s, %d bytes at %d become %s", name, size, off, what), name, func() []byte {
							changed := bytes.Clone(data)
							fill(changed[off:min(off+size, len(data))])
							return changed
						})
						c.tail = off+size > last || off == 0 && what == "zeros" // as a segment that was never begun
						all = append(all, c)
					}
				}
			}
			for off := 0; off < used; off += 1 + used/200 {
				c := replaced(fmt.Sprintf("%s, zeros from byte %d on", name, off), name, func() []byte {
					return append(bytes.Clone(data[:off]), make([]byte, len(data)-off)...)
				})
				c.tail = true
				all = append(all, c)
			}
		}
		slices.SortFunc(all, func(a, b change) int { return strings.Compare(a.what, b.what) })
		return all
	})
	o.row("A11", "sectors lost or misplaced", "sectors", "go test -run TestDamage_NoLostOrMisplacedSectorGoesUnnoticed .").Record(t)
	wantFaults(t, o, 5_000)
}

func TestDamage_NoMissingExtraSwappedOrStaleFileGoesUnnoticed(t *testing.T) {
	o := damageAll(t, tally.Pick(60, 0, 0), wholeFiles)
	o.row("A11", "files missing, added, swapped, doubled, stale", "changes", "go test -run TestDamage_NoMissingExtraSwappedOrStaleFileGoesUnnoticed .").Record(t)
	wantFaults(t, o, 300)
}

// wholeFiles lists changes of whole files.
func wholeFiles(t *testing.T, s *keptStore) (all []change) {
	files := s.files(t)
	names := slices.Sorted(maps.Keys(files))
	put := func(what, file string, tail bool, now map[string][]byte) {
		all = append(all, change{what: what, file: file, tail: tail, make: func(t *testing.T, image *simfs.FS) {
			for name, data := range now {
				if data == nil {
					must(t, image.Remove(filepath.Join(crashDir, name)))
					continue
				}
				writeFile(t, image, filepath.Join(crashDir, name), data)
			}
		}})
	}
	for _, name := range names {
		data := files[name]
		put("without "+name, name, true, map[string][]byte{name: nil})
		put(name+" without contents", name, true, map[string][]byte{name: {}})
		put(name+" of zeros", name, true, map[string][]byte{name: make([]byte, len(data))})
		put(name+" with a byte more", name, false, map[string][]byte{name: append(bytes.Clone(data), 0)})
		put(name+" with as much again behind it", name, false, map[string][]byte{name: append(bytes.Clone(data), data...)})
		for _, extra := range []string{"CURRENT.tmp", "999999.wal", "000999.sst", "MANIFEST-000999", "notes"} {
			if filepath.Ext(extra) == ".wal" && filepath.Ext(name) != ".wal" && len(data) < 128 {
				continue
			}
			put(name+" also as "+extra, extra, false, map[string][]byte{extra: data})
		}
		for _, other := range names {
			if other > name {
				put(name+" and "+other+" swapped", name, false, map[string][]byte{name: files[other], other: data})
			}
			if other != name {
				put(name+" in place of "+other, other, true, map[string][]byte{other: data})
				put("without "+name+" and "+other, name, true, map[string][]byte{name: nil, other: nil})
			}
		}
	}
	return all
}

// A file comes back as it once was: alone, or with all others of its kind.
func TestDamage_NoFileOfThePastGoesUnnoticed(t *testing.T) {
	o := &outcomes{}
	for _, d := range damageStores {
		t.Run(d.name, func(t *testing.T) {
			r := newCrashRun(t, tally.Seed())
			var past []map[string][]byte
			every := 0
			r.fs.SetHook(func(simfs.Op) {
				if every++; every%tally.Pick(9, 3, 1) == 0 {
					past = append(past, (&keptStore{fs: r.fs.Image(simfs.KillProcess, 1)}).files(t))
				}
			})
			d.live(r)
			if d.mayLose == 0 {
				d.end(r)
			}
			r.fs.SetHook(nil)
			if d.mayLose > 0 {
				d.end(r)
			}
			s := &keptStore{fs: r.fs, states: r.states}
			for _, c := range sample(stale(s.files(t), past), tally.Pick(40, 200, 0), tally.Seed()) {
				d.try(t, s, c, o)
			}
		})
	}
	o.row("A11", "files of the past", "files", "go test -run TestDamage_NoFileOfThePastGoesUnnoticed .").Record(t)
	wantFaults(t, o, 400)
}

// stale lists the ways to put back a file, or CURRENT and the manifest that it names, that differ from what is there.
func stale(now map[string][]byte, past []map[string][]byte) (all []change) {
	seen := map[string]bool{}
	for n, files := range past {
		for name, data := range files {
			if was, ok := now[name]; bytes.Equal(was, data) && ok || seen[name+string(data)] {
				continue
			}
			seen[name+string(data)] = true
			c := replaced(fmt.Sprintf("%s as it was after %d operations", name, n), name, func() []byte { return data })
			c.tail = true
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b change) int { return strings.Compare(a.what, b.what) })
	return all
}

// What a sync covered stands in the next chunk: otherwise no damage would ever be told from the end of a
// log, as it once went in another engine (https://github.com/cockroachdb/pebble/issues/6031).
func TestDamage_AVouchedPositionIsStoredAfterASync(t *testing.T) {
	r := newCrashRun(t, 1)
	r.open()
	r.puts(2, 60, tinykv.Sync)
	r.puts(1, 60)
	for name, data := range (&keptStore{fs: r.fs}).files(t) {
		used := len(bytes.TrimRight(data, "\x00"))
		switch {
		case strings.HasSuffix(name, ".wal") && used > 0:
			var vouched []uint32
			for off := 128; off < used; off += 16 + int(binary.LittleEndian.Uint16(data[off+8:])) {
				if data[off+11] == 0 {
					vouched = append(vouched, binary.LittleEndian.Uint32(data[off+12:]))
				}
			}
			if len(vouched) != 3 || vouched[1] <= 128 || vouched[2] <= vouched[1] {
				t.Errorf("%s vouches for %v", name, vouched)
			}
		}
	}
	r.close()
}
