package interchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tinykv/tinykv"
)

// fieldBucket names the bucket of an item that is exported with others. Where the name is no UTF-8, digits stand in bucket_hex.
const fieldBucket = "bucket"

// ExportAll writes the items of a range of keys outside of buckets, and then of each bucket, all as they are at one moment. CSV has no column for a bucket.
// A bucket that holds nothing leaves no trace.
//
// Errors: those of Export, and of DB.NewSnapshot and DB.Buckets.
func ExportAll(ctx context.Context, w io.Writer, db *tinykv.DB, r tinykv.Range, o *ExportOptions) (report ExportReport, err error) {
	e := newExporter(ctx, w)
	if err := e.prepare(o); err != nil {
		return e.report, err
	}
	if e.o.Format == CSV {
		return e.report, fmt.Errorf("%w: CSV has no column for a bucket; json and jsonl tell it", ErrOption)
	}
	before, err := db.Buckets()
	if err != nil {
		return e.report, err
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		return e.report, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	after, err := db.Buckets()
	if err != nil {
		return e.report, err
	}
	names := append(before, after...) // what is made or dropped meanwhile is in one of them
	slices.Sort(names)
	var opts []tinykv.ScanOption
	if e.o.KeysOnly {
		opts = append(opts, tinykv.KeysOnly)
	}
	err = e.all(func() error {
		if err := e.items(snap.Scan(r, opts...)); err != nil {
			return err
		}
		for _, e.bucket = range slices.Compact(names) {
			if err := e.items(snap.Bucket(e.bucket).Scan(r, opts...)); err != nil {
				return err
			}
		}
		return nil
	})
	return e.report, err
}
