package server

import (
	"net/http"
	"sync/atomic"
)

// freeBytes is what a request may use without asking: small ones are answered whatever the large ones use.
const freeBytes = 64 << 10

// memory is what requests may use together for bodies and answers, in bytes.
type memory struct {
	most int64
	used atomic.Int64
}

// share is what one request uses of it.
type share struct {
	of    *memory
	taken int64 // with what is free
}

func (m *memory) share() *share { return &share{of: m} }

// take takes n bytes more, or nothing: when there are not so many, the request is to be given up.
func (s *share) take(n int) error {
	before := max(s.taken, freeBytes)
	s.taken += int64(n)
	more := max(s.taken, freeBytes) - before
	if more > 0 && s.of.used.Add(more) > s.of.most {
		s.taken -= int64(n)
		s.of.used.Add(-more)
		return &problem{http.StatusServiceUnavailable, "too_many", "too much is being asked for at once; try again in a second, or ask for less"}
	}
	return nil
}

// release gives everything back.
func (s *share) release() {
	s.of.used.Add(-(max(s.taken, freeBytes) - freeBytes))
	s.taken = 0
}
