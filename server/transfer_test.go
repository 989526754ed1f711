package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
	"github.com/tinykv/tinykv/vfs"
)

const ofCSV = "Content-Type: text/csv"

func TestExport_StreamsEachFormat(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a%2F1", "one").want(204, "")
	s.send("PUT", "/v1/keys/b", "\xff").want(204, "")
	s.send("PUT", "/v1/keys/c?bucket=box", "in it").want(204, "")
	got := s.get("/v1/export?format=csv").want(200, "key,value,expires_at,key_hex,value_hex\na/1,one,,,\nb,,,,ff")
	if typ, name := got.header.Get("Content-Type"), got.header.Get("Content-Disposition"); typ != "text/csv; charset=utf-8" || name != `attachment; filename="tinykv.csv"` {
		t.Errorf("%s, %s", typ, name)
	}
	s.get("/v1/export").want(200, `{"key":"a/1","value":"one"}`+"\n"+`{"key":"b","value_hex":"ff"}`)
	s.get("/v1/export?format=json&bucket=box").want(200, "[\n{\"key\":\"c\",\"value\":\"in it\"}\n]")
	s.get("/v1/export?prefix=612f&encoding=hex&keys_only").want(200, `{"key":"a/1"}`)
	s.get("/v1/export?upper=b&seq").want(200, `{"key":"a/1","value":"one","seq":1}`)
	s.get("/v1/export?format=csv&columns=value_hex,key&separator=tab").want(200, "value_hex\tkey\n6f6e65\ta/1\nff\tb")
}

func TestExport_RefusesWhatItCannotDo(t *testing.T) {
	s := newSite(t, &Options{MaxJobs: 1})
	s.send("PUT", "/v1/keys/b", "\xff").want(204, "")
	for _, q := range []string{"format=xml", "columns=key", "format=csv&columns=age", "format=csv&columns=key,value", "format=csv&separator=%22", "separator=ab", "prefix=a&lower=b", "lower=b&upper=a", "seq=7", "limit=1"} {
		s.get("/v1/export?"+q).wantError(400, "bad_request")
	}
	s.send("POST", "/v1/export", "").wantError(405, "method_not_allowed")
	release, _ := s.s.jobs.take()
	defer release()
	s.get("/v1/export").wantError(429, "too_many")
	s.send("POST", "/v1/import", "key,value\n", ofCSV).wantError(429, "too_many")
}

func TestImport_TakesEachFormat(t *testing.T) {
	s := newSite(t, nil)
	const done = `{"imported":1,"skipped":0,"failed":0,"bytes":%d,"rows":%d,"errors":[]}`
	for _, c := range []struct {
		query, body, typ string
		rows             int
		key, value       string
	}{
		{"", "key,value\na,1\n", "text/csv; charset=utf-8", 2, "a", "1"},
		{"?format=csv&separator=%3B&columns=key,,value", "b;x;2\n", "text/csv", 1, "b", "2"},
		{"?format=json", `[{"key":"c","value":"3"}]`, "application/json", 1, "c", "3"},
		{"?format=jsonl", `{"key":"d","value":"4"}`, "application/x-ndjson", 1, "d", "4"},
		{"?key=user/{id}&numbers", "id,name\n5,Ada\n", "text/csv", 2, "user%2F5", `{"id":5,"name":"Ada"}`},
		{"?key={id}&value=n", `{"id":"e","n":[1]}`, "application/x-ndjson", 1, "e", "[1]"},
		{"?from_row=3&max_errors=0&on_conflict=overwrite", "key,value\na,9\nf,6\n", "text/csv", 3, "f", "6"},
	} {
		s.send("POST", "/v1/import"+c.query, c.body, "Content-Type: "+c.typ).want(200, fmt.Sprintf(done, len(c.body), c.rows))
		s.get("/v1/keys/"+c.key).want(200, c.value)
	}
	s.get("/v1/keys/a").want(200, "1")
	s.send("POST", "/v1/import?bucket=box&on_conflict=skip", "key,value\na,7\na,8\n", ofCSV).want(200, `{"imported":1,"skipped":1,"failed":0,"bytes":18,"rows":3,"errors":[]}`)
	s.get("/v1/keys/a?bucket=box").want(200, "7")
	s.send("POST", "/v1/import?dry_run", "key,value\nz,7\nbad\n", ofCSV).want(200, `{"imported":1,"skipped":0,"failed":1,"bytes":18,"rows":3,"errors":[{"row":3,"line":3,"message":"1 field where there are 2 columns"}]}`)
	s.get("/v1/keys/z").wantError(404, "not_found")
}

func TestImport_ThatStopsSaysWhereAndHowToGoOn(t *testing.T) {
	s := newSite(t, &Options{MaxImport: 1 << 20})
	var stopped struct {
		Error struct{ Code, Message string }
		interchange.ImportReport
	}
	for _, c := range []struct {
		query, body string
		status      int
		code, says  string
		at          int64
	}{
		{"", "key,value\na,1\nbad\n", 400, "bad_request", "row 3: 1 field where there are 2 columns; everything up to row 2 was done, and nothing behind it: go on with from_row=3", 2},
		{"?on_conflict=fail", "key,value\nb,1\na,1\n", 409, "conflict", "row 3: the key is there already; everything up to row 2", 2},
		{"", "keys\n", 400, "bad_request", `row 1: the column "keys" is none of an item`, 0},
		{"", "", 400, "bad_request", "the input is empty", 0},
		{"", "key,value\n" + strings.Repeat("k,vvvvvvvvvvvvvvvvv\n", 60_000), 413, "too_large", "the body is larger than 1048576 bytes", 1},
	} {
		got := s.send("POST", "/v1/import"+c.query, c.body, ofCSV).wantError(c.status, c.code)
		stopped.StoppedAt = nil
		if err := json.Unmarshal([]byte(got.body), &stopped); err != nil || !strings.HasPrefix(stopped.Error.Message, c.says) {
			t.Errorf("%s, %v; want %s", got.body, err, c.says)
		}
		if stopped.StoppedAt == nil || c.at != 1 && *stopped.StoppedAt != c.at || c.at == 1 && *stopped.StoppedAt < 1000 {
			t.Errorf("%s: want it stopped at %d", got.body, c.at)
		}
	}
}

func TestImport_RefusesWhatIsNotMeantForIt(t *testing.T) {
	s := newSite(t, nil)
	for _, typ := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
		s.send("POST", "/v1/import?format=csv", "key,value\na,1\n", "Content-Type: "+typ).wantError(415, "unsupported_media_type")
	}
	for _, q := range []string{"format=json", "on_conflict=maybe", "key=user", "value=x", "bucket=", "from_row=-1", "max_errors=x", "max_errors=99999999999", "max_errors=10001", "separator=xy", "separator=%22", "dry_run=7", "limit=1"} {
		s.send("POST", "/v1/import?"+q, "key,value\na,1\n", ofCSV).wantError(400, "bad_request")
	}
	s.send("POST", "/v1/import?columns=key", `[]`).wantError(400, "bad_request")
	s.send("GET", "/v1/import", "").wantError(405, "method_not_allowed")
	s.get("/v1/count").want(200, `{"count":0}`)
	s = newSite(t, &Options{ReadOnly: true})
	s.send("POST", "/v1/import", "key,value\na,1\n", ofCSV).wantError(403, "read_only")
}

// A body that ends before its length, and one that is cut between two chunks, are no whole ones.
func TestImport_OfABodyThatIsCutOffIsNotTakenForWhole(t *testing.T) {
	s := newSite(t, nil)
	conn, err := net.Dial("tcp", s.at.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/import HTTP/1.1\r\nHost: %s\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n\r\nkey,value\na,1\nb,2", s.at.Listener.Addr())
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, _ := conn.Read(text)
	if !strings.Contains(string(text[:n]), "400 Bad Request") || !strings.Contains(string(text[:n]), "the body ends before its end") {
		t.Errorf("%s", text[:n])
	}
	s.get("/v1/keys/b").wantError(404, "not_found")
}

// Whoever may only read can take an export as slowly as a network is; that must not keep those out who may do more.
func TestExport_LeavesRoomForOtherWork(t *testing.T) {
	s := newSite(t, &Options{MaxJobs: 3})
	for range 2 { // as if peers were slow
		s.s.exports <- struct{}{}
		s.s.jobs <- struct{}{}
	}
	s.get("/v1/export").wantError(429, "too_many")
	s.send("POST", "/v1/verify", "").want(200, "")
	<-s.s.exports
	s.get("/v1/export").want(200, "")
	if n := len(s.s.exports) + len(s.s.jobs); n != 3 {
		t.Errorf("%d places were not given back", n-3)
	}
}

func TestExport_ThatFailsMidwayIsCutOff(t *testing.T) {
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, db, nil)
	for i := range 1000 {
		s.db.Put(fmt.Appendf(nil, "k%d", i), make([]byte, 10_000))
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.at.URL+"/v1/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.at.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	s.s.stop()
	buf, n := make([]byte, 1<<20), 0
	for err == nil {
		var k int
		k, err = got.Body.Read(buf)
		n += k
	}
	if err.Error() == "EOF" {
		t.Errorf("%d bytes look like a whole export", n)
	}
}

func TestImport_OfAPeerThatGoesSilentIsGivenUp(t *testing.T) {
	s := newSite(t, &Options{RequestTimeout: 50 * time.Millisecond, MaxJobs: 1})
	conn, err := net.Dial("tcp", s.at.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/import HTTP/1.1\r\nHost: %s\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n\r\nkey,value\na,1\nb,2", s.at.Listener.Addr())
	text, err := io.ReadAll(conn) // it ends
	if err != nil || !strings.Contains(string(text), `"code":"timeout"`) || !strings.Contains(string(text), `"stopped_at"`) {
		t.Errorf("%v: %s", err, text)
	}
}
