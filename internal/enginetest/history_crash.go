package enginetest

import (
	"slices"

	"github.com/tinykv/tinykv"
)

// losable is what a history knows of the writes that a power cut may take.
type losable struct {
	durable *Model         // nil where nothing crashes
	since   []func(*Model) // the commits since then, oldest first
}

// did notes a commit that was acknowledged under some options.
func (h *History) did(opts []tinykv.WriteOption, change func(*Model)) {
	change(h.model)
	if h.lost.durable == nil {
		return
	}
	h.lost.since = append(h.lost.since, change)
	if slices.Contains(opts, tinykv.Sync) {
		h.durable()
	}
}

// applied notes the commit of a batch, whose operations the caller may change afterwards.
func (h *History) applied(opts []tinykv.WriteOption, b *tinykv.Batch) {
	if h.lost.durable == nil {
		h.model.Apply(b)
		return
	}
	kept := h.db.NewBatch()
	h.must(kept.Append(b))
	h.did(opts, func(m *Model) { m.Apply(kept) })
}

// durable notes that everything is on stable storage.
func (h *History) durable() {
	if h.lost.durable != nil {
		h.lost.durable, h.lost.since = h.model.Clone(), nil
	}
}

// crash lets the system crash and goes on with what is recovered: everything that was acknowledged
// where only the process died, else a prefix of the commit order with everything that was synced.
func (h *History) crash() {
	powerLost := h.Crash()
	left := h.lost
	h.close() // the store that has crashed, where nobody sees it any more
	if h.OneIn(2) {
		h.openCrashed(h.OpenReadOnly, left, powerLost)
		h.must(h.db.Close())
		left = losable{durable: h.model} // and that is what stays
	}
	h.openCrashed(h.Open, left, powerLost)
	h.durable()
}

// openCrashed opens what a crash left and takes for its model the one that fits.
func (h *History) openCrashed(open func() (*tinykv.DB, error), left losable, powerLost bool) {
	db, err := open()
	h.must(err)
	h.db = db
	got, err := Collect(db.Scan(tinykv.All()))
	h.must(err)
	m := left.durable.Clone()
	fits := len(left.since) == 0 || powerLost
	for n := 0; !fits || !slices.Equal(got, m.entries); n++ {
		if n == len(left.since) {
			h.Fatalf("%s: %d entries are no state between %d synced ones and %d commits later (power lost: %v)",
				h.last, len(got), len(left.durable.entries), n, powerLost)
		}
		left.since[n](m)
		fits = powerLost || n+1 == len(left.since)
	}
	h.model = m
}
