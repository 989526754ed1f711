package server

import (
	"net/http"
	"time"
)

// paceBytes is how much a peer must take, or send, within Options.RequestTimeout.
const paceBytes = 1 << 20

// setDeadlines gives a request its time, for its body and for its answer. What goes on for longer gets more as it goes on.
func (s *Server) setDeadlines(w http.ResponseWriter) {
	c, end := http.NewResponseController(w), time.Now().Add(s.opts.RequestTimeout)
	_ = c.SetReadDeadline(end) // where there is no connection, there is nothing to wait for
	_ = c.SetWriteDeadline(end)
}

// allowance is the time that a peer has left for what it takes, or sends: that which it is waited for counts, and no other.
type allowance struct {
	timeout, time time.Duration
	bytes         int
}

// begin returns how many of n bytes to wait for now, and until when.
func (a *allowance) begin(n int) (bytes int, now, until time.Time) {
	if a.bytes <= 0 {
		a.bytes, a.time = paceBytes, a.timeout
	}
	now = time.Now()
	return min(n, a.bytes), now, now.Add(a.time)
}

// end takes off what came of it.
func (a *allowance) end(bytes int, begun time.Time) {
	a.bytes -= bytes
	a.time -= time.Since(begun)
}

// pacedWriter is an answer of any length.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	left    allowance
}

// pace returns an answer that may take as long as it is long, and as there is something to tell. From the peer nothing more is to come, for
// which package http waits all the same, to see it go: that wait must have no end.
func (s *Server) pace(w http.ResponseWriter) http.ResponseWriter {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	return &pacedWriter{ResponseWriter: w, control: c, left: allowance{timeout: s.opts.RequestTimeout}}
}

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) Write(p []byte) (n int, err error) {
	for {
		part, begun, until := w.left.begin(len(p))
		_ = w.control.SetWriteDeadline(until)
		m, err := w.ResponseWriter.Write(p[:part])
		w.left.end(m, begun)
		n += m
		if p = p[m:]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// Flush is for those who ask for it by its interface.
func (w *pacedWriter) Flush() { _ = w.FlushError() }

// FlushError brings to the peer what was written.
func (w *pacedWriter) FlushError() error {
	_, begun, until := w.left.begin(0)
	defer w.left.end(0, begun)
	_ = w.control.SetWriteDeadline(until)
	return w.control.Flush()
}
