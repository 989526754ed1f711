// Package server serves a store over HTTP: REST under /v1, a WebSocket at /v1/ws, numbers for Prometheus at /metrics, and the page at /.
//
//	s, err := server.New(db, &server.Options{Address: "127.0.0.1:8080"})
//	...
//	err = s.Serve(ctx) // until ctx ends, then drains
//
// Every peer is untrusted until it has shown a token; docs/API.md describes all requests, and openapi.json, which the server serves, says it to machines.
package server

import (
	"net/http"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server/web"
)

// Options say what is served, to whom, and how much of it.
type Options struct {
	// Address is where to listen. Default: 127.0.0.1:0, a free port.
	Address string
}

// Server is an HTTP handler over a store. It may be used concurrently.
type Server struct {
	db   *tinykv.DB
	opts Options
	mux  *http.ServeMux
}

// New returns a server of a store, which stays the caller's to close after the server.
func New(db *tinykv.DB, opts *Options) (*Server, error) {
	s := &Server{db: db, mux: http.NewServeMux()}
	if opts != nil {
		s.opts = *opts
	}
	s.routes()
	return s, nil
}

// routes is the table of contents: what answers where.
func (s *Server) routes() {
	s.mux.HandleFunc("GET /v1/ws", s.webSocket)
	s.mux.HandleFunc("GET /openapi.json", s.openAPI)
	s.mux.Handle("GET /", http.FileServerFS(web.Files))
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }
