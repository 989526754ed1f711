package server

import (
	"cmp"
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// conns are the connections. When there are as many as there may be, a new one takes the place of that whose peer is waited for longest: for a
// request, for the rest of one, or to take an answer. When no peer is waited for, it takes the place of the stream that has told nothing for longest.
// So those who hold connections, whatever the way, keep nobody out. Each has a moment, in which it keeps its place; new ones wait for that in
// the queue of the operating system.
type conns struct {
	most int

	mu      sync.Mutex
	all     map[*conn]struct{}
	waiting *list.List // of *conn whose peers are waited for, the longest first
	streams *list.List // of *conn of the others that go on for as long as their peers like
	evicted uint64
	refused uint64 // because all are being answered
}

// conn is one of them.
type conn struct {
	net.Conn
	of *conns

	// Guarded by of.mu.
	busy    bool          // a request is being answered
	blocked int           // how often the peer is waited for meanwhile
	stream  bool          // that answer goes on for as long as the peer likes
	list    *list.List    // which of the lists it is in; nil: none
	place   *list.Element // in list
	since   time.Time     // when it came to that place
}

func newConns(most int) *conns {
	return &conns{most: most, all: map[*conn]struct{}{}, waiting: list.New(), streams: list.New()}
}

// boundedListener accepts connections that there is room for.
type boundedListener struct {
	net.Listener
	conns *conns
}

// Accept returns the next connection that there is room for.
func (l boundedListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, of: l.conns}
		if l.conns.admit(c) {
			return c, nil
		}
		_ = accepted.Close()
	}
}

// admit adds a connection as soon as there is a place, and is false when there is none.
func (cs *conns) admit(c *conn) bool {
	for {
		out, wait, ok := cs.add(c, time.Now())
		if out != nil {
			_ = out.Close()
		}
		if ok || wait == 0 {
			return ok
		}
		<-time.After(wait)
	}
}

// moment is how long a connection keeps its place, whoever comes.
const moment = 250 * time.Millisecond

// add adds a connection, if need be in the place of one that is to be closed. Where the one that has waited longest has not for long, it is to
// be tried again after a time.
func (cs *conns) add(c *conn, now time.Time) (out *conn, wait time.Duration, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.all) >= cs.most {
		oldest := cmp.Or(cs.waiting.Front(), cs.streams.Front())
		if oldest == nil {
			cs.refused++
			return nil, 0, false
		}
		out = oldest.Value.(*conn)
		if wait := moment - now.Sub(out.since); wait > 0 {
			return nil, wait, false
		}
		cs.removeLocked(out)
		cs.evicted++
	}
	cs.all[c] = struct{}{}
	cs.moveLocked(c, cs.waiting, now)
	return out, 0, true
}

// moveLocked puts a connection behind all others in a list, or in none, unless it is there.
func (cs *conns) moveLocked(c *conn, to *list.List, now time.Time) {
	if c.list == to {
		return
	}
	if c.list != nil {
		c.list.Remove(c.place)
	}
	if c.list = to; to != nil {
		c.place, c.since = to.PushBack(c), now
	}
}

func (cs *conns) removeLocked(c *conn) {
	delete(cs.all, c)
	cs.moveLocked(c, nil, time.Time{})
}

// Close gives up the place, too.
func (c *conn) Close() error {
	c.of.mu.Lock()
	c.of.removeLocked(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// answering keeps a connection in its place, but for when it waits for its peer, until the function that is returned is called.
func (c *conn) answering() (end func()) {
	c.change(func() { c.busy = true })
	return func() { c.change(func() { c.busy = false }) }
}

// Write waits for the peer, too: for one that does not read.
func (c *conn) Write(p []byte) (int, error) {
	defer c.waits()()
	return c.Conn.Write(p)
}

// waits notes that a peer is waited for, until the function that is returned is called.
func (c *conn) waits() (end func()) {
	c.change(func() { c.blocked++ })
	return func() { c.change(func() { c.blocked-- }) }
}

// streams notes that what is being answered goes on for as long as the peer likes, until the function that is returned is called.
func (c *conn) streams() (end func()) {
	c.change(func() { c.stream = true })
	return func() { c.change(func() { c.stream = false }) }
}

// change changes what a connection does, and so for whom it makes room.
func (c *conn) change(do func()) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	do()
	if _, ok := c.of.all[c]; !ok {
		return
	}
	var to *list.List
	switch {
	case !c.busy || c.blocked > 0:
		to = c.of.waiting
	case c.stream:
		to = c.of.streams
	}
	c.of.moveLocked(c, to, time.Now())
}

// awaitedBody is the body of a request, while the peer of which is waited for.
type awaitedBody struct {
	io.ReadCloser
	conn *conn
}

func (b awaitedBody) Read(p []byte) (int, error) {
	defer b.conn.waits()()
	return b.ReadCloser.Read(p)
}

// counts returns how many there are, and how many were closed for others, or not let in.
func (cs *conns) counts() (now int, evicted, refused uint64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.all), cs.evicted, cs.refused
}

// connKey is where the context of a request holds its connection.
type connKey struct{}

// keepConn is http.Server.ConnContext.
func keepConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // of TLS
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request, if it is one of those that are bounded.
func connOf(r *http.Request) (c *conn, ok bool) {
	c, ok = r.Context().Value(connKey{}).(*conn)
	return c, ok
}

// streaming notes that the answer to a request goes on for as long as the peer likes, until the function that is returned is called.
func streaming(r *http.Request) (end func()) {
	if c, ok := connOf(r); ok {
		return c.streams()
	}
	return func() {}
}

// answeringConn keeps the connection of a request in its place. The request to go on with is another one:
// package http looks at the body of its own.
func answeringConn(r *http.Request) (to *http.Request, end func()) {
	c, ok := connOf(r)
	if !ok {
		return r, func() {}
	}
	if r.Body != nil && r.Body != http.NoBody {
		other := *r
		other.Body = awaitedBody{r.Body, c}
		r = &other
	}
	return r, c.answering()
}
