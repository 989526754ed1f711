package server

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// conns are the connections. When there are as many as there may be, a new one takes the place of that which has waited longest without a
// request: so those who only hold connections, or send their requests byte by byte, keep nobody out.
type conns struct {
	most int

	mu      sync.Mutex
	all     map[*conn]struct{}
	waiting *list.List // of *conn, the longest first; without those that are being answered
	evicted uint64
	refused uint64 // because all were being answered
}

// conn is one of them.
type conn struct {
	net.Conn
	of    *conns
	place *list.Element // in waiting, or nil; guarded by of.mu
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
		out, ok := l.conns.add(c)
		if out != nil {
			_ = out.Close()
		}
		if ok {
			return c, nil
		}
		_ = accepted.Close()
	}
}

// add adds a connection, if need be in the place of one that is to be closed.
func (cs *conns) add(c *conn) (out *conn, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.all) >= cs.most {
		oldest := cs.waiting.Front()
		if oldest == nil {
			cs.refused++
			return nil, false
		}
		out = oldest.Value.(*conn)
		cs.removeLocked(out)
		cs.evicted++
	}
	cs.all[c] = struct{}{}
	c.place = cs.waiting.PushBack(c)
	return out, true
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

// answering keeps a connection in its place until the function that is returned is called.
func (c *conn) answering() (end func()) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.place != nil {
		c.of.waiting.Remove(c.place)
		c.place = nil
	}
	return c.waitAgain
}

func (c *conn) waitAgain() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if _, ok := c.of.all[c]; ok {
		c.place = c.of.waiting.PushBack(c)
	}
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

// answeringConn keeps the connection of a request, if it is one of those that are bounded.
func answeringConn(r *http.Request) (end func()) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		return c.answering()
	}
	return func() {}
}
