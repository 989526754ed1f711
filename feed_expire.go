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
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
)

// The expirer is a goroutine that exists while there are watchers of a store in which values expire. It knows those values in the
// watched ranges that expire next: from a scan, and from then on from the sorter, which sees all writes. When one is due it makes sure, as the
// leader, that it is still what its key has, and appends a record to the feed that says so.
//
// What it knows is bounded: when there is too much, the later half goes, and is found by another scan (feed_scan.go) when the rest has
// been told. Nothing is told during a scan, nor before the sorter has come to where the scan began: so it is known what has been told.
//
// That a value is still what its key has is seen by its sequence number alone: compactions drop no value that expires before that was told. They go by
// floor, and by seen, behind which nothing that expires is known for sure. What is not there any more was deleted.

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

	// Compactions drop no value that expires later than floor, a reading of the clock, or that was written behind the sequence number
	// seen, as it may have to be told of. What expires and was written up to seen is in next, was told, or lies behind horizon. They change under mu, floor
	// first when it becomes less. Where seen is behind, lag is a reading at which all that was written was seen later on.
	floor, lag atomic.Int64
	seen       atomic.Uint64

	awaits atomic.Bool // the sorter is to ring when it has sorted something
	until  uint64      // nothing is told before the sorter has come to this ordinal

	mu       sync.Mutex            // taken behind feed.mu and before DB.mu
	next     expiries              // what is in newest, and what was
	marked   []expiring            // that, where it expired before the clock went back: it is due
	marks    []manifest.ExpiryMark // by which marked is known
	newest   map[string]key.SeqNum // by stored key: what is known of it
	bytes    int64
	horizon  *expiring     // what expires from here on is not known; nil: all is
	told     toldMarks     // what was told; not changed in place
	sorted   key.SeqNum    // the sorter is here
	large    []*feedTables // not looked through yet, each with a reference
	scan     bool          // is wanted
	scanning bool
	gap      bool       // the sorter has missed something since the last scan began
	lagSeq   key.SeqNum // what was visible at lagNow
	lagNow   int64
}

// toldMark stands for all values that were written up to a sequence number and are hidden from a reading, but for those from a horizon on. They
// stay so, whatever the clock does.
type toldMark struct {
	reading clockReading
	seq     key.SeqNum
	horizon *expiring // nil: none
}

func (m *toldMark) contains(e expiring) bool {
	return e.seq <= m.seq && (m.horizon == nil || e.compare(*m.horizon) < 0) && m.reading.hides(e.expiry, e.seq)
}

// with returns marks and one more, made later, without those that it contains.
func (all toldMarks) with(m toldMark) toldMarks {
	kept := slices.DeleteFunc(slices.Clone(all), func(old toldMark) bool {
		return m.horizon == nil || old.horizon != nil && old.horizon.compare(*m.horizon) <= 0
	})
	return append(kept, m)
}

type toldMarks []toldMark

func (all toldMarks) contain(e expiring) bool {
	return slices.ContainsFunc(all, func(m toldMark) bool { return m.contains(e) })
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
		newest: map[string]key.SeqNum{}, scan: true, scanning: true,
	}
	x.ctx, x.end = context.WithCancel(context.Background())
	go x.run()
	return x
}

func (x *expirer) run() {
	defer close(x.done)
	defer x.giveUpLarge()
	timer := time.NewTimer(maxExpiryWait)
	defer timer.Stop()
	for x.ctx.Err() == nil {
		if err := x.find(); err != nil { // the store is closing, or nobody watches any more
			<-x.ctx.Done()
			return
		}
		x.lookThroughLarge()
		var over <-chan time.Time
		if x.sorterIsThere() {
			now, next, more := x.tellDue()
			if more {
				continue
			}
			x.raiseFloor(now)
			if next > 0 {
				timer.Reset(min(time.Duration(next-now), maxExpiryWait))
				over = timer.C
			}
		}
		select {
		case <-x.bell:
		case <-over:
		case <-x.ctx.Done():
			return
		}
	}
}

// sorterIsThere tells whether the sorter has come to where the last scan began; else it will ring the bell.
func (x *expirer) sorterIsThere() bool {
	x.awaits.Store(true)
	x.db.feed.mu.Lock()
	there := x.db.feed.done >= x.until
	x.db.feed.mu.Unlock()
	if there {
		x.awaits.Store(false)
	}
	return there
}

// raiseFloor lets compactions drop all but what is still to be told. What waited for that for long is looked for.
func (x *expirer) raiseFloor(now int64) {
	x.mu.Lock()
	was := x.floor.Load()
	if x.scan || len(x.marked) > 0 {
		x.mu.Unlock()
		return
	}
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

// note takes up a value that expires.
func (x *expirer) note(e expiring) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.noteLocked(e)
}

func (x *expirer) noteLocked(e expiring) {
	if x.newest[e.stored] >= e.seq || x.horizon != nil && e.compare(*x.horizon) >= 0 {
		return
	}
	x.newest[e.stored] = e.seq
	x.floor.Store(min(x.floor.Load(), e.expiry-1))
	x.bytes += expiringBytes + int64(len(e.stored))
	if len(x.marks) > 0 && marked(x.marks, e.expiry, e.seq) {
		x.marked = append(x.marked, e)
		ring(x.bell)
		return
	}
	heap.Push(&x.next, e)
	if x.bytes > x.limit {
		x.shrinkLocked()
	}
	if len(x.next) > 0 && x.next[0] == e {
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
		seq := key.SeqNum(x.seen.Load()) // before the reading: what comes later may not be hidden from it for good
		reading := x.db.reading()
		due, next := x.takeDue(&reading)
		if len(due) == 0 {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.told = x.told.with(toldMark{reading, seq, x.horizon})
			x.scan = x.scan || next == 0 && x.horizon != nil
			return reading.now, next, x.scan || len(x.large) > 0
		}
		if x.db.exclusivelyWithin(x.ctx, func() error { return x.expire(due) }) != nil {
			return 0, 0, false // the store is closing, or nobody watches any more
		}
	}
}

// takeDue takes out values that have expired, and returns when the next one does; 0 for none.
func (x *expirer) takeDue(r *clockReading) (due []expiring, next int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.markLocked(r.marks)
	take := func(e expiring) {
		if x.newest[e.stored] == e.seq {
			due = append(due, e)
		}
		x.dropLocked(e)
	}
	for len(x.marked) > 0 && len(due) < expiriesAtOnce {
		last := len(x.marked) - 1
		take(x.marked[last])
		x.marked = x.marked[:last]
	}
	for len(x.next) > 0 && len(due) < expiriesAtOnce {
		if x.next[0].expiry > r.now {
			return due, x.next[0].expiry
		}
		take(heap.Pop(&x.next).(expiring))
	}
	return due, 0
}

// markLocked finds what had expired before the clock went back, when it has.
func (x *expirer) markLocked(marks []manifest.ExpiryMark) {
	if slices.Equal(marks, x.marks) {
		return
	}
	x.marks = slices.Clone(marks)
	kept := x.next[:0]
	for _, e := range x.next {
		if marked(marks, e.expiry, e.seq) {
			x.marked = append(x.marked, e)
		} else {
			kept = append(kept, e)
		}
	}
	clear(x.next[len(kept):])
	x.next = kept
	heap.Init(&x.next)
}

// expire appends to the feed those of some values that are still what their keys have. Only the leader calls it.
func (x *expirer) expire(due []expiring) error {
	if err := x.db.unlessClosed(nil); err != nil {
		return err
	}
	reading := x.db.reading()
	kept := due[:0]
	for _, e := range due {
		_, found, err := x.db.newestEntry([]byte(e.stored), sstable.Hash([]byte(e.stored)))
		switch {
		case err != nil:
			x.db.report("look whether a value has expired", err)
		case found.Seq() != e.seq || found.Kind() != key.KindSetExpiring: // overwritten or deleted
		case !reading.hides(e.expiry, e.seq): // the clock has gone back since a moment ago
			x.note(e)
		default:
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
