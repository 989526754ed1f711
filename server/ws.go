package server

import (
	"net/http"

	"github.com/coder/websocket"
)

// webSocket speaks with one peer until it goes.
func (s *Server) webSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the answer was written
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
}
