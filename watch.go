package tinykv

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"runtime"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
)

// EventKind says what an [Event] tells.
type EventKind uint8

// The kinds of events.
const (
	EventPut         EventKind = 1 // Key was set to Value
	EventDelete      EventKind = 2 // Key was deleted, whether it was there or not
	EventDeleteRange EventKind = 3 // every key from Key up to, but without, Upper was deleted
	EventMerge       EventKind = 4 // Value is an operand of the store's merge operator for Key
	EventExpire      EventKind = 5 // the value of Key has expired
)

// String returns the kind in words, as "put".
func (k EventKind) String() string {
	switch k {
	case EventPut:
		return "put"
	case EventDelete:
		return "delete"
	case EventDeleteRange:
		return "delete range"
	case EventMerge:
		return "merge"
	case EventExpire:
		return "expire"
	default:
		return fmt.Sprintf("EventKind(%d)", uint8(k))
	}
}

// Event is one change of a store, as [DB.Watch] yields it. Its slices belong to the receiver.
type Event struct {
	Kind   EventKind
	Bucket string // empty for keys outside of buckets

	Key   []byte
	Value []byte // not nil for a put and a merge
	Upper []byte // of a range deletion: where it ends; nil: nowhere

	ExpiresAt time.Time // of a put: when the value is gone; zero: never. Of an expiry: when it was gone

	// Seq is the number of the change in commit order, greater than that of the one told before. Events of a batch that is told as what it comes to
	// (see Watch) are numbered in the order in which they are told; so they may have other numbers than their keys' Item.Seq. Of an
	// expiry, it is that of the last change before it was told.
	Seq uint64

	// Last is set on the last event of a batch, or of a single write, that is told to this watcher. What was told up to there
	// is a state that the store had, of the keys in the range.
	Last bool
}

// Watch yields the changes of keys in a range that are committed from now on, or after the number since: each exactly once, in the
// order in which they were committed. It goes on until the loop is left; what ends it otherwise is yielded as the last pair, with an
// empty event. An iterator that is never used costs nothing.
//
// With since = 0, these are the changes committed after the call of Watch, not after the begin of the loop. Otherwise they are all with
// a greater Seq: give the Seq of the last event that was dealt with, or [Snapshot.Seq] after a scan. What is
// older than the calls is read from memory or from the write-ahead log, which reach back to about the last flush; when
// anything is missing, ErrLagged comes at once, and nothing is skipped. So it does for a watcher that is so slow that writers are
// further ahead than that, and for a since that the store has not come to yet, as after a loss of power that took the last writes.
// After ErrLagged, scan a snapshot and watch from its Seq.
//
// A range deletion is told, as one event, when it overlaps the range, and cut to that. What a batch does is told operation by
// operation, but for one too large for memory, or a transaction that was, which become tables at once: of each of these, what it comes to, range deletions
// first, then keys in order. When since lies in such a batch it is told from its begin again, with the same numbers if the range is the same: who
// merges passes over what has none greater than the last that was dealt with, or goes on from the Seq of events with Last set only.
//
// That a value has expired is told when it has, if it is still that of its key, to those who watch at that moment and have not fallen
// behind what is in memory: nothing is told of it later, as the put told of it before. A watch of a store in which values
// expire scans the range in the background when it begins, and again whenever very many expire.
//
// Writers do not wait for watchers. While writes keep coming, changes are told some milliseconds late, many together.
// Changes are told when they are visible, which may be before they are on stable storage.
//
// Errors: the cause of ctx when it ends; ErrClosed when the store closes, at once; ErrLagged; ErrInvalidRange; ErrInvalidOption for a nil ctx;
// ErrReadOnly for a store that was opened so, where nothing changes; for damaged files one that matches ErrCorrupt.
func (db *DB) Watch(ctx context.Context, r Range, since uint64) iter.Seq2[Event, error] {
	return db.watch(ctx, "", r, since)
}

// watch is Watch for the bucket of a name.
func (db *DB) watch(ctx context.Context, bucket string, r Range, since uint64) iter.Seq2[Event, error] {
	if since == 0 {
		since = db.visible.Load()
	}
	r = r.clone()
	return func(yield func(Event, error) bool) {
		w := &watcher{db: db, bucket: bucket, ctx: ctx, seq: key.SeqNum(since), yield: yield}
		if err := w.watch(r); err != nil {
			yield(Event{}, err)
		}
	}
}

// watcher is a loop over Watch.
type watcher struct {
	db    *DB
	ctx   context.Context
	done  <-chan struct{} // of ctx
	yield func(Event, error) bool

	bucket string        // empty: what is in none
	r      Range         // what is watched
	whole  bool          // which is all of it
	wake   chan struct{} // rung by the sorter
	known  []bounds      // of what was taken

	seq     key.SeqNum // everything up to here was told
	event   Event      // found, and not told before it is known whether it is the last of its batch
	found   bool
	views   []view // taken from the feed
	untired int    // records until others get a turn

	// Guarded by feed.mu; what bounds has does not change. A bucket has new ones when it is made anew.
	bounds  []bounds
	before  toldMark // what had expired when it began
	scanned bool     // the expirer has looked for what expires in bounds

	// Guarded by feed.mu. While attached, all records from an ordinal on that concern the watcher come to due, ascending.
	attached bool
	from     uint64
	told     uint64 // while not attached: records before this one were told, or there before it began
	due      []run
	waiting  bool // to be woken when there is something in due
}

// patienceOfOthers is after how many events, or records looked at, a watcher lets others run: those who have
// fallen behind would keep writers from a processor otherwise.
const patienceOfOthers = 64

// watch tells all that there is to tell, and returns why there is no more; nil when the receiver wants none.
func (w *watcher) watch(r Range) error {
	if err := r.check(); err != nil {
		return w.db.unlessClosed(err)
	}
	if w.ctx == nil {
		return w.db.unlessClosed(errNilContext)
	}
	if w.db.opts.ReadOnly {
		return w.db.unlessClosed(errOpenReadOnly)
	}
	w.r, w.whole = r, len(r.Lower) == 0 && r.Upper == nil
	w.done, w.wake = w.ctx.Done(), make(chan struct{}, 1)
	w.db.feed.add(w)
	defer w.db.feed.remove(w)
	if visible := w.db.visible.Load(); uint64(w.seq) > visible {
		return w.db.unlessClosed(fmt.Errorf("%w: it is to go on behind number %d, but the last write has %d", ErrLagged, w.seq, visible))
	}
	if !w.db.feed.knows(w) {
		return fmt.Errorf("%w: buckets were dropped behind number %d, this one maybe too", ErrLagged, w.seq)
	}
	for {
		goesOn, err := w.step()
		if err != nil || !goesOn {
			return err
		}
	}
}

// step tells some of what there is, or waits for it. It reports false when the receiver wants no more.
func (w *watcher) step() (goesOn bool, err error) {
	if err := w.stopped(); err != nil {
		return false, err
	}
	switch w.db.feed.take(w) {
	case placeInside:
		return w.tellViews()
	case placeBefore:
		return w.catchUp()
	}
	w.wait()
	return true, nil
}

// place says what there is for a watcher.
type place uint8

const (
	placeInside place = iota // something in the feed
	placeBefore              // something that is gone from the feed, or was never there
	placeEnd                 // nothing yet
)

// maxViews is how much a watcher takes from the feed at once.
const maxViews = 16

// take gives a watcher what it is to be told next, as views.
func (f *feed) take(w *watcher) place {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.views, w.known = w.views[:0], w.bounds
	if !w.attached && !f.attachLocked(w) {
		return placeBefore
	}
	if len(w.due) == 0 {
		w.waiting = true
		return placeEnd
	}
	taken := 0
	for ; taken < len(w.due) && len(w.views) < maxViews; taken++ {
		r := &w.due[taken]
		if taken > 0 && r.from >= w.views[0].chunkEnd { // who is slow shall not keep more than one from being freed
			break
		}
		v, ok := f.viewLocked(r.from, r.to)
		if !ok { // with all before it
			w.seq, w.told = max(w.seq, r.after), r.from
			w.attached, w.due = false, w.due[:0]
			return placeBefore
		}
		w.views = append(w.views, v)
		r.from += uint64(len(v.records))
		r.after = v.records[len(v.records)-1].last
		if r.from < r.to || v.large != nil {
			break
		}
	}
	if taken < len(w.due) && w.due[taken].from == w.due[taken].to {
		taken++
	}
	w.due = append(w.due[:0], w.due[taken:]...)
	return placeInside
}

// attachLocked has the sorter see to a watcher, if what it is to be told next is in the feed.
func (f *feed) attachLocked(w *watcher) bool {
	if len(f.chunks) == 0 && key.SeqNum(w.db.visible.Load()) > w.seq {
		return false
	}
	n, ok := f.ordinalLocked(w.seq)
	if !ok {
		return false
	}
	n = f.expiriesLocked(n, w.told, w.seq)
	w.attached, w.from = true, max(n, f.sorted)
	if n < f.sorted {
		w.due = append(w.due, run{from: n, to: f.sorted, after: w.seq})
	}
	return true
}

// note takes up records that may concern the watcher, and reports whether it is to be woken.
func (w *watcher) note(r run) (wake bool) {
	if !w.attached || r.to <= w.from {
		return false
	}
	r.from = max(r.from, w.from)
	if n := len(w.due); n > 0 && (w.due[n-1].to >= r.from || n == maxDue) {
		w.due[n-1].to = max(w.due[n-1].to, r.to)
	} else {
		w.due = append(w.due, r)
	}
	wake, w.waiting = w.waiting, false
	return wake
}

// stopped returns why the watch is over.
func (w *watcher) stopped() error {
	select {
	case <-w.db.feed.closed:
		return ErrClosed
	default:
	}
	select {
	case <-w.done:
		return context.Cause(w.ctx)
	default:
	}
	return nil
}

// wait returns when there may be something new.
func (w *watcher) wait() {
	select {
	case <-w.wake:
	case <-w.done:
	case <-w.db.feed.closed:
	}
}

// tellViews tells what was taken.
func (w *watcher) tellViews() (goesOn bool, err error) {
	last := &w.views[len(w.views)-1] // the only one that may be large
	if last.large != nil {
		defer last.large.unref()
	}
	for i := range w.views {
		if goesOn, err := w.tellView(&w.views[i]); err != nil || !goesOn {
			return false, err
		}
	}
	return true, nil
}

func (w *watcher) tellView(v *view) (goesOn bool, err error) {
	w.seq = max(w.seq, v.after)
	if v.large != nil {
		return w.tellLarge(v.large)
	}
	for _, r := range v.records {
		if err := w.stopped(); err != nil {
			return false, err
		}
		if r.expired && !w.tellExpiry(v.buf[r.off:r.end]) || !r.expired && !w.tellBatch(v.buf[r.off:r.end]) {
			return false, nil
		}
		w.seq = r.last
		w.rest(1)
	}
	return true, nil
}

// rest lets others run now and then.
func (w *watcher) rest(n int) {
	if w.untired -= n; w.untired < 0 {
		w.untired = patienceOfOthers
		runtime.Gosched()
	}
}

// tellBatch tells what is new in a batch, and reports false when the receiver wants no more.
func (w *watcher) tellBatch(payload []byte) bool {
	seq, count := batchrepr.Header(payload)
	ops := batchrepr.ReadOps(payload, count)
	for op, ok, _ := ops.Next(); ok; op, ok, _ = ops.Next() {
		if seq > w.seq && !w.tell(op, seq) {
			return false
		}
		seq++
	}
	return w.flush()
}

// tellExpiry tells that a value has expired.
func (w *watcher) tellExpiry(payload []byte) bool {
	seq, count := batchrepr.Header(payload)
	ops := batchrepr.ReadOps(payload, count)
	op, _, _ := ops.Next()
	for i := range w.known {
		if w.known[i].contain(op.Stored) {
			e := eventOf(op)
			e.Kind, e.Value = EventExpire, nil
			return w.put(e, seq) && w.flush()
		}
	}
	return true
}

// tell takes up an operation, if it falls into the range.
func (w *watcher) tell(op batchrepr.Op, seq key.SeqNum) bool {
	if op.Kind == key.KindRangeDelete {
		e, ok := w.rangeEvent(op.Stored, op.Value)
		return !ok || w.put(e, seq)
	}
	for i := range w.known {
		if w.known[i].contain(op.Stored) {
			return w.put(eventOf(op), seq)
		}
	}
	return true
}

// rangeEvent returns the event that tells of a range deletion, if that meets the range.
func (w *watcher) rangeEvent(lower, upper []byte) (e Event, ok bool) {
	for i := range w.known {
		if e, ok = w.known[i].rangeEvent(lower, upper); ok {
			return e, true
		}
	}
	return Event{}, false
}

// eventOf returns the event that tells of an operation on a key.
func eventOf(op batchrepr.Op) (e Event) {
	value := op.Value
	switch op.Kind {
	case key.KindSet:
		e.Kind = EventPut
	case key.KindSetExpiring:
		e.Kind = EventPut
		var expiry int64
		expiry, value, _ = key.SplitExpiring(op.Value)
		e.ExpiresAt = time.Unix(0, expiry)
	case key.KindMerge:
		e.Kind = EventMerge
		_, value, _ = key.SplitOperand(op.Value)
	default:
		e.Kind = EventDelete
	}
	_, user, _ := key.SplitStored(op.Stored)
	buf := make([]byte, len(user)+len(value))
	e.Key = buf[:copy(buf, user):len(user)]
	if e.Kind != EventDelete {
		e.Value = buf[len(user):]
		copy(e.Value, value)
	}
	return e
}

// bounds are what is watched, as stored keys of a keyspace.
type bounds struct {
	space        key.Space
	lower, upper []byte
}

func (b *bounds) contain(stored []byte) bool {
	return bytes.Compare(stored, b.lower) >= 0 && bytes.Compare(stored, b.upper) < 0
}

// rangeEvent returns the event that tells of a range deletion, as far as it falls within the bounds.
func (b *bounds) rangeEvent(lower, upper []byte) (e Event, ok bool) {
	if bytes.Compare(lower, b.lower) < 0 {
		lower = b.lower
	}
	if bytes.Compare(upper, b.upper) > 0 {
		upper = b.upper
	}
	if bytes.Compare(lower, upper) >= 0 {
		return Event{}, false
	}
	_, first, _ := key.SplitStored(lower)
	e = Event{Kind: EventDeleteRange, Key: append([]byte{}, first...)}
	if space, end, ok := key.SplitStored(upper); ok && space == b.space {
		e.Upper = append([]byte{}, end...)
	}
	return e, true
}

// put tells the event found before, if any, and keeps this one.
func (w *watcher) put(e Event, seq key.SeqNum) bool {
	e.Seq, e.Bucket = uint64(seq), w.bucket
	if w.found && !w.yield(w.event, nil) {
		return false
	}
	w.event, w.found = e, true
	w.rest(1)
	return true
}

// flush tells the last event of a batch.
func (w *watcher) flush() bool {
	if !w.found {
		return true
	}
	e := w.event
	e.Last = true
	w.event, w.found = Event{}, false
	return w.yield(e, nil)
}
