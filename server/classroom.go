package server

import (
	"context"
	"net/http"
)

// classroomRoutes are what answers for the child, if there is one.
func (s *Server) classroomRoutes() (all []route) {
	if s.opts.Motion {
		all = append(all, route{"PUT", "/v1/motion", write, s.setMotion})
	}
	if s.opts.Classroom == nil {
		return all
	}
	return append(
		all,
		route{"GET", "/v1/classroom", read, s.classroom},
		route{"POST", "/v1/classroom/plug", write, s.pullPlug},
	)
}

func (s *Server) classroom(w http.ResponseWriter, _ *http.Request) error {
	answer(w, http.StatusOK, s.opts.Classroom.Status())
	return nil
}

func (s *Server) pullPlug(w http.ResponseWriter, r *http.Request) error {
	p, err := s.opts.Classroom.Plug(context.WithoutCancel(r.Context())) // whoever goes meanwhile does not leave the child down
	if err != nil {
		return &problem{http.StatusServiceUnavailable, "down", err.Error() + "; ask again"}
	}
	answer(w, http.StatusOK, p)
	return nil
}

// askChild passes a request on to the child, which has the same addresses behind /classroom, and nothing of this store.
func (s *Server) askChild(w http.ResponseWriter, r *http.Request) error {
	defer streaming(r)() // it may be a WebSocket, or another stream
	ctx, cancel := s.untilStop(r)
	defer cancel()
	http.StripPrefix("/classroom", s.opts.Classroom).ServeHTTP(s.pace(w), r.WithContext(ctx))
	return nil
}
