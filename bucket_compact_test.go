package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv"
)

// tombstones returns how many tombstones there are in tables.
func tombstones(db *tinykv.DB) (n uint64) {
	for _, l := range db.Metrics().Levels {
		n += l.Deletes
	}
	return n
}

// fillTwice puts and deletes keys outside of buckets and in two of them, and flushes in between, so that there is something to drop everywhere.
func fillTwice(t *testing.T, db *tinykv.DB) {
	t.Helper()
	for _, put := range []bool{true, false} {
		for i := range 50 {
			k := fmt.Appendf(nil, "key %d", i)
			for _, s := range []interface {
				Put(k, v []byte, opts ...tinykv.WriteOption) error
				Delete(k []byte, opts ...tinykv.WriteOption) error
			}{db, db.Bucket("a"), db.Bucket("b")} {
				if put {
					must(t, s.Put(k, k))
				} else {
					must(t, s.Delete(k))
				}
			}
		}
		must(t, db.Flush(t.Context()))
	}
}

func TestCompact_OfAllTakesBucketsAlong(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	fillTwice(t, db)
	must(t, db.Compact(t.Context(), tinykv.All()))
	equal(t, "tombstones", tombstones(db), uint64(0))
	equal(t, "bytes of tables", db.Metrics().TableBytes, int64(0))
}

func TestCompact_OfABucketReachesItsKeys(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	fillTwice(t, db)
	must(t, db.Bucket("b").Compact(t.Context(), tinykv.Between([]byte("x"), nil))) // where nothing is
	must(t, db.Bucket("not there").Compact(t.Context(), tinykv.All()))
	for _, b := range []*tinykv.Bucket{db.Bucket("a"), db.Bucket("b")} {
		must(t, b.Compact(t.Context(), tinykv.All()))
	}
	must(t, db.Compact(t.Context(), tinykv.Between([]byte{}, []byte("z"))))
	equal(t, "bytes of tables", db.Metrics().TableBytes, int64(0))
}

func TestCompact_OfABucketRefusesWhatItCannotDo(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	s, err := db.NewSnapshot()
	must(t, err)
	for what, got := range map[string]error{
		"of a snapshot":   s.Bucket("a").Compact(t.Context(), tinykv.All()),
		"without a name":  db.Bucket("").Compact(t.Context(), tinykv.All()),
		"without context": db.Bucket("a").Compact(nil, tinykv.All()), //lint:ignore SA1012 that is what is tested
		"of a batch":      db.NewBatch().Bucket("a").Compact(t.Context(), tinykv.All()),
	} {
		if !errors.Is(got, tinykv.ErrInvalidOption) {
			t.Errorf("%s: %v, want ErrInvalidOption", what, got)
		}
	}
	if err := db.Bucket("a").Compact(t.Context(), tinykv.Between([]byte("b"), []byte("a"))); !errors.Is(err, tinykv.ErrInvalidRange) {
		t.Errorf("%v, want ErrInvalidRange", err)
	}
	must(t, s.Close())
	must(t, db.Close())
	if err := db.Bucket("a").Compact(context.Background(), tinykv.All()); !errors.Is(err, tinykv.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}
