package server

import (
	"net/http"
	"slices"
	"sync"

	"github.com/tinykv/tinykv/internal/interchange"
)

// maxJobName is how long the name of an import may be, in bytes.
const maxJobName = 64

// imports are those under way. Most clients read no answer before they have sent everything: how far it is they ask for beside it.
type imports struct {
	mu  sync.Mutex
	all []*underWay // guarded by mu, in the order of their beginnings; what they point to, too
}

// underWay is an import, and how far it is.
type underWay struct {
	Job      string `json:"job,omitempty"`
	Imported int64  `json:"imported"`
	Skipped  int64  `json:"skipped"`
	Failed   int64  `json:"failed"`
	Bytes    int64  `json:"bytes"`
	Rows     int64  `json:"rows"`
}

// begin takes up an import under the name that the peer has given it. The first function that it returns tells how far it is, the second that it
// has ended.
func (im *imports) begin(job string) (note func(interchange.ImportReport), end func()) {
	u := &underWay{Job: job}
	im.mu.Lock()
	defer im.mu.Unlock()
	im.all = append(im.all, u)
	note = func(r interchange.ImportReport) {
		im.mu.Lock()
		defer im.mu.Unlock()
		u.Imported, u.Skipped, u.Failed, u.Bytes, u.Rows = r.Imported, r.Skipped, r.Failed, r.Bytes, r.Rows
	}
	return note, func() {
		im.mu.Lock()
		defer im.mu.Unlock()
		im.all = slices.DeleteFunc(im.all, func(o *underWay) bool { return o == u })
	}
}

// list returns those under way, as they are now.
func (im *imports) list() []underWay {
	im.mu.Lock()
	defer im.mu.Unlock()
	now := make([]underWay, len(im.all))
	for i, u := range im.all {
		now[i] = *u
	}
	return now
}

// getImports answers with the imports that are under way.
func (s *Server) getImports(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		Imports []underWay `json:"imports"`
	}{s.imports.list()})
	return nil
}
