package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// errStopping is why the context of a stream ends when the server does.
var errStopping = &problem{http.StatusServiceUnavailable, "closed", "the server is being stopped; come back later"}

// untilStop returns the context of a stream: it ends when the peer goes, and when the server is to stop.
func (s *Server) untilStop(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(s.stopping, func() { cancel(errStopping) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// stream is an answer of lines of JSON, which goes on for as long as there is something to tell. It may be used concurrently. A peer
// that does not read is given up when a line cannot be written in time.
type stream struct {
	mu      sync.Mutex
	out     *bufio.Writer
	control *http.ResponseController
	events  bool // as server-sent events
	err     error
}

// newStream begins an answer: the peer gets the header at once.
func (s *Server) newStream(w http.ResponseWriter, r *http.Request) *stream {
	w = s.pace(w)
	st := &stream{out: bufio.NewWriterSize(w, 32<<10), control: http.NewResponseController(w)}
	typ := streamType(r)
	st.events = typ == eventStream
	w.Header().Set("Content-Type", typ)
	w.WriteHeader(http.StatusOK)
	st.flush()
	return st
}

const eventStream = "text/event-stream"

// streamType is as what a peer wants a stream.
func streamType(r *http.Request) string {
	if strings.Contains(r.Header.Get("Accept"), eventStream) {
		return eventStream
	}
	return "application/x-ndjson"
}

// headOnly answers a HEAD for a stream: it would go on without anything to see.
func headOnly(w http.ResponseWriter, typ string) error {
	w.Header().Set("Content-Type", typ)
	w.WriteHeader(http.StatusOK)
	return nil
}

// line writes a value, which the peer gets with the next flush. As an event it has an id, unless that is empty.
func (st *stream) line(id string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	before, behind := "", "\n"
	if st.events {
		if before, behind = "data: ", "\n\n"; id != "" {
			before = "id: " + id + "\n" + before
		}
	}
	return st.writeLocked(before, b, behind)
}

func (st *stream) writeLocked(before string, b []byte, behind string) error {
	if st.err == nil {
		_, st.err = st.out.WriteString(before)
	}
	if st.err == nil {
		_, st.err = st.out.Write(b)
	}
	if st.err == nil {
		_, st.err = st.out.WriteString(behind)
	}
	return st.err
}

// flush brings to the peer what was written.
func (st *stream) flush() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil {
		st.err = st.out.Flush()
	}
	if st.err == nil {
		st.err = st.control.Flush()
	}
	return st.err
}

// tell writes a value at once.
func (st *stream) tell(v any) error {
	if err := st.line("", v); err != nil {
		return err
	}
	return st.flush()
}

// sign writes something that means nothing, so that both sides see that the other is there.
func (st *stream) sign() error {
	st.mu.Lock()
	what := "\n"
	if st.events {
		what = ":\n\n"
	}
	err := st.writeLocked(what, nil, "")
	st.mu.Unlock()
	return errors.Join(err, st.flush())
}

// end tells why a stream ends, if it is for a reason that the peer does not know.
func (st *stream) end(ctx context.Context, err error) {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		_ = st.tell(errorBody{problemOf(err)})
	}
}

// every calls fn again and again until it fails, or the function that is returned is called, which waits for it.
func every(d time.Duration, fn func() error) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go tick(d, fn, stopped, done)
	return sync.OnceFunc(func() {
		close(stopped)
		<-done
	})
}

func tick(d time.Duration, fn func() error, stopped, done chan struct{}) {
	defer close(done)
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-stopped:
			return
		case <-t.C:
			if fn() != nil {
				return
			}
		}
	}
}

// slots are how many of something there may be at once.
type slots chan struct{}

// take takes one, which the function that is returned gives back; without one it is false.
func (s slots) take() (release func(), ok bool) {
	select {
	case s <- struct{}{}:
		return sync.OnceFunc(func() { <-s }), true
	default:
		return nil, false
	}
}
