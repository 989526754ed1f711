package fuzz

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
)

// killedStore returns the names, in order, and the contents of the files of a store that was not closed: tables, one of
// them with range deletions, a manifest, a log.
var killedStore = sync.OnceValues(func() (names []string, files map[string][]byte) {
	fsys := vfs.NewMem()
	db, err := tinykv.Open("/src", &tinykv.Options{FS: fsys, BlockSize: 256})
	must(err)
	for round := range 3 {
		for i := range 30 {
			must(db.Put(fmt.Appendf(nil, "%03d", i*(round+1)), fmt.Appendf(nil, "%040d", i)))
		}
		must(db.DeleteRange([]byte("010"), []byte("014")))
		if round < 2 {
			must(db.Flush(context.Background()))
		}
	}
	files = map[string][]byte{}
	names, err = fsys.List("/src")
	must(err)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "LOCK" })
	slices.Sort(names)
	for _, name := range names {
		files[name] = contents(fsys, filepath.Join("/src", name))
		if strings.HasSuffix(name, ".wal") {
			files[name] = files[name][:8<<10] // and so it is damaged: it has less than its header says
		}
	}
	must(db.Close())
	return names, files
})

// FuzzRepair repairs a store of which a file was overwritten at some place, possibly with checksums that fit again, or cut
// there. Whatever the bytes, it copies to a store that opens and in which there is no damage.
func FuzzRepair(f *testing.F) {
	names, files := killedStore()
	for i, name := range names {
		for _, off := range []int{0, 40, len(files[name]) / 2, len(files[name]) - 100} {
			f.Add(byte(i), uint16(max(off, 0)), []byte("damage"), byte(off))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, off uint16, patch []byte, how byte) {
		name := names[int(which)%len(names)]
		data := slices.Clone(files[name])
		at := min(int(off), len(data))
		copy(data[at:], patch)
		if how&1 != 0 {
			data = data[:at]
		}
		if how&2 != 0 {
			if strings.HasSuffix(name, ".sst") {
				data = sealTable(data)
			} else {
				data = sealSegment(data)
			}
		}
		repairWith(t, name, data, how&4 != 0)
	})
}

func repairWith(t *testing.T, name string, data []byte, doubtful bool) {
	fsys := vfs.NewMem()
	must(fsys.MkdirAll("/src"))
	_, files := killedStore()
	for n, contents := range files {
		if n == name {
			contents = data
		}
		file, err := fsys.Create(filepath.Join("/src", n))
		must(err)
		_, err = file.Write(contents)
		must(errors.Join(err, file.Close()))
	}
	report, err := tinykv.Repair(t.Context(), "/src", "/dst", &tinykv.RepairOptions{FS: fsys, KeepDoubtful: doubtful})
	if errors.Is(err, tinykv.ErrFormatTooNew) {
		return
	}
	must(err)
	if report.String() == "" || report.Complete != (report.Err() == nil) {
		t.Errorf("%v\n%s", report.Err(), report)
	}
	verified, err := tinykv.Verify(t.Context(), "/dst", &tinykv.VerifyOptions{FS: fsys})
	if must(err); verified.Err() != nil {
		t.Errorf("the copy is damaged: %s", verified)
	}
	db, err := tinykv.Open("/dst", &tinykv.Options{FS: fsys, ReadOnly: true})
	must(err)
	keys, err := db.Count(t.Context(), tinykv.All())
	if must(errors.Join(err, db.Close())); keys > report.Entries+uint64(report.LogRecords)*1000 {
		t.Errorf("%d keys\n%s", keys, report)
	}
}

// A table may hold more than the manifest says of it. What lies beyond its bounds, or is newer than it can be, has no place in the tree, and
// the rest of such a table is not trusted.
func TestRepair_LeavesOutEntriesThatTheManifestDoesNotKnowOf(t *testing.T) {
	stored := func(user string, seq int) key.Internal {
		return internal(append([]byte{0}, user...), seq, key.KindSet)
	}
	for _, c := range []struct {
		what              string
		last              key.Internal
		smallest, largest string
		want              string
	}{
		{"all as it says", stored("c", 1), "a", "c", "abc"},
		{"behind the bounds", stored("d", 1), "a", "c", "ab"},
		{"before the bounds", stored("c", 1), "b", "c", ""},
		{"newer than it can be", stored("c", 7), "a", "c", "ab"},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := newHostile()
			data := tableOf(sstable.NoCompression, []entry{{stored("a", 1), nil}, {stored("b", 1), nil}, {c.last, nil}}, nil)
			h.table(6, data, stored(c.smallest, 1), stored(c.largest, 1), 1)
			h.seq = 8
			fsys := h.finish()
			report, err := tinykv.Repair(t.Context(), hostileDir, "/copy", &tinykv.RepairOptions{FS: fsys})
			must(err)
			db, err := tinykv.Open("/copy", &tinykv.Options{FS: fsys, ReadOnly: true})
			must(err)
			defer db.Close()
			got := ""
			for item, err := range db.Scan(tinykv.All()) {
				must(err)
				got += string(item.Key)
			}
			if got != c.want || report.Complete != (c.want == "abc") {
				t.Errorf("the copy has %q, want %q\n%s", got, c.want, report)
			}
		})
	}
}
