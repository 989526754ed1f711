package enginetest

import (
	"context"
	"strings"
)

// verify reads all files of the store, which are as they should be.
func (h *History) verify() {
	report, err := h.db.Verify(context.Background(), nil)
	h.must(err)
	h.must(report.Err())
}

// metrics looks at the numbers that must be right at any time.
func (h *History) metrics() {
	m := h.db.Metrics()
	h.same("last sequence", m.DurableSeq <= m.LastSeq, true)
	h.same("snapshots", m.Snapshots, len(h.snaps))
	if !strings.Contains(m.String(), "total") {
		h.Errorf("%s: %s", h.last, m)
	}
}
