package enginetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/tinykv/tinykv"
)

// mirror is what somebody who watches a store believes to be in it, outside of buckets.
type mirror struct {
	db       *tinykv.DB
	seq      uint64
	believed *Model
}

// watch begins to watch, from memory or from the log as the draw says: another watcher has the store keep in memory
// what was committed last.
func (h *History) watch() {
	if h.db.Metrics().LastSeq == 0 {
		h.put() // as "behind number 0" means from now on
	}
	h.mirror = mirror{h.db, h.db.Metrics().LastSeq, h.model.Clone()}
	if h.OneIn(2) || h.db.Metrics().Watch.Watchers > 0 {
		return
	}
	db := h.db
	go func() {
		for range db.Watch(context.Background(), tinykv.Prefix([]byte("what nobody writes")), 0) {
			return // the store is closed
		}
	}()
	for db.Metrics().Watch.Watchers == 0 {
		runtime.Gosched()
	}
}

// learn has the mirror learn what happened since it did last. It may break off in the middle of a batch.
func (h *History) learn() {
	m := &h.mirror
	if m.db != h.db {
		return
	}
	h.put() // so that there is something, whose number is known
	last := h.db.Metrics().LastSeq
	leave := last
	if h.OneIn(2) {
		leave = m.seq + 1 + uint64(h.IntN(30))
	}
	for e, err := range h.db.Watch(h.Context(), tinykv.All(), m.seq) {
		if errors.Is(err, tinykv.ErrLagged) { // after flushes and large batches
			m.seq, m.believed = last, h.model.Clone()
			return
		}
		h.must(err)
		if e.Seq > m.seq && e.Kind != tinykv.EventExpire { // a large batch is told from its begin again
			m.believed.learn(e)
			m.seq = e.Seq
		}
		if e.Last && e.Seq == last {
			break
		}
		if e.Seq >= leave {
			return
		}
	}
	h.catchUp(m.believed)
	if got, want := m.believed.entries, h.model.entries; !slices.Equal(got, want) {
		h.Errorf("%s: a watcher believes in %.500s, but there is %.500s", h.last, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// learn does what an event tells.
func (m *Model) learn(e tinykv.Event) {
	switch k := string(e.Key); e.Kind {
	case tinykv.EventPut:
		if m.Put(k, string(e.Value)); !e.ExpiresAt.IsZero() {
			m.PutUntil(k, string(e.Value), e.ExpiresAt.UnixNano())
		}
	case tinykv.EventDelete:
		m.Delete(k)
	case tinykv.EventDeleteRange:
		m.DeleteRange(tinykv.Range{Lower: e.Key, Upper: e.Upper})
	case tinykv.EventMerge:
		m.Merge(k, string(e.Value))
	}
}
