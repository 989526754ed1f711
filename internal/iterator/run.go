package iterator

import (
	"sort"

	"github.com/tinykv/tinykv/internal/key"
)

// Sources is a sequence of sources of entries, ordered by key, of which no two share a stored key.
type Sources interface {
	Len() int

	// Smallest returns an internal key at or before every entry of source i, and behind every entry
	// of source i-1.
	Smallest(i int) key.Internal

	// Largest returns an internal key at or behind every entry of source i, and before every entry
	// of source i+1.
	Largest(i int) key.Internal

	// Open returns an iterator over source i, which the caller closes.
	Open(i int) (Iterator, error)
}

// Run is an Iterator over a sequence of sources, opened one at a time when they are reached.
type Run struct {
	of  Sources
	at  int      // source that cur iterates over; -1 before the first, Len behind the last
	cur Iterator // nil when at is off either end
	err error
}

var _ Bounded = (*Run)(nil)

// NewRun returns an iterator, not positioned yet.
func NewRun(of Sources) *Run {
	r := &Run{}
	r.Init(of)
	return r
}

// Init makes r what NewRun returns, without allocating.
func (r *Run) Init(of Sources) { *r = Run{of: of, at: -1} }

// load makes source i the current one and reports whether there is one. It fails, too, when the one
// before cannot be closed.
func (r *Run) load(i int) bool {
	if i == r.at && r.cur != nil {
		return true
	}
	r.drop()
	r.at = i
	if r.err != nil || i < 0 || i >= r.of.Len() {
		return false
	}
	r.cur, r.err = r.of.Open(i)
	if r.err != nil {
		r.cur = nil
	}
	return r.err == nil
}

// drop closes the current source.
func (r *Run) drop() {
	if r.cur != nil {
		if err := r.cur.Close(); r.err == nil {
			r.err = err
		}
		r.cur = nil
	}
}

// seek returns the first source that may hold an entry at or behind the key.
func (r *Run) seek(stored []byte, trailer key.Trailer) int {
	target := key.Internal{Stored: stored, Trailer: trailer}
	return sort.Search(r.of.Len(), func(i int) bool { return key.Compare(r.of.Largest(i), target) >= 0 })
}

// seekBack returns the last source that may hold an entry before the key. One that begins at it or behind is left alone: it
// may be damaged.
func (r *Run) seekBack(stored []byte, trailer key.Trailer) int {
	target := key.Internal{Stored: stored, Trailer: trailer}
	return sort.Search(r.of.Len(), func(i int) bool { return key.Compare(r.of.Smallest(i), target) >= 0 }) - 1
}

// forward returns kv, or if it is nil the first entry of the sources that follow.
func (r *Run) forward(kv *KV) *KV {
	for kv == nil {
		if r.failed() || !r.load(r.at+1) {
			return nil
		}
		kv = r.cur.First()
	}
	return kv
}

// backward returns kv, or if it is nil the last entry of the sources before.
func (r *Run) backward(kv *KV) *KV {
	for kv == nil {
		if r.failed() || !r.load(r.at-1) {
			return nil
		}
		kv = r.cur.Last()
	}
	return kv
}

// failed takes over a failure of the current source.
func (r *Run) failed() bool {
	if r.err == nil && r.cur != nil {
		r.err = r.cur.Err()
	}
	return r.err != nil
}

// First implements Iterator.
func (r *Run) First() *KV {
	r.err = nil
	if !r.load(0) {
		return nil
	}
	return r.forward(r.cur.First())
}

// Last implements Iterator.
func (r *Run) Last() *KV {
	r.err = nil
	if !r.load(r.of.Len() - 1) {
		return nil
	}
	return r.backward(r.cur.Last())
}

// SeekGE implements Iterator.
func (r *Run) SeekGE(stored []byte, trailer key.Trailer) *KV {
	r.err = nil
	if !r.load(r.seek(stored, trailer)) {
		return nil
	}
	return r.forward(r.cur.SeekGE(stored, trailer))
}

// SeekLT implements Iterator.
func (r *Run) SeekLT(stored []byte, trailer key.Trailer) *KV {
	r.err = nil
	if !r.load(r.seekBack(stored, trailer)) {
		return nil
	}
	return r.backward(r.cur.SeekLT(stored, trailer))
}

// Next implements Iterator.
func (r *Run) Next() *KV {
	if r.cur != nil {
		if kv := r.cur.Next(); kv != nil {
			return kv
		}
	}
	if r.at >= r.of.Len() {
		return nil
	}
	return r.forward(nil)
}

// Prev implements Iterator.
func (r *Run) Prev() *KV {
	if r.cur != nil {
		if kv := r.cur.Prev(); kv != nil {
			return kv
		}
	}
	if r.at < 0 {
		return nil
	}
	return r.backward(nil)
}

// Err implements Iterator.
func (r *Run) Err() error {
	r.failed()
	return r.err
}

// FailedAt implements Bounded.
func (r *Run) FailedAt(forward bool) (bound key.Internal, known bool) {
	if r.at < 0 || r.at >= r.of.Len() {
		return key.Internal{}, false
	}
	if r.cur != nil {
		if bound, known = FailedAt(r.cur, forward); known {
			return bound, true
		}
	}
	if forward {
		return r.of.Smallest(r.at), true
	}
	return r.of.Largest(r.at), true
}

// Close implements Iterator.
func (r *Run) Close() error {
	r.err = nil
	r.drop()
	r.at = -1
	return r.err
}
