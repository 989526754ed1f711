package server

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// keysOf returns the keys of a range, by as many answers as it takes.
func (s *site) keysOf(query string) (keys []string, answers int) {
	s.t.Helper()
	cursor := ""
	for {
		var p struct {
			Items []item `json:"items"`
			Next  string `json:"next"`
		}
		if err := json.Unmarshal([]byte(s.get("/v1/range?"+query+cursor).want(200, "").body), &p); err != nil {
			s.t.Fatal(err)
		}
		answers++
		for _, i := range p.Items {
			key, err := untext("key", i.Key, i.KeyHex)
			if err != nil {
				s.t.Fatal(err)
			}
			keys = append(keys, string(key))
		}
		if p.Next == "" {
			return keys, answers
		}
		cursor = "&cursor=" + p.Next
	}
}

func TestRange_IsToldPageByPage(t *testing.T) {
	s := newSite(t, nil)
	var all []string
	for _, k := range []string{"", "\x00", "a", "a/1", "a/2", "b", "\xff", "\xff\xff"} {
		s.send("PUT", "/v1/keys/"+url.PathEscape(k), "v").want(204, "")
		all = append(all, k)
	}
	back := slices.Clone(all)
	slices.Reverse(back)
	for limit := range 9 {
		query := fmt.Sprintf("limit=%d", limit+1)
		if got, _ := s.keysOf(query); !slices.Equal(got, all) {
			t.Errorf("%s: %q", query, got)
		}
		if got, _ := s.keysOf(query + "&reverse"); !slices.Equal(got, back) {
			t.Errorf("%s backwards: %q", query, got)
		}
	}
	for query, want := range map[string][]string{
		"prefix=a": all[2:5], "prefix=ff&encoding=hex": all[6:], "lower=a/1&upper=b": all[3:5], "lower=%ff": all[6:],
		"upper=": {}, "prefix=": all, "prefix=a&limit=1": all[2:5], "key_contains=/": all[3:5], "key_regex=^./2$": all[4:5],
	} {
		if got, _ := s.keysOf(query); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	s.get("/v1/range?prefix=a/&keys_only").want(200, `{"items":[{"key":"a/1","seq":4},{"key":"a/2","seq":5}],"scanned":2}`)
	s.get("/v1/count?prefix=a").want(200, `{"count":3}`)
	s.get("/v1/count").want(200, `{"count":8}`)
}

func TestRange_AnswersAreBounded(t *testing.T) {
	s := newSite(t, nil)
	for i := range 5 {
		s.send("PUT", fmt.Sprintf("/v1/keys/%d", i), strings.Repeat("x", 3<<20)).want(204, "")
	}
	if keys, answers := s.keysOf("limit=100"); len(keys) != 5 || answers != 3 {
		t.Errorf("%d keys in %d answers", len(keys), answers)
	}
	if err := s.db.Put([]byte("9"), make([]byte, maxRangeBytes+1)); err != nil {
		t.Fatal(err)
	}
	s.get("/v1/range?prefix=9").want(200, fmt.Sprintf(`{"items":[{"key":"9","seq":6,"value_bytes":%d}],"scanned":1}`, maxRangeBytes+1))
}

func TestRange_WhatFiltersPassOverIsBounded(t *testing.T) {
	s := newSite(t, nil)
	b := s.db.NewBatch()
	for i := range maxScannedKeys + 5 {
		if err := b.Put(fmt.Appendf(nil, "n%06d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxScannedBytes>>20 + 5 {
		if err := b.Put(fmt.Appendf(nil, "v%03d", i), make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Apply(b); err != nil {
		t.Fatal(err)
	}
	for prefix, most := range map[string]int{"n": maxScannedKeys, "v": maxScannedBytes >> 20} {
		var p struct {
			Items   []item
			Next    string
			Scanned int
		}
		query := "prefix=" + prefix + "&value_contains=x"
		if err := json.Unmarshal([]byte(s.get("/v1/range?"+query).want(200, "").body), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Items) > 0 || p.Next == "" || p.Scanned > most {
			t.Errorf("%s: %d items, %d looked at, next %q", query, len(p.Items), p.Scanned, p.Next)
		}
		if keys, answers := s.keysOf(query); len(keys) > 0 || answers != 2 {
			t.Errorf("%s: %d keys in %d answers", query, len(keys), answers)
		}
	}
}

// Filters may be slow: a request whose time comes to its end answers with a cursor, so that the next one gets further.
func TestRange_WithFiltersGoesOnInTheNextAnswerWhenTimeIsShort(t *testing.T) {
	s := newSite(t, nil)
	for _, k := range []string{"a", "b"} {
		s.send("PUT", "/v1/keys/"+k, "v").want(204, "")
	}
	for query, scanned := range map[string]int{"key_contains=z": 1, "": 2} {
		r := httptest.NewRequest("GET", "/v1/range?"+query, nil)
		q, err := queryOf(r, rangeNames()...)
		if err != nil {
			t.Fatal(err)
		}
		rq, err := rangeQueryOf(&q)
		if err != nil {
			t.Fatal(err)
		}
		rq.until = time.Now()
		if p, err := rq.read(r, s.db); err != nil || p.scanned != scanned || (p.next == "") != (scanned == 2) {
			t.Errorf("%q: %+v, %v", query, p, err)
		}
	}
}

// An expression is short, and yet so large that a single key takes minutes.
func TestRange_TakesNoExpressionThatIsLargerThanItLooks(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/abc/def", "v").want(204, "")
	for pattern, status := range map[string]int{
		strings.Repeat("(a*){999}", 100): 400, "(a{30}){30}(b{30}){30}": 400, "((((x?){9}){9}){9}){1}": 400, strings.Repeat("x", maxPatternBytes-99): 200,
		`^(\w+/){1,3}[a-z\p{Greek}]{2,64}$`: 200, `^[^/]{0,200}/(def|ghi)?$`: 200, "a{2,}": 200,
	} {
		if got := s.get("/v1/range?key_regex=" + url.QueryEscape(pattern)); got.status != status {
			t.Errorf("%.40s: %d %s", pattern, got.status, got.body)
		}
	}
}

func TestRange_RefusesWhatItDoesNotUnderstand(t *testing.T) {
	s := newSite(t, nil)
	for _, bad := range []string{
		"preffix=a", "prefix=a&prefix=b", "prefix=a&lower=b", "limit=0", "limit=-1", "limit=10001", "limit=x", "limit=99999999999999999999", "reverse=maybe",
		"lower=b&upper=a", "prefix=1&encoding=hex", "prefix=xx&encoding=hex", "encoding=base64", "cursor=!", "key_regex=(", "key_regex=" + strings.Repeat("x", 2000), "a;b", "prefix=%zz",
	} {
		s.get("/v1/range?"+bad).wantError(400, "bad_request")
	}
}

func TestRange_IsDeletedWhenItIsNamed(t *testing.T) {
	s := newSite(t, nil)
	for _, k := range []string{"a", "b", "c", "d"} {
		s.send("PUT", "/v1/keys/"+k, "v").want(204, "")
	}
	for _, bad := range []string{"", "?all=false", "?all=true&prefix=a", "?prefx=a", "?lower=c&upper=b", "?prefix=", "?lower=", "?prefix=&encoding=hex", "?bucket=x&prefix="} {
		s.send("DELETE", "/v1/range"+bad, "").wantError(400, "bad_request")
	}
	s.send("DELETE", "/v1/range?lower=b&upper=d", "").want(204, "")
	s.get("/v1/count").want(200, `{"count":2}`)
	s.send("DELETE", "/v1/range?all=true&sync=true", "").want(204, "")
	s.get("/v1/count").want(200, `{"count":0}`)
}

func TestMetrics_TellOfTheServerToo(t *testing.T) {
	s := newSite(t, nil)
	s.get("/v1/keys/none").want(404, "")
	s.begin(`{}`)
	got := s.get("/metrics").want(200, "").body
	for _, line := range []string{"tinykv_last_sequence 0", "tinykv_server_requests_total 3", "tinykv_server_errors_total 1", "tinykv_server_transactions 1", "# TYPE tinykv_server_answering gauge"} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("%s is not in %s", line, got)
		}
	}
}

func TestAddresses_ThatAreWrongSaySo(t *testing.T) {
	s := newSite(t, nil)
	s.get("/v1/nothing").wantError(404, "not_found")
	s.get("/v1/keys").wantError(404, "not_found")
	if got := s.send("PATCH", "/v1/keys/a", "").wantError(405, "method_not_allowed").header.Get("Allow"); got != "GET, HEAD, PUT, DELETE" {
		t.Errorf("Allow: %s", got)
	}
	if got := s.send("POST", "/v1/ws", "").wantError(405, "method_not_allowed").header.Get("Allow"); got != "GET" {
		t.Errorf("Allow: %s", got)
	}
	s.send("POST", "/", "").wantError(405, "method_not_allowed")
	s.get("/").want(200, "")
	s.get("/healthz").want(200, "ok")
	for _, path := range []string{"/metrics", "/v1/stats", "/v1/levels", "/v1/explain/a", "/v1/info", "/openapi.json"} {
		s.get(path).want(200, "")
	}
}
