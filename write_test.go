package tinykv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

func inMemory(t testing.TB) *tinykv.DB {
	t.Helper()
	return mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem()})
}

func TestPut_EmptyAndNilAndAbsentDiffer(t *testing.T) {
	db := inMemory(t)
	_, err := db.Get(nil)
	wantError(t, err, tinykv.ErrNotFound)
	must(t, db.Put(nil, nil))
	v, err := db.Get([]byte{})
	if v == nil || len(v) != 0 || err != nil {
		t.Errorf("%#v, %v", v, err)
	}
	items := 0
	for item, err := range db.Scan(tinykv.All()) {
		must(t, err)
		if items++; item.Key == nil || item.Value == nil || len(item.Key)+len(item.Value) != 0 {
			t.Errorf("%#v", item)
		}
	}
	if items != 1 {
		t.Errorf("%d items", items)
	}
	must(t, db.Delete([]byte{}))
	has, err := db.Has(nil)
	must(t, err)
	if has {
		t.Error("still there")
	}
	must(t, db.Delete([]byte("never there")))
}

func TestPut_CopiesWhatItIsGiven(t *testing.T) {
	db := inMemory(t)
	k, v := []byte("key"), []byte("value")
	must(t, db.Put(k, v))
	b := db.NewBatch()
	must(t, b.Put([]byte("batched"), v))
	copy(k, "xxx")
	copy(v, "xxxxx")
	must(t, db.Apply(b))
	for _, want := range []string{"key", "batched"} {
		if got, err := db.Get([]byte(want)); string(got) != "value" && want == "key" || err != nil {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
	got, err := db.Get([]byte("key"))
	must(t, err)
	copy(got, "yyyyy") // the caller's own
	if again, _ := db.Get([]byte("key")); string(again) != "value" {
		t.Errorf("%q", again)
	}
}

func TestPut_LimitsAreCheckedBeforeAnythingIsWritten(t *testing.T) {
	db := inMemory(t)
	longest, tooLong := make([]byte, 65535), make([]byte, 65536)
	tooLarge := make([]byte, tinykv.MaxValueLen+1)
	must(t, db.Put(longest, nil))
	seq := db.Metrics().LastSeq
	b := db.NewBatch()
	for _, op := range []struct {
		want error
		err  error
	}{
		{tinykv.ErrKeyTooLarge, db.Put(tooLong, nil)},
		{tinykv.ErrValueTooLarge, db.Put(nil, tooLarge)},
		{tinykv.ErrKeyTooLarge, db.Delete(tooLong)},
		{tinykv.ErrKeyTooLarge, b.Put(tooLong, nil)},
		{tinykv.ErrValueTooLarge, b.Put(nil, tooLarge)},
		{tinykv.ErrKeyTooLarge, b.Delete(tooLong)},
		{tinykv.ErrInvalidOption, db.Put(nil, nil, tinykv.WriteOption(3))},
		{tinykv.ErrInvalidOption, db.Apply(b, tinykv.WriteOption(99))},
		{tinykv.ErrInvalidOption, b.Put(nil, nil, tinykv.Sync)},
		{tinykv.ErrInvalidOption, b.Delete(nil, tinykv.NoSync)},
	} {
		wantError(t, op.err, op.want)
	}
	for name, f := range map[string]func() (bool, error){
		"PutIfAbsent":      func() (bool, error) { return db.PutIfAbsent(tooLong, nil) },
		"CompareAndSwap":   func() (bool, error) { return db.CompareAndSwap(nil, nil, tooLarge) },
		"CompareAndDelete": func() (bool, error) { return db.CompareAndDelete(tooLong, nil) },
	} {
		if done, err := f(); done || !errors.Is(err, tinykv.ErrKeyTooLarge) && !errors.Is(err, tinykv.ErrValueTooLarge) {
			t.Errorf("%s: %v, %v", name, done, err)
		}
	}
	if b.Len() != 0 || db.Metrics().LastSeq != seq {
		t.Error("something was written")
	}
	if err := db.Apply(nil); err == nil {
		t.Error("a nil batch was applied")
	}
	_, err := db.Get(tooLong) // longer than any key that can be there
	wantError(t, err, tinykv.ErrNotFound)
}

func TestBatch_BecomesTooLarge(t *testing.T) {
	b := tinykv.HugeBatch()
	n := b.Len()
	wantError(t, b.Put([]byte("k"), make([]byte, 100)), tinykv.ErrBatchTooLarge)
	wantError(t, b.Delete(make([]byte, 100)), tinykv.ErrBatchTooLarge)
	wantError(t, b.Append(b), tinykv.ErrBatchTooLarge)
	if b.Len() != n {
		t.Error("something was added")
	}
}

func TestBatch_LaterOperationsWin(t *testing.T) {
	for _, size := range []int{1, 200_000} { // through the log, and as a table of its own
		db := mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem(), MemTableSize: 64 << 10})
		must(t, db.Put([]byte("gone"), nil))
		b := db.NewBatch()
		must(t, b.Put([]byte("a"), []byte("1")))
		must(t, b.Put([]byte("pad"), make([]byte, size)))
		must(t, b.Delete([]byte("a")))
		must(t, b.Put([]byte("a"), []byte("2")))
		must(t, b.Put([]byte("gone"), []byte("x")))
		must(t, b.Delete([]byte("gone")))
		for range 2 { // it may be applied again
			must(t, db.Apply(b))
			if v, err := db.Get([]byte("a")); string(v) != "2" || err != nil {
				t.Errorf("%q, %v", v, err)
			}
			_, err := db.Get([]byte("gone"))
			wantError(t, err, tinykv.ErrNotFound)
		}
	}
}

func TestBatch_MarshalUnmarshal(t *testing.T) {
	b := &tinykv.Batch{}
	must(t, b.Put([]byte("a"), []byte("1")))
	must(t, b.Delete(nil))
	data, err := b.MarshalBinary()
	must(t, err)
	if len(data) != b.Size() {
		t.Errorf("%d bytes, Size says %d", len(data), b.Size())
	}
	var c tinykv.Batch
	must(t, c.Put([]byte("replaced"), nil))
	must(t, c.UnmarshalBinary(data))
	var ops []string
	for op := range c.Ops() {
		ops = append(ops, fmt.Sprintf("%v %s=%s", op.Delete, op.Key, op.Value))
	}
	if got := strings.Join(ops, ", "); got != "false a=1, true =" {
		t.Error(got)
	}
	for n := range data { // cut anywhere it is damaged, and c stays
		wantError(t, c.UnmarshalBinary(data[:n]), tinykv.ErrCorrupt)
	}
	if c.Len() != 2 {
		t.Errorf("%d operations", c.Len())
	}
	c.Reset()
	if empty, err := c.MarshalBinary(); err != nil || c.UnmarshalBinary(empty) != nil || c.Len() != 0 {
		t.Errorf("empty batch: %x, %v", empty, err)
	}
}

// Values of any size go in and come out, also where nothing else fits beside them.
func TestPut_LargeValues(t *testing.T) {
	sizes := []int{1 << 10, 60 << 10, 64 << 10, 1 << 20, 9 << 20, 40 << 20}
	if testing.Short() {
		sizes = sizes[:4]
	}
	for _, options := range []tinykv.Options{{}, tiny} {
		dir := t.TempDir()
		db := mustOpen(t, dir, &options)
		value := func(n int) []byte { return bytes.Repeat([]byte{byte(n), 'x', byte(n >> 8)}, n/3+1)[:n] }
		for _, n := range sizes {
			must(t, db.Put(fmt.Append(nil, n), value(n)))
		}
		for range 2 {
			for _, n := range sizes {
				if v, err := db.Get(fmt.Append(nil, n)); err != nil || !bytes.Equal(v, value(n)) {
					t.Errorf("%d bytes: got %d, %v", n, len(v), err)
				}
			}
			must(t, db.Compact(context.Background(), tinykv.All()))
			must(t, db.Close())
			db = mustOpen(t, dir, &options)
		}
		must(t, db.Close())
	}
}

// Promise 3: what is on stable storage after a failed sync is not known, so nothing is acknowledged
// any more.
func TestFailed_SyncOfTheLogEndsWriting(t *testing.T) {
	fsys := simfs.New()
	options := &tinykv.Options{FS: fsys}
	db := mustOpen(t, "/store", options)
	must(t, db.Put([]byte("before"), []byte("v"), tinykv.Sync))
	fsys.FailCall(simfs.Fault{Nth: 1, Match: simfs.Kinds(simfs.OpSync)})
	err := db.Put([]byte("k"), []byte("v"), tinykv.Sync)
	wantError(t, err, tinykv.ErrFailed)
	wantError(t, err, simfs.IOError)
	for name, err := range map[string]error{
		"Put":   db.Put([]byte("k"), []byte("v")),
		"Apply": db.Apply(&tinykv.Batch{}),
		"Sync":  db.Sync(),
		"Flush": db.Flush(context.Background()),
	} {
		if !errors.Is(err, tinykv.ErrFailed) || !errors.Is(err, tinykv.ErrReadOnly) || !errors.Is(err, simfs.IOError) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := db.Get([]byte("before")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err) // reads go on
	}
	wantError(t, db.Close(), tinykv.ErrFailed)
	db = mustOpen(t, "/store", options)
	if v, err := db.Get([]byte("before")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	must(t, db.Put([]byte("k"), []byte("v"), tinykv.Sync))
}

// What can be read can be recovered: a write is in the log before anybody sees it.
func TestFailed_WriteThatIsNotInTheLogIsNotRead(t *testing.T) {
	for name, opt := range map[string]tinykv.WriteOption{"synced": tinykv.Sync, "unsynced": tinykv.NoSync} {
		fsys := simfs.New()
		db := mustOpen(t, "/store", &tinykv.Options{FS: fsys})
		must(t, db.Put([]byte("before"), []byte("v"), opt))
		fsys.FailCall(simfs.Fault{Nth: 1, Match: simfs.Kinds(simfs.OpWrite)})
		wantError(t, db.Put([]byte("k"), []byte("v"), opt), tinykv.ErrFailed)
		got, err := enginetest.Collect(db.Scan(tinykv.All()))
		if want := []enginetest.Entry{{Key: "before", Value: "v"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}

// What a failed sync of the directory after a table has lost may be the name of a file that somebody else made, and a
// second sync would not bring it back.
func TestFailed_SyncOfTheDirectoryEndsWriting(t *testing.T) {
	fsys := simfs.New()
	db := mustOpen(t, "/store", &tinykv.Options{FS: fsys})
	must(t, db.Put([]byte("k"), []byte("v"), tinykv.Sync))
	tableSynced := false
	fsys.FailCall(simfs.Fault{Nth: 1, DropDirty: true, Match: func(op simfs.Op) bool {
		tableSynced = tableSynced || op.Kind == simfs.OpSync && strings.HasSuffix(op.Name, ".sst")
		return tableSynced && op.Kind == simfs.OpSyncDir
	}})
	err := db.Flush(context.Background())
	wantError(t, err, tinykv.ErrFailed)
	wantError(t, err, simfs.IOError)
	wantError(t, db.Put([]byte("k"), []byte("v2")), tinykv.ErrFailed)
	wantError(t, db.Close(), tinykv.ErrFailed)
	db = mustOpen(t, "/store", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
	if v, err := db.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// A write that changes nothing and asks for a sync syncs what came before it.
func TestSync_OfAWriteThatChangesNothingCoversWhatCameBefore(t *testing.T) {
	for name, write := range map[string]func(*tinykv.DB) error{
		"an empty range": func(db *tinykv.DB) error { return db.DeleteRange([]byte("a"), []byte("a"), tinykv.Sync) },
		"an empty batch": func(db *tinykv.DB) error { return db.Apply(db.NewBatch(), tinykv.Sync) },
	} {
		fsys := simfs.New()
		db := mustOpen(t, "/store", &tinykv.Options{FS: fsys})
		must(t, db.Put([]byte("k"), nil, tinykv.NoSync))
		must(t, write(db))
		again := mustOpen(t, "/store", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
		if has, err := again.Has([]byte("k")); !has || err != nil {
			t.Errorf("%s: what came before is lost, %v", name, err)
		}
		must(t, errors.Join(db.Close(), again.Close()))
	}
}

// Where too many files are open, no sync of the directory has failed: it was not tried.
func TestFailed_SyncOfTheDirectoryThatWasNotTriedHarmsNothing(t *testing.T) {
	for _, kind := range []string{".sst", ".wal"} {
		fsys := simfs.New()
		db := mustOpen(t, "/store", &tinykv.Options{FS: fsys, MemTableSize: 64 << 10})
		must(t, db.Put([]byte("k"), []byte("v"), tinykv.Sync))
		synced := false
		injected := fsys.FailCall(simfs.Fault{Err: vfs.ErrNotTried, Match: func(op simfs.Op) bool {
			synced = synced || op.Kind == simfs.OpSync && strings.HasSuffix(op.Name, kind)
			return synced && op.Kind == simfs.OpSyncDir
		}})
		for n := 0; injected.Fired() == 0; n++ {
			if err := db.Put(fmt.Appendf(nil, "%d", n), make([]byte, 1000)); err != nil {
				wantError(t, err, vfs.ErrNotTried)
			}
		}
		err := error(vfs.ErrNotTried)
		for errors.Is(err, vfs.ErrNotTried) { // also of an attempt under way
			must(t, db.Resume()) // what failed need not wait for its next turn
			err = db.Flush(context.Background())
		}
		must(t, err)
		if n := db.Metrics().Resumes; n > 0 {
			t.Errorf("the store had failed %d times", n)
		}
		must(t, db.Put([]byte("k"), []byte("v2"), tinykv.Sync))
		must(t, db.Close())
		db = mustOpen(t, "/store", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
		if v, err := db.Get([]byte("k")); string(v) != "v2" || err != nil {
			t.Errorf("%q, %v", v, err)
		}
		must(t, db.Close())
	}
}

// A table that cannot be written is tried again under another name; nothing is lost meanwhile.
func TestFailed_TableIsWrittenAgain(t *testing.T) {
	fsys := simfs.New()
	db := mustOpen(t, "/store", &tinykv.Options{FS: fsys})
	must(t, db.Put([]byte("k"), []byte("v")))
	fault := fsys.FailCall(simfs.Fault{
		Nth: 1, Always: true, Err: simfs.NoSpace,
		Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && strings.HasSuffix(op.Name, ".sst") },
	})
	wantError(t, db.Flush(context.Background()), simfs.NoSpace)
	if v, err := db.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	must(t, db.Put([]byte("k2"), []byte("v"))) // there is room in memory
	fsys.Clear()
	must(t, db.Flush(context.Background()))
	if fault.Fired() == 0 || db.Metrics().Flushes == 0 {
		t.Error("nothing failed, or nothing was flushed")
	}
	must(t, db.Close())
	db = mustOpen(t, "/store", &tinykv.Options{FS: fsys})
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	must(t, err)
	if len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// When tables cannot be written, Close says so and leaves everything in the log, on stable storage.
func TestFailed_CloseThatCannotWriteTablesSyncsTheLog(t *testing.T) {
	fsys := simfs.New()
	db := mustOpen(t, "/store", &tinykv.Options{FS: fsys, SyncInterval: time.Hour})
	must(t, db.Put([]byte("k"), []byte("v")))
	fsys.FailCall(simfs.Fault{
		Nth: 1, Always: true, Err: simfs.NoSpace,
		Match: func(op simfs.Op) bool { return op.Kind == simfs.OpCreate && strings.HasSuffix(op.Name, ".sst") },
	})
	wantError(t, db.Close(), simfs.NoSpace)
	db = mustOpen(t, "/store", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
	if v, err := db.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// When tables cannot be written and memory is full, writers get the reason and do not hang.
func TestFailed_FullDiskAnswers(t *testing.T) {
	fsys := simfs.New()
	options := tiny
	options.FS = fsys
	db := mustOpen(t, "/store", &options)
	fsys.FailCall(simfs.Fault{
		Nth: 1, Always: true, Err: simfs.NoSpace,
		Match: func(op simfs.Op) bool { return op.Kind == simfs.OpCreate },
	})
	var err error
	acked := 0
	for ; err == nil; acked++ {
		err = db.Put(fmt.Appendf(nil, "%06d", acked), make([]byte, 1000))
	}
	wantError(t, err, simfs.NoSpace)
	fsys.Clear()
	for err != nil {
		err = db.Put(fmt.Appendf(nil, "%06d", acked), make([]byte, 1000))
	}
	must(t, db.Close())
	db = mustOpen(t, "/store", &options)
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	must(t, err)
	if len(got) < acked-1 {
		t.Errorf("%d entries, %d were acknowledged", len(got), acked-1)
	}
}
