package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
)

// site is a server over a new store.
type site struct {
	t  *testing.T
	db *tinykv.DB
	s  *Server
	at *httptest.Server
}

func newSite(t *testing.T, opts *Options) *site {
	t.Helper()
	db, err := tinykv.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return siteOf(t, db, opts)
}

func siteOf(t *testing.T, db *tinykv.DB, opts *Options) *site {
	t.Helper()
	t.Cleanup(func() { db.Close() })
	s, err := New(db, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	at := httptest.NewServer(s)
	t.Cleanup(at.Close)
	return &site{t: t, db: db, s: s, at: at}
}

// reply is an answer that has been read.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// send sends a request; headers are "Name: value".
func (s *site) send(method, path, body string, headers ...string) *reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.at.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	got, err := s.at.Client().Transport.RoundTrip(r) // follows nothing
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &reply{s.t, got.StatusCode, got.Header, string(text)}
}

func (s *site) get(path string, headers ...string) *reply {
	s.t.Helper()
	return s.send("GET", path, "", headers...)
}

// want checks status and body; an empty body is not looked at.
func (r *reply) want(status int, body string) *reply {
	r.t.Helper()
	if r.status != status || body != "" && strings.TrimSpace(r.body) != body {
		r.t.Errorf("%d %s\nwant %d %s", r.status, r.body, status, body)
	}
	return r
}

// wantError checks status and code of an error, and its form.
func (r *reply) wantError(status int, code string) *reply {
	r.t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || e.Error.Message == "" {
		r.t.Errorf("%d %q is no error in the usual form", r.status, r.body)
	}
	if r.status != status || e.Error.Code != code {
		r.t.Errorf("%d %s\nwant %d %s", r.status, r.body, status, code)
	}
	return r
}
