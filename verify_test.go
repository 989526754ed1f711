package tinykv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// verified verifies a store that is not open, which must succeed.
func verified(t *testing.T, dir string, fsys vfs.FS) *tinykv.VerifyReport {
	t.Helper()
	report, err := tinykv.Verify(context.Background(), dir, &tinykv.VerifyOptions{FS: fsys})
	must(t, err)
	return report
}

// fruitStore makes a store with several levels, range tombstones, overwritten keys and, if it is not
// closed, a log.
func fruitStore(t *testing.T, dir string, opts *tinykv.Options) *tinykv.DB {
	t.Helper()
	// No compaction comes by itself, so that what is there stays.
	db := mustOpen(t, dir, opts.With(tinykv.Internal{Inline: func() bool { return false }}))
	for round := range 3 {
		for i := range 1500 {
			must(t, db.Put(fruit(i*(round+1)), bytes.Repeat(fruit(i), 4)))
		}
		must(t, db.Flush(t.Context()))
	}
	must(t, db.Compact(t.Context(), tinykv.Between(fruit(0), fruit(2000))))
	must(t, db.DeleteRange(fruit(100), fruit(120)))
	for i := range 50 {
		must(t, db.Delete(fruit(i)))
	}
	must(t, db.Flush(t.Context()))
	must(t, db.Put(fruit(7), fruit(8)))
	return db
}

func TestVerify_OfAHealthyStoreFindsAllOfIt(t *testing.T) {
	for _, c := range []tinykv.Compression{tinykv.CompressionNone, tinykv.CompressionS2, tinykv.CompressionZstd} {
		dir := t.TempDir()
		o := tiny
		o.Compression = c
		db := fruitStore(t, dir, &o)
		live, err := db.Verify(t.Context(), nil)
		must(t, err)
		must(t, live.Err())
		m := db.Metrics()
		if live.Edits == 0 || live.RangeDeletes == 0 || live.LogSegments != 0 {
			t.Errorf("%+v", live)
		}
		tables, entries := 0, uint64(0)
		for _, l := range m.Levels {
			tables += l.Tables
			entries += l.Entries
		}
		if live.Tables != tables || live.Entries != entries {
			t.Errorf("%d tables and %d entries, want %d and %d", live.Tables, live.Entries, tables, entries)
		}
		must(t, db.Close())

		before := footprint(t, dir)
		report := verified(t, dir, nil)
		must(t, report.Err())
		if report.Tables == 0 || report.Blocks < uint64(report.Tables) || report.LogSegments != 0 || report.Unreferenced != nil {
			t.Errorf("%+v", report)
		}
		ro := mustOpen(t, dir, readOnlyOn(nil)) // together
		again, err := ro.Verify(t.Context(), nil)
		must(t, err)
		must(t, ro.Close())
		must(t, verified(t, dir, nil).Err())
		if again.Duration, report.Duration = 0, 0; again.String() != report.String() {
			t.Errorf("read only:\n%sclosed:\n%s", again, report)
		}
		if after := footprint(t, dir); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	}
}

func TestVerify_ReadsTheLogOfAStoreThatWasKilled(t *testing.T) {
	s := keepStore(t, killed)
	report := verified(t, crashDir, s.fs)
	must(t, report.Err())
	if report.LogRecords != 8 || report.LogSegments == 0 || report.Edits == 0 {
		t.Errorf("%+v", report)
	}
}

// Whatever byte is flipped: what Verify does not report leaves the store as it was, or takes what
// docs/GUARANTEES.md says that it may. In tables and CURRENT there is no such byte.
func TestVerify_ReportsAnyFlippedBitThatMatters(t *testing.T) {
	for _, kept := range keptStores {
		t.Run(kept.name, func(t *testing.T) {
			t.Parallel()
			s := keepCompressed(t, kept.compression, kept.end)
			must(t, verified(t, crashDir, s.fs.Image(simfs.KillProcess, 1)).Err())
			reported := map[string]int{}
			for name, data := range s.files(t) {
				for i, off := range interesting(data) {
					if i%23 != 0 && off > 200 && off < len(data)-200 {
						continue
					}
					flipped := bytes.Clone(data)
					flipped[off] ^= 1 << (off % 8)
					image := s.fs.Image(simfs.KillProcess, 1)
					writeFile(t, image, filepath.Join(crashDir, name), flipped)
					report := verified(t, crashDir, image)
					if err := report.Err(); err != nil {
						reported[filepath.Ext(name)]++
						checkReport(t, err, name)
						continue
					}
					if name == "CURRENT" || strings.HasSuffix(name, ".sst") {
						t.Fatalf("%s, byte %d: no damage found", name, off)
					}
					n, err := s.read(t, image)
					if err != nil || n < s.last()-kept.mayLose {
						t.Fatalf("%s, byte %d: no damage found, but state %d of %d, %v", name, off, n, s.last(), err)
					}
				}
			}
			t.Log(reported)
			if reported[".sst"] == 0 || reported[""] == 0 {
				t.Error("damage is not reported")
			}
		})
	}
}

func TestVerify_GoesOnBehindDamage(t *testing.T) {
	dir := t.TempDir()
	db := fruitStore(t, dir, &tiny)
	must(t, db.Close())
	whole := verified(t, dir, vfs.OS())
	damaged := 0
	for _, name := range namesIn(t, dir) {
		if strings.HasSuffix(name, ".sst") {
			damaged++
			flip(t, filepath.Join(dir, name), 40)
		}
	}
	report := verified(t, dir, nil)
	if report.ProblemCount != damaged || report.Tables != damaged || report.Blocks != whole.Blocks-uint64(damaged) {
		t.Errorf("%d tables are damaged, %d blocks intact; report:\n%s", damaged, whole.Blocks-uint64(damaged), report)
	}
	wantError(t, report.Err(), tinykv.ErrCorrupt)

	few, err := tinykv.Verify(t.Context(), dir, &tinykv.VerifyOptions{MaxProblems: 1})
	must(t, err)
	if len(few.Problems) != 1 || few.ProblemCount != damaged || !strings.Contains(few.String(), fmt.Sprint(damaged-1)+" are not listed") {
		t.Errorf("%s", few)
	}

	flip(t, filepath.Join(dir, "CURRENT"), 8) // now no manifest tells which tables there are
	report = verified(t, dir, nil)
	if report.ProblemCount != damaged+1 || report.Tables != damaged || filepath.Base(report.Problems[0].File) != "CURRENT" {
		t.Errorf("%s", report)
	}
}

// What was verified before, and lies in a cache, does not hide what became of it since.
func TestVerify_SeesRotUnderAnOpenStore(t *testing.T) {
	dir := t.TempDir()
	db := fruitStore(t, dir, &tiny)
	defer db.Close()
	if _, err := db.Count(t.Context(), tinykv.All()); err != nil {
		t.Fatal(err)
	}
	cache := db.Metrics().Cache
	for _, name := range namesIn(t, dir) {
		if strings.HasSuffix(name, ".sst") {
			flip(t, filepath.Join(dir, name), 40)
		}
	}
	report, err := db.Verify(t.Context(), nil)
	must(t, err)
	if report.ProblemCount != report.Tables {
		t.Errorf("%s", report)
	}
	if now := db.Metrics().Cache; now.Hits != cache.Hits || now.Misses != cache.Misses {
		t.Errorf("the cache was asked: %+v, then %+v", cache, now)
	}
	flip(t, filepath.Join(dir, manifestName(t, dir)), 200)
	report, err = db.Verify(t.Context(), nil)
	must(t, err)
	if report.ProblemCount != report.Tables+1 {
		t.Errorf("%s", report)
	}
}

func TestVerify_TellsOfFilesThatNothingNeeds(t *testing.T) {
	dir := t.TempDir()
	db := fruitStore(t, dir, &tiny)
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600))
	live, err := db.Verify(t.Context(), nil)
	must(t, err)
	must(t, db.Close())
	must(t, os.WriteFile(filepath.Join(dir, "999999.sst"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "999998.wal"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "MANIFEST-999997"), nil, 0o600))
	report := verified(t, dir, nil)
	must(t, report.Err())
	if got := fmt.Sprint(live.Unreferenced, report.Unreferenced); got != "[notes.txt] [999998.wal 999999.sst MANIFEST-999997 notes.txt]" {
		t.Error(got)
	}
}

func TestVerify_SaysWhyItCannot(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	fails := func(dir string, ctx context.Context, opts *tinykv.VerifyOptions, want error) {
		t.Helper()
		_, err := tinykv.Verify(ctx, dir, opts)
		wantError(t, err, want)
	}
	fails(dir, ctx, nil, tinykv.ErrMissing)
	fails(filepath.Join(dir, "none"), ctx, nil, tinykv.ErrMissing)
	fails("", ctx, nil, tinykv.ErrInvalidOption)
	fails(dir, nil, nil, tinykv.ErrInvalidOption) //nolint:staticcheck // that it is refused is the point
	fails(dir, ctx, &tinykv.VerifyOptions{MaxProblems: -1}, tinykv.ErrInvalidOption)
	db := fruitStore(t, dir, &tiny)
	fails(dir, ctx, nil, tinykv.ErrLocked)
	_, err := db.Verify(ctx, &tinykv.VerifyOptions{FS: vfs.OS()})
	wantError(t, err, tinykv.ErrInvalidOption)
	stopped := func(p tinykv.VerifyProgress) {
		if p.Phase == "tables" {
			cancel()
		}
	}
	report, err := db.Verify(ctx, &tinykv.VerifyOptions{Progress: stopped})
	if wantError(t, err, context.Canceled); report == nil || report.Tables != 1 || !report.Stopped || !strings.Contains(report.String(), "stopped") {
		t.Errorf("%v", report)
	}
	must(t, db.Close())
	_, err = db.Verify(t.Context(), nil)
	wantError(t, err, tinykv.ErrClosed)
	fails(dir, ctx, nil, context.Canceled)
}

func TestVerify_TellsHowFarItIs(t *testing.T) {
	dir := t.TempDir()
	must(t, fruitStore(t, dir, &tiny).Close())
	var last tinykv.VerifyProgress
	phases := ""
	report, err := tinykv.Verify(t.Context(), dir, &tinykv.VerifyOptions{Progress: func(p tinykv.VerifyProgress) {
		if p.Phase != last.Phase {
			phases += p.Phase + " "
		}
		if p.Done < last.Done || p.Done > p.Total {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}})
	must(t, err)
	if phases != "manifest log tables " || last.Done != last.Total || report.Bytes != last.Total {
		t.Errorf("%s, at last %+v; report:\n%s", phases, last, report)
	}
}

// Tables come and go while they are verified, and none of that is damage.
func TestVerify_BesideWritersFindsNothing(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tiny)
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := db.Put(fruit((i*7+w)%5000), bytes.Repeat(fruit(i), 8)); err != nil {
					t.Error(err)
					return
				}
				if i%1000 == 0 {
					_ = db.DeleteRange(fruit(i%5000), fruit(i%5000+30))
				}
			}
		})
	}
	for n := 0; n < 20 || db.Metrics().Compactions < 10; n++ {
		report, err := db.Verify(ctx, nil)
		must(t, errors.Join(err, report.Err()))
	}
	cancel()
	writers.Wait()
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	names, err := vfs.OS().List(dir)
	must(t, err)
	return names
}

func manifestName(t *testing.T, dir string) string {
	t.Helper()
	for _, name := range namesIn(t, dir) {
		if strings.HasPrefix(name, "MANIFEST-") {
			return name
		}
	}
	t.Fatal("no manifest")
	return ""
}

// flip changes a byte of a file where it lies, so that whoever has it open sees that.
func flip(t *testing.T, path string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	must(t, err)
	b[0] ^= 4
	_, err = f.WriteAt(b, off)
	must(t, err)
}

func TestVerify_SaysWhyItCannotBegin(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "store")
		db := mustOpen(t, dir, nil)
		must(t, db.Put([]byte("a"), []byte("b")))
		if readOnly {
			must(t, db.Close())
			db = mustOpen(t, dir, &tinykv.Options{ReadOnly: true})
		}
		must(t, os.RemoveAll(dir))
		if report, err := db.Verify(t.Context(), nil); err == nil || report != nil {
			t.Errorf("read only %v: %v, %v", readOnly, report, err)
		}
		_ = db.Close()
	}
}

// slowManifest calls a function when the manifest is opened for reading.
type slowManifest struct {
	vfs.FS
	opened func()
}

func (f *slowManifest) Open(name string) (vfs.File, error) {
	if strings.HasPrefix(filepath.Base(name), "MANIFEST-") && f.opened != nil {
		f.opened()
	}
	return f.FS.Open(name)
}

// A manifest on a slow disk holds up neither flushes nor its own replacement while it is read.
func TestVerify_HoldsUpNoFlushWhileItReadsTheManifest(t *testing.T) {
	fsys := &slowManifest{FS: vfs.NewMem()}
	o := tiny
	o.FS = fsys
	db := mustOpen(t, "/s", o.With(tinykv.Internal{ManifestGrowth: 1}))
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // to fail, not to hang
	defer cancel()
	fsys.opened = func() {
		fsys.opened = nil
		for n := range 20 {
			must(t, db.Put(fruit(n), fruit(n)))
			must(t, db.Flush(ctx))
		}
	}
	report, err := db.Verify(ctx, nil)
	must(t, errors.Join(err, report.Err()))
	if fsys.opened != nil {
		t.Error("the manifest was not read")
	}
	t.Logf("%d renewals", db.Metrics().ManifestRenewals)
}
