package server

import "net/http"

// size answers with about how many bytes of disk a range takes, without reading it.
func (s *Server) size(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "prefix", "lower", "upper")
	if err != nil {
		return err
	}
	bounds, _, err := q.bounds()
	if err != nil {
		return err
	}
	n, err := s.space(&q).EstimateSize(bounds)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		Bytes uint64 `json:"bytes"`
	}{n})
	return nil
}
