package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve listens and answers until ctx ends. Then it takes no more connections, tells streams that they end, and lets requests come to theirs for
// up to Options.DrainTimeout; what is left is cut off. It returns nil then, and otherwise why it could not listen, or go on. It is to be
// called once.
func (s *Server) Serve(ctx context.Context) error {
	defer s.Close()
	listeners, err := s.listen()
	if err != nil {
		return err
	}
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.opts.HeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    s.opts.MaxHeader,
		ConnContext:       keepConn,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
	}
	h.Protocols.SetHTTP1(true) // one request at a time on a connection, so that the bound of connections bounds all
	var config *tls.Config
	if s.certificate != nil {
		config = s.certificate.config()
	}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		l = boundedListener{l, s.conns}
		if config != nil && l.Addr().Network() != "unix" {
			l = tls.NewListener(l, config)
		}
		go serve(h, l, ended)
	}
	if s.opts.Ready != nil {
		s.opts.Ready(listeners[0].Addr())
	}
	left := len(listeners)
	select {
	case <-ctx.Done():
		s.drain(h)
	case err = <-ended:
		left--
		_ = h.Close()
	}
	for range left {
		err = errors.Join(err, <-ended)
	}
	return err
}

func serve(h *http.Server, l net.Listener, ended chan<- error) {
	err := h.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	ended <- err
}

// drain lets requests come to their end, for a while.
func (s *Server) drain(h *http.Server) {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.DrainTimeout)
	defer cancel()
	_ = h.Shutdown(ctx)
	s.running.wait(ctx) // Shutdown does not wait for WebSockets
	_ = h.Close()
}

// inFlight counts the requests that are being answered.
type inFlight struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n comes to 0; nil while nobody waits for that
}

// begin counts a request until the function that is returned is called.
func (f *inFlight) begin() (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return f.end
}

func (f *inFlight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n--; f.n == 0 && f.none != nil {
		close(f.none)
		f.none = nil
	}
}

func (f *inFlight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// wait waits until there is none, or ctx ends.
func (f *inFlight) wait(ctx context.Context) {
	f.mu.Lock()
	if f.n > 0 && f.none == nil {
		f.none = make(chan struct{})
	}
	none := f.none
	f.mu.Unlock()
	if none == nil {
		return
	}
	select {
	case <-none:
	case <-ctx.Done():
	}
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.running.begin()()
	r, answered := answeringConn(r)
	defer answered()
	s.setDeadlines(w)
	setHeaders(w.Header())
	if err := s.admit(r); err != nil {
		s.errors.Add(1)
		s.fail(w, r, err)
		return
	}
	s.mux.ServeHTTP(w, sealed(r))
}

// draining tells whether the server stops.
func (s *Server) draining(*http.Request) bool { return s.stopping.Err() != nil }

// requestContext is the context of a request that is to be answered within its time.
func (s *Server) requestContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithDeadline(r.Context(), time.Now().Add(s.opts.RequestTimeout))
}
