package enginetest

import (
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv"
)

// Clock is a clock that stands still until it is moved.
type Clock struct{ nanos atomic.Int64 }

// NewClock returns a clock that shows some time.
func NewClock() *Clock {
	c := &Clock{}
	c.nanos.Store(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// Now returns the time that the clock shows, for Options.Clock.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanos.Load()) }

// Step moves the clock, forward or back.
func (c *Clock) Step(d time.Duration) { c.nanos.Add(int64(d)) }

// expiryOps are for histories with a clock. A step back is not for stores that write again what a crash took: what
// is written after the step back lives, what it hides does not.
var expiryOps = []historyOp{
	{"put for a time", 80, func(h *History) { h.putFor(h.writeOption()...) }},
	{"put for a time, synced", 4, func(h *History) { h.putFor(tinykv.Sync) }},
	{"put a long value for a time", 1, func(h *History) { h.putUntil(h.Key(), h.bytes(70_000), h.lifetime(), nil) }},
	{"put what has expired", 4, func(h *History) { h.putUntil(h.Key(), h.Value(), -time.Hour, nil) }},
	{"put if absent, for a time", 10, (*History).putIfAbsentFor},
	{"compare and swap, for a time", 10, (*History).compareAndSwapFor},
	{"batch: put for a time", 60, func(h *History) { h.must(h.anyBatch().Put(h.Key(), h.Value(), tinykv.TTL(h.lifetime()))) }},
	{"apply large, for a time", 1, (*History).applyLargeFor},
	{"a second goes by", 20, func(h *History) { h.step(time.Second) }},
	{"half a minute goes by", 8, func(h *History) { h.step(30 * time.Second) }},
	{"an hour goes by", 2, func(h *History) { h.step(time.Hour) }},
	{"the clock jumps ten years and back", 2, func(h *History) { h.jump(10*365*24*time.Hour, (*History).writeMore) }},
	{"the clock jumps and back over an opening", 1, func(h *History) { h.jump(10*365*24*time.Hour, (*History).reopen) }},
	{"the clock goes back", 2, func(h *History) {
		if !h.Same {
			h.step(-time.Duration(1+h.IntN(100)) * time.Second)
		}
	}},
}

// lifetime draws one, in whole seconds.
func (h *History) lifetime() time.Duration {
	if h.OneIn(10) {
		return time.Duration(1+h.IntN(20)) * 365 * 24 * time.Hour
	}
	return time.Duration(1+h.IntN(120)) * time.Second
}

func (h *History) putFor(opts ...tinykv.WriteOption) {
	h.putUntil(h.Key(), h.Value(), h.lifetime(), opts)
}

func (h *History) putUntil(k, v []byte, d time.Duration, opts []tinykv.WriteOption) {
	at := tinykv.ExpireAt(h.Clock.Now().Add(d))
	with := at
	if d > 0 && h.OneIn(2) {
		with = tinykv.TTL(d)
	}
	h.must(h.db.Put(k, v, append(opts, with)...))
	h.did(opts, func(b *tinykv.Batch) error { return b.Put(k, v, at) })
}

func (h *History) putIfAbsentFor() {
	k, v, d := h.Key(), h.Value(), h.lifetime()
	_, found := h.model.Get(string(k))
	done, err := h.db.PutIfAbsent(k, v, tinykv.TTL(d))
	h.must(err)
	h.same("done", done, !found)
	if done {
		h.did(nil, func(b *tinykv.Batch) error { return b.Put(k, v, tinykv.ExpireAt(h.Clock.Now().Add(d))) })
	}
}

func (h *History) compareAndSwapFor() {
	k, v, d := h.Key(), h.Value(), h.lifetime()
	old := h.guess(k)
	have, found := h.model.Get(string(k))
	done, err := h.db.CompareAndSwap(k, old, v, tinykv.TTL(d))
	h.must(err)
	h.same("done", done, found && have == string(old))
	if done {
		h.did(nil, func(b *tinykv.Batch) error { return b.Put(k, v, tinykv.ExpireAt(h.Clock.Now().Add(d))) })
	}
}

func (h *History) applyLargeFor() {
	b := h.db.NewBatch()
	draw := NewRandom(h.Uint64())
	for range 300 {
		if draw.OneIn(5) {
			h.must(b.Put(draw.Key(), draw.Value()))
		} else {
			h.must(b.Put(draw.Key(), draw.Value(), tinykv.TTL(time.Duration(1+draw.IntN(200))*time.Second)))
		}
	}
	h.apply(b)
}

func (h *History) writeMore() {
	for range 1 + h.IntN(5) {
		h.putFor()
	}
}

// jump has the clock show another time for a while, if it may go back.
func (h *History) jump(d time.Duration, meanwhile func(*History)) {
	if h.Same {
		return
	}
	h.step(d)
	meanwhile(h)
	h.step(-d)
}

// step moves the clock and has the store notice.
func (h *History) step(d time.Duration) {
	if h.Same { // a merge that a crash took and that is done once more would find what it follows expired
		h.sync()
	}
	h.notice() // after a crash, what the clock shows need not be known yet
	h.Clock.Step(d)
	h.notice()
	if d < 0 {
		h.mirror = mirror{} // who learns of a value later does not know that it had expired before
	}
	b := h.db.NewBatch()
	h.steps[b] = h.Clock.Now().UnixNano()
	h.redo(h.model, b)
	if h.lost.durable != nil {
		h.lost.since = append(h.lost.since, b)
		h.lost.during = append(h.lost.during, b)
	}
}

func (h *History) notice() {
	it, err := h.db.NewIter(tinykv.All())
	h.must(err)
	h.must(it.Close())
}

// redo does to a model what a commit, or a step of the clock, did.
func (h *History) redo(m *Model, b *tinykv.Batch) {
	if now, ok := h.steps[b]; ok {
		m.Step(now)
		return
	}
	m.Apply(b)
}

// later returns what becomes of a model when nothing of some commits is there but the steps of the clock.
func (h *History) later(m *Model, commits []*tinykv.Batch) *Model {
	later := m
	for _, b := range commits {
		if now, ok := h.steps[b]; ok {
			if later == m {
				later = m.Clone()
			}
			later.Step(now)
		}
	}
	return later
}

// catchUp tells a model what the clock shows.
func (h *History) catchUp(m *Model) {
	if h.Clock != nil {
		m.Step(h.Clock.Now().UnixNano())
	}
}

// PutUntil sets the value of a key, for a time.
func (m *Model) PutUntil(key, value string, expiry int64) {
	m.Put(key, value)
	i, _ := m.find(key)
	if m.entries[i].Expiry = expiry; expiry <= m.now {
		m.Delete(key)
	}
}

// Step sets the clock. What has expired is gone, also when the clock goes back later.
func (m *Model) Step(now int64) {
	m.now = now
	kept := m.entries[:0:0]
	for _, e := range m.entries {
		if e.Expiry == 0 || e.Expiry > now {
			kept = append(kept, e)
		}
	}
	m.entries = kept
	for _, b := range m.buckets {
		b.Step(now)
	}
}

func entryOf(item tinykv.Item) Entry {
	e := Entry{Key: string(item.Key), Value: string(item.Value)}
	if !item.ExpiresAt.IsZero() {
		e.Expiry = item.ExpiresAt.UnixNano()
	}
	return e
}
