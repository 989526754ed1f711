//go:build !js

package server

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestConns_StreamsMakeRoomWhenNobodyIsWaitedFor(t *testing.T) {
	cs := newConns(3)
	later := time.Now().Add(time.Hour) // everybody has had a moment
	open := func() *conn {
		c := &conn{Conn: &fakeConn{}, of: cs}
		later = later.Add(time.Second)
		if out, _, _ := cs.add(c, later); out != nil {
			out.Close()
		}
		return c
	}
	watch, other, waiting := open(), open(), open()
	for _, c := range []*conn{watch, other} {
		c.answering()
	}
	watch.streams()
	gone := func(c *conn) bool { return c.Conn.(*fakeConn).closed }
	last := open()
	if !gone(waiting) || gone(watch) {
		t.Fatal("who is waited for makes room before a stream does")
	}
	last.answering()
	endWait := watch.waits()
	endWait()
	if open(); !gone(watch) || gone(other) || gone(last) {
		t.Error("a stream makes room before a request that is being answered does")
	}
	if _, evicted, refused := cs.counts(); evicted != 2 || refused != 0 {
		t.Errorf("%d made room, %d were refused", evicted, refused)
	}
}

// fill takes all places by WebSockets that say something.
func (s *served) fill(n int, say string) (all []*talk) {
	s.t.Helper()
	for range n {
		k, err := dialWS(s.t, "http://"+s.addr, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if say != "" {
			k.say(say)
			k.want("done", 1, nil)
		}
		all = append(all, k)
	}
	return all
}

// Those who have not shown a token can hold nobody out, nor can those who said something once.
func TestServe_WhileWebSocketsHoldAllPlacesOthersAreServed(t *testing.T) {
	const most = 8
	for say, tokens := range map[string][]Token{"": someTokens(), `{"id":1,"do":"stop"}`: nil, `{"id":1,"do":"metrics"}`: nil, `{"id":1,"do":"watch"}`: nil} {
		s := serveSite(t, Options{MaxConnections: most, Tokens: tokens})
		all := s.fill(most, say)
		if err := s.health(); err != nil {
			t.Errorf("who says %q: %v", say, err)
		}
		if _, evicted, refused := s.conns.counts(); evicted == 0 || refused > 0 {
			t.Errorf("who says %q: %d made room, %d were refused", say, evicted, refused)
		}
		for _, k := range all {
			_ = k.conn.CloseNow()
		}
		s.end()
	}
}

func TestServe_AWatchStaysWhileOthersAreWaitedFor(t *testing.T) {
	const most = 8
	s := serveSite(t, Options{MaxConnections: most})
	watching := s.dial("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	watch, err := http.ReadResponse(bufio.NewReader(watching), nil)
	if err != nil {
		t.Fatal(err)
	}
	k := s.fill(1, `{"id":1,"do":"watch"}`)[0]
	s.fill(2*most, "")
	if err := s.db.Put([]byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	k.want("change", 1, nil)
	if lines := bufio.NewScanner(watch.Body); !lines.Scan() || !strings.Contains(lines.Text(), `"key":"a"`) {
		t.Errorf("the watch ended: %v", lines.Err())
	}
}

func TestWebSocket_SaysLittleBeforeItsToken(t *testing.T) {
	s := newSite(t, &Options{Tokens: someTokens()})
	for size, want := range map[int]websocket.StatusCode{8 << 10: websocket.StatusPolicyViolation, 64 << 10: websocket.StatusMessageTooBig} {
		k, err := dialWS(t, s.at.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.say(fmt.Sprintf(`{"id":1,"do":"metrics","line":"%s"}`, strings.Repeat("x", size)))
		if code := k.closed(); code != want {
			t.Errorf("%d bytes: closed with %v, want %v", size, code, want)
		}
	}
}
