package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/tinykv/tinykv/server/classroom"
)

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// operations are the methods and paths of a document.
func operations(doc *openapi3.T) (all []string) {
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			all = append(all, method+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

func TestOpenAPI_DocumentsEveryRouteAndNoOther(t *testing.T) {
	s := newSite(t, &Options{Motion: true, Events: NewEventLog(), Pprof: true})
	s.s.opts.Classroom = &classroom.Room{} // for its routes alone
	served := []string{
		"GET /v1/ws",                                                   // is none of those that answer once
		"HEAD /v1/keys/{key}", "HEAD /v1/transactions/{id}/keys/{key}", // every GET is one; of these it tells something
	}
	for _, rt := range slices.Concat(s.s.routes(), s.s.classroomRoutes(), s.s.profileRoutes()) {
		served = append(served, rt.method+" "+strings.ReplaceAll(rt.path, "...", ""))
	}
	slices.Sort(served)
	documented := operations(document(t))
	for _, o := range served {
		if !slices.Contains(documented, o) {
			t.Errorf("%s is not documented", o)
		}
	}
	for _, o := range documented {
		if !slices.Contains(served, o) {
			t.Errorf("%s is documented, and not there", o)
		}
	}
}

// Every documented operation is asked for, and request and answer are held against the document: those that are done, and those that
// are refused.
func TestOpenAPI_HoldsOfRequestsAndAnswers(t *testing.T) {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", decodeLines)
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	defer openapi3filter.UnregisterBodyDecoder("application/x-ndjson")
	defer openapi3filter.UnregisterBodyDecoder("text/event-stream")
	doc := document(t)
	s := &replay{newSite(t, &Options{Motion: true, Events: NewEventLog(), Pprof: true, MaxBody: 1 << 20}), doc, map[string]bool{}}
	s.keys()
	s.ranges()
	s.batches()
	s.transactions()
	s.numbers()
	s.upkeep()
	s.transfers()
	unasked := []string{ // which tests of their own ask for
		"GET /v1/ws", "GET /v1/classroom", "POST /v1/classroom/plug",
	}
	for _, o := range operations(doc) {
		if s.asked[o] == slices.Contains(unasked, o) {
			t.Errorf("%s was asked for and done: %v", o, s.asked[o])
		}
	}
}

// decodeLines is for lines of JSON, each of which must be as the schema says. It returns the last.
func decodeLines(in io.Reader, _ http.Header, schema *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (last any, err error) {
	if schema.Value.Type.Is("string") {
		text, err := io.ReadAll(in)
		return string(text), err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			return nil, err
		}
		if err := schema.Value.VisitJSON(last); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// replay sends requests and holds them against a document.
type replay struct {
	*site
	doc   *openapi3.T
	asked map[string]bool // operations that were done
}

// find returns what is documented for a request, with the parameters in its path.
func (s *replay) find(r *http.Request) (*routers.Route, map[string]string) {
	parts := strings.Split(r.URL.Path, "/")
	for path, item := range s.doc.Paths.Map() {
		params, names := map[string]string{}, strings.Split(path, "/")
		fits := len(names) == len(parts) && item.GetOperation(r.Method) != nil
		for i := 0; fits && i < len(names); i++ {
			if name, ok := strings.CutPrefix(names[i], "{"); ok {
				params[strings.TrimSuffix(name, "}")] = parts[i]
			} else {
				fits = names[i] == parts[i]
			}
		}
		if fits {
			return &routers.Route{Spec: s.doc, Path: path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)}, params
		}
	}
	return nil, nil
}

// ask sends a request and wants a status. The request must be as documented, unless it is to be refused as wrong, and so must the answer.
func (s *replay) ask(want int, method, path, body string, headers ...string) *reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == "PUT" {
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	var all []string
	for name, values := range r.Header {
		all = append(all, name+": "+values[0])
	}
	route, params := s.find(r)
	if route == nil {
		s.t.Errorf("%s %s is not documented", method, path)
		return s.send(method, path, body, all...)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(s.t.Context(), in); err != nil && want != 400 && want != 415 {
		s.t.Errorf("%s %s is not as documented: %v", method, path, err)
	}
	got := s.send(method, path, body, all...)
	if got.status != want {
		s.t.Errorf("%s %s: %d %s, want %d", method, path, got.status, got.body, want)
	}
	if want < 400 {
		s.asked[route.Method+" "+route.Path] = true
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: got.status, Header: got.header, Options: in.Options}
	if method != "HEAD" {
		out.Body = io.NopCloser(bytes.NewBufferString(got.body))
		if err := openapi3filter.ValidateResponse(s.t.Context(), out); err != nil {
			s.t.Errorf("the answer to %s %s is not as documented: %v\n%s", method, path, err, got.body)
		}
	}
	return got
}

func (s *replay) keys() {
	s.ask(204, "PUT", "/v1/keys/a?ttl=1h&sync=true", "1")
	s.ask(204, "PUT", "/v1/keys/a?expires_at=2100-01-01T00:00:00Z&bucket=x", "1")
	s.ask(204, "PUT", "/v1/keys/ff00?encoding=hex", "\xff\xfe")
	s.ask(204, "PUT", "/v1/keys/b", "2", "If-None-Match: *")
	s.ask(412, "PUT", "/v1/keys/b", "2", "If-None-Match: *")
	s.ask(412, "PUT", "/v1/keys/b", "2", `If-Match: "999"`)
	s.ask(413, "PUT", "/v1/keys/b", strings.Repeat("x", 1<<20+1))
	s.ask(400, "PUT", "/v1/keys/b?ttl=x", "2")
	s.ask(200, "GET", "/v1/keys/a", "")
	s.ask(200, "GET", "/v1/keys/a", "", "Accept: application/json")
	tag := s.ask(200, "GET", "/v1/keys/ff00?encoding=hex", "", "Accept: application/json").header.Get("ETag")
	s.ask(304, "GET", "/v1/keys/ff00?encoding=hex", "", "If-None-Match: "+tag)
	s.ask(404, "GET", "/v1/keys/none", "")
	s.ask(400, "GET", "/v1/keys/none?x=y", "")
	s.ask(200, "HEAD", "/v1/keys/a", "")
	s.ask(204, "DELETE", "/v1/keys/b?sync=false", "")
	s.ask(412, "DELETE", "/v1/keys/b", "", "If-Match: *")
	s.ask(200, "GET", "/v1/explain/a", "")
	s.ask(200, "GET", "/v1/explain/ff00?encoding=hex", "")
	s.ask(200, "GET", "/v1/explain/none", "")
}

func (s *replay) ranges() {
	s.ask(204, "PUT", "/v1/keys/json", `{"n":1}`)
	s.ask(200, "GET", "/v1/range", "")
	s.ask(200, "GET", "/v1/range?limit=1&reverse=true&keys_only=true", "")
	s.ask(200, "GET", "/v1/range?prefix=j&key_contains=s&key_regex=^j&value_contains=n&where=n%3D1", "")
	s.ask(200, "GET", "/v1/range?lower=00&upper=ff&encoding=hex&cursor=AWE", "")
	s.ask(400, "GET", "/v1/range?limit=0", "")
	s.ask(400, "GET", "/v1/range?cursor=!", "")
	s.ask(200, "GET", "/v1/count?prefix=a", "")
	s.ask(200, "GET", "/v1/size", "")
	s.ask(400, "DELETE", "/v1/range", "")
	s.ask(204, "DELETE", "/v1/range?prefix=zz&sync=true", "")
	s.ask(204, "DELETE", "/v1/range?all=true&bucket=x", "")
}

func (s *replay) batches() {
	s.ask(200, "POST", "/v1/batch?sync=true", `{"ops":[{"op":"put","key":"a","value":"1","ttl":"1h"},{"op":"put","key_hex":"ff","value_hex":"fe","bucket":"x"},{"op":"get","key":"a"},{"op":"get","key":"none"},{"op":"delete","key":"a"}]}`)
	s.ask(400, "POST", "/v1/batch", `{"ops":[{"op":"swap","key":"a"}]}`)
	s.ask(415, "POST", "/v1/batch", `{"ops":[]}`, "Content-Type: text/plain")
	s.ask(413, "POST", "/v1/batch", `{"ops":[`+strings.Repeat(" ", 1<<20)+`]}`)
	s.ask(200, "POST", "/v1/txn", `{"compare":[{"key":"a","absent":true},{"key_hex":"ff","value_hex":"fe","bucket":"x"}],"then":[{"op":"get","key":"a"}],"else":[]}`)
	s.ask(400, "POST", "/v1/txn", `{"compare":[{"key":"a"}]}`)
}

func (s *replay) transactions() {
	begin := func() string {
		var b struct{ ID string }
		if err := json.Unmarshal([]byte(s.ask(200, "POST", "/v1/transactions", `{"writable":true}`).body), &b); err != nil {
			s.t.Fatal(err)
		}
		return "/v1/transactions/" + b.ID
	}
	tx := begin()
	s.ask(404, "GET", tx+"/keys/t", "")
	s.ask(204, "PUT", tx+"/keys/t?ttl=1h", "1")
	s.ask(200, "GET", tx+"/keys/t", "", "Accept: application/json")
	s.ask(200, "GET", tx+"/keys/t", "")
	s.ask(200, "HEAD", tx+"/keys/t", "")
	s.ask(200, "GET", tx+"/range?limit=10", "")
	s.ask(204, "DELETE", tx+"/keys/t", "")
	s.ask(412, "DELETE", tx+"/keys/t", "", "If-Match: *")
	s.ask(200, "POST", tx+"/commit?sync=true", "")
	s.ask(404, "POST", tx+"/commit", "")
	tx = begin()
	s.ask(404, "GET", tx+"/keys/u", "")
	s.ask(204, "PUT", tx+"/keys/t", "1")
	s.ask(204, "PUT", "/v1/keys/u", "1")
	s.ask(409, "POST", tx+"/commit", "")
	s.ask(204, "DELETE", begin(), "")
	s.ask(404, "DELETE", tx, "")
	s.ask(415, "POST", "/v1/transactions", `{}`, "Content-Type: text/plain")
}

func (s *replay) numbers() {
	for _, path := range []string{"/healthz", "/openapi.json", "/metrics", "/v1/stats", "/v1/levels", "/v1/layout", "/v1/buckets", "/v1/info", "/debug/pprof/heap?debug=1"} {
		s.ask(200, "GET", path, "")
	}
	s.ask(400, "GET", "/v1/info?x", "")
	s.ask(204, "DELETE", "/v1/buckets/x", "")
	s.ask(404, "DELETE", "/v1/buckets/x", "")
	s.ask(204, "PUT", "/v1/motion?slow_ms=1", "")
	s.ask(204, "PUT", "/v1/motion", "")
}

func (s *replay) upkeep() {
	for _, path := range []string{"/v1/flush", "/v1/sync", "/v1/resume"} {
		s.ask(204, "POST", path, "")
	}
	s.ask(200, "POST", "/v1/verify", "")
	s.ask(200, "POST", "/v1/compact?prefix=a", "")
	s.ask(400, "POST", "/v1/compact?x", "")
	for range cap(s.s.jobs) {
		s.s.jobs <- struct{}{}
	}
	s.ask(429, "POST", "/v1/verify", "")
	for range cap(s.s.jobs) {
		<-s.s.jobs
	}
	s.ask(400, "POST", "/v1/clear", `{}`)
	s.ask(204, "POST", "/v1/clear?bucket=x", `{"confirm":"clear"}`)
}

func (s *replay) transfers() {
	s.ask(200, "POST", "/v1/import", `[{"key":"i","value":"1"}]`)
	s.ask(200, "POST", "/v1/import?format=csv&key=user/%7Bid%7D&dry_run=true", "id,name\n1,fig\n", "Content-Type: text/csv")
	s.ask(200, "POST", "/v1/import?on_conflict=skip", "{\"key\":\"i\",\"value\":\"1\"}\n", "Content-Type: application/x-ndjson")
	s.ask(409, "POST", "/v1/import?on_conflict=fail", `[{"key":"i","value":"1"}]`)
	s.ask(400, "POST", "/v1/import", `[{"key":7}]`)
	s.ask(415, "POST", "/v1/import", `x`, "Content-Type: text/plain")
	s.ask(200, "GET", "/v1/imports", "")
	s.ask(200, "GET", "/v1/export", "")
	s.ask(200, "GET", "/v1/export?format=json&seq=true", "")
	s.ask(200, "GET", "/v1/export?format=csv&keys_only=true&prefix=i", "")
	s.ask(200, "GET", "/v1/export?all_buckets=true", "")
	s.ask(400, "GET", "/v1/export?all_buckets=true&format=csv", "")
	s.ask(200, "POST", "/v1/import?all_buckets=true", `[{"bucket":"all","key":"i","value":"1"}]`)
	s.ask(400, "GET", "/v1/export?format=xml", "")
	s.watch()
}

// watch asks for a watch that the server ends.
func (s *replay) watch() {
	s.send("PUT", "/v1/keys/w", "1").want(204, "")
	since := s.send("PUT", "/v1/keys/w", "2").header.Get("ETag")
	s.db.Close() // ends it, after the changes that there are
	for _, accept := range []string{"*/*", "text/event-stream"} {
		s.ask(200, "GET", fmt.Sprintf("/v1/watch?since=%s", strings.Trim(since, `"`)), "", "Accept: "+accept)
	}
}
