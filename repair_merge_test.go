package tinykv_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// joined is an operator that Repair does not know.
type joined struct{}

func (joined) Name() string                     { return "joined" }
func (joined) Merge(older, newer []byte) []byte { return append(older, newer...) }

// What Repair writes in one piece may end between two operands of a key, wherever that is.
func TestRepair_CopiesTheOperandsOfAKeyHoweverTheyAreDivided(t *testing.T) {
	for _, test := range []struct {
		name           string
		keys, operands int
		size           int
	}{
		{"many keys, of two operands", 6000, 2, 994},
		{"keys of more than a piece", 2, 8, 700 << 10},
		{"operands of more than a piece", 2, 2, 5 << 20},
		{"small ones before long ones", 2, 2, 4<<20 - 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs := vfs.NewMem()
			opts := &tinykv.Options{FS: fs, MergeOperator: joined{}, Compression: tinykv.CompressionNone}
			db := mustOpen(t, "/store", opts)
			value := func(i, n int) []byte { return bytes.Repeat([]byte{byte('a' + (i+n)%26)}, test.size) }
			var snapshots []*tinykv.Snapshot // between operands, which therefore stay apart
			for n := range test.operands {
				for i := range test.keys {
					must(t, db.Merge(fmt.Appendf(nil, "%06d", i), value(i, n)))
				}
				s, err := db.NewSnapshot()
				must(t, err)
				snapshots = append(snapshots, s)
			}
			must(t, db.Close())
			for _, s := range snapshots {
				must(t, s.Close())
			}

			report, err := tinykv.Repair(t.Context(), "/store", "/copy", &tinykv.RepairOptions{FS: fs})
			must(t, err)
			must(t, report.Err())
			db = mustOpen(t, "/copy", opts)
			defer db.Close()
			if report, err := db.Verify(t.Context(), nil); err != nil || report.Err() != nil {
				t.Fatal(err, report)
			}
			for i := range test.keys {
				var want []byte
				for n := range test.operands {
					want = append(want, value(i, n)...)
				}
				if got, err := db.Get(fmt.Appendf(nil, "%06d", i)); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("key %d: %d bytes, %v; want the %d that its operands make", i, len(got), err, len(want))
				}
			}
		})
	}
}

// The machine on which a store is repaired may have another clock than the store's.
func TestRepair_LosesNothingByTheClockOfTheMachine(t *testing.T) {
	fs := vfs.NewMem()
	past := func() time.Time { return time.Unix(1_000_000, 0) }
	opts := &tinykv.Options{FS: fs, Clock: past}
	db := mustOpen(t, "/store", opts)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(time.Hour)))
	must(t, db.Flush(context.Background()))
	must(t, db.Put([]byte("b"), nil, tinykv.TTL(time.Hour))) // is in the log alone
	must(t, db.Close())
	report, err := tinykv.Repair(t.Context(), "/store", "/copy", &tinykv.RepairOptions{FS: fs})
	must(t, err)
	must(t, report.Err())
	db = mustOpen(t, "/copy", opts)
	defer db.Close()
	wantKeys(t, db, "ab", "ab")
}
