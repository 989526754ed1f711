package server

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// lines is an answer that goes on, read line by line; empty lines, which mean nothing, are passed over.
type lines struct {
	t   *testing.T
	in  *bufio.Scanner
	end context.CancelFunc
}

func (s *site) stream(method, path string, headers ...string) *lines {
	s.t.Helper()
	ctx, end := context.WithCancel(s.t.Context())
	r, err := http.NewRequestWithContext(ctx, method, s.at.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	got, err := s.at.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { end(); got.Body.Close() })
	if got.StatusCode != 200 {
		s.t.Fatalf("%s %s: %s", method, path, got.Status)
	}
	return &lines{s.t, bufio.NewScanner(got.Body), end}
}

// next returns the next line, or the empty string at the end.
func (l *lines) next() string {
	for l.in.Scan() {
		if l.in.Text() != "" {
			return l.in.Text()
		}
	}
	return ""
}

func (l *lines) want(all ...string) {
	l.t.Helper()
	for _, want := range all {
		if got := l.next(); got != want {
			l.t.Fatalf("the next line is %q, want %q", got, want)
		}
	}
}

func TestWatch_TellsChangesFromThenOn(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a0", "before").want(204, "")
	l := s.stream("GET", "/v1/watch?prefix=a")
	s.send("PUT", "/v1/keys/a1", "x").want(204, "")
	s.send("PUT", "/v1/keys/b", "x").want(204, "")
	s.send("POST", "/v1/batch", `{"ops":[{"op":"put","key_hex":"61ff","value_hex":"fe","expires_at":"2100-01-01T00:00:00Z"},{"op":"delete","key":"a1"}]}`).want(200, "")
	s.send("DELETE", "/v1/range?lower=a&upper=c", "").want(204, "")
	s.send("DELETE", "/v1/range?lower=a", "").want(204, "")
	l.want(`{"op":"put","key":"a1","value":"x","seq":2,"last":true}`)
	l.want(`{"op":"delete","key":"a1","seq":4}`) // what a transaction does comes in the order of keys
	l.want(`{"op":"put","key_hex":"61ff","value_hex":"fe","expires_at":"2100-01-01T00:00:00Z","seq":5,"last":true}`)
	l.want(`{"op":"delete_range","key":"a","upper":"b","seq":6,"last":true}`)
	l.want(`{"op":"delete_range","key":"a","upper":"b","seq":7,"last":true}`)
	s.stream("GET", "/v1/watch?since=5").want(`{"op":"delete_range","key":"a","upper":"c","seq":6,"last":true}`)
	s.stream("GET", "/v1/watch?since=999").want(`{"error":{"code":"conflict","message":"the changes to go on with are gone; read the range again, and watch from there"}}`, "")
}

func TestWatch_OfABucketTellsItsName(t *testing.T) {
	s := newSite(t, nil)
	l := s.stream("GET", "/v1/watch?bucket=x")
	s.send("PUT", "/v1/keys/a", "outside").want(204, "")
	s.send("PUT", "/v1/keys/a?bucket=x", "inside").want(204, "")
	l.want(`{"op":"put","bucket":"x","key":"a","value":"inside","seq":2,"last":true}`)
}

func TestWatch_AsEventsGoesOnWhereItWas(t *testing.T) {
	s := newSite(t, nil)
	l := s.stream("GET", "/v1/watch", "Accept: text/event-stream")
	s.send("PUT", "/v1/keys/a", "x").want(204, "")
	s.send("PUT", "/v1/keys/b", "x").want(204, "")
	l.want("id: 1", `data: {"op":"put","key":"a","value":"x","seq":1,"last":true}`, "id: 2")
	s.stream("GET", "/v1/watch", "Accept: text/event-stream", "Last-Event-ID: 1").want("id: 2")
	s.get("/v1/watch?since=x").wantError(400, "bad_request")
	s.get("/v1/watch?lower=b&upper=a").wantError(400, "bad_request")
}

func TestWatch_ThereIsABound(t *testing.T) {
	s := newSite(t, &Options{MaxWatches: 1})
	l := s.stream("GET", "/v1/watch")
	s.get("/v1/watch").wantError(429, "too_many")
	l.end()
	s.s.watchers <- struct{}{} // comes free when the server has seen it
	<-s.s.watchers
	s.stream("GET", "/v1/watch")
}

func TestWatch_IsToldThatTheServerStops(t *testing.T) {
	s := newSite(t, nil)
	l := s.stream("GET", "/v1/watch")
	s.s.Close()
	l.want(`{"error":{"code":"closed","message":"the server is being stopped; come back later"}}`, "")
}

func TestVerify_TellsProgressAndReports(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a", "x").want(204, "")
	s.send("POST", "/v1/flush", "").want(204, "")
	l := s.stream("POST", "/v1/verify")
	var last string
	for line := l.next(); line != ""; line = l.next() {
		last = line
	}
	var r struct {
		Report struct {
			Tables   int
			Problems []any
			Dir      *string
		}
	}
	if err := json.Unmarshal([]byte(last), &r); err != nil || r.Report.Tables != 1 || r.Report.Problems == nil || r.Report.Dir != nil {
		t.Errorf("%s: %+v, %v", last, r, err)
	}
}

func TestCompact_TellsProgressAndReports(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a", "x").want(204, "")
	l := s.stream("POST", "/v1/compact")
	var all []string
	for line := l.next(); line != ""; line = l.next() {
		all = append(all, line)
	}
	if last := all[len(all)-1]; !strings.HasPrefix(last, `{"report":{"bytes_before":`) {
		t.Errorf("%q", all)
	}
}

func TestJobs_ThereIsABound(t *testing.T) {
	s := newSite(t, &Options{MaxJobs: 1})
	s.s.jobs <- struct{}{}
	s.send("POST", "/v1/compact", "").wantError(429, "too_many")
	s.send("POST", "/v1/verify", "").wantError(429, "too_many")
}

func TestUpkeep_IsDoneAndAnsweredWithNothing(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/v1/flush", "/v1/sync", "/v1/resume"} {
		s.send("POST", path, "").want(204, "")
		s.send("POST", path+"?x=y", "").wantError(400, "bad_request")
	}
}

func TestClear_DeletesEverythingWhenItIsConfirmed(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/v1/keys/a", "/v1/keys/a?bucket=x", "/v1/keys/a?bucket=y"} {
		s.send("PUT", path, "v").want(204, "")
	}
	s.send("POST", "/v1/clear", `{}`).wantError(400, "bad_request")
	s.send("POST", "/v1/clear", `{"confirm":"clear"}`, "Content-Type: text/plain").wantError(415, "unsupported_media_type")
	s.get("/v1/keys/a").want(200, "v")
	s.send("POST", "/v1/clear?bucket=x", `{"confirm":"clear"}`).want(204, "")
	s.get("/v1/count?bucket=x").want(200, `{"count":0}`)
	s.get("/v1/count").want(200, `{"count":1}`)
	s.send("POST", "/v1/clear", `{"confirm":"clear"}`).want(204, "")
	s.get("/v1/count").want(200, `{"count":0}`)
	s.get("/v1/count?bucket=y").want(200, `{"count":1}`)
	s.send("POST", "/v1/clear?bucket=y", `{"confirm":"clear","buckets":true}`).wantError(400, "bad_request")
	s.send("PUT", "/v1/keys/a", "v").want(204, "")
	s.send("POST", "/v1/clear?sync=true", `{"confirm":"clear","buckets":true}`).want(204, "")
	s.get("/v1/count").want(200, `{"count":0}`)
	s.get("/v1/count?bucket=y").want(200, `{"count":0}`)
}

// A client of HTTP takes the answer to HEAD for whole, and sends its next request by the same connection.
func TestStreams_AnswerHEADAndEnd(t *testing.T) {
	s := serveSite(t, Options{})
	for path, want := range map[string]string{"/v1/watch": "application/x-ndjson", "/v1/export?format=csv": "text/csv; charset=utf-8", "/v1/export": "application/x-ndjson"} {
		conn := s.dial("HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		in := bufio.NewReader(conn)
		for _, c := range []struct{ method, typ string }{{"HEAD", want}, {"GET", "text/plain; charset=utf-8"}} {
			r, err := http.ReadResponse(in, &http.Request{Method: c.method})
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != 200 || r.Header.Get("Content-Type") != c.typ {
				t.Errorf("%s %s: %s, %s", c.method, path, r.Status, r.Header.Get("Content-Type"))
			}
			r.Body.Close()
		}
	}
	if n := len(s.watchers) + len(s.jobs); n > 0 {
		t.Errorf("%d are under way", n)
	}
}

// A watcher may be slow to take a large value, and there may be many of them.
func TestWatch_TellsALargeValueByItsLengthWhenMemoryIsShort(t *testing.T) {
	s := newSite(t, &Options{MaxMemory: 1 << 20})
	watch := s.stream("GET", "/v1/watch?prefix=a")
	put := func(key string, n int) {
		t.Helper()
		if err := s.db.Put([]byte(key), []byte(strings.Repeat("x", n))); err != nil {
			t.Fatal(err)
		}
	}
	put("a1", 20<<10)
	watch.want(`{"op":"put","key":"a1","value":"` + strings.Repeat("x", 20<<10) + `","seq":1,"last":true}`)
	s.s.memory.used.Add(1 << 20) // as if others used it all
	put("a2", 20<<10)
	put("a3", 3)
	watch.want(`{"op":"put","key":"a2","value_bytes":20480,"seq":2,"last":true}`, `{"op":"put","key":"a3","value":"xxx","seq":3,"last":true}`)
	s.s.memory.used.Add(-1 << 20)
	put("a4", 20<<10)
	watch.want(`{"op":"put","key":"a4","value":"` + strings.Repeat("x", 20<<10) + `","seq":4,"last":true}`)
	put("a5", 0)
	watch.want(`{"op":"put","key":"a5","value":"","seq":5,"last":true}`)
	if n := s.s.memory.used.Load(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
}
