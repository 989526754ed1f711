package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
)

const (
	readSecret  = "read-0123456789abcdef"
	writeSecret = "write-0123456789abcdef"
	adminSecret = "admin-0123456789abcdef"
)

func someTokens() []Token {
	return []Token{{readSecret, ScopeRead}, {writeSecret, ScopeWrite}, {adminSecret, ScopeAdmin}}
}

func bearer(secret string) string { return "Authorization: Bearer " + secret }

func TestGuard_LetsInRequestsOfItsOwnPagesAlone(t *testing.T) {
	s := newSite(t, &Options{AllowHosts: []string{"kv.example.com", "Other.Example.com:8080"}, AllowOrigins: []string{"https://admin.example.com"}})
	_, port, err := net.SplitHostPort(s.at.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	here := "127.0.0.1:" + port
	for _, c := range []struct {
		method, headers string
		ok              bool
	}{
		{"GET", "", true},
		{"PUT", "", true},
		{"GET", "Host: localhost", true},
		{"GET", "Host: LOCALHOST:1234", true},
		{"GET", "Host: localhost.", true},
		{"GET", "Host: [::1]:8080", true},
		{"GET", "Host: 127.0.0.2", true},
		{"GET", "Host: kv.example.com", true},
		{"GET", "Host: kv.example.com:8080", true},
		{"GET", "Host: other.example.com", true},
		{"GET", "Host: evil.example.com", false},
		{"GET", "Host: localhost.evil.example.com", false},
		{"GET", "Host: kv.example.com.evil.example.com", false},
		{"GET", "Host: 10.0.0.1", false},
		{"GET", "Host: 127.0.0.1.evil.example.com:80", false},
		{"PUT", "Host: evil.example.com", false},

		{"GET", "Origin: http://" + here, true},
		{"PUT", "Origin: http://" + here, true},
		{"PUT", "Origin: https://" + here, true}, // by a proxy
		{"PUT", "Origin: ftp://" + here, false},
		{"PUT", "Origin: http://127.0.0.1:1", false},
		{"PUT", "Origin: http://localhost:" + port, false},
		{"PUT", "Origin: null", false},
		{"PUT", "Origin: http://evil.example.com", false},
		{"GET", "Origin: http://evil.example.com", false},
		{"PUT", "Origin: https://admin.example.com", true},
		{"PUT", "Origin: http://admin.example.com", false},
		{"PUT", "Origin: https://admin.example.com.evil.example.com", false},

		{"PUT", "Sec-Fetch-Site: same-origin", true},
		{"PUT", "Sec-Fetch-Site: none", true},
		{"PUT", "Sec-Fetch-Site: cross-site", false},
		{"PUT", "Sec-Fetch-Site: same-site", false},
		{"DELETE", "Sec-Fetch-Site: cross-site", false},
		{"GET", "Sec-Fetch-Site: cross-site", true}, // a link to the page; its answer is shown to nobody else
	} {
		var headers []string
		if c.headers != "" {
			headers = []string{c.headers}
		}
		for _, path := range []string{"/v1/keys/guard", "/v1/ws"} {
			if c.method != "GET" && path == "/v1/ws" {
				continue
			}
			got := s.send(c.method, path, "x", headers...)
			if forbidden := got.status == 403; forbidden == c.ok {
				t.Errorf("%s %s with %q: %d %s", c.method, path, c.headers, got.status, got.body)
			}
			if !c.ok {
				got.wantError(403, "forbidden")
			}
		}
	}
}

func TestGuard_APageWithoutTLSIsAStrangerToAServerWithIt(t *testing.T) {
	s := newSite(t, nil)
	for origin, ok := range map[string]bool{"https://kv.example.com": true, "http://kv.example.com": false} {
		r := httptest.NewRequest("GET", "https://kv.example.com/", nil)
		r.Header.Set("Origin", origin)
		if s.s.isOrigin(r) != ok {
			t.Errorf("%s: want %v", origin, ok)
		}
	}
}

func TestGuard_AnswersTellBrowsersToKeepThemToThemselves(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a", "<script>alert(1)</script>").want(204, "")
	for _, path := range []string{"/v1/keys/a", "/v1/nothing", "/v1/range?x", "/healthz", "/metrics"} {
		h := s.get(path).header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if !strings.Contains(h.Get(name), want) {
				t.Errorf("%s: %s: %q", path, name, h.Get(name))
			}
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// Files of the page are no secret, and are sent anew when there is another version.
func TestPage_IsSentOnce(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/", "/app.js", "/views/play.js"} {
		first := s.get(path)
		first.want(200, "")
		tag := first.header.Get("ETag")
		if tag == "" || first.header.Get("Cache-Control") != "no-cache" || !strings.Contains(first.header.Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("%s: %v", path, first.header)
		}
		s.send("GET", path, "", "If-None-Match: "+tag).want(304, "")
		s.send("GET", path, "", `If-None-Match: "another"`).want(200, "")
	}
}

func TestToken_IsAskedForAndAllowsWhatItsScopeSays(t *testing.T) {
	s := newSite(t, &Options{Tokens: someTokens()})
	requests := []struct {
		scope              Scope
		method, path, body string
	}{
		{ScopeRead, "GET", "/v1/keys/a", ""},
		{ScopeRead, "GET", "/v1/range", ""},
		{ScopeRead, "GET", "/metrics", ""},
		{ScopeRead, "GET", "/v1/info", ""},
		{ScopeRead, "POST", "/v1/transactions", `{}`},
		{ScopeWrite, "POST", "/v1/transactions", `{"writable":true}`},
		{ScopeWrite, "PUT", "/v1/keys/a", "1"},
		{ScopeWrite, "POST", "/v1/batch", `{"ops":[]}`},
		{ScopeWrite, "DELETE", "/v1/range?all", ""},
		{ScopeAdmin, "POST", "/v1/flush", ""},
		{ScopeAdmin, "POST", "/v1/clear", `{}`},
		{ScopeAdmin, "DELETE", "/v1/buckets/x", ""},
	}
	for _, c := range requests {
		for _, token := range someTokens() {
			got := s.send(c.method, c.path, c.body, bearer(token.Secret))
			if allowed := got.status != 403; allowed != (token.Scope >= c.scope) {
				t.Errorf("%s %s with scope %d: %d %s", c.method, c.path, token.Scope, got.status, got.body)
			}
		}
		if h := s.send(c.method, c.path, c.body).wantError(401, "unauthorized").header; h.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("WWW-Authenticate: %q", h.Get("WWW-Authenticate"))
		}
	}
	for _, path := range []string{"/", "/healthz", "/openapi.json"} {
		s.get(path).want(200, "")
	}
	for _, wrong := range []string{"Bearer ", "Bearer " + readSecret + "x", "bearer " + readSecret[:20], "Basic " + readSecret, readSecret} {
		s.get("/v1/range", "Authorization: "+wrong).wantError(401, "unauthorized")
	}
	s.get("/v1/range", "Authorization: bearer "+readSecret).want(200, "")
	s.get("/v1/range?token="+readSecret).wantError(401, "unauthorized")
	if n := s.s.tokens.failures.Load(); n != 3 {
		t.Errorf("%d wrong tokens were counted", n)
	}
}

func TestToken_WrongOnesWaitButNotAllOfThem(t *testing.T) {
	s := newSite(t, &Options{Tokens: someTokens()})
	for range maxPenalties {
		s.s.tokens.waiting <- struct{}{}
	}
	s.get("/v1/range", bearer("wrong-wrong-wrong")).wantError(429, "too_many")
	s.get("/v1/range", bearer(readSecret)).want(200, "")
}

func TestTransaction_OfAnotherTokenIsNotFound(t *testing.T) {
	s := newSite(t, &Options{Tokens: someTokens()})
	tx := s.begin(`{"writable":true}`, bearer(writeSecret))
	s.send("PUT", tx+"/keys/a", "x", bearer(writeSecret)).want(204, "")
	s.get(tx+"/keys/a", bearer(writeSecret)).want(200, "x")
	s.get(tx+"/keys/a", bearer(adminSecret)).wantError(404, "not_found")
	s.send("DELETE", tx, "", bearer(adminSecret)).wantError(404, "not_found")
}

func TestReadOnly_RefusesWhatChangesAnything(t *testing.T) {
	s := newSite(t, &Options{ReadOnly: true})
	for _, rt := range s.s.routes() {
		if rt.path == "/v1/watch" || rt.path == "/v1/ws" { // goes on
			continue
		}
		path := strings.NewReplacer("{key...}", "a", "{id}", "x").Replace(rt.path)
		got := s.send(rt.method, path, "{}")
		if refused := got.status == 403; refused != (rt.scope > ScopeRead) {
			t.Errorf("%s %s: %d %s", rt.method, path, got.status, got.body)
		}
	}
}

func TestStore_ThatIsReadOnlySaysSo(t *testing.T) {
	dir := t.TempDir()
	db, err := tinykv.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Put([]byte("a"), []byte("1")), db.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err = tinykv.Open(dir, &tinykv.Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, db, nil)
	s.get("/v1/keys/a").want(200, "1")
	s.send("PUT", "/v1/keys/a", "2").wantError(403, "read_only")
	s.send("POST", "/v1/transactions", `{"writable":true}`).wantError(403, "read_only")
	db.Close()
	s.get("/v1/keys/a").wantError(503, "closed")
	s.get("/healthz").wantError(503, "closed")
}

func TestOptions_ThatCannotBeAreRefused(t *testing.T) {
	db, err := tinykv.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, o := range map[string]*Options{
		"a negative limit":         {MaxBody: -1},
		"a negative time":          {RequestTimeout: -1},
		"a short token":            {Tokens: []Token{{"short", ScopeRead}}},
		"a token without a scope":  {Tokens: []Token{{Secret: readSecret}}},
		"a certificate alone":      {CertFile: "x"},
		"a key alone":              {KeyFile: "x"},
		"an origin with a path":    {AllowOrigins: []string{"https://example.com/x"}},
		"an origin with no scheme": {AllowOrigins: []string{"example.com"}},
	} {
		if _, err := New(db, o); !errors.Is(err, tinykv.ErrInvalidOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProfiles_AreThereForThoseWhoAskedForThem(t *testing.T) {
	newSite(t, nil).get("/debug/pprof/").want(404, "")
	s := newSite(t, &Options{Pprof: true, Tokens: someTokens()})
	s.get("/debug/pprof/").wantError(401, "unauthorized")
	s.get("/debug/pprof/", bearer(writeSecret)).wantError(403, "forbidden")
	s.get("/debug/pprof/", bearer(adminSecret)).want(200, "")
	s.get("/debug/pprof/heap", bearer(adminSecret)).want(200, "")
	s.get("/debug/pprof/cmdline", bearer(adminSecret)).wantError(404, "not_found")
	s.get("/debug/pprof/profile?seconds=9999", bearer(adminSecret)).wantError(400, "bad_request")
}

func TestErrors_TellNothingOfFilesOrValues(t *testing.T) {
	secret := "/home/somebody/secret-place/000001.sst"
	for _, err := range []error{
		fmt.Errorf("open %s: %w", secret, tinykv.ErrFailed),
		&tinykv.CorruptionError{File: secret, What: "block"},
		fmt.Errorf("read %s: input/output error", secret),
		fmt.Errorf("put %s: %w", secret, tinykv.ErrInvalidOption),
		fmt.Errorf("put %s: %w", secret, tinykv.ErrKeyTooLarge),
	} {
		if p := problemOf(err); strings.Contains(p.Message, "secret") || p.Code == "" || p.status < 400 || p.status > 599 || http.StatusText(p.status) == "" {
			t.Errorf("%v is told as %d %s %q", err, p.status, p.Code, p.Message)
		}
	}
}
