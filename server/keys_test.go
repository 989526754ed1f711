package server

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestKeys_AreWrittenReadAndDeleted(t *testing.T) {
	s := newSite(t, nil)
	put := s.send("PUT", "/v1/keys/fig", "ripe").want(204, "")
	got := s.get("/v1/keys/fig").want(200, "ripe")
	if e := got.header.Get("ETag"); e == "" || e != put.header.Get("ETag") {
		t.Errorf("ETag %q after one of %q", e, put.header.Get("ETag"))
	}
	if typ := got.header.Get("Content-Type"); typ != "application/octet-stream" {
		t.Errorf("a value is served as %q", typ)
	}
	s.send("HEAD", "/v1/keys/fig", "").want(200, "")
	s.get("/v1/keys/fig", "Accept: application/json").want(200, `{"key":"fig","value":"ripe","seq":1}`)
	s.get("/v1/keys/fig", `If-None-Match: "1"`).want(304, "")
	s.send("DELETE", "/v1/keys/fig", "").want(204, "")
	s.send("DELETE", "/v1/keys/fig", "").want(204, "")
	s.get("/v1/keys/fig").wantError(404, "not_found")
	s.send("HEAD", "/v1/keys/fig", "").want(404, "")
}

func TestKeys_OfAnyBytesHaveAnAddress(t *testing.T) {
	s := newSite(t, nil)
	for path, key := range map[string]string{
		"/v1/keys/": "", "/v1/keys/?encoding=hex": "", "/v1/keys/%00": "\x00", "/v1/keys/ff00?encoding=hex": "\xff\x00", "/v1/keys/%ff%00": "\xff\x00",
		"/v1/keys/a/b": "a/b", "/v1/keys/a%2Fb": "a/b", "/v1/keys/a//b": "a//b", "/v1/keys//": "/", "/v1/keys/a/../b": "a/../b",
		"/v1/keys/%2e%2e": "..", "/v1/keys/..": "..", "/v1/keys/./": "./", "/v1/keys/2e?encoding=hex": ".", "/v1/keys/a%20b+c": "a b+c",
		"/v1/keys/%C3%A9": "é", "/v1/keys/%252F": "%2F", "/v1/keys/keys/x": "keys/x",
	} {
		s.send("PUT", path, "value of "+path).want(204, "")
		value, err := s.db.Get([]byte(key))
		if err != nil || string(value) != "value of "+path {
			t.Errorf("%s: key %q has %q, %v", path, key, value, err)
		}
		s.get(path).want(200, "value of "+path)
		s.send("DELETE", path, "").want(204, "")
	}
}

func TestKeys_BelongToABucketThatIsNamed(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a?bucket=x", "in x").want(204, "")
	s.send("PUT", "/v1/keys/a", "outside").want(204, "")
	s.get("/v1/keys/a?bucket=x").want(200, "in x")
	s.get("/v1/keys/a").want(200, "outside")
	s.get("/v1/keys/a?bucket=y").wantError(404, "not_found")
	s.get("/v1/keys/a?bucket=").wantError(400, "bad_request")
	s.get("/v1/buckets").want(200, `{"buckets":[{"name":"x"}]}`)
	s.send("DELETE", "/v1/buckets/x", "").want(204, "")
	s.send("DELETE", "/v1/buckets/x", "").wantError(404, "not_found")
	s.get("/v1/buckets").want(200, `{"buckets":[]}`)
}

func TestKeys_AreWrittenUnderConditions(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/k", "1", "If-Match: *").wantError(412, "precondition_failed")
	first := s.send("PUT", "/v1/keys/k", "1", "If-None-Match: *").want(204, "").header.Get("ETag")
	s.send("PUT", "/v1/keys/k", "2", "If-None-Match: *").wantError(412, "precondition_failed")
	second := s.send("PUT", "/v1/keys/k", "2", "If-Match: "+first).want(204, "").header.Get("ETag")
	s.send("PUT", "/v1/keys/k", "3", "If-Match: "+first).wantError(412, "precondition_failed")
	s.send("DELETE", "/v1/keys/k", "", "If-Match: "+first).wantError(412, "precondition_failed")
	s.get("/v1/keys/k").want(200, "2")
	s.send("DELETE", "/v1/keys/k", "", "If-Match: "+second).want(204, "")
	for _, bad := range []string{"7", `"x"`, `"0"`, `"1", "2"`, `W/"1"`, `"-1"`, `"`} {
		s.send("PUT", "/v1/keys/k", "3", "If-Match: "+bad).wantError(400, "bad_request")
	}
	s.send("PUT", "/v1/keys/k", "3", `If-None-Match: "1"`).wantError(400, "bad_request")
	s.send("PUT", "/v1/keys/k", "3", "If-None-Match: *", "If-Match: *").wantError(400, "bad_request")
}

// A peer that has the value already is spared it.
func TestKeys_AreNotToldToThoseWhoHaveThem(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/other", "x").want(204, "")
	tag := s.send("PUT", "/v1/keys/k", "v").want(204, "").header.Get("ETag")
	for match, status := range map[string]int{
		tag: 304, "W/" + tag: 304, `"1", ` + tag: 304, tag + `,"1"`: 304, "*": 304, `"1"`: 200, `"1", W/"1"`: 200, "2": 200, ",": 200, "": 200,
	} {
		for _, accept := range []string{"*/*", "application/json"} {
			got := s.get("/v1/keys/k", "If-None-Match: "+match, "Accept: "+accept)
			if got.status != status || got.header.Get("ETag") != tag || status == 304 && got.body != "" {
				t.Errorf("If-None-Match: %s: %d %q, ETag %s", match, got.status, got.body, got.header.Get("ETag"))
			}
		}
	}
	s.get("/v1/keys/nothing", "If-None-Match: *").wantError(404, "not_found")
}

// A header may come in several lines, which are one list.
func TestKeys_ConditionsInTwoLinesAreTwo(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/k", "1").want(204, "")
	for lines, want := range map[string]int{"If-Match: \"1\"\r\nIf-Match: \"9\"\r\n": 400, "If-Match: \"1\"\r\n": 204} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("PUT", "http://localhost/v1/keys/k", strings.NewReader("2"))
		for line := range strings.SplitSeq(strings.TrimSpace(lines), "\r\n") {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Add(name, value)
		}
		if s.s.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d %s, want %d", lines, w.Code, w.Body, want)
		}
	}
}

// Who sends something else than the value would find it later as the value.
func TestBody_ThatStandsForAnotherOneIsRefused(t *testing.T) {
	s := newSite(t, nil)
	tx := s.begin(`{"writable":true}`)
	for _, at := range []struct{ method, path, body string }{
		{"PUT", "/v1/keys/k", "x"}, {"PUT", tx + "/keys/k", "x"}, {"POST", "/v1/batch", `{"ops":[]}`}, {"POST", "/v1/import", `[]`},
	} {
		h := s.send(at.method, at.path, at.body, "Content-Encoding: gzip").wantError(415, "unsupported_media_type").header
		if h.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s: Accept-Encoding: %q", at.path, h.Get("Accept-Encoding"))
		}
		s.send(at.method, at.path, at.body, "Content-Range: bytes 0-0/10").wantError(400, "bad_request")
		if got := s.send(at.method, at.path, at.body, "Content-Encoding: Identity"); got.status >= 300 {
			t.Errorf("%s as it is: %d %s", at.path, got.status, got.body)
		}
	}
}

func TestKeys_MayExpire(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a?ttl=1h", "x").want(204, "")
	at, err := time.Parse(time.RFC3339Nano, s.get("/v1/keys/a").want(200, "x").header.Get("Tinykv-Expires-At"))
	if d := time.Until(at); err != nil || d > time.Hour || d < time.Minute {
		t.Errorf("expires in %v, %v", d, err)
	}
	s.send("PUT", "/v1/keys/b?expires_at=2100-01-02T03:04:05Z", "x").want(204, "")
	s.get("/v1/keys/b", "Accept: application/json").want(200, `{"key":"b","value":"x","expires_at":"2100-01-02T03:04:05Z","seq":2}`)
	s.send("PUT", "/v1/keys/c?expires_at=2001-01-02T03:04:05Z", "x").want(204, "")
	s.get("/v1/keys/c").wantError(404, "not_found")
	for _, bad := range []string{"ttl=0", "ttl=-1s", "ttl=5", "ttl=", "expires_at=tomorrow", "ttl=1s&expires_at=2100-01-02T03:04:05Z"} {
		s.send("PUT", "/v1/keys/a?"+bad, "x").wantError(400, "bad_request")
	}
}

func TestKeys_ThatAreTooLargeForJSONAreToldByTheirLength(t *testing.T) {
	s := newSite(t, nil)
	if err := s.db.Put([]byte("a"), make([]byte, maxRangeBytes+1)); err != nil {
		t.Fatal(err)
	}
	s.get("/v1/keys/a", "Accept: application/json").want(200, fmt.Sprintf(`{"key":"a","value_bytes":%d,"seq":1}`, maxRangeBytes+1))
	s.send("POST", "/v1/batch", `{"ops":[{"op":"get","key":"a"}]}`).want(200, fmt.Sprintf(`{"results":[{"ok":true,"found":true,"key":"a","value_bytes":%d,"seq":1}]}`, maxRangeBytes+1))
	if got := s.get("/v1/keys/a").want(200, ""); len(got.body) != maxRangeBytes+1 {
		t.Errorf("%d bytes", len(got.body))
	}
}

func TestKeys_TooLargeAreRefused(t *testing.T) {
	s := newSite(t, &Options{MaxBody: 10})
	s.send("PUT", "/v1/keys/a", "0123456789").want(204, "")
	s.send("PUT", "/v1/keys/a", "0123456789a").wantError(413, "too_large")
	s.get("/v1/keys/a").want(200, "0123456789")
	s = newSite(t, nil)
	s.get("/v1/keys/"+strings.Repeat("ab", 1<<16)+"?encoding=hex").wantError(404, "not_found")
	s.send("PUT", "/v1/keys/"+strings.Repeat("ab", 1<<16)+"?encoding=hex", "x").wantError(413, "too_large")
}
