package tinykv

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// The expirer is a goroutine that exists while there are watchers of a store in which values expire. It knows those values in the
// watched ranges that expire next: from a scan, and from then on from the sorter, which sees all writes. When one is due it makes sure, as the
// leader, that it was not overwritten, and appends a record to the feed that says so.
//
// What it knows is bounded: when there is too much, the later half goes, and is found by another scan when the rest has
// been told. Nothing is told during a scan, since what is told of comes in the order of times: so it is known what has been told.

const (
	expiringBytes  = 96          // of an entry of the expirer, beside its key
	expiriesAtOnce = 256         // told by one lead
	maxExpiryWait  = time.Minute // then the clock is looked at again: it may have jumped
	scannedBetween = 1024        // items of a scan between two looks whether it is over
	expirerPart    = 4           // of the feed's limit
)

// expiring is a value that expires.
type expiring struct {
	expiry int64
	stored string
	seq    key.SeqNum
}

func (a expiring) compare(b expiring) int {
	return cmp.Or(cmp.Compare(a.expiry, b.expiry), cmp.Compare(a.stored, b.stored), cmp.Compare(a.seq, b.seq))
}

// expirer is the state of that goroutine.
type expirer struct {
	db    *DB
	limit int64
	ctx   context.Context // ends when nobody watches any more
	end   context.CancelFunc
	done  chan struct{}
	bell  chan struct{} // rung when there is something new, or the clock has changed

	// floor is a reading of the clock: compactions drop no values that expire later, as they may have to be told of. It
	// changes under mu.
	floor atomic.Int64

	mu      sync.Mutex            // taken behind feed.mu and before DB.mu
	next    expiries              // what is in newest, and what was
	newest  map[string]key.SeqNum // by stored key: what is known of it
	bytes   int64
	horizon *expiring  // what expires from here on is not known; nil: all is
	told    expiring   // the last one that was due
	from    key.SeqNum // the scan sees to what is not behind this
	scan    bool       // is wanted
}

// expiries is a heap.
type expiries []expiring

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].compare(e[j]) < 0 }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *expiries) Push(x any)        { *e = append(*e, x.(expiring)) }
func (e *expiries) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = expiring{}
	*e = (*e)[:last]
	return x
}

// newExpirer begins to tell of expiries.
func newExpirer(db *DB, limit int64) *expirer {
	x := &expirer{
		db: db, limit: limit, done: make(chan struct{}), bell: make(chan struct{}, 1),
		newest: map[string]key.SeqNum{}, scan: true,
	}
	x.ctx, x.end = context.WithCancel(context.Background())
	go x.run()
	return x
}

func (x *expirer) run() {
	defer close(x.done)
	x.floor.Store(x.db.now()) // 0 before: whoever made the expirer has feed.mu, and must not wait for the manifest
	timer := time.NewTimer(maxExpiryWait)
	defer timer.Stop()
	for {
		x.find()
		now, next, more := x.tellDue()
		if more {
			continue
		}
		x.raiseFloor(now)
		var over <-chan time.Time
		if next > 0 {
			timer.Reset(min(time.Duration(next-now), maxExpiryWait))
			over = timer.C
		}
		select {
		case <-x.bell:
		case <-over:
		case <-x.ctx.Done():
			return
		}
	}
}

// raiseFloor lets compactions drop all but what is still to be told. What waited for that for long is looked for.
func (x *expirer) raiseFloor(now int64) {
	x.mu.Lock()
	was := x.floor.Load()
	floor := int64(math.MaxInt64)
	if len(x.next) > 0 {
		floor = x.next[0].expiry - 1
	}
	x.floor.Store(floor)
	x.mu.Unlock()
	if was < now-int64(minExpiryWait) {
		x.db.mu.Lock()
		x.db.scheduleCompactionLocked()
		x.db.mu.Unlock()
	}
}

// rescan has the watched ranges looked through again, since they have changed.
func (x *expirer) rescan() {
	x.mu.Lock()
	x.scan = true
	x.mu.Unlock()
	ring(x.bell)
}

// find scans the watched ranges if that is wanted.
func (x *expirer) find() {
	if !x.forget(x.db.now()) {
		return
	}
	snapshot := &Snapshot{db: x.db, ours: true}
	err := x.db.open(snapshot)
	if err != nil {
		return
	}
	defer snapshot.Close()
	x.mu.Lock()
	x.from = snapshot.seq
	x.lookBackLocked(snapshot)
	x.mu.Unlock()
	for _, b := range x.db.feed.allBounds() {
		if !x.scanBounds(snapshot, b) {
			return
		}
	}
}

// forget gives up all that is known if a scan is wanted, which it reports. What the sorter brings from then on counts.
func (x *expirer) forget(now int64) (wanted bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.scan {
		return false
	}
	x.floor.Store(min(x.floor.Load(), now))
	x.scan, x.horizon, x.from = false, nil, 0
	x.next, x.bytes = x.next[:0], 0
	clear(x.newest)
	return true
}

// lookBackLocked has a snapshot show what has expired since all such were told of.
func (x *expirer) lookBackLocked(s *Snapshot) {
	x.db.mu.Lock()
	defer x.db.mu.Unlock()
	s.now.now = min(s.now.now, x.floor.Load())
}

// scanBounds scans some bounds, and reports false when the watch is over. What cannot be read is not told.
func (x *expirer) scanBounds(snapshot *Snapshot, b bounds) bool {
	_, lower, _ := key.SplitStored(b.lower)
	r := Range{Lower: lower}
	if space, upper, ok := key.SplitStored(b.upper); ok && space == b.space {
		r.Upper = upper
	}
	n := 0
	for item, err := range (reader{db: x.db, snapshot: snapshot, space: b.space}).scan(r, nil) {
		if err != nil {
			x.db.report("look for values that expire", err)
			return true
		}
		if n++; n%scannedBetween == 0 {
			select {
			case <-x.ctx.Done():
				return false
			default:
			}
		}
		if !item.ExpiresAt.IsZero() {
			stored := key.AppendStored(nil, b.space, item.Key)
			x.note(expiring{expiry: item.ExpiresAt.UnixNano(), stored: string(stored), seq: key.SeqNum(item.Seq)}, true)
		}
	}
	return true
}

// note takes up a value that expires, from the scan or as it is written.
func (x *expirer) note(e expiring, scanned bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case !scanned && e.seq <= x.from, scanned && e.compare(x.told) <= 0:
		return
	case x.horizon != nil && e.compare(*x.horizon) >= 0, x.newest[e.stored] >= e.seq:
		return
	}
	x.newest[e.stored] = e.seq
	x.floor.Store(min(x.floor.Load(), e.expiry-1))
	x.bytes += expiringBytes + int64(len(e.stored))
	heap.Push(&x.next, e)
	if x.bytes > x.limit {
		x.shrinkLocked()
	}
	if !scanned && len(x.next) > 0 && x.next[0] == e {
		ring(x.bell)
	}
}

// shrinkLocked forgets the later half.
func (x *expirer) shrinkLocked() {
	half := len(x.next) / 2
	if half == 0 {
		return
	}
	slices.SortFunc(x.next, expiring.compare) // which is a heap, too
	horizon := x.next[half]
	x.horizon = &horizon
	for i := half; i < len(x.next); i++ {
		x.dropLocked(x.next[i])
		x.next[i] = expiring{}
	}
	x.next = x.next[:half]
}

// dropLocked gives up what is known of a value.
func (x *expirer) dropLocked(e expiring) {
	x.bytes -= expiringBytes + int64(len(e.stored))
	if x.newest[e.stored] == e.seq {
		delete(x.newest, e.stored)
	}
}

// overwritten is told of an operation that is not a value that expires.
func (x *expirer) overwritten(op batchrepr.Op, seq key.SeqNum) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if op.Kind != key.KindRangeDelete {
		if x.newest[string(op.Stored)] < seq {
			delete(x.newest, string(op.Stored))
		}
		return
	}
	lower, upper := string(op.Stored), string(op.Value)
	for stored, at := range x.newest {
		if at < seq && stored >= lower && stored < upper {
			delete(x.newest, stored)
		}
	}
}

// tellDue tells of what has expired by now, and returns when the next value will, 0 for none; more, if another scan has to tell.
func (x *expirer) tellDue() (now, next int64, more bool) {
	for {
		now := x.db.now()
		due, next := x.takeDue(now)
		if len(due) == 0 {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.scan = x.scan || next == 0 && x.horizon != nil
			return now, next, x.scan
		}
		if x.db.exclusivelyWithin(x.ctx, func() error { return x.expire(due) }) != nil {
			return 0, 0, false // the store is closing, or nobody watches any more
		}
	}
}

// takeDue takes out values that have expired, and returns when the next one does; 0 for none.
func (x *expirer) takeDue(now int64) (due []expiring, next int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.next) > 0 && len(due) < expiriesAtOnce {
		if x.next[0].expiry > now {
			return due, x.next[0].expiry
		}
		e := heap.Pop(&x.next).(expiring)
		if x.newest[e.stored] == e.seq {
			due = append(due, e)
		}
		x.dropLocked(e)
		x.told = e
	}
	return due, 0
}

// expire appends to the feed those of some values that are still the newest of their keys. Only the leader calls it.
func (x *expirer) expire(due []expiring) error {
	if err := x.db.unlessClosed(nil); err != nil {
		return err
	}
	reading := x.db.reading()
	kept := due[:0]
	for _, e := range due {
		_, found, err := x.db.newestEntry([]byte(e.stored), sstable.Hash([]byte(e.stored)))
		// A compaction may have dropped it meanwhile, since it has expired, or made a tombstone of it.
		if err == nil && found.Seq() <= e.seq && reading.hides(e.expiry, e.seq) {
			kept = append(kept, e)
		}
	}
	x.db.feed.tellExpired(kept, key.SeqNum(x.db.visible.Load()))
	return nil
}

// tellExpired appends that values have expired behind a number. Only the leader calls it.
func (f *feed) tellExpired(all []expiring, seq key.SeqNum) {
	f.mu.Lock()
	if f.sorter == nil {
		f.mu.Unlock()
		return
	}
	for _, e := range all {
		c := f.chunkFor(batchrepr.HeaderLen+batchrepr.OpLen([]byte(e.stored), nil)+key.MaxHeadLen, seq)
		r := feedRecord{last: seq, off: len(c.buf), expired: true}
		space, user, _ := key.SplitStored([]byte(e.stored))
		c.buf = batchrepr.AppendHeader(c.buf, seq, 1)
		c.buf = batchrepr.AppendOp(c.buf, key.KindSetExpiring, space, user, key.AppendExpiring(nil, e.expiry, nil))
		r.end = len(c.buf)
		f.addRecord(c, r)
	}
	f.evict()
	f.ring()
}

// allBounds returns what is watched.
func (f *feed) allBounds() (all []bounds) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		all = append(all, w.bounds...)
	}
	return joined(all)
}

// joined returns bounds that meet no other, and are the same keys together.
func joined(all []bounds) (out []bounds) {
	slices.SortFunc(all, func(a, b bounds) int { return cmp.Compare(string(a.lower), string(b.lower)) })
	for _, b := range all {
		if n := len(out); n > 0 && out[n-1].space == b.space && string(b.lower) <= string(out[n-1].upper) {
			if string(out[n-1].upper) < string(b.upper) {
				out[n-1].upper = b.upper
			}
			continue
		}
		out = append(out, b)
	}
	return out
}

// floor returns up to when what has expired was told of; false when nobody wants to know of it.
func (f *feed) floor() (reading int64, ok bool) {
	x := f.telling.Load()
	if x == nil {
		return 0, false
	}
	return x.floor.Load(), true
}
