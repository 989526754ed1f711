package server

import (
	"math"
	"net"
	"net/http"
	"strconv"
)

// grantKey is where the context of a request holds its grant.
type grantKey struct{}

// grant is what a peer may do, and who it is to the limits that go by peer.
type grant struct {
	scope scope
	token int    // which of Options.Tokens, or -1
	share *share // of memory
}

// grantOf returns the grant of a request that was let in.
func grantOf(r *http.Request) grant {
	if g, ok := r.Context().Value(grantKey{}).(grant); ok {
		return g
	}
	return grant{token: -1, share: (&memory{most: math.MaxInt64}).share()}
}

// tokenOwner is what the names of owners with a token begin with.
const tokenOwner = "token "

// ownerOf names who holds what a request opens: a token, or else an address.
func ownerOf(r *http.Request) string {
	if g := grantOf(r); g.token >= 0 {
		return tokenOwner + strconv.Itoa(g.token)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "peer"
	}
	return "peer " + host
}

// permit returns the error for a peer that may not do something of a scope.
func (s *Server) permit(r *http.Request, needed scope) error {
	if s.opts.ReadOnly && needed > read {
		return &problem{http.StatusForbidden, "read_only", "this server is for reading only"}
	}
	if grantOf(r).scope < needed {
		return &problem{http.StatusForbidden, "forbidden", "the token does not allow that; use one of a wider scope"}
	}
	return nil
}
