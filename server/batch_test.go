package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
)

func TestBatch_DoesAllAtOneInstant(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/old", "1").want(204, "")
	s.send("POST", "/v1/batch", `{"ops":[
		{"op":"put","key":"a","value":"1"},
		{"op":"put","key_hex":"ff","value_hex":"fe","ttl":"1h"},
		{"op":"get","key":"a"},
		{"op":"get","key":"none"},
		{"op":"delete","key":"old"},
		{"op":"get","key":"old"},
		{"op":"put","key":"x","value":"","bucket":"b"},
		{"op":"get","key":"x","bucket":"b"}]}`).want(200, `{"results":[{"ok":true},{"ok":true},`+
		`{"ok":true,"found":true,"key":"a","value":"1"},{"ok":true,"found":false,"key":"none"},{"ok":true},{"ok":true,"found":false,"key":"old"},`+
		`{"ok":true},{"ok":true,"found":true,"key":"x","value":""}]}`)
	s.get("/v1/keys/a").want(200, "1")
	s.get("/v1/keys/ff?encoding=hex").want(200, "\xfe")
	s.get("/v1/keys/x?bucket=b").want(200, "")
	s.send("POST", "/v1/batch?bucket=c&sync=true", `{"ops":[{"op":"put","key":"a","value":"in c"}]}`).want(200, `{"results":[{"ok":true}]}`)
	s.get("/v1/keys/a?bucket=c").want(200, "in c")
	s.send("POST", "/v1/batch", `{"ops":[]}`).want(200, `{"results":[]}`)
}

func TestBatch_ThatIsWrongDoesNothing(t *testing.T) {
	s := newSite(t, nil)
	good := `{"op":"put","key":"a","value":"1"},`
	for _, bad := range []string{
		`{"op":"swap","key":"a"}`, `{"op":"put","key":"a"}`, `{"op":"put","value":"a"}`, `{"op":"get","key":"a","value":"b"}`, `{"op":"put","key":"a","key_hex":"61","value":""}`,
		`{"op":"put","key":"a","value":"b","ttl":"-1s"}`, `{"op":"put","key":"a","value":"b","ttl":"1s","expires_at":"2030-01-01T00:00:00Z"}`,
		`{"op":"put","key":"a","value":"b","expires_at":"0001-01-01T00:00:00Z"}`, `{"op":"delete","key":"a","ttl":"1s"}`,
		`{"op":"get","key":"a","bucket":""}`, `{"op":"put","key_hex":"6","value":""}`, `{"op":"put","key":"a","value":"b","expires_at":"0001-01-01T00:00:00Z","sync":true}`, `{"op":"merge","key":"a","value":"b"}`,
		`{"op":7,"key":"a"}`, `{"op":"put","key":"a","key":"b","value":""}`, `{"op":"put","key":"a","\u006bey":"b","value":""}`, `{"op":"put","key":"a","Key":"b","value":""}`, `{"op":"put","key":"a","value":"","valeu":""}`, `{"op":"put","key":"\ud800","value":""}`, `{"op":"put","key":"\udc00\ud800","value":""}`, `{"op":"put","key":"a\udfffb","value":""}`, `{"op":"put","key":"\ud800\u0041","value":""}`, "{\"op\":\"put\",\"key\":\"\xff\",\"value\":\"\"}", `null`, `[]`,
	} {
		s.send("POST", "/v1/batch", `{"ops":[`+good+bad+`]}`).wantError(400, "bad_request")
	}
	for _, bad := range []string{``, `{`, `}},`, `]]"a"`, `[]`, `{"op":[]}`, `{"ops":[]} x`, `{"ops":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, `"`, `{"ops":[]}{}`} {
		s.send("POST", "/v1/batch", bad).wantError(400, "bad_request")
	}
	s.send("POST", "/v1/batch", `{"ops":[`+strings.Repeat(good, maxOps)+`{"op":"get","key":"a"}]}`).wantError(413, "too_large")
	s.send("POST", "/v1/batch", `{"ops":[]}`, "Content-Type: text/plain").wantError(415, "unsupported_media_type")
	s.get("/v1/count").want(200, `{"count":0}`)
}

func TestJSON_IsNestedSoDeepAndNoDeeper(t *testing.T) {
	for depth, ok := range map[int]bool{1: true, maxNesting: true, maxNesting + 1: false, 1 << 20: false} {
		var v any
		err := decodeJSON([]byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)), &v)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "nested") {
			t.Errorf("%d deep: %v", depth, err)
		}
	}
	for parts, ok := range map[int]bool{maxParts: true, maxParts + 1: false} {
		var v any
		if err := decodeJSON([]byte("[0"+strings.Repeat(",0", parts)+"]"), &v); (err == nil) != ok || !ok && problemOf(err).status != 413 {
			t.Errorf("%d parts: %v", parts, err)
		}
	}
	var v any
	if err := decodeJSON([]byte(`["[[[[[[[[[[[[\"[[[[[[["]`), &v); err != nil {
		t.Errorf("brackets in text: %v", err)
	}
}

func TestJSON_SaysWhichOperationDoesNotFit(t *testing.T) {
	s := newSite(t, nil)
	for body, want := range map[string]string{
		`{"ops":[{"op":"get","key":"a"},{"op":"get","key":"a","vlaue":"b"}]}`: `ops[1]: the field \"vlaue\" is not known here`,
		`{"ops":[{"op":7}]}`:                                                `ops[0]: op cannot be of the kind number`,
		`{"ops":[{"op":"get","key":"a"},[]]}`:                               `ops[1]: it cannot be of the kind array`,
		`{"ops":[{"op":"put","key":"a","value":"","expires_at":"soon"}]}`:   `ops[0]: a time is written as 2030-01-02T03:04:05Z`,
		`{"ops":[{"op":"merge","key":"a","value":""}]}`:                     `ops[0]: the store has no merge operator`,
		`{"ops":[{"op":"get","key":"a"},{"op":"get","key":"a","key":"b"}]}`: `"ops[1]: the field \"key\" is given twice"`,
		`{"ops":[],"OPS":[]}`:                                               `"the field \"OPS\" is given twice"`,
		`{"opps":[]}`:                                                       `the field \"opps\" is not known here`,
		`{"ops":`:                                                           `it ends too early`,
		`{` + names(33) + `}`:                                               `more than 32 fields`,
		`{"ops":[{"op":"\"}]}`:                                              `no JSON`,
	} {
		if got := s.send("POST", "/v1/batch", body); got.status != 400 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d, %s; want %s", body, got.status, got.body, want)
		}
	}
	s.send("POST", "/v1/txn", `{}`).wantError(400, "bad_request")
	s.send("POST", "/v1/txn", `{"compare":[{"key":"a","absent":true,"sqe":1}]}`).wantError(400, "bad_request")
}

// names are so many members of an object.
func names(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"n%d":{"n0":0}`, i))
	}
	return strings.Join(all, ",")
}

func TestBatch_WhatItReadsIsBounded(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a", strings.Repeat("x", 1<<20)).want(204, "")
	gets := strings.Repeat(`{"op":"get","key":"a"},`, 9)
	s.send("POST", "/v1/batch", `{"ops":[{"op":"put","key":"b","value":"1"},`+gets+`{"op":"get","key":"a"}]}`).wantError(413, "too_large")
	s.get("/v1/keys/b").wantError(404, "not_found")
}

func TestBatch_Merges(t *testing.T) {
	db, err := tinykv.Open(t.TempDir(), &tinykv.Options{MergeOperator: tinykv.MergeAppend})
	if err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, db, nil)
	s.send("POST", "/v1/batch", `{"ops":[{"op":"merge","key":"a","value":"x"},{"op":"merge","key":"a","value":"y"},{"op":"get","key":"a"}]}`).want(200, `{"results":[{"ok":true},{"ok":true},{"ok":true,"found":true,"key":"a","value":"xy"}]}`)
}

func TestTxn_DoesOneOfTwoListsAsComparisonsHold(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a", "1").want(204, "")
	for _, c := range []struct {
		compare string
		holds   bool
	}{
		{``, true},
		{`{"key":"a","seq":1}`, true},
		{`{"key":"a","seq":2}`, false},
		{`{"key":"a","value":"1"}`, true},
		{`{"key":"a","value_hex":"31"}`, true},
		{`{"key":"a","value":"2"}`, false},
		{`{"key":"a","absent":true}`, false},
		{`{"key":"a","absent":false}`, true},
		{`{"key":"b","absent":true}`, true},
		{`{"key":"b","value":""}`, false},
		{`{"key":"b","seq":0}`, false},
		{`{"key":"a","absent":true,"bucket":"x"}`, true},
		{`{"key":"a","value":"1"},{"key":"b","absent":false}`, false},
	} {
		want := "then"
		if !c.holds {
			want = "else"
		}
		s.send("POST", "/v1/txn", `{"compare":[`+c.compare+`],"then":[{"op":"get","key":"then"}],"else":[{"op":"get","key":"else"}]}`).
			want(200, fmt.Sprintf(`{"succeeded":%v,"results":[{"ok":true,"found":false,"key":%q}]}`, c.holds, want))
	}
	for _, bad := range []string{`{"key":"a"}`, `{"key":"a","seq":1,"absent":true}`, `{"seq":1}`, `{"key":"a","seq":-1}`, `{"key":"a","seq":1e30}`} {
		s.send("POST", "/v1/txn", `{"compare":[`+bad+`]}`).wantError(400, "bad_request")
	}
}
