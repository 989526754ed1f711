//go:build !js

package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tinykv/tinykv/internal/tally"
)

// vanishing are requests of peers that go in the middle of them.
func vanishing() []string {
	const host = " HTTP/1.1\r\nHost: localhost\r\n"
	body := func(at, typ, text string) string {
		return fmt.Sprintf("POST %s%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", at, host, typ, len(text)+9, text) // never whole
	}
	return []string{
		"GET /v1/watch" + host + "\r\n", "GET /v1/watch" + host + "Accept: text/event-stream\r\n\r\n", "GET /v1/export" + host + "\r\n", "GET /v1/export?format=csv" + host + "\r\n",
		"POST /v1/verify" + host + "\r\n", "POST /v1/compact" + host + "\r\n", "POST /v1/flush" + host + "\r\n", "GET /v1/keys/large" + host + "\r\n", "GET /v1/range?limit=10000" + host + "\r\n",
		body("/v1/import?on_conflict=skip", "text/csv", "key,value\na,1\nb,2\n"), body("/v1/import?dry_run", "application/x-ndjson", `{"key":"a","value":"b"}`), body("/v1/batch", "application/json", `{"ops":[`),
		"PUT /v1/keys/half" + host + "Content-Length: 100\r\n\r\nabc", "PUT /v1/keys/chunks" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "GET /v1/ke", "GET /v1/count" + host + "\r\n",
		"POST /v1/transactions" + host + "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"writable\":true}",
		"GET /v1/range?where=a.b%3D1" + host + "\r\nGET /healthz" + host + "\r\n", "PUT /v1/keys/whole" + host + "Content-Length: 3\r\n\r\nabc",
	}
}

// vanish sends a request, reads a part of the answer perhaps, and goes: in an orderly way, or at once.
func vanish(addr string, rnd *rand.Rand, all []string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return // the server has stopped
	}
	defer c.Close()
	if rnd.IntN(2) == 0 {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	_, _ = io.WriteString(c, all[rnd.IntN(len(all))])
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, _ = io.CopyN(io.Discard, c, rnd.Int64N(1<<(1+rnd.IntN(20))))
}

// vanishFromWebSocket is vanish for one that has begun several things.
func vanishFromWebSocket(t *testing.T, addr string, rnd *rand.Rand) {
	conn, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/v1/ws", nil)
	if err != nil {
		return
	}
	for range 1 + rnd.IntN(5) {
		say := []string{`"watch"`, `"metrics","every_ms":100`, `"layout"`, `"shell","line":"begin"`, `"shell","line":"scan"`, `"shell","line":"put from-a-shell 1"`, `"complete","line":"get "`, `"stop","what":1`}[rnd.IntN(8)]
		_ = conn.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"id":%d,"do":%s}`, rnd.IntN(4), say))
	}
	if rnd.IntN(2) == 0 {
		_, _, _ = conn.Read(t.Context())
	}
	_ = conn.CloseNow()
}

// crowd has peers come and vanish, each so many times.
func crowd(t *testing.T, addr string, times int) *sync.WaitGroup {
	var all sync.WaitGroup
	requests := vanishing()
	for i := range 16 {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), uint64(times)))
			for range times {
				if rnd.IntN(4) == 0 {
					vanishFromWebSocket(t, addr, rnd)
				} else {
					vanish(addr, rnd, requests)
				}
			}
		})
	}
	return &all
}

// wantNothingLeft waits until nothing of what peers began is there any more.
func (s *served) wantNothingLeft() {
	s.t.Helper()
	for {
		if err := s.health(); err != nil {
			s.t.Fatal(err)
		}
		n := s.numbers()
		if n.Answering+n.Watches+n.Jobs+n.Transactions+len(s.exports)+len(s.tokens.waiting) == 0 && n.MemoryBytes == 0 && s.db.Metrics().Snapshots+s.db.Metrics().Iterators == 0 {
			return
		}
		if s.t.Context().Err() != nil {
			s.t.Fatalf("left: %+v", n)
		}
	}
}

func TestServe_PeersThatVanishLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s := serveSite(t, Options{TransactionLease: 100 * time.Millisecond, DrainTimeout: time.Second})
	if err := s.db.Put([]byte("large"), []byte(strings.Repeat("x", 4<<20))); err != nil {
		t.Fatal(err)
	}
	crowd(t, s.addr, tally.Pick(5, 30, 1000)).Wait()
	s.wantNothingLeft()
	all := crowd(t, s.addr, 15) // and while the server stops
	s.end()
	if err := s.db.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	for runtime.NumGoroutine() > before {
		if t.Context().Err() != nil {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		runtime.Gosched()
	}
}
