package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv"
)

// Scope is what a token allows. Each allows what those before it do.
type Scope int

// The scopes.
const (
	ScopeRead  Scope = iota + 1 // to see everything in the store, and its numbers
	ScopeWrite                  // to change keys
	ScopeAdmin                  // to work on the store as a whole: compact, verify, clear, drop, import
)

// Token lets those in who show it.
type Token struct {
	Secret string // at least 16 bytes that nobody can guess
	Scope  Scope
}

// leastSecret is how many bytes a secret has at least: 128 bits, if they are random.
const leastSecret = 16

// A peer that shows a wrong token gets its answer late. Those that wait for theirs are few, so that they do not hold all connections;
// who comes while there are so many is told to come back.
const (
	penalty      = 500 * time.Millisecond
	maxPenalties = 16
)

// tokens are what peers are let in by.
type tokens struct {
	digests  [][sha256.Size]byte
	scopes   []scope
	failures atomic.Uint64
	waiting  slots
}

func newTokens(all []Token) (*tokens, error) {
	ts := &tokens{waiting: make(slots, maxPenalties)}
	for i, t := range all {
		if len(t.Secret) < leastSecret {
			return nil, fmt.Errorf("server: token %d has less than %d bytes; take a long random one: %w", i, leastSecret, tinykv.ErrInvalidOption)
		}
		if t.Scope < ScopeRead || t.Scope > ScopeAdmin {
			return nil, fmt.Errorf("server: token %d has no scope: %w", i, tinykv.ErrInvalidOption)
		}
		ts.digests = append(ts.digests, sha256.Sum256([]byte(t.Secret)))
		ts.scopes = append(ts.scopes, t.Scope)
	}
	return ts, nil
}

// find returns what a secret is good for. It takes as long whichever it is, and whether it is any.
func (ts *tokens) find(secret string) (g grant, ok bool) {
	digest := sha256.Sum256([]byte(secret))
	g.token = -1
	for i := range ts.digests {
		same := subtle.ConstantTimeCompare(digest[:], ts.digests[i][:])
		g.token = subtle.ConstantTimeSelect(same, i, g.token)
	}
	if g.token < 0 {
		return g, false
	}
	g.scope = ts.scopes[g.token]
	return g, true
}

// fail counts a wrong token, and returns after a while.
func (ts *tokens) fail(ctx context.Context) error {
	ts.failures.Add(1)
	release, ok := ts.waiting.take()
	if !ok {
		return tooMany("too many have shown wrong tokens; try again in a second")
	}
	defer release()
	t := time.NewTimer(penalty)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return &problem{http.StatusUnauthorized, "unauthorized", "the token is not one that this server takes"}
}

// errNoToken is what those are told who show none.
var errNoToken = &problem{http.StatusUnauthorized, "unauthorized", "a token is needed; send it as Authorization: Bearer TOKEN"}

// identify returns what a request is allowed by what it shows. Whoever reaches the socket in the file system is the user of the
// server, who needs no token.
func (s *Server) identify(r *http.Request) (grant, error) {
	if len(s.tokens.digests) == 0 || bySocket(r) {
		return grant{scope: admin, token: -1}, nil
	}
	shown := r.Header.Get("Authorization")
	if shown == "" {
		return grant{}, errNoToken
	}
	kind, secret, _ := strings.Cut(shown, " ")
	if !strings.EqualFold(kind, "Bearer") {
		return grant{}, errNoToken
	}
	g, ok := s.tokens.find(strings.TrimSpace(secret))
	if !ok {
		return grant{}, s.tokens.fail(r.Context())
	}
	return g, nil
}

// bySocket tells whether a request came by a socket in the file system.
func bySocket(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && at.Network() == "unix"
}

// scopeOf returns what a peer may do by what its request shows; false when it must show a token.
func (s *Server) scopeOf(r *http.Request) (scope, bool) {
	g, err := s.identify(r)
	return g.scope, err == nil
}

// scopeOfToken returns what a token is good for, a wrong one after a while.
func (s *Server) scopeOfToken(r *http.Request, secret string) (scope, bool) {
	g, ok := s.tokens.find(secret)
	if !ok {
		return open, errors.Is(s.tokens.fail(r.Context()), nil)
	}
	return g.scope, true
}
