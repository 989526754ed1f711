//go:build !js

package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server/classroom"
)

// The test program is the child, too, as far as its process goes: it says that it is ready and lives until its parent lets it go.
func TestClassroom_Child(t *testing.T) {
	if os.Getenv("TINYKV_TEST_CHILD") == "" {
		return
	}
	_ = json.NewEncoder(os.Stdout).Encode(classroom.Ready{})
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// newRoom returns a classroom, and the server that answers for its child.
func newRoom(t *testing.T) (*classroom.Room, *served) {
	t.Helper()
	dir, err := os.MkdirTemp("", "room-") // short: the path of a socket has at most some hundred bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	child := serveSite(t, Options{Socket: socket})
	room, err := classroom.Open(t.Context(), classroom.Options{Socket: socket, Command: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestClassroom_Child$")
		cmd.Env = append(os.Environ(), "TINYKV_TEST_CHILD=1")
		return cmd
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Close() })
	return room, child
}

func newClassroom(t *testing.T) (*site, *served) {
	t.Helper()
	room, child := newRoom(t)
	return newSite(t, &Options{Classroom: room}), child
}

func TestClassroom_HasTheKeysOfItsStoreWhateverTheyHold(t *testing.T) {
	s, child := newClassroom(t)
	for path, key := range map[string]string{
		"/classroom/v1/keys/a": "a", "/classroom/v1/keys/a//b": "a//b", "/classroom/v1/keys/a/../b": "a/../b", "/classroom/v1/keys/..": "..", "/classroom/v1/keys/": "",
		"/classroom/v1/keys/%2F%2e%2E": "/..", "/classroom/v1/keys/%00%FF?x=1": "-", "/classroom/v1/keys/2e2e?encoding=hex": "..", "/classroom/v1/keys/%252F": "%2F",
	} {
		if key == "-" {
			s.send("PUT", path, "x").wantError(400, "bad_request")
			continue
		}
		s.send("PUT", path, "value of "+path).want(204, "")
		if value, err := child.db.Get([]byte(key)); err != nil || string(value) != "value of "+path {
			t.Errorf("%s: key %q has %q, %v", path, key, value, err)
		}
		s.get(path).want(200, "value of "+path)
	}
	if n, err := s.db.Count(t.Context(), tinykv.Range{}); n > 0 || err != nil {
		t.Errorf("%d keys came to the store beside it, %v", n, err)
	}
}

// What is behind /classroom is the child's, however it is written.
func TestClassroom_LeadsNowhereElse(t *testing.T) {
	s, child := newClassroom(t)
	if err := s.db.Put([]byte("secret"), []byte("of the parent")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/classroom/%2e%2e/v1/keys/secret", "/classroom/..%2fv1/keys/secret", "/classroom/%2e%2e%2fv1%2fkeys%2fsecret", "/classroom%2f..%2fv1/keys/secret",
		"/classroom/v1/%2e%2e/%2e%2e/v1/keys/secret", "/classroom/classroom/v1/keys/secret", "/classroom/v1/classroom", "/classroom/%2fv1/keys/secret", "/classroom/http://localhost/v1/keys/secret",
	} {
		if got := s.get(path); got.status == 200 && got.header.Get("ETag") != "" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	for _, header := range []string{"Origin: http://evil.example.com", "Host: evil.example.com", "Sec-Fetch-Site: cross-site"} {
		s.send("PUT", "/classroom/v1/keys/a", "x", header).wantError(403, "forbidden")
	}
	s.send("PUT", "/classroom/v1/keys/a", "x", "Connection: Origin, Content-Length, Host", "X-Forwarded-Host: evil", "Forwarded: host=evil").want(204, "")
	if value, err := child.db.Get([]byte("a")); err != nil || string(value) != "x" {
		t.Errorf("%q, %v", value, err)
	}
}

// Whoever pulls the plug and goes does not leave the child down.
func TestClassroom_StartsAgainWhenWhoPulledThePlugHasGone(t *testing.T) {
	s, _ := newClassroom(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", "http://localhost/v1/classroom/plug", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.s.ServeHTTP(discard{http.Header{}}, r)
	if st := s.s.opts.Classroom.Status(); st.State != "running" || st.Starts != 2 {
		t.Errorf("%+v", st)
	}
}

// discard takes an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// A WebSocket through the classroom makes room as one of the server does.
func TestClassroom_WebSocketsLeadToTheChildAndMakeRoom(t *testing.T) {
	room, child := newRoom(t)
	const most = 4
	s := serveSite(t, Options{Classroom: room, MaxConnections: most})
	at := "http://" + s.addr
	if _, err := dialWS(t, at+"/classroom", http.Header{"Origin": {"http://evil.example.com"}}); err == nil {
		t.Error("the page of a stranger was let in")
	}
	var last *talk
	for range most {
		k, err := dialWS(t, at+"/classroom", http.Header{"Origin": {at}})
		if err != nil {
			t.Fatal(err)
		}
		k.say(`{"id":1,"do":"watch"}`)
		k.want("done", 1, nil)
		last = k
	}
	if err := s.health(); err != nil {
		t.Error(err)
	}
	if err := child.db.Put([]byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	last.want("change", 1, nil)
	_ = last.conn.CloseNow()
}
