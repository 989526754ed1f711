//go:build !js

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/tinykv/tinykv/internal/shell"
)

// remoteShell is a session in a server. It belongs to one goroutine at a time; another one reads what comes.
type remoteShell struct {
	conn   *websocket.Conn
	come   chan shellMessage // closed when the connection is
	gone   error             // why; set before that
	id     int64             // of the last request
	prompt string
}

// shellRequest is what is said to the server, shellMessage what it says.
type shellRequest struct {
	ID   int64  `json:"id"`
	Do   string `json:"do"`
	Line string `json:"line,omitempty"`
	What int64  `json:"what,omitempty"`
}

type shellMessage struct {
	Kind  string                         `json:"kind"`
	ID    int64                          `json:"id"`
	Data  json.RawMessage                `json:"data"`
	Error struct{ Code, Message string } `json:"error"`
}

const (
	shellAnswer = 4 << 20         // what a line shows is bounded by a quarter of that
	shellPolite = 2 * time.Second // for a line to end that was interrupted, and for completions
)

// shell begins a session. Its Close ends it.
func (s *remoteSite) shell() (*remoteShell, error) {
	o := &websocket.DialOptions{HTTPClient: s.http, HTTPHeader: http.Header{}}
	if s.token != "" {
		o.HTTPHeader.Set("Authorization", "Bearer "+s.token)
	}
	conn, a, err := websocket.Dial(s.ctx, s.base+"/v1/ws", o)
	if err != nil {
		if a != nil && a.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("the server has no shell for this: it answered with status %d %s", a.StatusCode, http.StatusText(a.StatusCode))
		}
		return nil, fmt.Errorf("no answer from the server: %w", err)
	}
	conn.SetReadLimit(shellAnswer)
	r := &remoteShell{conn: conn, come: make(chan shellMessage), prompt: "tinykv> "}
	go r.read()
	return r, nil
}

func (s *remoteSite) speaker() (speaker, error) {
	r, err := s.shell()
	if err != nil {
		return nil, err
	}
	return r, nil
}

// read passes on what comes, until the connection ends.
func (r *remoteShell) read() {
	defer close(r.come)
	for {
		_, text, err := r.conn.Read(context.Background())
		if err != nil {
			r.gone = goneError(err)
			return
		}
		var m shellMessage
		if json.Unmarshal(text, &m) == nil {
			r.come <- m
		}
	}
}

// Close ends the session, with its transaction.
func (r *remoteShell) Close() {
	go func() {
		for range r.come { // so that read can end
		}
	}()
	_ = r.conn.Close(websocket.StatusNormalClosure, "")
}

// Prompt is that of the last answer.
func (r *remoteShell) Prompt() string { return r.prompt }

// Do carries out a line in the server. One that is interrupted is stopped there.
func (r *remoteShell) Do(ctx context.Context, line string) shell.Result {
	m, err := r.ask(ctx, "shell", line)
	result := shell.Result{Prompt: r.prompt}
	switch {
	case err != nil:
		result.Err, result.Cause, result.Quit = err.Error(), err, true
		return result
	case m.Kind == "error":
		result.Err, result.Cause = m.Error.Message, answeredError{m.Error.Code, m.Error.Message}
		return result
	}
	if err := json.Unmarshal(m.Data, &result); err != nil {
		result.Err, result.Cause, result.Quit = "the answer of the server cannot be read", err, true
	}
	if result.Err != "" && result.Cause == nil {
		result.Cause = answeredError{result.Code, result.Err}
	}
	r.prompt = result.Prompt
	return result
}

// Complete asks the server, which knows the keys. It gives up soon.
func (r *remoteShell) Complete(line string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), shellPolite)
	defer cancel()
	var all struct{ Lines []string }
	if m, err := r.ask(ctx, "complete", line); err == nil && json.Unmarshal(m.Data, &all) != nil {
		return nil
	}
	return all.Lines
}

// ask says something and waits for the answer. When ctx ends, it says stop and waits a little longer.
func (r *remoteShell) ask(ctx context.Context, do, line string) (shellMessage, error) {
	r.id++
	id := r.id
	if err := r.say(shellRequest{ID: id, Do: do, Line: line}); err != nil {
		return shellMessage{}, err
	}
	done, patience := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case m, ok := <-r.come:
			if !ok {
				return shellMessage{}, r.gone
			}
			if m.ID == id && m.Kind != "done" {
				return m, nil
			}
		case <-done:
			r.id++
			if err := r.say(shellRequest{ID: r.id, Do: "stop", What: id}); err != nil {
				return shellMessage{}, err
			}
			done, patience = nil, time.After(shellPolite)
		case <-patience:
			return shellMessage{}, fmt.Errorf("the server did not stop the line: %w", context.Cause(ctx))
		}
	}
}

// goneError tells why there is no connection any more.
func goneError(err error) error {
	var end websocket.CloseError
	switch {
	case !errors.As(err, &end):
		return fmt.Errorf("the connection to the server is lost: %w", err)
	case end.Code == websocket.StatusPolicyViolation:
		return fmt.Errorf("the server has ended the connection: %s; TINYKV_TOKEN holds the token", end.Reason)
	default:
		return fmt.Errorf("the server has ended the connection: %s", cmp.Or(end.Reason, end.Code.String()))
	}
}

func (r *remoteShell) say(q shellRequest) error {
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*shellPolite)
	defer cancel()
	if err := r.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return goneError(err)
	}
	return nil
}
