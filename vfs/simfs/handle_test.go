package simfs_test

import (
	"errors"
	"io/fs"
	"math"
	"syscall"
	"testing"

	"github.com/tinykv/tinykv/vfs/simfs"
)

// The contract leaves open what the following calls do. This file system does what the operating
// system does, so that a test here finds what would fail there.

func TestHandle_NothingWorksAfterClose(t *testing.T) {
	m := boot(t, "create a; write a x; log l; extend l 4")
	reader, err := m.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := m.Map("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, closer := range []interface{ Close() error }{m.files["a"], m.logs["l"], reader, mapping} {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
		if err := closer.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("second close of a %T: %v", closer, err)
		}
	}
	for _, call := range []string{"write a y", "sync a", "extend l 8", "at l 0 x", "sync l"} {
		m.fails(call, fs.ErrClosed)
	}
	p := make([]byte, 1)
	_, readErr := reader.ReadAt(p, 0)
	_, sizeErr := reader.Size()
	_, mapErr := mapping.ReadAt(p, 0)
	for what, err := range map[string]error{
		"read": readErr, "size": sizeErr, "read of the mapping": mapErr, "populate": mapping.Populate(0, 1),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if mapping.Bytes() != nil {
		t.Error("a closed mapping lends its memory")
	}
	same(t, state(t, m.FS), "a=x l=.*4")
}

func TestHandle_AFileIsWrittenOrRead(t *testing.T) {
	m := boot(t, "create a; write a x")
	if _, err := m.files["a"].ReadAt(make([]byte, 1), 0); !errors.Is(err, syscall.EBADF) {
		t.Errorf("read of a file being written: %v", err)
	}
	reader, err := m.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Write([]byte("y")); !errors.Is(err, syscall.EBADF) {
		t.Errorf("write to a file being read: %v", err)
	}
}

func TestHandle_ALogHasABound(t *testing.T) {
	log := boot(t, "log l").logs["l"]
	if err := log.Extend(math.MaxInt64); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("extend: %v", err)
	}
}

func TestHandle_AMappingIsTheContentWhenItWasMade(t *testing.T) {
	m := boot(t, "log l; extend l 5; at l 0 first")
	mapping, err := m.Map("l")
	if err != nil {
		t.Fatal(err)
	}
	m.run("at l 0 other")
	same(t, string(mapping.Bytes()), "first")
	same(t, string(content(t, m.FS, "l")), "other")
}

// BenchmarkImages makes images of a store of 20 tables of 256 KiB and a log of 1 MiB with a tail of
// unsynced records, and maps all files of each, as opening a store does.
func BenchmarkImages(b *testing.B) {
	for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.DropAll, simfs.Omissions, simfs.Torn512} {
		b.Run(policy.String(), func(b *testing.B) {
			fsys := benchmarkStore(b)
			names, err := fsys.List("/db")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for seed := uint64(0); b.Loop(); seed++ {
				image := fsys.Image(policy, seed)
				for _, name := range names {
					if _, err := image.Map("/db/" + name); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func benchmarkStore(b *testing.B) *simfs.FS {
	b.Helper()
	fsys := simfs.New()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(fsys.MkdirAll("/db"))
	table := make([]byte, 256<<10)
	for i := range 20 {
		f, err := fsys.Create("/db/" + string(rune('a'+i)))
		must(err)
		_, err = f.Write(table)
		must(err)
		must(f.Sync())
	}
	log, err := fsys.CreateLog("/db/log")
	must(err)
	must(log.Extend(1 << 20))
	must(log.Datasync())
	must(fsys.SyncDir("/db"))
	for i := range int64(50) {
		must(log.WriteMapped(table[:200], i*200))
	}
	return fsys
}
