package interchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// newStore returns a store in memory.
func newStore(t testing.TB) *tinykv.DB {
	t.Helper()
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// contents returns all items as "key=value".
func contents(t testing.TB, db *tinykv.DB) (all []string) {
	t.Helper()
	for item, err := range db.Scan(tinykv.All()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(item.Key)+"="+string(item.Value))
	}
	return all
}

func template(t testing.TB, s string) *Template {
	t.Helper()
	k, err := ParseTemplate(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestImport_RowsBecomeItems(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		o    ImportOptions
		want []string
	}{
		"csv":                         {"key,value\na,1\nb,2\n", ImportOptions{Format: CSV}, []string{"a=1", "b=2"}},
		"csv without a last newline":  {"key,value\na,1", ImportOptions{Format: CSV}, []string{"a=1"}},
		"csv of Windows":              {"\ufeffkey,value\r\na,1\r\n\r\n\"b\",\"2\r\n3\"\r\n", ImportOptions{Format: CSV}, []string{"a=1", "b=2\r\n3"}},
		"csv with a header alone":     {"key,value\n", ImportOptions{Format: CSV}, nil},
		"csv with quotes":             {"value,key\n\"say \"\"hi\"\", he said\n\",a\n\"\",\"\"\n", ImportOptions{Format: CSV}, []string{"=", "a=say \"hi\", he said\n"}},
		"csv with a carriage return":  {"key,value\na,x\ry\nb,\r\r\n", ImportOptions{Format: CSV}, []string{"a=x\ry", "b=\r"}},
		"csv with NUL":                {"key,value\na\x00,\x00\n", ImportOptions{Format: CSV}, []string{"a\x00=\x00"}},
		"csv with digits":             {"key,key_hex,value_hex\n,FF00,\nb,,6869\n", ImportOptions{Format: CSV}, []string{"b=hi", "\xff\x00="}},
		"csv that is no UTF-8":        {"key,value\n\xff,\xfe\n", ImportOptions{Format: CSV}, []string{"\xff=\xfe"}},
		"csv without a header":        {"a,x,1\nb,x,2\n", ImportOptions{Format: CSV, Columns: []string{"key", "", "value"}}, []string{"a=1", "b=2"}},
		"csv with tabs":               {"key\tvalue\na,b\t1\n", ImportOptions{Format: CSV, Comma: '\t'}, []string{"a,b=1"}},
		"csv by a template":           {"id,name\n7,Ada\n", ImportOptions{Format: CSV, Key: template(t, "user/{id}"), Value: "name"}, []string{"user/7=Ada"}},
		"csv, whole rows":             {"id,name,age\n7,\"A\"\"da\",36\n8,,007\n", ImportOptions{Format: CSV, Key: template(t, "{{{name}}}/{id}")}, []string{`{A"da}/7={"id":"7","name":"A\"da","age":"36"}`, `{}/8={"id":"8","name":"","age":"007"}`}},
		"csv, whole rows, numbers":    {"id,age\n7,36\n8,007\n9,1e3\n", ImportOptions{Format: CSV, Key: template(t, "{id}"), Numbers: true}, []string{`7={"id":7,"age":36}`, `8={"id":8,"age":"007"}`, `9={"id":9,"age":1e3}`}},
		"jsonl":                       {"{\"key\":\"a\",\"value\":\"1\"}\r\n\n {\"key_hex\":\"ff\",\"value_hex\":\"\"} ", ImportOptions{Format: JSONLines}, []string{"a=1", "\xff="}},
		"jsonl with a mark":           {"\ufeff{\"key\":\"a\",\"value\":\"1\"}", ImportOptions{Format: JSONLines}, []string{"a=1"}},
		"jsonl of nothing":            {"", ImportOptions{Format: JSONLines}, nil},
		"jsonl by a template":         {`{"id":7,"owner":{"name":"Ada","ok":true},"x":[1, 2]}`, ImportOptions{Format: JSONLines, Key: template(t, "{owner.name}/{id}/{owner.ok}")}, []string{`Ada/7/true={"id":7,"owner":{"name":"Ada","ok":true},"x":[1, 2]}`}},
		"jsonl, a string as value":    {`{"id":"a","v":"\u0041"}`, ImportOptions{Format: JSONLines, Key: template(t, "{id}"), Value: "v"}, []string{"a=A"}},
		"jsonl, an object as value":   {`{"id":"a","v":{"w":[1]}}`, ImportOptions{Format: JSONLines, Key: template(t, "{id}"), Value: "v.w"}, []string{"a=[1]"}},
		"json":                        {" [\n{\"key\":\"a\",\"value\":\"],[\\\"\"} , {\"key\":\"b\",\"value\":\"2\"}\n] \n", ImportOptions{Format: JSON}, []string{`a=],["`, "b=2"}},
		"json of nothing":             {"[ ]", ImportOptions{Format: JSON}, nil},
		"the last row wins":           {"key,value\na,1\na,2\n", ImportOptions{Format: CSV}, []string{"a=2"}},
		"the first row wins":          {"key,value\na,1\na,2\n", ImportOptions{Format: CSV, OnConflict: Skip}, []string{"a=1"}},
		"from a row on":               {"key,value\na,1\nb,2\nc,3\n", ImportOptions{Format: CSV, FromRow: 3}, []string{"b=2", "c=3"}},
		"what has expired is skipped": {"key,value,expires_at\na,1,2001-01-01T00:00:00Z\nb,2,2100-01-01T00:00:00Z\nc,3,\n", ImportOptions{Format: CSV}, []string{"b=2", "c=3"}},
		"nothing in a dry run":        {"key,value\na,1\n", ImportOptions{Format: CSV, DryRun: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
				db := newStore(t)
				report, err := Import(t.Context(), db, r, &c.o)
				if err != nil || report.StoppedAt != nil {
					t.Fatalf("%v, %+v", err, report)
				}
				if got := contents(t, db); !slices.Equal(got, c.want) {
					t.Errorf("the store has %q, want %q", got, c.want)
				}
				if report.Bytes != int64(len(c.in)) && len(c.want) > 0 && !strings.HasPrefix(name, "json") {
					t.Errorf("%d bytes were read, want %d", report.Bytes, len(c.in))
				}
			}
		})
	}
}

func TestImport_TellsWhichRowIsWrongAndWhat(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	items := ImportOptions{MaxErrors: -1}
	for in, c := range map[string]struct {
		format Format
		o      ImportOptions
		want   []string // errors of rows
		keys   int      // that are in the store all the same
	}{
		"key,value\na,1\nb\nc,3,4\nd,4\n":                {CSV, items, []string{"row 3: 1 field where there are 2 columns", "row 4: 3 fields where there are 2 columns"}, 2},
		"key,value\n\"a\nb\",1\nc\n":                     {CSV, items, []string{"row 3 (line 4): 1 field"}, 1},
		"key,value\na,5\" pipe\nb,2\n":                   {CSV, items, []string{"row 2: field 2: a quote within a field"}, 1},
		"key,value\na,\"5\" pipe\"\nb,2\n":               {CSV, items, []string{"row 2: field 2: something follows on the quote"}, 1},
		"key,value\na,1\nb,\"2\nc,3\n":                   {CSV, items, []string{"row 3: a field begins with a quote and never ends"}, 1},
		"key,value\n" + long + ",1\nb,2\n":               {CSV, items, []string{"row 2: key too large"}, 1},
		"key,key_hex,value\na,61,1\n,6,2\n,zz,3\n":       {CSV, items, []string{"row 2: key and key_hex are both given", "row 3: key_hex: 1 hexadecimal digits", "row 4: key_hex: not hexadecimal"}, 0},
		"key,value,expires_at\na,1,soon\n":               {CSV, items, []string{`row 2: expires_at: "soon" is no time`}, 0},
		"id,name\n1,\xff\n2,b\n":                         {CSV, ImportOptions{MaxErrors: -1, Key: template(t, "{id}")}, []string{`row 2: "name" is not UTF-8`}, 1},
		"{\"key\":\"a\",\"value\":\"\"}\n\n{\"key\":\n}": {JSONLines, items, []string{"row 3: the JSON ends too early", "row 4: an item is a JSON object"}, 1},
		`{"key":"a","valeu":""}`:                         {JSONLines, items, []string{`row 1: "valeu" is not a field of an item`}, 0},
		`{"id":null}` + "\n" + `{"id":{}}` + "\n{}\n" + `{"id":1,"id":2}` + "\n" + `{"id":3}`: {JSONLines, ImportOptions{MaxErrors: -1, Key: template(t, "{id}")}, []string{"row 1: {id}: want a string", "row 2: {id}: want a string", `row 3: {id}: there is no field "id"`, `row 4: {id}: "id" is given twice`}, 1},
		`{"id":1,"a":3}`: {JSONLines, ImportOptions{MaxErrors: -1, Key: template(t, "{id}"), Value: "a.b"}, []string{`row 1: the value, a.b: "a" is no object`}, 0},
		`[{"key":"a","value":""},,7,{"key":"b","value":""},]`: {JSON, items, []string{"row 2: there is nothing between", "row 3: an item is a JSON object", "row 5: there is nothing between"}, 2},
	} {
		o := c.o
		o.Format = c.format
		db := newStore(t)
		report, err := Import(t.Context(), db, strings.NewReader(in), &o)
		if err != nil {
			t.Errorf("%.60q: %v", in, err)
			continue
		}
		if int(report.Failed) != len(c.want) || len(report.Errors) != len(c.want) {
			t.Errorf("%.60q: %d rows failed: %v, want %d", in, report.Failed, report.Errors, len(c.want))
			continue
		}
		for i := range c.want {
			if got := report.Errors[i].Error(); !strings.HasPrefix(got, c.want[i]) {
				t.Errorf("%.60q: %s; want %s", in, got, c.want[i])
			}
		}
		if got := contents(t, db); len(got) != c.keys || int(report.Imported) != c.keys {
			t.Errorf("%.60q: %q, want %d", in, got, c.keys)
		}
	}
}

func TestImport_GivesUpWhereNothingCanBeMadeOfTheInput(t *testing.T) {
	for in, c := range map[string]struct {
		o    ImportOptions
		want string
	}{
		"":                       {ImportOptions{Format: CSV}, "the input is empty"},
		"a,b\n":                  {ImportOptions{Format: CSV}, `row 1: the column "a" is none of an item`},
		"key,key\n":              {ImportOptions{Format: CSV}, `row 1: there are two columns "key"`},
		"value\n":                {ImportOptions{Format: CSV}, "row 1: there is no column key or key_hex"},
		"key\n":                  {ImportOptions{Format: CSV}, "row 1: there is no column value or value_hex"},
		"key,value\ra,1\r":       {ImportOptions{Format: CSV}, "row 1: lines end in CR alone"},
		"\xff\xfek\x00":          {ImportOptions{Format: CSV}, "the text is UTF-16"},
		"id\n":                   {ImportOptions{Format: CSV, Key: template(t, "{name}")}, `row 1: there is no column "name"; there are id`},
		"name\n":                 {ImportOptions{Format: CSV, Key: template(t, "{name}"), Value: "age"}, `row 1: there is no column "age"`},
		`{"key":"a"}`:            {ImportOptions{Format: JSON}, "a JSON file is one array"},
		`[{"key":"a"`:            {ImportOptions{Format: JSON, MaxErrors: -1}, "the array does not end"},
		`[{"key":"a"},`:          {ImportOptions{Format: JSON, MaxErrors: -1}, "the array does not end"},
		`[] []`:                  {ImportOptions{Format: JSON}, "something follows on the array"},
		`[{"key":"a"}] x`:        {ImportOptions{Format: JSON, MaxErrors: -1}, "something follows on the array"},
		"no format":              {ImportOptions{}, "Format(0)"},
		"a comma":                {ImportOptions{Format: CSV, Comma: '"'}, "cannot be separated"},
		"columns":                {ImportOptions{Format: JSON, Columns: []string{"key"}}, "only CSV has columns"},
		"a value alone":          {ImportOptions{Format: CSV, Value: "x"}, "only where a template makes the keys"},
		"the name of a bucket":   {ImportOptions{Format: CSV, Bucket: strings.Repeat("b", 256)}, "invalid option"},
		"a row of negative size": {ImportOptions{Format: CSV, MaxRow: -1}, "a row of at most -1 bytes"},
	} {
		if _, err := Import(t.Context(), newStore(t), strings.NewReader(in), &c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want %s", in, err, c.want)
		}
	}
}

// roomReader notes how much room it is given: a part of the buffer of its caller.
type roomReader struct {
	io.Reader
	most int
}

func (r *roomReader) Read(p []byte) (int, error) {
	r.most = max(r.most, len(p))
	return r.Reader.Read(p)
}

func TestImport_RowsThatAreTooLongTakeNoMemoryAndHurtNoOther(t *testing.T) {
	for _, maxRow := range []int{1000, 1 << 20} {
		long := strings.Repeat("long, ", maxRow)
		for format, in := range map[Format]string{
			CSV:       "key,value\na,1\nb,\"" + long + "\n" + long + "\"\nc,3\n",
			JSONLines: `{"key":"a","value":"1"}` + "\n" + `{"key":"b","value":"` + long + "\"}\n" + `{"key":"c","value":"3"}`,
			JSON:      `[{"key":"a","value":"1"},{"key":"b","value":"` + long + `"},{"key":"c","value":"3"}]`,
		} {
			db, r := newStore(t), &roomReader{Reader: strings.NewReader(in)}
			report, err := Import(t.Context(), db, r, &ImportOptions{Format: format, MaxRow: int64(maxRow), MaxErrors: 1})
			if err != nil {
				t.Fatalf("%v: %v", format, err)
			}
			want := fmt.Sprintf("longer than %d bytes", maxRow)
			if len(report.Errors) != 1 || !strings.Contains(report.Errors[0].Message, want) || report.Imported != 2 {
				t.Errorf("%v: %+v", format, report)
			}
			if most := max(4*maxRow, readSize); r.most > most {
				t.Errorf("%v: a buffer of %d bytes, want at most %d", format, r.most, most)
			}
		}
	}
}

func TestImport_EndsAtTheFirstWrongRowAndSaysWhatIsDone(t *testing.T) {
	db := newStore(t)
	report, err := Import(t.Context(), db, strings.NewReader("key,value\na,1\nb,2\nbad\nd,4\n"), &ImportOptions{Format: CSV})
	var row *RowError
	if !errors.As(err, &row) || row.Row != 4 {
		t.Fatalf("%v", err)
	}
	if *report.StoppedAt != 3 || report.Imported != 2 || len(contents(t, db)) != 2 {
		t.Errorf("%+v, %q", report, contents(t, db))
	}
}

func TestImport_ThatMustNotOverwriteEndsBeforeAKeyThatIsThere(t *testing.T) {
	for _, bucket := range []string{"", "b"} {
		db := newStore(t)
		put := db.Put
		if bucket != "" {
			put = db.Bucket(bucket).Put
		}
		if err := put([]byte("c"), nil); err != nil {
			t.Fatal(err)
		}
		const in = "key,value,expires_at\na,1,\nx,1,2001-01-01T00:00:00Z\nb,2,\nbad\nc,3,\nbad\ny,1,2001-01-01T00:00:00Z\nd,4,\n"
		for _, dry := range []bool{true, false} {
			report, err := Import(t.Context(), db, strings.NewReader(in), &ImportOptions{Format: CSV, Bucket: bucket, OnConflict: Fail, MaxErrors: -1, DryRun: dry})
			var row *RowError
			if !errors.Is(err, ErrKeyExists) || !errors.As(err, &row) || row.Row != 6 {
				t.Fatal(err)
			}
			if *report.StoppedAt != 5 || report.Imported != 2 || report.Skipped != 1 || report.Failed != 1 {
				t.Errorf("%+v", report)
			}
		}
		report, err := Import(t.Context(), db, strings.NewReader(in), &ImportOptions{Format: CSV, Bucket: bucket, OnConflict: Skip, MaxErrors: -1})
		if err != nil || report.Imported != 1 || report.Skipped != 5 || report.Failed != 2 {
			t.Errorf("%v, %+v", err, report)
		}
	}
}

// countReader returns rows for ever, and cancels after some.
type endlessRows struct {
	n, cancelAt int
	cancel      func()
}

func (e *endlessRows) Read(p []byte) (int, error) {
	if e.n == 0 {
		e.n++
		return copy(p, "key,value\n"), nil
	}
	if e.n++; e.n == e.cancelAt {
		e.cancel()
	}
	return copy(p, fmt.Sprintf("key%09d,%s\n", e.n, strings.Repeat("v", 1000))), nil
}

func TestImport_ThatIsInterruptedHasDoneExactlyWhatItSays(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	db, stop := newStore(t), errors.New("that is enough")
	progress := int64(0)
	report, err := Import(ctx, db, &endlessRows{cancelAt: 5000, cancel: func() { cancel(stop) }}, &ImportOptions{Format: CSV, Progress: func(r ImportReport) { progress = r.Rows }})
	if !errors.Is(err, stop) || report.StoppedAt == nil {
		t.Fatalf("%v, %+v", err, report)
	}
	all := contents(t, db)
	if int64(len(all)) != report.Imported || report.Rows != report.Imported+1 || progress != report.Rows || report.Imported < 1000 {
		t.Errorf("%d keys, progress %d, %+v", len(all), progress, report)
	}
	if want := fmt.Sprintf("key%09d=", report.Rows); !strings.HasPrefix(all[len(all)-1], want) {
		t.Errorf("the last key is %.20s, want %s", all[len(all)-1], want)
	}
}

func TestImport_TellsThatTheInputOrTheStoreFailed(t *testing.T) {
	broken := io.ErrUnexpectedEOF // what a request that is cut off gives
	for _, format := range []Format{CSV, JSON, JSONLines} {
		in := map[Format]string{CSV: "key,value\na,1\n\"b", JSON: `[{"key":"a","value":"1"},{`, JSONLines: `{"key":"a","value":"1"}` + "\n{"}[format]
		report, err := Import(t.Context(), newStore(t), io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), &ImportOptions{Format: format, MaxErrors: -1})
		if !errors.Is(err, broken) || report.Imported != 1 || report.StoppedAt == nil {
			t.Errorf("%v: %v, %+v", format, err, report)
		}
	}
	db := newStore(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, conflict := range []Conflict{Overwrite, Skip} {
		report, err := Import(t.Context(), db, strings.NewReader("key,value\na,1\n"), &ImportOptions{Format: CSV, OnConflict: conflict})
		if !errors.Is(err, tinykv.ErrClosed) || report.Imported != 0 || *report.StoppedAt != 0 {
			t.Errorf("%v, %+v", err, report)
		}
	}
}

func TestImport_IsOnStableStorageWhenItReturns(t *testing.T) {
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem(), SyncInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, in := range []string{"key,value\na,1\n", "key,value\nb,2\nbad\n"} {
		_, err := Import(t.Context(), db, strings.NewReader(in), &ImportOptions{Format: CSV})
		if m := db.Metrics(); m.DurableSeq != m.LastSeq || m.LastSeq == 0 {
			t.Errorf("%q, %v: synced up to %d of %d", in, err, m.DurableSeq, m.LastSeq)
		}
	}
}

func TestImport_KeepsExpiries(t *testing.T) {
	db, at := newStore(t), time.Now().Add(time.Hour).UTC()
	in := "key,value,expires_at\na,1," + at.Format(time.RFC3339Nano) + "\n"
	for _, conflict := range []Conflict{Overwrite, Fail} {
		if err := db.DeleteRange(nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := Import(t.Context(), db, strings.NewReader(in), &ImportOptions{Format: CSV, OnConflict: conflict}); err != nil {
			t.Fatal(err)
		}
		for item, err := range db.Scan(tinykv.All()) {
			if err != nil || !item.ExpiresAt.Equal(at) {
				t.Errorf("expires at %v, %v; want %v", item.ExpiresAt, err, at)
			}
		}
	}
}

func TestParseTemplate_RefusesWhatMakesNoKeys(t *testing.T) {
	for in, want := range map[string]string{"": "names no field", "user": "names no field", "{{id}}": "names no field", "{": "wants the name", "{}": "wants the name", "{a{b}": "wants the name", "a}": "without a '{'"} {
		if _, err := ParseTemplate(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", in, err, want)
		}
	}
}
