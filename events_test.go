package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// told notes what events tell, in order, as "name" or "name: error".
type told struct {
	mu    sync.Mutex
	names []string

	opened      []tinykv.OpenInfo
	flushes     []tinykv.FlushInfo
	compactions []tinykv.CompactionInfo
	created     []tinykv.TableInfo
	deleted     []tinykv.TableInfo
	stalls      []tinykv.StallInfo
	syncs       []tinykv.SyncInfo
	damages     []tinykv.CorruptionInfo
	failures    []tinykv.BackgroundErrorInfo
}

// note returns a function of Events that notes what it is told.
func note[Info any](t *told, name string, list *[]Info, err func(Info) error) func(Info) {
	return func(info Info) {
		t.mu.Lock()
		defer t.mu.Unlock()
		*list = append(*list, info)
		if err(info) != nil {
			t.names = append(t.names, "failed "+name)
			return
		}
		t.names = append(t.names, name)
	}
}

func (t *told) events() *tinykv.Events {
	flushErr := func(i tinykv.FlushInfo) error { return i.Err }
	compactionErr := func(i tinykv.CompactionInfo) error { return i.Err }
	tableErr := func(tinykv.TableInfo) error { return nil }
	stallErr := func(i tinykv.StallInfo) error { return i.Err }
	return &tinykv.Events{
		Opened:          note(t, "opened", &t.opened, func(tinykv.OpenInfo) error { return nil }),
		FlushBegin:      note(t, "flush begins", &t.flushes, flushErr),
		FlushEnd:        note(t, "flush ends", &t.flushes, flushErr),
		CompactionBegin: note(t, "compaction begins", &t.compactions, compactionErr),
		CompactionEnd:   note(t, "compaction ends", &t.compactions, compactionErr),
		TableCreated:    note(t, "table created", &t.created, tableErr),
		TableDeleted:    note(t, "table deleted", &t.deleted, tableErr),
		StallBegin:      note(t, "stall begins", &t.stalls, stallErr),
		StallEnd:        note(t, "stall ends", &t.stalls, stallErr),
		Sync:            note(t, "sync", &t.syncs, func(i tinykv.SyncInfo) error { return i.Err }),
		Corruption:      note(t, "corruption", &t.damages, func(tinykv.CorruptionInfo) error { return nil }),
		BackgroundError: note(t, "background error", &t.failures, func(tinykv.BackgroundErrorInfo) error { return nil }),
	}
}

// wantInOrder sees that names were told one after the other, others in between.
func (t *told) wantInOrder(tb testing.TB, names ...string) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := names
	for _, name := range t.names {
		if len(rest) > 0 && name == rest[0] {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		tb.Errorf("want %q in this order, missing from %q on, got %q", names, rest[0], t.names)
	}
}

// inlineStore opens a store whose background work is done by who waits for it, with events.
func inlineStore(t *testing.T, fsys vfs.FS, events *tinykv.Events) *tinykv.DB {
	t.Helper()
	o := &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, Events: events}
	return mustOpen(t, "/s", o.With(tinykv.Internal{Inline: func() bool { return true }}))
}

func TestEvents_OfAStoreThatIsFilledCompactedAndClosed(t *testing.T) {
	var got told
	fsys := vfs.NewMem()
	db := inlineStore(t, fsys, got.events())
	if len(got.opened) != 1 || len(got.names) != 1 || got.opened[0].Dir != "/s" || got.opened[0].Records != 0 {
		t.Fatalf("after Open: %q, %+v", got.names, got.opened)
	}
	must(t, db.Put([]byte("fig"), []byte("ripe"), tinykv.Sync))
	if n := len(got.syncs); n != 1 || got.syncs[0].Bytes == 0 {
		t.Fatalf("after a synced write: %+v", got.syncs)
	}
	must(t, db.Flush(context.Background()))
	must(t, db.Put([]byte("fig"), []byte("eaten")))
	must(t, db.Compact(context.Background(), tinykv.All()))
	must(t, db.Close())
	got.wantInOrder(t, "opened", "sync", "flush begins", "table created", "flush ends", "flush begins", "table created", "flush ends",
		"compaction begins", "table created", "compaction ends", "table deleted", "table deleted")

	begin, end := got.flushes[0], got.flushes[1]
	if begin.Job == 0 || begin.Job != end.Job || begin.MemTables != 1 || begin.MemTableBytes == 0 || begin.Tables != 0 {
		t.Errorf("flush: %+v, then %+v", begin, end)
	}
	if end.Tables != 1 || end.Bytes != got.created[0].Bytes || got.created[0].Level != 0 {
		t.Errorf("flush: %+v, table: %+v", end, got.created[0])
	}
	c := got.compactions[len(got.compactions)-1]
	if c.Kind != "merge" || c.EntriesIn != 2 || c.EntriesOut != 1 || c.Outputs != 1 || c.OutputBytes == 0 || c.Duration <= 0 {
		t.Errorf("compaction: %+v", c)
	}
	for _, d := range got.deleted {
		if !slices.ContainsFunc(got.created, func(c tinykv.TableInfo) bool { return c.Path == d.Path && c.Number == d.Number }) {
			t.Errorf("%+v was deleted and never created", d)
		}
	}
}

// Every begin has its end in the same goroutine, also when many things go on at once.
func TestEvents_EveryBeginHasItsEnd(t *testing.T) {
	var got told
	o := &tinykv.Options{FS: vfs.NewMem(), MemTableSize: 64 << 10, TableSize: 32 << 10, Events: got.events()}
	db := mustOpen(t, "/s", o)
	for n := range 20_000 {
		must(t, db.Put(numbered(n*7919%20_000), make([]byte, 100)))
	}
	must(t, db.DeleteRange(nil, nil))
	must(t, db.Compact(context.Background(), tinykv.All()))
	must(t, db.Close())
	open := map[uint64]bool{}
	for _, f := range got.flushes {
		checkPair(t, open, f.Job, f.Duration)
	}
	for _, c := range got.compactions {
		checkPair(t, open, c.Job, c.Duration)
	}
	if len(open) > 0 || len(got.flushes) < 10 || len(got.compactions) < 10 || len(got.stalls)%2 != 0 {
		t.Errorf("%d have no end; %d flushes, %d compactions, %d stalls", len(open), len(got.flushes), len(got.compactions), len(got.stalls))
	}
	if len(got.created) != len(got.deleted) {
		t.Errorf("%d tables were created, %d deleted, and none is left", len(got.created), len(got.deleted))
	}
}

func TestEvents_TablesUnderARangeDeletionAreDropped(t *testing.T) {
	var got told
	db := inlineStore(t, vfs.NewMem(), got.events())
	for n := range 4000 {
		must(t, db.Put(numbered(n), make([]byte, 100)))
	}
	must(t, db.Compact(context.Background(), tinykv.All()))
	before := len(got.created) - len(got.deleted)
	must(t, db.DeleteRange(nil, nil))
	must(t, db.Flush(context.Background()))
	must(t, db.Put([]byte("fig"), nil))
	if !slices.ContainsFunc(got.compactions, func(c tinykv.CompactionInfo) bool { return c.Kind == "drop" && c.Inputs >= before && c.Duration > 0 }) {
		t.Errorf("%d tables lay under a range deletion: %+v", before, got.compactions)
	}
	must(t, db.Close())
}

func checkPair(t *testing.T, open map[uint64]bool, job uint64, took time.Duration) {
	t.Helper()
	if open[job] != (took > 0) {
		t.Errorf("job %d: begun %v, took %v", job, open[job], took)
	}
	if open[job] {
		delete(open, job)
	} else {
		open[job] = true
	}
}

func TestEvents_OpeningAfterACrashTellsWhatTheLogHeld(t *testing.T) {
	fsys := simfs.New()
	db := mustOpen(t, "/s", &tinykv.Options{FS: fsys})
	for n := range 10 {
		must(t, db.Put(numbered(n), nil, tinykv.Sync))
	}
	var got told
	crashed := fsys.Image(simfs.DropAll, 1)
	db = mustOpen(t, "/s", &tinykv.Options{FS: crashed, Events: got.events()})
	if o := got.opened[0]; o.Records != 10 || o.LastSeq != 10 || o.LogBytes == 0 || o.LogEnd == "" || o.Tables != 1 || o.Duration <= 0 {
		t.Errorf("got %+v", o)
	}
	must(t, db.Close())
	db = mustOpen(t, "/s", &tinykv.Options{FS: crashed, Events: got.events(), ReadOnly: true})
	if o := got.opened[1]; !o.ReadOnly || o.Records != 0 || o.LogEnd != "" || o.Tables != 1 || o.Bytes == 0 {
		t.Errorf("got %+v", o)
	}
	must(t, db.Close())
}

func TestEvents_AFlushThatFailsEndsWithItsError(t *testing.T) {
	var got told
	fsys := simfs.New()
	db := inlineStore(t, fsys, got.events())
	must(t, db.Put([]byte("fig"), nil))
	fsys.FailCall(simfs.Fault{Match: isNewTable, Err: simfs.NoSpace, Always: true})
	wantError(t, db.Flush(context.Background()), simfs.NoSpace)
	fsys.Clear()
	got.wantInOrder(t, "flush begins", "failed flush ends", "background error")
	if f := got.failures[0]; f.Work != "flush" || f.Fatal || f.Err == nil {
		t.Errorf("got %+v", f)
	}
	must(t, db.Close())
	got.wantInOrder(t, "failed flush ends", "flush begins", "table created", "flush ends")
}

func TestEvents_AStoreThatFailsSaysSoOnceAndUnderNoLock(t *testing.T) {
	for _, what := range []string{"log", "manifest"} {
		t.Run(what, func(t *testing.T) {
			fsys := simfs.New()
			var got told
			var db *tinykv.DB
			events := got.events()
			note := events.BackgroundError
			events.BackgroundError = func(info tinykv.BackgroundErrorInfo) {
				_ = db.Metrics().String()
				if _, err := db.Get([]byte("fig")); err != nil {
					t.Error(err)
				}
				note(info)
			}
			db = inlineStore(t, fsys, events)
			must(t, db.Put([]byte("fig"), nil))
			match := isManifest
			if what == "log" {
				match = func(op simfs.Op) bool { return strings.HasSuffix(op.Name, ".wal") }
			}
			fsys.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && match(op) }})
			if what == "log" {
				wantError(t, db.Sync(), tinykv.ErrFailed)
			} else {
				wantError(t, db.Flush(context.Background()), tinykv.ErrFailed)
			}
			wantError(t, db.Put([]byte("plum"), nil), tinykv.ErrFailed)
			fatal := 0
			for _, f := range got.failures {
				if f.Work == "store" && f.Fatal {
					fatal++
				}
			}
			if fatal != 1 {
				t.Errorf("told %d times: %+v", fatal, got.failures)
			}
			if what == "log" {
				got.wantInOrder(t, "failed sync", "background error")
			}
			wantError(t, db.Close(), tinykv.ErrFailed)
		})
	}
}

func TestEvents_StallsBeginAndEnd(t *testing.T) {
	var got told
	fsys := vfs.NewMem()
	db := mustOpen(t, "/s", (&tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, Events: got.events()}).
		With(tinykv.Internal{Inline: func() bool { return false }})) // background work waits until somebody needs it
	for n := range 20_000 {
		must(t, db.Put(numbered(n), make([]byte, 100)))
	}
	must(t, db.Put([]byte("large"), make([]byte, 60<<10)))
	must(t, db.Close())
	got.wantInOrder(t, "stall begins", "flush begins", "flush ends", "stall ends")
	reasons := map[string]int{}
	for i, s := range got.stalls {
		reasons[s.Reason]++
		if ends := i%2 == 1; ends != (s.Duration > 0) || s.Err != nil {
			t.Errorf("stall %d: %+v", i, s)
		}
	}
	if reasons["memtables"] == 0 || reasons["large batch"] == 0 {
		t.Errorf("reasons: %v", reasons)
	}
}

func TestEvents_DamageIsToldOncePerPlace(t *testing.T) {
	dir := t.TempDir()
	o := &tinykv.Options{Compression: tinykv.CompressionNone}
	db := mustOpen(t, dir, o)
	for n := range 1000 {
		must(t, db.Put(numbered(n), make([]byte, 100)))
	}
	must(t, db.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	data, err := os.ReadFile(tables[0])
	must(t, err)
	data[100] ^= 1
	must(t, os.WriteFile(tables[0], data, 0o600))

	var got told
	o.Events = got.events()
	db = mustOpen(t, dir, o)
	for range 3 {
		_, err := db.Get(numbered(0))
		wantError(t, err, tinykv.ErrCorrupt)
		_, err = db.Has(numbered(1))
		wantError(t, err, tinykv.ErrCorrupt)
		wantError(t, db.Peek(numbered(2), func([]byte) error { return nil }), tinykv.ErrCorrupt)
		_, err = db.GetMulti(numbered(3), numbered(999))
		wantError(t, err, tinykv.ErrCorrupt)
		it, err := db.NewIter(tinykv.All())
		must(t, err)
		it.First()
		wantError(t, it.Err(), tinykv.ErrCorrupt)
		must(t, it.Close())
	}
	if len(got.damages) != 1 || got.damages[0].Path != tables[0] || got.damages[0].Offset != 0 || got.damages[0].Err == nil {
		t.Errorf("told of %+v", got.damages)
	}
	if n := db.Metrics().CorruptPlaces; n != 1 {
		t.Errorf("%d damaged places", n)
	}
	broken := &tinykv.CorruptionError{File: "other"}
	wantError(t, db.Peek(numbered(999), func([]byte) error { return broken }), broken)
	if len(got.damages) != 1 {
		t.Errorf("what a function of the caller returns is no damage here: %+v", got.damages[1:])
	}
	report, err := db.Verify(context.Background(), nil)
	must(t, err)
	if report.ProblemCount != 1 || len(got.damages) == 0 {
		t.Errorf("Verify found %d problems, told: %+v", report.ProblemCount, got.damages)
	}
	must(t, db.Close())
}

func TestEvents_VerifyTellsOfWhatItMeets(t *testing.T) {
	dir := t.TempDir()
	var got told
	db := mustOpen(t, dir, &tinykv.Options{Events: got.events()})
	must(t, db.Put([]byte("fig"), nil))
	must(t, db.Flush(context.Background()))
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	f, err := os.OpenFile(tables[0], os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{0xff}, 2)
	must(t, errors.Join(err, f.Close()))
	_, err = db.Verify(context.Background(), nil)
	must(t, err)
	if len(got.damages) != 1 || got.damages[0].Path != tables[0] {
		t.Errorf("told of %+v", got.damages)
	}
	must(t, db.Close())
}

func TestEvents_AnOpeningThatFailsTellsNothing(t *testing.T) {
	var got told
	fsys := simfs.New()
	db := mustOpen(t, "/s", &tinykv.Options{FS: fsys})
	for n := range 10 {
		must(t, db.Put(numbered(n), nil, tinykv.Sync))
	}
	crashed := fsys.Image(simfs.DropAll, 1)
	crashed.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && isManifest(op) }})
	if _, err := tinykv.Open("/s", &tinykv.Options{FS: crashed, Events: got.events()}); err == nil {
		t.Fatal("it was opened")
	}
	if len(got.names) > 0 {
		t.Errorf("told of %q", got.names)
	}
}

// A function that panics while it is called by who leads the writers must not keep them waiting for ever.
func TestEvents_APanicGoesToTheLogger(t *testing.T) {
	var log strings.Builder
	o := &tinykv.Options{
		FS: vfs.NewMem(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Events: &tinykv.Events{
			Sync:     func(tinykv.SyncInfo) { panic("eaten by a fig wasp") },
			FlushEnd: func(tinykv.FlushInfo) { panic("eaten by a fig wasp") },
		},
	}
	db := mustOpen(t, "/s", o)
	must(t, db.Put([]byte("fig"), nil, tinykv.Sync))
	must(t, db.Put([]byte("plum"), nil, tinykv.Sync))
	must(t, db.Flush(context.Background()))
	must(t, db.Close())
	for _, want := range []string{"eaten by a fig wasp", "SyncInfo", "FlushInfo", "events_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing in %s", want, log.String())
		}
	}
}

// Whatever is told, the one who is told may read and ask for Metrics.
func TestEvents_MayReadAndAskForMetrics(t *testing.T) {
	var db *tinykv.DB
	calls := 0
	ask := func() {
		if calls++; db != nil {
			_ = db.Metrics().String()
			_, _ = db.Has([]byte("fig"))
		}
	}
	db = inlineStore(t, vfs.NewMem(), &tinykv.Events{
		FlushBegin: func(tinykv.FlushInfo) { ask() }, FlushEnd: func(tinykv.FlushInfo) { ask() },
		CompactionBegin: func(tinykv.CompactionInfo) { ask() }, CompactionEnd: func(tinykv.CompactionInfo) { ask() },
		TableCreated: func(tinykv.TableInfo) { ask() }, TableDeleted: func(tinykv.TableInfo) { ask() },
		StallBegin: func(tinykv.StallInfo) { ask() }, StallEnd: func(tinykv.StallInfo) { ask() },
		Sync: func(tinykv.SyncInfo) { ask() },
	})
	for n := range 10_000 {
		must(t, db.Put(fmt.Appendf(nil, "%d", n), make([]byte, 100)))
	}
	must(t, db.Apply(largeBatch(t, db)))
	must(t, db.Compact(context.Background(), tinykv.All()))
	must(t, db.Close())
	if calls < 50 {
		t.Errorf("%d calls", calls)
	}
}

func largeBatch(t *testing.T, db *tinykv.DB) *tinykv.Batch {
	b := db.NewBatch()
	must(t, b.Put([]byte("large"), make([]byte, 100<<10)))
	return b
}
