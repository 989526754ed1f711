package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Limits of a WebSocket.
const (
	wsMessageBytes   = 1 << 20          // the largest message of a peer
	wsSubscriptions  = 16               // that a peer may have at once
	wsWriteTimeout   = 10 * time.Second // for a peer to take a message
	wsPingEvery      = 30 * time.Second
	wsAuthTimeout    = 5 * time.Second // for the token, where one is needed
	wsMinEvery       = 100 * time.Millisecond
	wsMaxEvery       = time.Minute
	wsDefaultMetrics = time.Second
	wsDefaultLayout  = 500 * time.Millisecond
)

// request is what a peer says.
type request struct {
	ID      int64  `json:"id"`
	Do      string `json:"do"`
	Token   string `json:"token"`
	EveryMS int64  `json:"every_ms"`
	Line    string `json:"line"`
	What    int64  `json:"what"`

	Prefix    *string `json:"prefix"`
	PrefixHex *string `json:"prefix_hex"`
	Lower     *string `json:"lower"`
	LowerHex  *string `json:"lower_hex"`
	Upper     *string `json:"upper"`
	UpperHex  *string `json:"upper_hex"`
	Bucket    string  `json:"bucket"`
	Since     uint64  `json:"since"`
}

// message is what it is told.
type message struct {
	Kind  string   `json:"kind"`
	ID    int64    `json:"id"`
	Data  any      `json:"data,omitempty"`
	Error *problem `json:"error,omitempty"`
}

// conversation is a WebSocket with a peer. One goroutine reads what it says; each subscription, and the shell, has one of its own.
type conversation struct {
	s       *Server
	request *http.Request // by which it began
	c       *websocket.Conn
	ctx     context.Context // until the conversation ends
	may     scope           // what the peer may do; fixed once it was let in
	place   *conn           // where the conversation takes place, if that is one of those that are bounded
	running sync.WaitGroup

	mu      sync.Mutex
	subs    map[int64]context.CancelFunc // guarded by mu
	reading bool                         // guarded by mu
	endIdle func()                       // guarded by mu; while the peer is waited for to say something, and nothing else goes on

	shell terminal
}

// webSocket speaks with one peer until it goes, or the server drains.
func (s *Server) webSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // admit has looked at the origin
	if err != nil {
		return // the answer was written
	}
	defer streaming(r)()
	ctx, cancel := context.WithCancel(r.Context())
	goAway := context.AfterFunc(s.stopping, func() { _ = conn.Close(websocket.StatusGoingAway, "the server stops") }) // ends the reading below
	defer goAway()
	c := &conversation{s: s, request: r, c: conn, ctx: ctx, subs: map[int64]context.CancelFunc{}}
	c.place, _ = connOf(r)
	code, reason := websocket.StatusNormalClosure, ""
	if c.may, err = c.letIn(r); err == nil {
		conn.SetReadLimit(wsMessageBytes)
		c.running.Go(c.ping)
		err = c.read()
	}
	switch {
	case s.draining(r):
		code, reason = websocket.StatusGoingAway, "the server stops"
	case errors.Is(err, errUnauthorized):
		code, reason = websocket.StatusPolicyViolation, "a token is needed"
	case errors.Is(err, errUnreadable):
		code, reason = websocket.StatusUnsupportedData, "messages are JSON objects"
	}
	cancel()
	_ = conn.Close(code, reason)
	c.running.Wait()
	c.shell.close()
}

var (
	errUnauthorized = errors.New("a token is needed")
	errUnreadable   = errors.New("not a JSON object")
)

// letIn returns what the peer may do: by the token in its request, or by that in its first message.
func (c *conversation) letIn(r *http.Request) (scope, error) {
	if may, ok := c.s.scopeOf(r); ok {
		return may, nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, wsAuthTimeout)
	defer cancel()
	c.c.SetReadLimit(int64(c.s.opts.MaxHeader)) // where a token has room, too
	text, err := c.next(ctx)
	if err != nil {
		return open, errors.Join(errUnauthorized, err)
	}
	var q request
	if decodeJSON(text, &q) != nil || q.Do != "auth" {
		return open, errUnauthorized
	}
	may, ok := c.s.scopeOfToken(r, q.Token)
	if !ok {
		_ = c.fail(q.ID, "unauthorized", "the token is not valid")
		return open, errUnauthorized
	}
	return may, c.done(q.ID)
}

// next returns what the peer says next. While nothing else goes on, its connection makes room for others.
func (c *conversation) next(ctx context.Context) (text []byte, err error) {
	c.change(func() { c.reading = true })
	defer c.change(func() { c.reading = false })
	_, text, err = c.c.Read(ctx)
	return text, err
}

// change changes what goes on, and so whether the peer is waited for.
func (c *conversation) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	idle := c.reading && len(c.subs) == 0 && c.place != nil
	switch {
	case idle && c.endIdle == nil:
		c.endIdle = c.place.waits()
	case !idle && c.endIdle != nil:
		c.endIdle()
		c.endIdle = nil
	}
}

// read takes what the peer says until it goes.
func (c *conversation) read() error {
	for {
		text, err := c.next(c.ctx)
		if err != nil {
			return err
		}
		var q request
		if err := json.Unmarshal(text, &q); err != nil {
			return errors.Join(errUnreadable, c.fail(0, "bad_request", "a message is one JSON object with \"id\" and \"do\": "+err.Error()))
		}
		var exact request
		err = decodeJSON(text, &exact)
		if err == nil {
			err = c.answer(&exact)
		} else { // a mistyped bound must not become no bound
			err = c.failWith(q.ID, err)
		}
		if err != nil {
			return err
		}
	}
}

// answer does what was asked for, or begins to.
func (c *conversation) answer(q *request) error {
	if q.Do == "shell" && (c.may < admin || c.s.opts.ReadOnly) {
		return c.fail(q.ID, "forbidden", "a terminal may change everything, which is not allowed here; read by REST")
	}
	switch q.Do {
	case "auth": // it was let in
		return c.done(q.ID)
	case "stop":
		c.mu.Lock()
		stop := c.subs[q.What]
		c.mu.Unlock()
		if stop != nil {
			stop()
		}
		return c.done(q.ID)
	case "metrics":
		return c.subscribe(q, func(ctx context.Context) error { return c.tellMetrics(ctx, q) })
	case "layout":
		return c.subscribe(q, func(ctx context.Context) error { return c.tellLayout(ctx, q) })
	case "events":
		if c.s.opts.Events == nil {
			return c.fail(q.ID, "bad_request", "this server keeps no events of its engine")
		}
		return c.subscribe(q, func(ctx context.Context) error { return c.listen(ctx, q.ID, c.s.opts.Events) })
	case "watch":
		return c.watch(q)
	case "shell":
		return c.runLine(q)
	case "complete":
		return c.completeLine(q)
	default:
		return c.fail(q.ID, "bad_request", fmt.Sprintf("%q is nothing that can be done; say auth, metrics, layout, events, watch, shell, complete or stop", clip(q.Do)))
	}
}

// clip shortens what a peer said for an answer.
func clip(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// subscribe says done, and runs fn until it returns or is stopped.
func (c *conversation) subscribe(q *request, fn func(ctx context.Context) error) error {
	ctx, end, err := c.start(q)
	if err != nil || ctx == nil {
		return err
	}
	return c.keep(ctx, end, q, fn)
}

// keep is subscribe for what was started.
func (c *conversation) keep(ctx context.Context, end func(), q *request, fn func(ctx context.Context) error) error {
	if err := c.done(q.ID); err != nil {
		end()
		return err
	}
	c.running.Go(func() {
		err := fn(ctx)
		end()
		if err != nil && c.ctx.Err() == nil {
			_ = c.failWith(q.ID, err)
		}
	})
	return nil
}

// start notes that something goes on under the id of a request, until end is called. Where that cannot be, the peer is told, and ctx is
// nil.
func (c *conversation) start(q *request) (ctx context.Context, end func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs[q.ID] != nil {
		return nil, nil, c.fail(q.ID, "bad_request", "this id is in use; stop it first, or take another one")
	}
	if len(c.subs) >= wsSubscriptions {
		return nil, nil, c.fail(q.ID, "too_many", fmt.Sprintf("a connection has at most %d things going on; stop one first", wsSubscriptions))
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.subs[q.ID] = cancel
	return ctx, func() {
		cancel()
		c.change(func() { delete(c.subs, q.ID) })
	}, nil
}

// ping makes sure that the peer is there.
func (c *conversation) ping() {
	tick := time.NewTicker(wsPingEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(c.ctx, wsWriteTimeout)
		err := c.c.Ping(ctx)
		cancel()
		if err != nil {
			_ = c.c.CloseNow()
			return
		}
	}
}

// send gives the peer a message. One that does not take it in time is cut off.
func (c *conversation) send(m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, wsWriteTimeout)
	defer cancel()
	return c.c.Write(ctx, websocket.MessageText, text)
}

func (c *conversation) done(id int64) error { return c.send(message{Kind: "done", ID: id}) }

func (c *conversation) fail(id int64, code, text string) error {
	return c.send(message{Kind: "error", ID: id, Error: &problem{Code: code, Message: text}})
}

func (c *conversation) failWith(id int64, err error) error {
	p := problemOf(err)
	c.s.logUnknown(c.request, err)
	return c.fail(id, p.Code, p.Message)
}

// every returns how often a subscription wants to be told.
func (q *request) every(byDefault time.Duration) time.Duration {
	if q.EveryMS <= 0 {
		return byDefault
	}
	return min(max(time.Duration(min(q.EveryMS, wsMaxEvery.Milliseconds()))*time.Millisecond, wsMinEvery), wsMaxEvery)
}
