package server

import (
	"fmt"
	"sync"

	"github.com/tinykv/tinykv/internal/shell"
)

// wsLineBytes is the longest line of a terminal.
const wsLineBytes = 64 << 10

// terminal is a session of the shell. Its lines run one at a time, each in a goroutine, so that one that takes long can be stopped.
type terminal struct {
	mu      sync.Mutex
	session *shell.Session // guarded by mu; nil until the first line
	busy    bool           // guarded by mu; the session belongs to the line that runs
}

// take returns the session for one line, or false while another one runs.
func (t *terminal) take(s *Server) (*shell.Session, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy {
		return nil, false
	}
	if t.session == nil {
		t.session = shell.New(s.db)
	}
	t.busy = true
	return t.session, true
}

func (t *terminal) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy = false
}

// close ends the session, when no line runs any more.
func (t *terminal) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session != nil {
		t.session.Close()
	}
}

// runLine carries out a line of the shell and tells what it says.
func (c *conversation) runLine(q *request) error {
	if len(q.Line) > wsLineBytes {
		return c.fail(q.ID, "too_large", fmt.Sprintf("a line has at most %d bytes; use a batch or an import", wsLineBytes))
	}
	session, ok := c.shell.take(c.s)
	if !ok {
		return c.fail(q.ID, "conflict", "the line before still runs; wait for it, or stop it")
	}
	ctx, end, err := c.start(q)
	if err != nil || ctx == nil {
		c.shell.give()
		return err
	}
	c.running.Go(func() {
		r := session.Do(ctx, q.Line)
		end()
		c.shell.give()                                        // before the answer: the peer may say the next line as soon as it has it
		_ = c.send(message{Kind: "shell", ID: q.ID, Data: r}) // a peer that is gone shows in its next read
	})
	return nil
}

// completions is what may stand in place of a line.
type completions struct {
	Lines []string `json:"lines"`
}

func (c *conversation) completeLine(q *request) error {
	lines := []string{}
	if session, ok := c.shell.take(c.s); ok {
		if len(q.Line) <= wsLineBytes {
			lines = append(lines, session.Complete(q.Line)...)
		}
		c.shell.give()
	}
	return c.send(message{Kind: "complete", ID: q.ID, Data: completions{Lines: lines}})
}
