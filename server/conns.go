package server

import (
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// conns are the connections. When there are as many as there may be, a new one takes the place of that whose peer is waited for longest: for a
// request, for the rest of one, or to take an answer. So those who hold connections, whatever the way, keep nobody out. Each has a moment,
// in which it keeps its place; new ones wait for that in the queue of the operating system.
type conns struct {
	most int

	mu      sync.Mutex
	all     map[*conn]struct{}
	waiting *list.List // of *conn, the longest first; without those that are being answered and whose peers are not waited for
	evicted uint64
	refused uint64 // because none waited
}

// conn is one of them.
type conn struct {
	net.Conn
	of *conns

	// Guarded by of.mu.
	busy    bool          // a request is being answered
	blocked int           // how often the peer is waited for meanwhile
	place   *list.Element // in waiting, or nil
	since   time.Time     // when it came to that place
}

func newConns(most int) *conns {
	return &conns{most: most, all: map[*conn]struct{}{}, waiting: list.New()}
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
		oldest := cs.waiting.Front()
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
	cs.waitLocked(c, now)
	return out, 0, true
}

// waitLocked puts a connection behind all that wait for a request.
func (cs *conns) waitLocked(c *conn, now time.Time) {
	c.place, c.since = cs.waiting.PushBack(c), now
}

func (cs *conns) removeLocked(c *conn) {
	delete(cs.all, c)
	if c.place != nil {
		cs.waiting.Remove(c.place)
		c.place = nil
	}
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

// change changes what a connection does, and so whether it is among those that wait.
func (c *conn) change(do func()) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	do()
	if _, ok := c.of.all[c]; !ok {
		return
	}
	switch waits := !c.busy || c.blocked > 0; {
	case waits && c.place == nil:
		c.of.waitLocked(c, time.Now())
	case !waits && c.place != nil:
		c.of.waiting.Remove(c.place)
		c.place = nil
	}
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

// answeringConn keeps the connection of a request, if it is one of those that are bounded. The request to go on with is another one:
// package http looks at the body of its own.
func answeringConn(r *http.Request) (to *http.Request, end func()) {
	c, ok := r.Context().Value(connKey{}).(*conn)
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
