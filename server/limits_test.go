package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

// A peer that does not do its part is cut off, by its own time. What it is told, if anything, comes first.
func TestLimits_OfTimeCutOffWhoIsSlow(t *testing.T) {
	short := 100 * time.Millisecond
	s := serveSite(t, Options{HeaderTimeout: short, IdleTimeout: short, RequestTimeout: short})
	large := strings.Repeat("x", 4<<20)
	if err := s.db.Put([]byte("large"), []byte(large)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ sent, told string }{
		"says nothing":           {"", ""},
		"says half a header":     {"GET / HTTP/1.1\r\nHost: loc", ""},
		"sends half a body":      {"PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc", "503"},
		"sends half a chunk":     {"PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", "503"},
		"sends half an import":   {"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "503"},
		"waits between requests": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"},
	} {
		conn := s.dial(c.sent)
		text, err := io.ReadAll(conn) // until it is cut off
		if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("who %s: %v", name, err)
		}
		if !strings.Contains(firstLine(text), c.told) || c.told == "" && len(text) > 0 {
			t.Errorf("who %s is told %q, want %q", name, text, c.told)
		}
	}
	if _, err := s.db.Get([]byte("a")); err == nil {
		t.Error("half a value was written")
	}
	for _, path := range []string{"/v1/keys/large", "/v1/range", "/v1/export"} {
		conn := s.dial("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		s.untilIdle() // nothing is read meanwhile
	}
}

// What goes on for longer than a request may take is not cut off, as long as its peer does its part.
func TestLimits_OfTimeLetStreamsGoOn(t *testing.T) {
	s := serveSite(t, Options{RequestTimeout: 100 * time.Millisecond})
	watching := s.dial("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	watch, err := http.ReadResponse(bufio.NewReader(watching), nil)
	if err != nil {
		t.Fatal(err)
	}
	slow := s.dial("PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
	if _, err := http.ReadResponse(bufio.NewReader(slow), nil); err != nil { // comes when the time is over
		t.Fatal(err)
	}
	for i := range 3 {
		if err := s.db.Put([]byte{'a' + byte(i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for lines := bufio.NewScanner(watch.Body); ; {
		if !lines.Scan() {
			t.Fatalf("the watch ended: %v", lines.Err())
		}
		if strings.Contains(lines.Text(), `"key":"c"`) {
			return
		}
	}
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\r\n"))
	return string(line)
}

// untilIdle waits until no request is being answered.
func (s *served) untilIdle() {
	s.t.Helper()
	for err := s.health(); err != nil; err = s.health() { // on a busy machine this one, too, may be cut off for being slow
		if s.t.Context().Err() != nil {
			s.t.Fatal(err)
		}
	}
	s.running.wait(s.t.Context())
}

func TestLimits_OfSizeRefuseWhatIsTooLarge(t *testing.T) {
	s := serveSite(t, Options{})
	const head = " HTTP/1.1\r\nHost: localhost\r\n"
	for name, c := range map[string]struct {
		sent string
		want int
	}{
		"a header of 32 KiB":           {"GET /healthz" + head + "X: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", 431},
		"an address of 32 KiB":         {"GET /v1/keys/" + strings.Repeat("x", 32<<10) + head + "\r\n", 431},
		"a body of 2^40 bytes":         {"PUT /v1/keys/a" + head + "Content-Length: 1099511627776\r\n\r\n", 413},
		"a body of 2^63 bytes":         {"PUT /v1/keys/a" + head + "Content-Length: 9223372036854775808\r\n\r\n", 400},
		"a body of -1 bytes":           {"PUT /v1/keys/a" + head + "Content-Length: -1\r\n\r\n", 400},
		"two lengths":                  {"PUT /v1/keys/a" + head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"a chunk of no size":           {"PUT /v1/keys/a" + head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
		"a batch of 2^40 bytes":        {"POST /v1/batch" + head + "Content-Type: application/json\r\nContent-Length: 1099511627776\r\n\r\n", 413},
		"no host":                      {"GET /healthz HTTP/1.1\r\n\r\n", 400},
		"an older protocol, no host":   {"GET /v1/range HTTP/1.0\r\n\r\n", 403},
		"two hosts":                    {"GET /healthz" + head + "Host: localhost\r\n\r\n", 400},
		"another protocol":             {"*1\r\n$4\r\nPING\r\n", 400},
		"an address that climbs":       {"GET /../../etc/passwd" + head + "\r\n", 307},
		"an address that climbs, told": {"GET /%2e%2e/%2e%2e/etc/passwd" + head + "\r\n", 404},
	} {
		conn := s.dial(c.sent)
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r.Body.Close()
		if r.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", name, r.Status, c.want)
		}
		conn.Close()
	}
	if err := s.health(); err != nil {
		t.Error(err)
	}
}

func TestLimits_OfMemoryRefuseTheLargeAndNotTheSmall(t *testing.T) {
	s := newSite(t, &Options{MaxMemory: 1 << 20})
	s.send("PUT", "/v1/keys/large", strings.Repeat("x", 100<<10)).want(204, "")
	s.s.memory.used.Add(1 << 20) // as if others used it all
	s.send("PUT", "/v1/keys/large", strings.Repeat("y", 100<<10)).wantError(503, "too_many")
	s.get("/v1/range").wantError(503, "too_many")
	s.send("POST", "/v1/batch", `{"ops":[{"op":"get","key":"large"}]}`).wantError(503, "too_many")
	s.send("PUT", "/v1/keys/small", "y").want(204, "")
	s.get("/v1/range?prefix=small").want(200, "")
	s.get("/v1/keys/large").want(200, "") // goes out piece by piece
	s.s.memory.used.Add(-1 << 20)
	s.get("/v1/range").want(200, "")
	if n := s.s.memory.used.Load(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
}

// fakeConn is a connection that can be closed.
type fakeConn struct {
	net.Conn
	closed bool
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

func TestConns_TheOneThatWaitedLongestMakesRoom(t *testing.T) {
	cs := newConns(3)
	var all []*conn
	later := time.Now().Add(time.Hour) // everybody has had a moment
	open := func() bool {
		c := &conn{Conn: &fakeConn{}, of: cs}
		all = append(all, c)
		out, wait, ok := cs.add(c, later)
		if out != nil {
			out.Close()
		}
		later = later.Add(time.Second)
		return ok && wait == 0
	}
	closed := func() (text string) {
		for i, c := range all {
			if c.Conn.(*fakeConn).closed {
				text += fmt.Sprint(i)
			}
		}
		return text
	}
	open()
	open()
	open()
	end0 := all[0].answering()
	if !open() || closed() != "1" {
		t.Errorf("closed: %s, want the oldest of those that wait, 1", closed())
	}
	end0()
	if !open() || closed() != "12" {
		t.Errorf("closed: %s; who has just been answered waits least", closed())
	}
	for _, i := range []int{0, 3, 4} {
		all[i].answering()
	}
	if open() || closed() != "12" {
		t.Errorf("closed: %s, though all are being answered", closed())
	}
	all[0].Close()
	if !open() {
		t.Error("no room after one has gone")
	}
	if _, wait, ok := cs.add(&conn{Conn: &fakeConn{}, of: cs}, later.Add(-time.Second+time.Millisecond)); ok || wait != moment-time.Millisecond {
		t.Errorf("%v, %v; who has just come may stay for a moment", wait, ok)
	}
	if cs.evicted != 2 || cs.refused != 1 || len(cs.all) != 3 {
		t.Errorf("%d made room, %d refused, %d open", cs.evicted, cs.refused, len(cs.all))
	}
	all[1].Close() // again
	all[4].Close()
	all[4].waits()()
	if n := len(cs.all); n != 2 {
		t.Errorf("%d open", n)
	}
}

// Those whose peers send or take nothing make room as well, though they are being answered.
func TestServe_WhileAllAnswersWaitForTheirPeersOthersAreServed(t *testing.T) {
	s := serveSite(t, Options{MaxConnections: 20, DrainTimeout: 50 * time.Millisecond})
	if err := s.db.Put([]byte("large"), bytes.Repeat([]byte("x"), 16<<20)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for i := range 20 {
			s.dial([]string{
				"GET /v1/keys/large HTTP/1.1\r\nHost: localhost\r\n\r\n",
				"PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
			}[i%2])
		}
		if err := s.health(); err != nil {
			t.Error(err)
		}
	}
	if _, evicted, refused := s.conns.counts(); evicted < 40 || refused > 0 {
		t.Errorf("%d made room, %d were refused", evicted, refused)
	}
}

// A thousand connections that say nothing or half of something, and some that do not read what they asked for, keep nobody out.
func TestServe_WhileManyHoldConnectionsOthersAreServed(t *testing.T) {
	s := serveSite(t, Options{MaxConnections: 300, DrainTimeout: 50 * time.Millisecond})
	if err := s.db.Put([]byte("large"), bytes.Repeat([]byte("x"), 6<<20)); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		s.dial("GET /v1/" + []string{"keys/large", "range"}[i%2] + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	s.untilAnswering(10)
	var all sync.WaitGroup
	for i := range 1000 {
		s.dial([]string{"", "GET / HT", "PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nContent-"}[i%3])
		if i%10 == 0 {
			all.Go(func() {
				if err := s.health(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	for i := range 100 {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", fmt.Sprintf("http://%s/v1/keys/%d", s.addr, i), strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 204 {
			t.Fatal(r.Status)
		}
	}
	_, evicted, _ := s.conns.counts()
	tally.Row{
		ID: "A25", Suite: "connections that hold and do not ask", Load: "100 health checks meanwhile, and 100 writes behind them, all answered; room for 300 connections",
		Faults: 1050, Unit: "half-open connections and slow readers", Counts: []tally.Count{{Name: "made room for others", N: int64(evicted)}},
		Replay: "go test -run TestServe_WhileMany ./server",
	}.Record(t)
	if evicted == 0 {
		t.Error("nobody had to make room")
	}
	if n := s.memory.used.Load(); n > s.memory.most {
		t.Errorf("%d bytes in use, of %d", n, s.memory.most)
	}
}
