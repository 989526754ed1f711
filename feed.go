package tinykv

import (
	"bytes"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
)

// A store that is watched keeps what was committed last in memory, in a feed, where all watchers read it. The leader
// appends each group once it is visible; it neither waits for a watcher nor knows one. A watcher has no goroutine: it
// is the loop that goes over Watch, and looks for what is new when it comes back for more.
//
// The feed is a list of chunks, oldest first. What has been appended to a chunk does not change, so a watcher takes a view of
// it under the lock and reads that without. When the feed is full the oldest chunk goes, whoever has not read it.
//
// The leader wakes one watcher at most, and that one the others. When that has happened wakesPerWindow times within a window,
// watchers sleep on until the window ends without asking to be woken: while writes keep coming, watchers look at all that came
// meanwhile at once, and the leader is not held up by waking anybody.

const (
	// feedPart is the part of the memory budget that a feed may take.
	feedPart = 32

	minFeedChunk, maxFeedChunk = 4 << 10, 64 << 10
	feedChunks                 = 16 // at least, in a full feed

	wakesPerWindow  = 8
	minWakeWindow   = time.Millisecond
	windowPerSleep  = 50 * time.Microsecond // for each watcher
	maxWakeWindow   = 10 * time.Millisecond
	feedRecordBytes = 40 // of a feedRecord
)

// feed is what was committed last, for those who watch.
//
//	chunks[i].last == chunks[i+1].after
type feed struct {
	limit int64 // bytes

	// watched is set while there are watchers. The leader looks at it after it has made a group visible, a watcher makes sure
	// that it is set before it looks at what is visible: so one of them sees the other.
	watched atomic.Bool

	closed chan struct{} // closed when the store closes
	bell   chan struct{} // rung by the leader for one of those who sleep

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	chunks   []*feedChunk
	bytes    int64
	next     uint64       // ordinal of the next record
	prefix   []byte       // common to the keys that anybody watches; of the chunks that begin now
	sealed   bool         // the next record begins a chunk
	shut     bool         // closed is closed
	gone     []*feedTable // to be given up without the lock

	dawn        chan struct{} // closed to wake all who sleep
	asleep      int           // how many wait for that since the bell last rang
	rings       int           // of the bell, in this window
	windowStart time.Time
}

// feedChunk is a run of records. All but buf, records and last are fixed.
type feedChunk struct {
	first  uint64     // ordinal of the first record, counted from the opening of the store
	after  key.SeqNum // the records are behind this one
	last   key.SeqNum // of the last record
	prefix []byte     // of keys with a head; others were not watched when the chunk was begun

	buf     []byte // the batches, as in the log
	records []feedRecord
	large   *feedTable // a batch that is in a table; there is nothing else in the chunk then
}

// feedRecord says where in a chunk a batch lies, and which keys it may concern.
type feedRecord struct {
	low, high uint64 // heads of the keys behind the prefix of the chunk; low > high: none has it
	last      key.SeqNum
	off, end  int
}

// size is about the memory of a chunk.
func (c *feedChunk) size() int64 {
	return int64(cap(c.buf)) + int64(cap(c.records))*feedRecordBytes
}

func (f *feed) init(limit int64) {
	f.limit = limit
	f.closed, f.bell, f.dawn = make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	f.watchers = map[*watcher]struct{}{}
}

// add makes the leader tell of what it commits from now on.
func (f *feed) add(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers[w] = struct{}{}
	f.agree()
	f.watched.Store(true)
}

// remove ends that; with the last watcher the feed goes.
func (f *feed) remove(w *watcher) {
	f.mu.Lock()
	defer f.unlock()
	delete(f.watchers, w)
	f.agree()
	if len(f.watchers) == 0 {
		f.watched.Store(false)
		f.dropLocked()
	}
}

// agree finds the common prefix of what is watched. It is behind the lock.
func (f *feed) agree() {
	var prefix []byte
	for w := range f.watchers {
		if prefix == nil {
			prefix = w.lower
		}
		prefix = prefix[:key.CommonPrefix(prefix, w.lower)]
		prefix = prefix[:key.CommonPrefix(prefix, w.upper)]
	}
	if !bytes.Equal(prefix, f.prefix) {
		f.prefix, f.sealed = bytes.Clone(prefix), true
	}
}

// dropLocked empties the feed.
func (f *feed) dropLocked() {
	for _, c := range f.chunks {
		f.giveUpLocked(c)
	}
	f.chunks, f.bytes = nil, 0
}

func (f *feed) giveUpLocked(c *feedChunk) {
	if c.large != nil {
		f.gone = append(f.gone, c.large)
	}
}

// unlock gives up the lock, and then the tables that are not needed any more: that may unmap one.
func (f *feed) unlock() {
	gone := f.gone
	f.gone = nil
	f.mu.Unlock()
	for _, t := range gone {
		t.unref()
	}
}

// close ends all watchers.
func (f *feed) close() {
	f.mu.Lock()
	defer f.unlock()
	if !f.shut {
		f.shut = true
		close(f.closed)
	}
	f.watched.Store(false)
	f.dropLocked()
}

// tell appends a group that has become visible, whose first operation has number seq. Only the leader calls it.
func (f *feed) tell(own *write, group *request, seq key.SeqNum) {
	f.mu.Lock()
	if len(f.watchers) == 0 || f.shut {
		f.mu.Unlock()
		return
	}
	seq = f.append(own, seq)
	for r := group; r != nil; r = r.next {
		seq = f.append(&r.write, seq)
	}
	f.evict()
	f.ring()
}

// ring gives up the lock and has those who sleep woken.
func (f *feed) ring() {
	wake := f.asleep > 0
	f.asleep = 0
	if wake {
		f.rings++
	}
	f.unlock()
	if wake {
		select {
		case f.bell <- struct{}{}:
		default: // somebody is about to hear it
		}
	}
}

// append appends a write and returns the number after its own.
func (f *feed) append(w *write, seq key.SeqNum) key.SeqNum {
	ops := w.ops()
	if ops == 0 {
		return seq
	}
	last := seq + key.SeqNum(ops) - 1
	c := f.chunkFor(w.payloadLen(), seq-1)
	r := feedRecord{last: last, off: len(c.buf)}
	if w.batch != nil {
		c.buf = append(c.buf, w.batch.repr...)
		batchrepr.SetHeader(c.buf[r.off:], seq, w.batch.count)
	} else {
		c.buf = batchrepr.AppendHeader(c.buf, seq, 1)
		c.buf = batchrepr.AppendOp(c.buf, w.kind, w.space, w.user, w.value)
	}
	r.end = len(c.buf)
	r.low, r.high = c.heads(batchrepr.ReadOps(c.buf[r.off:r.end], uint32(ops)))
	had := c.size()
	c.records = append(c.records, r)
	c.last = last
	f.next++
	f.bytes += c.size() - had
	return last + 1
}

// chunkFor returns a chunk with room for so many bytes behind all that there is.
func (f *feed) chunkFor(need int, after key.SeqNum) *feedChunk {
	if n := len(f.chunks); n > 0 && !f.sealed {
		if c := f.chunks[n-1]; c.large == nil && len(c.buf)+need <= cap(c.buf) {
			return c
		}
	}
	usual := int(min(max(f.limit/feedChunks, minFeedChunk), maxFeedChunk))
	c := &feedChunk{first: f.next, after: after, prefix: f.prefix, buf: make([]byte, 0, max(usual, need))}
	f.begin(c)
	return c
}

func (f *feed) begin(c *feedChunk) {
	f.sealed = false
	f.chunks = append(f.chunks, c)
	f.bytes += c.size()
}

// evict makes the feed small enough. The newest chunk stays.
func (f *feed) evict() {
	gone := 0
	for f.bytes > f.limit && gone < len(f.chunks)-1 {
		f.bytes -= f.chunks[gone].size()
		f.giveUpLocked(f.chunks[gone])
		f.chunks[gone] = nil
		gone++
	}
	f.chunks = f.chunks[gone:]
}

// heads returns the least and the greatest head of the keys of a batch that have the prefix of the chunk.
func (c *feedChunk) heads(ops batchrepr.Reader) (low, high uint64) {
	low, high = 1<<64-1, 0
	for op, ok, _ := ops.Next(); ok; op, ok, _ = ops.Next() {
		if op.Kind == key.KindRangeDelete {
			return 0, 1<<64 - 1
		}
		if bytes.HasPrefix(op.Stored, c.prefix) {
			head := key.Head(op.Stored, len(c.prefix))
			low, high = min(low, head), max(high, head)
		}
	}
	return low, high
}

// reading is how far a watcher has come.
type reading struct {
	seq    key.SeqNum // everything up to here was told
	next   uint64     // ordinal of the next record to be told, while inFeed
	inFeed bool
}

// view is a part of the feed that does not change: some records of a chunk.
type view struct {
	*feedChunk // its buf, records and last are not to be used
	buf        []byte
	records    []feedRecord
	next       uint64 // ordinal of the first
}

// place says how what a watcher has read lies to the feed.
type place uint8

const (
	placeInside place = iota // more is in the feed
	placeBefore              // what follows is gone from the feed, or was never there
	placeEnd                 // nothing follows yet
	placeEmpty               // there is nothing in the feed
)

// after returns what follows what was read. A large batch in it has a reference more, which the caller gives up.
func (f *feed) after(r reading) (v view, at place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at = f.placeLocked(r)
	if at != placeInside {
		return view{}, at
	}
	follows := func(c *feedChunk) bool { return c.last > r.seq }
	if r.inFeed {
		follows = func(c *feedChunk) bool { return c.first+uint64(len(c.records)) > r.next }
	}
	c := f.chunks[sort.Search(len(f.chunks), func(i int) bool { return follows(f.chunks[i]) })]
	n := sort.Search(len(c.records), func(i int) bool {
		return r.inFeed && c.first+uint64(i) >= r.next || !r.inFeed && c.records[i].last > r.seq
	})
	if c.large != nil {
		c.large.ref()
	}
	return view{feedChunk: c, buf: c.buf, records: c.records[n:], next: c.first + uint64(n)}, placeInside
}

func (f *feed) placeLocked(r reading) place {
	n := len(f.chunks)
	if n == 0 {
		return placeEmpty
	}
	before, end := f.chunks[0].after > r.seq, f.chunks[n-1].last <= r.seq
	if r.inFeed {
		before, end = f.chunks[0].first > r.next, f.next <= r.next
	}
	switch {
	case end:
		return placeEnd
	case before:
		return placeBefore
	}
	return placeInside
}

// bed is how a watcher waits for what follows a place.
type bed struct {
	dawn   chan struct{} // closed when there may be something
	bell   chan struct{} // who hears it wakes the others; nil: no need
	window time.Duration // without a bell: how long to wait
}

// sleep returns how to wait for what follows what was read, and reports false if something does.
func (f *feed) sleep(r reading) (b bed, ok bool) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if at := f.placeLocked(r); at != placeEnd && at != placeEmpty {
		return bed{}, false
	}
	window := min(minWakeWindow+time.Duration(len(f.watchers))*windowPerSleep, maxWakeWindow)
	left := window - now.Sub(f.windowStart)
	switch {
	case left <= 0:
		f.windowStart, f.rings = now, 0
	case f.rings >= wakesPerWindow:
		return bed{window: left}, true
	}
	f.asleep++
	return bed{dawn: f.dawn, bell: f.bell}, true
}

// rouse wakes all who sleep. Who heard the bell calls it.
func (f *feed) rouse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.dawn)
	f.dawn = make(chan struct{})
}

// watching returns how many watchers there are, and the memory of the feed.
func (f *feed) watching() (watchers int, sizeBytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers), f.bytes
}
