package interchange

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

// oddBucket is a name that JSON can only tell by its digits.
const oddBucket = "roots\xff"

func fillBuckets(t *testing.T, db *tinykv.DB) {
	t.Helper()
	err := errors.Join(
		db.Put([]byte("fig"), []byte("outside")), db.Bucket("fruit").Put([]byte("fig"), []byte("ripe"), tinykv.ExpireAt(time.Unix(1<<32, 0))),
		db.Bucket("fruit").Put([]byte("\xfe"), nil), db.Bucket(oddBucket).Put([]byte("beet"), []byte("red")),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func TestExportAll_TellsBucketsAndImportPutsItemsBackThere(t *testing.T) {
	from := newStore(t)
	fillBuckets(t, from)
	want := map[Format]string{
		JSONLines: `{"key":"fig","value":"outside"}
{"bucket":"fruit","key":"fig","value":"ripe","expires_at":"2106-02-07T06:28:16Z"}
{"bucket":"fruit","key_hex":"fe","value":""}
{"bucket_hex":"726f6f7473ff","key":"beet","value":"red"}
`,
		JSON: `[
{"key":"fig","value":"outside"},
{"bucket":"fruit","key":"fig","value":"ripe","expires_at":"2106-02-07T06:28:16Z"},
{"bucket":"fruit","key_hex":"fe","value":""},
{"bucket_hex":"726f6f7473ff","key":"beet","value":"red"}
]
`,
	}
	for format, text := range want {
		var first, again bytes.Buffer
		report, err := ExportAll(t.Context(), &first, from, tinykv.All(), &ExportOptions{Format: format})
		if err != nil || first.String() != text || report.Items != 4 {
			t.Errorf("%v, %+v: %s", err, report, &first)
		}
		to := newStore(t)
		for _, conflict := range []Conflict{Skip, Overwrite, Skip} { // the last finds all of them
			o := &ImportOptions{Format: format, AllBuckets: true, OnConflict: conflict}
			if _, err := Import(t.Context(), to, strings.NewReader(text), o); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ExportAll(t.Context(), &again, to, tinykv.All(), &ExportOptions{Format: format}); err != nil || again.String() != text {
			t.Errorf("%v: what came back is %s", err, &again)
		}
		if n, err := to.Count(t.Context(), tinykv.All()); n != 1 || err != nil {
			t.Errorf("%d keys outside of buckets, %v", n, err)
		}
	}
}

// A bucket that a row tells, and nobody asked for, is no place for the row; nor may it be passed over in silence.
func TestImport_TakesBucketsOfRowsOnlyWhenAskedTo(t *testing.T) {
	const row = `{"bucket":"fruit","key":"fig","value":"ripe"}`
	for want, o := range map[string]ImportOptions{
		"the item is in a bucket":   {Format: JSONLines},
		"the item is in a bucket; ": {Format: JSONLines, Bucket: "other"},
		"items tell their buckets":  {Format: JSONLines, AllBuckets: true, Bucket: "other"},
		"CSV has no column":         {Format: CSV, AllBuckets: true},
		`"bucket" is given twice`:   {Format: JSONLines, AllBuckets: true, MaxErrors: 9},
		"name of a bucket":          {Format: JSONLines, AllBuckets: true, MaxErrors: 8},
	} {
		text := row
		switch o.MaxErrors {
		case 9:
			text = strings.Replace(row, `"key"`, `"bucket":"fruit","key"`, 1)
		case 8:
			text = strings.Replace(row, "fruit", "", 1)
		}
		o.MaxErrors = 0
		db := newStore(t)
		if _, err := Import(t.Context(), db, strings.NewReader(text), &o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %s", o, err, want)
		}
		if names, err := db.Buckets(); len(names) > 0 || err != nil {
			t.Error(fmt.Sprint(names), err)
		}
	}
	if _, err := ExportAll(t.Context(), &bytes.Buffer{}, newStore(t), tinykv.All(), &ExportOptions{Format: CSV}); !errors.Is(err, ErrOption) {
		t.Error(err)
	}
}
