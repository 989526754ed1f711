package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

// What is in an address is a key as it stands there, or the request is refused: the mux makes no other key of it.
func FuzzKeyInPath(f *testing.F) {
	for _, path := range []string{"a", "a//b", "../a", "%2e%2E/%2F", ".", "a/./b/", "%ff%00", "?", "%", "a%2", "{key}", "%25", ";", ":", "#"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI("/v1/keys/" + path)
		if err != nil {
			return
		}
		var got *string
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1/keys/{key...}", func(_ http.ResponseWriter, r *http.Request) {
			key := r.PathValue("key")
			got = &key
		})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, sealed(&http.Request{Method: "GET", URL: u, Host: "localhost", Header: http.Header{}}))
		want := u.Path[len("/v1/keys/"):]
		if got == nil || *got != want {
			t.Errorf("%q: %v, status %d, want %q", path, got, w.Code, want)
		}
	})
}

// A query is refused, or says which part of the store it means: pages one after the other tell every key of it once.
func FuzzRangeQuery(f *testing.F) {
	for _, q := range []string{
		"", "prefix=a&limit=2", "lower=a&upper=c&reverse", "prefix=61&encoding=hex", "cursor=AWE&lower=b", "cursor=AWE&reverse&upper=a", "key_regex=^a&where=n>1", "limit=1&keys_only", "a;b", "prefix=%zz", "upper=",
	} {
		f.Add(q)
	}
	db, err := tinykv.Open(f.TempDir(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	for _, k := range []string{"", "a", "aa", "ab", "b", "c", "\xff", "\xff\xff"} {
		if err := db.Put([]byte(k), []byte(`{"n":2}`)); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/v1/range", RawQuery: text}, Header: http.Header{}}
		q, err := queryOf(r, rangeNames()...)
		if err != nil {
			mustBeKnown(t, err)
			return
		}
		rq, err := rangeQueryOf(&q)
		if err != nil {
			mustBeKnown(t, err)
			return
		}
		whole := rq
		whole.limit = maxRangeKeys
		all, err := whole.read(r, db)
		if err != nil {
			mustBeKnown(t, err)
			return
		}
		one := rq
		one.limit = 1
		var joined []byte
		for range 20 {
			p, err := one.read(r, db)
			if err != nil {
				t.Fatal(err)
			}
			if part := bytes.Trim(p.items, "[]"); len(part) > 0 {
				joined = append(append(joined, ','), part...)
			}
			if p.next == "" {
				break
			}
			q.Set("cursor", p.next)
			if err := one.goOn(&q); err != nil {
				t.Fatal(err)
			}
		}
		if got := "[" + string(bytes.TrimPrefix(joined, []byte(","))) + "]"; got != string(all.items) {
			t.Errorf("%q: page by page %s\nat once %s", text, got, all.items)
		}
	})
}

func mustBeKnown(t *testing.T, err error) {
	t.Helper()
	if p := problemOf(err); p.status >= 500 {
		t.Errorf("%v is told as %d", err, p.status)
	}
}

// The JSON of a batch is refused, or means the same when it is written again: nothing in it was replaced on the way.
func FuzzOperations(f *testing.F) {
	for _, body := range []string{
		`{"ops":[{"op":"put","key":"a","value":"b","ttl":"1h"}]}`, `{"ops":[{"op":"get","key_hex":"ff"},{"op":"delete","key":"\ud83d\ude00"}]}`,
		`{"ops":[{"op":"put","key":"\ud800","value":""}]}`, "{\"ops\":[{\"op\":\"get\",\"key\":\"\xff\"}]}", `{"ops":[[[[[[[[[`, `{"ops":[{"op":"get","key":"\\ud800"}]}`, `{"ops":null} `, `{"OPS":[]}`,
	} {
		f.Add([]byte(body))
	}
	type batch struct {
		Ops []operation `json:"ops"`
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in batch
		err := decodeJSON(body, &in)
		if err == nil {
			err = checkOps("ops", in.Ops)
		}
		if err != nil {
			mustBeKnown(t, err)
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is no JSON", body)
		}
		if name := twice(body); name != "" {
			t.Fatalf("%q has %s twice", body, name)
		}
		for _, o := range in.Ops {
			if o.Key != nil && (!utf8.ValidString(*o.Key) || bytes.Contains(o.key, []byte("\ufffd")) && !mayHoldReplacement(body)) {
				t.Errorf("%q: key %q", body, o.key)
			}
		}
	})
}

// twice returns a name that stands twice in an object, if there is one.
func twice(body []byte) string {
	var all map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil {
		for _, element := range list {
			if name := twice(element); name != "" {
				return name
			}
		}
		return ""
	}
	if json.Unmarshal(body, &all) != nil {
		return ""
	}
	d, n := json.NewDecoder(bytes.NewReader(body)), 0
	for _, _ = d.Token(); d.More(); n++ {
		var value json.RawMessage
		_, _ = d.Token()
		_ = d.Decode(&value)
		if name := twice(value); name != "" {
			return name
		}
	}
	if n != len(all) {
		return string(body)
	}
	return ""
}

// mayHoldReplacement tells whether the replacement character is in a text, as it is or escaped.
func mayHoldReplacement(body []byte) bool {
	lower := bytes.ToLower(body)
	return bytes.Contains(body, []byte("\ufffd")) || bytes.Contains(lower, []byte(`\ufffd`))
}
