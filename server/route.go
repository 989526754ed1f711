package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// scope is what a request needs. Short names, as every route has one.
type scope = Scope

const (
	open  scope = 0 // for everybody, token or not
	read        = ScopeRead
	write       = ScopeWrite
	admin       = ScopeAdmin
)

// handler answers a request, or returns an error before it has written anything.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one line of the table of contents.
type route struct {
	method string
	path   string
	scope  scope
	handle handler
}

// register makes the routes known. A path that is there for other methods says so, and one that is not there is told in the form of
// all errors.
func (s *Server) register(routes []route) {
	allowed := map[string][]string{}
	for _, rt := range routes {
		s.mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) { s.run(w, r, rt) })
		allowed[rt.path] = append(allowed[rt.path], rt.method)
		if rt.method == http.MethodGet {
			allowed[rt.path] = append(allowed[rt.path], http.MethodHead)
		}
	}
	for path, methods := range allowed {
		allow := strings.Join(methods, ", ")
		s.mux.HandleFunc(path, s.refuse(allow))
	}
	for _, path := range []string{"/v1/", "/v1/keys", "/v1/explain", "/v1/transactions/{id}/keys"} { // else the last would lead to the empty key
		s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, r, notFound("there is nothing at that address; /openapi.json lists what there is"))
		})
	}
}

// refuse answers requests whose method is none of those that an address takes.
func (s *Server) refuse(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		s.fail(w, r, &problem{http.StatusMethodNotAllowed, "method_not_allowed", "that address takes " + allow})
	}
}

// run answers one request.
func (s *Server) run(w http.ResponseWriter, r *http.Request, rt route) {
	s.requests.Add(1)
	defer func(begin time.Time) { s.times.note(rt, r, time.Since(begin)) }(time.Now())
	share := s.memory.share()
	defer share.release()
	r, err := s.letIn(r, rt.scope, share)
	if err == nil {
		err = rt.handle(w, r)
	}
	if err == nil {
		return
	}
	s.errors.Add(1)
	if errors.Is(err, errBroken) {
		panic(http.ErrAbortHandler) // the only way to end an answer so that the peer sees it
	}
	s.fail(w, r, err)
}

// letIn returns a request with what its peer is allowed, if that is enough.
func (s *Server) letIn(r *http.Request, needed scope, share *share) (*http.Request, error) {
	g := grant{token: -1}
	if needed != open {
		var err error
		if g, err = s.identify(r); err != nil {
			return r, err
		}
	}
	g.share = share
	r = r.WithContext(context.WithValue(r.Context(), grantKey{}, g))
	return r, s.permit(r, needed)
}

// sealed returns a request whose key is one part of its path, whatever it holds: the mux would take "a//b" and "a/../b" for other keys.
func sealed(r *http.Request) *http.Request {
	escaped := r.URL.EscapedPath()
	begin := keyBegin(escaped)
	if begin < 0 || !strings.ContainsAny(escaped[begin:], "/.") {
		return r
	}
	key, err := url.PathUnescape(escaped[begin:])
	if err != nil {
		return r // the mux sees it, too
	}
	var b strings.Builder
	b.WriteString(escaped[:begin])
	for _, c := range []byte(key) {
		const digits = "0123456789ABCDEF"
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	u, to := *r.URL, *r
	u.RawPath = b.String()
	to.URL = &u
	return &to
}

// keyBegin returns where in a path a key begins, or -1. That of the classroom is as that of this server.
func keyBegin(path string) int {
	if of, ok := strings.CutPrefix(path, "/classroom"); ok && strings.HasPrefix(of, "/v1/") {
		if at := keyBegin(of); at >= 0 {
			return len("/classroom") + at
		}
		return -1
	}
	for _, before := range []string{"/v1/keys/", "/v1/explain/", "/v1/buckets/"} {
		if strings.HasPrefix(path, before) {
			return len(before)
		}
	}
	rest, ok := strings.CutPrefix(path, "/v1/transactions/")
	if !ok {
		return -1
	}
	id, key, ok := strings.Cut(rest, "/keys/")
	if !ok || strings.Contains(id, "/") {
		return -1
	}
	return len(path) - len(key)
}
