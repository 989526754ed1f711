package interchange

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/tinykv/tinykv"
)

// readAll returns the items of all rows that are good, and how many are not. It fails when it goes on for longer than the input can.
func readAll(t *testing.T, r io.Reader, size int, o *ImportOptions) (items []tinykv.Item, wrong int, last error) {
	rows, err := newRows(r, o)
	if err != nil {
		return nil, 0, err
	}
	for range size + 10 {
		var next row
		err := rows.next(&next)
		var bad *RowError
		switch {
		case errors.As(err, &bad):
			wrong++
		case err != nil:
			return items, wrong, err
		default:
			items = append(items, tinykv.Item{Key: bytes.Clone(next.key), Value: bytes.Clone(next.value), ExpiresAt: next.expiresAt})
		}
	}
	t.Fatalf("more than %d rows", size+10)
	return nil, 0, nil
}

// How the input is cut into pieces makes no difference; what was read is read again when it is written.
func checkReader(t *testing.T, data []byte, o *ImportOptions) {
	whole, wrong, last := readAll(t, bytes.NewReader(data), len(data), o)
	pieces, wrong2, last2 := readAll(t, iotest.OneByteReader(bytes.NewReader(data)), len(data), o)
	if len(whole) != len(pieces) || wrong != wrong2 || (last == io.EOF) != (last2 == io.EOF) {
		t.Fatalf("%q: %d rows and %d wrong, %v; byte by byte %d and %d, %v", data, len(whole), wrong, last, len(pieces), wrong2, last2)
	}
	var b bytes.Buffer
	if _, err := Export(t.Context(), &b, yielding(whole, nil), &ExportOptions{Format: o.Format}); err != nil {
		t.Fatal(err)
	}
	again, wrong, last := readAll(t, bytes.NewReader(b.Bytes()), b.Len(), &ImportOptions{Format: o.Format, Comma: ',', MaxRow: 1 << 20})
	if wrong != 0 || last != io.EOF || len(again) != len(whole) {
		t.Fatalf("%q: written as %q, of which %d rows are wrong, %v", data, &b, wrong, last)
	}
	for i := range whole {
		if !sameItem(whole[i], again[i]) || !sameItem(whole[i], pieces[i]) {
			t.Fatalf("%q: row %d is %v, then %v, byte by byte %v", data, i, whole[i], again[i], pieces[i])
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{
		"key,value\na,1\n", "\ufeffkey,value_hex\r\n\"a\"\"\",00\r\n\r\n", "key,value\n\"a\nb\",\"c", "key,value\na,5\" x\nb,\"6\" y\nc,7", "key_hex,value,expires_at\nff,x,2030-01-02T03:04:05Z\n",
	} {
		f.Add([]byte(seed), 100)
	}
	f.Fuzz(func(t *testing.T, data []byte, maxRow int) {
		o := &ImportOptions{Format: CSV, Comma: ',', MaxRow: int64(max(maxRow, 1))}
		checkReader(t, data, o)
	})
}

func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`[{"key":"a","value":"1"},{"key_hex":"ff","value":"]"}]`, `[]`, ` [ {} , ] `, `[{"key":"a","value":"`, `[[[`, `[]]`} {
		f.Add([]byte(seed), 100)
	}
	f.Fuzz(func(t *testing.T, data []byte, maxRow int) {
		checkReader(t, data, &ImportOptions{Format: JSON, MaxRow: int64(max(maxRow, 1))})
	})
}

func FuzzReadJSONLines(f *testing.F) {
	for _, seed := range []string{"{\"key\":\"a\",\"value\":\"1\"}\n\r\n{\"key_hex\":\"ff\",\"value\":\"\"}", "{\n}", "7\n[]"} {
		f.Add([]byte(seed), 100)
	}
	f.Fuzz(func(t *testing.T, data []byte, maxRow int) {
		checkReader(t, data, &ImportOptions{Format: JSONLines, MaxRow: int64(max(maxRow, 1))})
	})
}

// Where encoding/csv reads records, this reader reads the same ones, but that it keeps carriage returns within quotes.
func FuzzReadCSV_AgreesWithTheStandardLibrary(f *testing.F) {
	for _, seed := range []string{"a,b\n\"c\n\"\"d\",e\r\n\n,\n", "a\"b,c\n", "\"a\"b\n", "\"a", "a\rb\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		std := csv.NewReader(bytes.NewReader(data))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil || bytes.IndexByte(data, '\r') >= 0 || bytes.HasPrefix(data, byteOrderMark) {
			return
		}
		in := newInput(bytes.NewReader(data), 1<<20)
		if in.err != nil && !errors.Is(in.err, io.EOF) { // UTF-16
			return
		}
		r := newCSVReader(in, ',')
		for i, record := range want {
			if err := r.next(); err != nil || len(r.fields) != len(record) {
				t.Fatalf("%q: record %d: %q, %v; want %q", data, i, r.fields, err, record)
			}
			for j := range record {
				if string(r.fields[j]) != record[j] {
					t.Fatalf("%q: record %d: %q, want %q", data, i, r.fields, record)
				}
			}
		}
		if err := r.next(); err != io.EOF {
			t.Fatalf("%q: %v behind the last record: %q", data, err, r.fields)
		}
	})
}
