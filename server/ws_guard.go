package server

import (
	"context"
	"net/http"
)

// scopeOf returns what a peer may do by what its request shows; false when it must show a token.
func (s *Server) scopeOf(*http.Request) (scope, bool) { return admin, true }

// scopeOfToken returns what a token is good for.
func (s *Server) scopeOfToken(*http.Request, string) (scope, bool) { return admin, true }

// originPatterns are the origins, beside that of the request, whose pages may open a WebSocket.
func (s *Server) originPatterns() []string { return nil }

// streams is a context that ends when an answer that goes on should: the peer is gone, or the server drains.
func (s *Server) streams(r *http.Request) context.Context { return r.Context() }

// draining tells whether the server stops.
func (s *Server) draining(*http.Request) bool { return false }
