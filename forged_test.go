package tinykv_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs/simfs"
	"github.com/tinykv/tinykv/wal"
)

// What no store writes, under checksums that are right: logs and manifests that say what cannot be.

func manifestAt(fsys *simfs.FS) manifest.Options {
	return manifest.Options{FS: fsys, Dir: crashDir, CacheID: fsys.CacheID(crashDir)}
}

func loadManifest(t *testing.T, fsys *simfs.FS) *manifest.Loaded {
	t.Helper()
	loaded, err := manifest.Load(manifestAt(fsys))
	must(t, err)
	return loaded
}

// forgeLog replaces the log of a store by one that holds a record.
func forgeLog(t *testing.T, fsys *simfs.FS, record []byte) {
	t.Helper()
	names, err := fsys.List(crashDir)
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".wal") {
			must(t, fsys.Remove(filepath.Join(crashDir, name)))
		}
	}
	loaded := loadManifest(t, fsys)
	log, err := wal.Create(wal.Options{
		FS: fsys, Dir: crashDir, Store: loaded.Store, CacheID: fsys.CacheID(crashDir), First: loaded.Log.First, Mark: uint64(loaded.LastSeq),
		NewName:  func() string { return manifest.Name(manifest.FileLog, loaded.NextFile+100) },
		NewEpoch: func() uint64 { return 7 }, FirstSegmentBytes: 64 << 10, MaxSegmentBytes: 64 << 10,
	})
	must(t, err)
	must(t, log.Reserve(1, int64(len(record))))
	log.Append(record, uint64(loaded.LastSeq)+1)
	must(t, log.Flush(true))
	must(t, log.Close())
}

// wantReported wants opening, opening for reading and Verify to say that a store is damaged.
func wantReported(t *testing.T, what string, fsys *simfs.FS, words string) {
	t.Helper()
	if err := verified(t, crashDir, fsys.Image(simfs.KillProcess, 1)).Err(); !errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: Verify says %v", what, err)
	}
	for _, readOnly := range []bool{true, false} {
		options := optionsOn(fsys.Image(simfs.KillProcess, 1), 1)
		options.ReadOnly = readOnly
		db, err := tinykv.Open(crashDir, options)
		if err == nil {
			must(t, db.Close())
		}
		if !errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: opening, read only %v, says %v", what, readOnly, err)
		}
	}
}

// record returns a batch that sets a key.
func record(seq key.SeqNum) []byte {
	return batchrepr.AppendOp(batchrepr.AppendHeader(nil, seq, 1), key.KindSet, 0, []byte("k"), []byte("v"))
}

func TestDamage_ALogOfAStoreThatWasClosedInOrderIsReported(t *testing.T) {
	s := keepStore(t, closeInOrder)
	forgeLog(t, s.fs, record(loadManifest(t, s.fs).LastSeq+1))
	wantReported(t, "a record after an orderly close", s.fs, "closed in order")
}

func TestDamage_ALogThatHoldsWhatNoStoreWritesIsReported(t *testing.T) {
	for _, c := range []struct {
		what   string
		record func(next key.SeqNum) []byte
		words  string
	}{
		{"a batch is missing", func(next key.SeqNum) []byte { return record(next + 1) }, "sequence number"},
		{"a batch is there twice", func(next key.SeqNum) []byte { return record(next - 1) }, "sequence number"},
		{"no batch", func(key.SeqNum) []byte { return []byte("fig") }, "batch header"},
		{"an operation is cut short", func(next key.SeqNum) []byte { return record(next)[:14] }, "cut short"},
		{"an operation is missing", func(next key.SeqNum) []byte {
			b := record(next)
			batchrepr.SetHeader(b, next, 2)
			return b
		}, "missing"},
	} {
		s := keepStore(t, killed)
		forgeLog(t, s.fs, c.record(loadManifest(t, s.fs).LastSeq+1))
		wantReported(t, c.what, s.fs, c.words)
	}
}

// Before anybody is served: what is not there, or not whole, need not be read to be seen.
func TestOpen_ATableThatIsMissingOrHasAnotherLengthIsReported(t *testing.T) {
	s := keepStore(t, closeInOrder)
	for _, tables := range loadManifest(t, s.fs).Version.Levels {
		for _, table := range tables {
			path := filepath.Join(crashDir, manifest.Name(manifest.FileTable, table.Num))
			image := s.fs.Image(simfs.KillProcess, 1)
			data := readFile(t, image, path)
			must(t, image.Remove(path))
			wantReported(t, "a missing table", image, "missing")
			writeFile(t, image, path, data[:len(data)-1])
			wantReported(t, "a table that was cut", image, "bytes, want")
			writeFile(t, image, path, append(data, 0))
			wantReported(t, "a table that became longer", image, "bytes, want")
		}
	}
}

// forgeManifest puts a manifest in force that says something else. change gets a state whose tables are copies.
func forgeManifest(t *testing.T, fsys *simfs.FS, change func(state *manifest.State, table *manifest.Table)) {
	t.Helper()
	loaded := loadManifest(t, fsys)
	state, v := loaded.State, &manifest.Version{}
	var deepest *manifest.Table
	for level, tables := range loaded.Version.Levels {
		for _, table := range tables {
			copied := *table
			v.Levels[level] = append(v.Levels[level], &copied)
			deepest = &copied
		}
	}
	state.Version = v
	change(&state, deepest)
	m, err := manifest.New(manifestAt(fsys), loaded.NextFile+100, 7, state)
	must(t, err)
	must(t, m.Switch())
	must(t, m.Close())
}

func TestVerify_SeesWhatTheManifestSaysWrongly(t *testing.T) {
	s := keepStore(t, closeInOrder)
	for _, c := range []struct {
		words  string
		change func(s *manifest.State, t *manifest.Table)
	}{
		{"entries:", func(_ *manifest.State, t *manifest.Table) { t.Entries++ }},
		{"tombstones:", func(_ *manifest.State, t *manifest.Table) { t.Deletes++ }},
		{"shadowed entries:", func(_ *manifest.State, t *manifest.Table) { t.Shadowed++ }},
		{"bytes of keys and values:", func(_ *manifest.State, t *manifest.Table) { t.DataBytes-- }},
		{"spans of range deletions:", func(_ *manifest.State, t *manifest.Table) { t.RangeDeletes++ }},
		{"least sequence number:", func(_ *manifest.State, t *manifest.Table) { t.SmallestSeq-- }},
		{"greatest sequence number:", func(_ *manifest.State, t *manifest.Table) { t.LargestSeq++ }},
		{"begins at", func(_ *manifest.State, t *manifest.Table) { t.Smallest.Stored = []byte{0} }},
		{"ends at", func(_ *manifest.State, t *manifest.Table) {
			t.Largest.Stored = append(slices.Clone(t.Largest.Stored), 0)
		}},
		{"want", func(_ *manifest.State, t *manifest.Table) { t.ID++ }},
		{"the next file number is", func(s *manifest.State, t *manifest.Table) { s.NextFile = t.Num }},
		{"the last one is", func(s *manifest.State, _ *manifest.Table) { s.LastSeq = 1 }},
		{"missing", func(s *manifest.State, t *manifest.Table) { s.NextFile, t.Num = s.NextFile+50, s.NextFile+40 }},
		{"bytes, want", func(_ *manifest.State, t *manifest.Table) { t.Size++ }},
	} {
		image := s.fs.Image(simfs.KillProcess, 1)
		forgeManifest(t, image, c.change)
		report := verified(t, crashDir, image)
		if err := report.Err(); !errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("want %q, got\n%s", c.words, report)
		}
	}
	image := s.fs.Image(simfs.KillProcess, 1)
	forgeManifest(t, image, func(*manifest.State, *manifest.Table) {})
	must(t, verified(t, crashDir, image).Err())
}

func TestOpen_RemovesWhatACrashLeft(t *testing.T) {
	s := keepStore(t, killed)
	left := []string{"999999.sst", "999998.wal", "MANIFEST-999997", "CURRENT.tmp"}
	for _, name := range append(left, "notes.txt") {
		writeFile(t, s.fs, filepath.Join(crashDir, name), nil)
	}
	db, err := tinykv.Open(crashDir, optionsOn(s.fs, 1))
	must(t, err)
	names, err := s.fs.List(crashDir)
	must(t, err)
	for _, name := range left {
		if slices.Contains(names, name) {
			t.Errorf("%s is still there", name)
		}
	}
	if !slices.Contains(names, "notes.txt") {
		t.Error("a file that is somebody else's is gone")
	}
	must(t, db.Close())
}

// CURRENT must name the manifest that edits go to, but for the moments in which it is switched to another.
func TestVerify_LooksAtCURRENTUnlessItIsBeingSwitched(t *testing.T) {
	r := newCrashRun(t, 1)
	looks := 0
	nested := false
	r.options = *r.options.With(tinykv.Internal{
		Inline: func() bool { return !nested }, ManifestGrowth: 512, Random: crashRandom(7),
		Hook: func(step string, begins bool) {
			if nested || !begins || !strings.HasPrefix(step, "manifest ") {
				return
			}
			nested = true
			looks++
			report, err := r.db.Verify(context.Background(), nil)
			if err != nil || report.Err() != nil {
				t.Errorf("at %q: %v\n%v", step, err, report)
			}
			nested = false
		},
	})
	r.open()
	for range 16 {
		r.puts(1, 100)
		r.flush()
	}
	if looks < 3 {
		t.Errorf("%d steps of a renewal were looked at", looks)
	}
	other := keepStore(t, closeInOrder)
	for what, text := range map[string][]byte{"damaged": []byte("tinykv"), "another store's": other.files(t)["CURRENT"], "missing": nil} {
		path := filepath.Join(crashDir, "CURRENT")
		kept := readFile(t, r.fs, path)
		if writeFile(t, r.fs, path, text); text == nil {
			must(t, r.fs.Remove(path))
		}
		report, err := r.db.Verify(context.Background(), nil)
		must(t, err)
		if report.ProblemCount != 1 || filepath.Base(report.Problems[0].File) != "CURRENT" {
			t.Errorf("CURRENT is %s, but: %v", what, report)
		}
		writeFile(t, r.fs, path, kept)
	}
	r.close()
}
