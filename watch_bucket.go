package tinykv

import (
	"context"
	"iter"
	"slices"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Watch is [DB.Watch] within the bucket of that name: it need not be there yet, and when it is dropped, which is told as a range deletion of all that
// was in it, and made again, that is told too. A watch from a number before such a drop gives ErrLagged, and may do so when other
// buckets were dropped since and this one was made.
func (b *Bucket) Watch(ctx context.Context, r Range, since uint64) iter.Seq2[Event, error] {
	if err := b.ofStore(); err != nil {
		return func(yield func(Event, error) bool) { yield(Event{}, err) }
	}
	return b.db.watch(ctx, b.name, r, since)
}

// find notes what the keys watched are stored as, if it is not noted. feed.mu is held.
func (w *watcher) find() (found bool) {
	space := key.Space(0)
	if w.bucket != "" {
		var ok bool
		if space, ok = w.db.spaces.Load().Find(w.bucket); !ok {
			return false
		}
	}
	if n := len(w.bounds); n > 0 && w.bounds[n-1].space == space {
		return false
	}
	lower, upper := w.r.stored(space)
	w.bounds = append(slices.Clip(w.bounds), bounds{space, lower, upper})
	return true
}

// learnSpaces is told of buckets that were made or dropped behind a number. Only the leader calls it, before it commits anything with
// a new keyspace.
func (f *feed) learnSpaces(e *manifest.Edit, seq key.SeqNum) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range e.NewSpaces {
		f.made[s.ID] = seq
	}
	for _, id := range e.DroppedSpaces {
		delete(f.made, id)
		f.dropped = seq
	}
	for w := range f.watchers {
		if w.find() && f.sorter != nil {
			f.sorter.stale = true
		}
	}
}

// boundsOf returns what is watched as it is stored.
func (f *feed) boundsOf(w *watcher) []bounds {
	f.mu.Lock()
	defer f.mu.Unlock()
	return w.bounds
}

// knows tells whether what is watched, behind what was told, is sure to be in the keyspaces that are known: in no bucket of that name that was
// dropped since.
func (f *feed) knows(w *watcher) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.bucket == "" || w.seq >= f.dropped {
		return true
	}
	return len(w.bounds) > 0 && f.made[w.bounds[0].space] <= w.seq
}
