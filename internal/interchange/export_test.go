package interchange

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

// yielding yields items as a scan does.
func yielding(items []tinykv.Item, last error) iter.Seq2[tinykv.Item, error] {
	return func(yield func(tinykv.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
		if last != nil {
			yield(tinykv.Item{}, last)
		}
	}
}

var exported = []tinykv.Item{
	{Key: []byte(""), Value: []byte("")},
	{Key: []byte("a"), Value: []byte(" x, \"y\"\n"), ExpiresAt: someTime, Seq: 7},
	{Key: []byte("b\r"), Value: []byte("\x00")},
	{Key: []byte("\xff"), Value: []byte("é")},
}

func TestExport_WritesEachFormat(t *testing.T) {
	for want, o := range map[string]ExportOptions{
		"key,value,expires_at,key_hex,value_hex\n,,,,\na,\" x, \"\"y\"\"\n\",2030-01-02T03:04:05.0000006Z,,\n,,,620d,00\n,é,,ff,\n": {Format: CSV},
		"key,key_hex\n,\na,\n,620d\n,ff\n":                              {Format: CSV, KeysOnly: true},
		"key_hex;value_hex\n;\n61;20782c202279220a\n620d;00\nff;c3a9\n": {Format: CSV, Comma: ';', Columns: []string{"key_hex", "value_hex"}},
		"key_hex\n\"\"\n61\n620d\nff\n":                                 {Format: CSV, Columns: []string{"key_hex"}, KeysOnly: true},
		"[\n{\"key\":\"\"},\n{\"key\":\"a\",\"expires_at\":\"2030-01-02T03:04:05.0000006Z\"},\n{\"key\":\"b\\r\"},\n{\"key_hex\":\"ff\"}\n]\n":                                                                                                                    {Format: JSON, KeysOnly: true},
		"{\"key\":\"\",\"value\":\"\",\"seq\":0}\n{\"key\":\"a\",\"value\":\" x, \\\"y\\\"\\n\",\"expires_at\":\"2030-01-02T03:04:05.0000006Z\",\"seq\":7}\n{\"key\":\"b\\r\",\"value\":\"\\u0000\",\"seq\":0}\n{\"key_hex\":\"ff\",\"value\":\"é\",\"seq\":0}\n": {Format: JSONLines, Seq: true},
	} {
		var b bytes.Buffer
		report, err := Export(t.Context(), &b, yielding(exported, nil), &o)
		if err != nil || b.String() != want {
			t.Errorf("%+v: %v\n%s\nwant\n%s", o, err, &b, want)
		}
		if report.Items != 4 || report.Bytes != int64(b.Len()) {
			t.Errorf("%+v, want 4 and %d", report, b.Len())
		}
	}
}

func TestExport_OfNothingIsWhole(t *testing.T) {
	for want, format := range map[string]Format{"key,value,expires_at,key_hex,value_hex\n": CSV, "[\n\n]\n": JSON, "": JSONLines} {
		var b bytes.Buffer
		if _, err := Export(t.Context(), &b, yielding(nil, nil), &ExportOptions{Format: format}); err != nil || b.String() != want {
			t.Errorf("%v: %q, %v", format, &b, err)
		}
	}
}

func TestExport_RefusesColumnsThatDoNotFit(t *testing.T) {
	for want, o := range map[string]ExportOptions{
		`no column "age"`:          {Format: CSV, Columns: []string{"age"}},
		"two columns key":          {Format: CSV, Columns: []string{"key", "key"}},
		"a column of values":       {Format: CSV, Columns: []string{"key", "value"}, KeysOnly: true},
		"add the column key_hex":   {Format: CSV, Columns: []string{"key", "value_hex"}},
		"add the column value_hex": {Format: CSV, Columns: []string{"key_hex", "value"}},
		"cannot be separated":      {Format: CSV, Comma: '\r'},
		"would hold the values":    {Format: CSV, Columns: []string{"key", "expires_at"}},
		"would hold the keys":      {Format: CSV, Columns: []string{"value"}},
		"the number of a write":    {Format: CSV, Seq: true},
		"only CSV has columns":     {Format: JSON, Columns: []string{"key"}},
		"invalid option":           {},
	} {
		if _, err := Export(t.Context(), &bytes.Buffer{}, yielding(exported, nil), &o); !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %s", o, err, want)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestExport_EndsWithWhatFailed(t *testing.T) {
	failed := errors.New("failed")
	o := &ExportOptions{Format: JSONLines}
	if _, err := Export(t.Context(), failingWriter{failed}, yielding(exported, nil), o); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, err := Export(t.Context(), &bytes.Buffer{}, yielding(exported, failed), o); !errors.Is(err, failed) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(failed)
	if _, err := Export(ctx, &bytes.Buffer{}, yielding(exported, nil), o); !errors.Is(err, failed) {
		t.Error(err)
	}
}

// What other readers make of an export is what it says.
func TestExport_IsReadByTheStandardLibraryToo(t *testing.T) {
	var b bytes.Buffer
	if _, err := Export(t.Context(), &b, yielding(exported, nil), &ExportOptions{Format: CSV}); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(records) != 5 || records[2][1] != string(exported[1].Value) {
		t.Errorf("%q, %v", records, err)
	}
	b.Reset()
	if _, err := Export(t.Context(), &b, yielding(exported, nil), &ExportOptions{Format: JSON}); err != nil {
		t.Fatal(err)
	}
	var objects []map[string]any
	if err := json.Unmarshal(b.Bytes(), &objects); err != nil || len(objects) != 4 {
		t.Errorf("%v, %v", objects, err)
	}
}

// randomBytes prefers what formats must take care of.
func randomBytes(r *rand.Rand) []byte {
	pieces := []string{"a", "key", ",", "\"", "\"\"", "\n", "\r\n", "\r", "\x00", "\xff", "é", "\u2028", "\\", "\\u", " ", "\t", "{", "]", "\ufeff", "😀", "="}
	var b []byte
	for range r.IntN(6) {
		b = append(b, pieces[r.IntN(len(pieces))]...)
	}
	if r.IntN(50) == 0 {
		b = append(b, bytes.Repeat([]byte{byte(r.IntN(256)), '"'}, r.IntN(20_000))...)
	}
	return b
}

func TestExportAndImport_GiveBackEveryByte(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for _, format := range []Format{CSV, JSON, JSONLines} {
		from := newStore(t)
		for range 2000 {
			var opts []tinykv.WriteOption
			if r.IntN(4) == 0 {
				opts = []tinykv.WriteOption{tinykv.ExpireAt(time.Now().Add(time.Hour + time.Duration(r.Int64N(1e18))))}
			}
			if err := from.Put(randomBytes(r), randomBytes(r), opts...); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if _, err := Export(t.Context(), &b, from.Scan(tinykv.All()), &ExportOptions{Format: format}); err != nil {
			t.Fatal(err)
		}
		to := newStore(t)
		if _, err := Import(t.Context(), to, &b, &ImportOptions{Format: format}); err != nil {
			t.Fatalf("seed %d, %v: %v", seed, format, err)
		}
		if want, got := items(t, from), items(t, to); !slices.EqualFunc(got, want, sameItem) {
			t.Errorf("seed %d, %v: %d items, want %d, or others", seed, format, len(got), len(want))
		}
	}
}

func items(t testing.TB, db *tinykv.DB) (all []tinykv.Item) {
	t.Helper()
	for item, err := range db.Scan(tinykv.All()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, item)
	}
	return all
}

func sameItem(a, b tinykv.Item) bool {
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && a.ExpiresAt.Equal(b.ExpiresAt)
}
