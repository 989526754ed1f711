package tinykv

import (
	"fmt"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/wal"
)

// catchUp tells what is not in the feed any more, or was committed before there was one, from the log, until the feed goes on. It
// reports false when the receiver wants no more.
//
// A write that failed may be in the log too. It has a number above all that were visible as long as the log was in force: only
// Resume gives it to another write, and begins another log before that.
func (w *watcher) catchUp() (goesOn bool, err error) {
	log := w.db.log.Load()
	visible := key.SeqNum(w.db.visible.Load())
	if w.db.log.Load() != log {
		return true, nil // a Resume came in between
	}
	w.known = w.db.feed.boundsOf(w) // as they were at visible, or later
	follower, ok := log.Follow(uint64(w.seq))
	if !ok {
		return w.lagged(log, wal.ErrGone)
	}
	for w.seq < visible && !w.db.feed.reaches(w.seq) {
		if err := w.stopped(); err != nil {
			return false, err
		}
		payload, err := follower.Next()
		if err != nil {
			return w.lagged(log, err)
		}
		if goesOn, err := w.tellLogged(payload); !goesOn {
			return false, err
		}
	}
	return true, nil
}

// tellLogged tells a record of the log.
func (w *watcher) tellLogged(payload []byte) (goesOn bool, err error) {
	first, _, err := batchrepr.Read(payload)
	if err == nil {
		err = batchrepr.Validate(payload)
	}
	if err != nil {
		return false, err
	}
	_, count := batchrepr.Header(payload)
	last := first + key.SeqNum(count) - 1
	if first > w.seq+1 {
		return false, fmt.Errorf("%w: the writes from number %d to %d were one large batch, which is not in memory any more", ErrLagged, w.seq+1, first-1)
	}
	if last > w.seq {
		if !w.tellBatch(payload) {
			return false, nil
		}
		w.seq = last
	}
	w.rest(1)
	return true, nil
}

// lagged returns what a watcher is told for which a log does not have what follows. When another log has taken its place the watcher
// looks there.
func (w *watcher) lagged(log *wal.Log, err error) (goesOn bool, _ error) {
	if err := w.stopped(); err != nil {
		return false, err
	}
	if w.db.log.Load() != log {
		return true, nil
	}
	return false, fmt.Errorf("%w: what follows number %d is in memory no more: %w", ErrLagged, w.seq, err)
}
