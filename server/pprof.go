package server

import (
	"net/http"
	"net/http/pprof"
	"time"
)

// profileTime is how long a profile may take, beside the time of a request.
const profileTime = 60 * time.Second

// profileRoutes are what shows where the program spends time and memory. The command line is not among them: it may name what nobody
// else is to know.
func (s *Server) profileRoutes() []route {
	if !s.opts.Pprof {
		return nil
	}
	return []route{
		{"GET", "/debug/pprof/{profile...}", admin, s.profile},
	}
}

// profile answers with a profile, or with a list of those that there are.
func (s *Server) profile(w http.ResponseWriter, r *http.Request) error {
	c, end := http.NewResponseController(w), time.Now().Add(profileTime+s.opts.RequestTimeout)
	_ = c.SetReadDeadline(end) // else package http takes the peer for gone before
	_ = c.SetWriteDeadline(end)
	switch name := r.PathValue("profile"); name {
	case "":
		pprof.Index(w, r)
	case "profile":
		if err := checkSeconds(r); err != nil {
			return err
		}
		pprof.Profile(w, r)
	case "trace":
		if err := checkSeconds(r); err != nil {
			return err
		}
		pprof.Trace(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "cmdline":
		return notFound("the command line is not told")
	default:
		if err := checkSeconds(r); err != nil {
			return err
		}
		pprof.Handler(name).ServeHTTP(w, r)
	}
	return nil
}

// checkSeconds bounds how long a profile takes.
func checkSeconds(r *http.Request) error {
	q := query{Values: r.URL.Query()}
	_, err := q.number("seconds", 1, int(profileTime/time.Second))
	return err
}
