package tinykv_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// bucketStore makes a store with buckets in tables and in the log, and returns what is in it.
func bucketStore(t *testing.T, fsys vfs.FS) (want []enginetest.Entry, names []string) {
	t.Helper()
	db := mustOpen(t, crashDir, &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, MergeOperator: tinykv.MergeAppend})
	for round := range 3 {
		for _, name := range []string{"a", "gone", "b", "c"} {
			for i := range 20 {
				must(t, db.Bucket(name).Put(fmt.Appendf(nil, "%02d", i+round), fmt.Appendf(nil, "%s %0*d", name, 500, round)))
			}
			must(t, db.Bucket(name).DeleteRange([]byte("05"), []byte("07")))
			must(t, db.Bucket(name).Merge([]byte("merged"), []byte("x")))
		}
		must(t, db.Put(fmt.Append(nil, round), []byte("outside")))
		if round < 2 {
			must(t, db.Flush(t.Context()))
		}
	}
	must(t, db.DropBucket(t.Context(), "gone"))
	must(t, db.Bucket("b").DeleteRange([]byte("10"), nil))
	must(t, db.Bucket("empty").Delete(nil))
	must(t, db.Sync())
	want, err := enginetest.Dump(db)
	must(t, err)
	names, err = db.Buckets()
	must(t, err)
	return want, names // as if the process had died
}

func dumpCopy(t *testing.T, fsys vfs.FS) ([]enginetest.Entry, string) {
	t.Helper()
	db := mustOpen(t, copyDir, &tinykv.Options{FS: fsys, MergeOperator: tinykv.MergeAppend})
	got, err := enginetest.Dump(db)
	must(t, err)
	text := bucketNames(t, db)
	must(t, db.Close())
	return got, text
}

func TestRepair_KeepsBuckets(t *testing.T) {
	sim := simfs.New()
	want, names := bucketStore(t, sim)
	fsys := sim.Image(simfs.KillProcess, 1)
	report := repaired(t, fsys, tinykv.RepairOptions{})
	must(t, report.Err())
	got, gotNames := dumpCopy(t, fsys)
	equal(t, "buckets", gotNames, strings.Join(names, " "))
	equal(t, "the same contents", slices.Equal(got, want), true)
}

// Where no manifest can be read, all is in doubt, and the names are lost, but no key of a bucket need be.
func TestRepair_KeysOfBucketsWithoutANameAreKept(t *testing.T) {
	sim := simfs.New()
	want, _ := bucketStore(t, sim)
	fsys := sim.Image(simfs.KillProcess, 1)
	files, err := fsys.List(crashDir)
	must(t, err)
	for _, name := range files {
		if strings.HasPrefix(name, "MANIFEST") || name == "CURRENT" {
			must(t, fsys.Remove(crashDir+"/"+name))
		}
	}
	report := repaired(t, fsys, tinykv.RepairOptions{KeepDoubtful: true})
	equal(t, "complete", report.Complete, false)
	equal(t, "unnamed", len(report.Unnamed) >= 3, true)
	got, _ := dumpCopy(t, fsys)
	var values []string
	for _, e := range got {
		values = append(values, e.Value)
	}
	for _, e := range want {
		if strings.HasSuffix(e.Key, ": merged") { // of which the log has a part, on what is in doubt
			continue
		}
		if !slices.Contains(values, e.Value) && e.Value != "" {
			t.Errorf("%s is lost", e.Key)
		}
	}
	if !strings.Contains(report.String(), "unnamed keyspace 1") {
		t.Error(report)
	}
}
