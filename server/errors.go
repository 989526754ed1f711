package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/tinykv/tinykv"
)

// problem is an error as peers see it: a status, a word for programs, and a sentence for people, which says what to do next. It
// holds no path, key or value.
type problem struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (p *problem) Error() string { return p.Message }

// The codes, with the statuses that they come with.
func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, "bad_request", fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &problem{http.StatusNotFound, "not_found", fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &problem{http.StatusForbidden, "forbidden", fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) error {
	return &problem{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf(format, args...)}
}

func tooMany(format string, args ...any) error {
	return &problem{http.StatusTooManyRequests, "too_many", fmt.Sprintf(format, args...)}
}

func preconditionFailed(format string, args ...any) error {
	return &problem{http.StatusPreconditionFailed, "precondition_failed", fmt.Sprintf(format, args...)}
}

// problemOf says an error to a peer. What is not known stays within: its text might tell of files.
func problemOf(err error) *problem {
	var known *problem
	var body *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &body):
		return &problem{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d bytes; send less at a time", body.Limit)}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusServiceUnavailable, "timeout", "the request took too long; ask for less at a time"}
	case errors.Is(err, context.Canceled):
		return &problem{http.StatusServiceUnavailable, "closed", "the request was given up"}
	default:
		return problemOfStore(err)
	}
}

// problemOfStore says an error of the engine. Its order matters: some errors match several of those below.
func problemOfStore(err error) *problem {
	switch {
	case errors.Is(err, tinykv.ErrNotFound):
		return &problem{http.StatusNotFound, "not_found", "there is no such key"}
	case errors.Is(err, tinykv.ErrConflict):
		return &problem{http.StatusConflict, "conflict", "others wrote what the transaction has read; begin it again"}
	case errors.Is(err, tinykv.ErrTxDone):
		return &problem{http.StatusNotFound, "not_found", "the transaction has ended; begin another"}
	case errors.Is(err, tinykv.ErrLagged):
		return &problem{http.StatusConflict, "conflict", "the changes to go on with are gone; read the range again, and watch from there"}
	case errors.Is(err, tinykv.ErrCorrupt):
		return &problem{http.StatusInternalServerError, "corrupt", "damaged data was met; POST /v1/verify lists all damage, and tinykv repair copies the rest"}
	case errors.Is(err, tinykv.ErrFailed):
		return &problem{http.StatusServiceUnavailable, "failed", "the store takes no writes since one of its own failed; mend the cause, and POST /v1/resume"}
	case errors.Is(err, tinykv.ErrReadOnly):
		return &problem{http.StatusForbidden, "read_only", "the store is open for reading only"}
	case errors.Is(err, tinykv.ErrClosed):
		return &problem{http.StatusServiceUnavailable, "closed", "the store is being closed; try again later"}
	case errors.Is(err, tinykv.ErrKeyTooLarge), errors.Is(err, tinykv.ErrValueTooLarge), errors.Is(err, tinykv.ErrBatchTooLarge):
		return &problem{http.StatusRequestEntityTooLarge, "too_large", sentence(err)}
	case errors.Is(err, tinykv.ErrInvalidRange), errors.Is(err, tinykv.ErrInvalidOption), errors.Is(err, tinykv.ErrInvalidOperand):
		return &problem{http.StatusBadRequest, "bad_request", sentence(err)}
	default:
		return &problem{http.StatusInternalServerError, "internal", "the request failed for a reason that the server's log tells"}
	}
}

// sentence is the text of an error of the engine about what it was given, which the peer knows.
func sentence(err error) string {
	for _, known := range []error{
		tinykv.ErrKeyTooLarge, tinykv.ErrValueTooLarge, tinykv.ErrBatchTooLarge,
		tinykv.ErrInvalidRange, tinykv.ErrInvalidOption, tinykv.ErrInvalidOperand,
	} {
		if errors.Is(err, known) {
			return known.Error()[len("tinykv: "):]
		}
	}
	return "the request is not valid"
}

// errorBody is an error as JSON.
type errorBody struct {
	Error *problem `json:"error"`
}

// fail answers with an error. Nothing must have been written.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	s.logUnknown(r, err)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.opts.HeaderTimeout)) // that of the request may have passed
	h := w.Header()
	for _, name := range []string{"ETag", "Tinykv-Expires-At", "Content-Length"} {
		h.Del(name)
	}
	switch p.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	answer(w, p.status, errorBody{p})
}

// logUnknown logs an error of which the peer is told nothing.
func (s *Server) logUnknown(r *http.Request, err error) {
	if problemOf(err).Code == "internal" {
		s.opts.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", r.Pattern, "error", err)
	}
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // what fails is the peer, which is gone
}
