package tinykv

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
)

// A store that is watched keeps what was committed last in memory, in a feed, where all watchers read it. The leader
// appends each group once it is visible; it neither waits for a watcher nor knows one. A watcher has no goroutine: it
// is the loop that goes over Watch, and looks for what is new when it comes back for more. One goroutine, the sorter of feed_sort.go, looks at
// each record once for all of them, and wakes those whom it concerns.
//
// The feed is a list of chunks, oldest first. What has been appended to a chunk does not change, so a watcher takes a view of
// it under the lock and reads that without. When the feed is full the oldest chunk goes, whoever has not read it.

const (
	// feedPart is the part of the memory budget that a feed may take.
	feedPart = 16

	minFeedChunk, maxFeedChunk = 4 << 10, 64 << 10
	feedChunks                 = 16 // at least, in a full feed
	feedRecordBytes            = 32 // of a feedRecord
)

// feed is what was committed last, for those who watch.
//
//	chunks[i].last == chunks[i+1].after;  sorted <= next
type feed struct {
	db    *DB
	limit int64 // bytes

	// watched is set while there are watchers. The leader looks at it after it has made a group visible, a watcher makes sure
	// that it is set before it looks at what is visible: so one of them sees the other.
	watched atomic.Bool

	telling atomic.Pointer[expirer] // the same as expirer, for those who must not take the lock

	closed chan struct{} // closed when the store closes
	bell   chan struct{} // rung by the leader for the sorter

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	chunks   []*feedChunk
	bytes    int64
	next     uint64        // ordinal of the next record, counted from the opening of the store
	sorted   uint64        // ordinal of the next one for the sorter
	done     uint64        // those up to here were sorted
	gone     []*feedTables // to be given up without the lock
	shut     bool          // closed is closed
	sorter   *sorter       // nil without watchers
	expirer  *expirer      // nil without watchers, or when nothing expires
	asleep   bool          // the sorter waits for the bell

	made    map[key.Space]key.SeqNum // of the buckets that were made since the opening: behind which number
	dropped key.SeqNum               // the number that dropped a bucket last
}

// feedChunk is a run of records. All but buf, records and last are fixed.
type feedChunk struct {
	first uint64     // ordinal of the first record
	after key.SeqNum // the records are behind this one
	last  key.SeqNum // of the last record

	buf     []byte // the batches, as in the log
	records []feedRecord
	large   *feedTables // a batch that is in tables; there is nothing else in the chunk then
}

// feedRecord says where in a chunk a batch lies.
type feedRecord struct {
	last     key.SeqNum
	off, end int
	expired  bool // not a batch, but that a value has expired, behind last
}

// size is about the memory of a chunk.
func (c *feedChunk) size() int64 {
	return int64(cap(c.buf)) + int64(cap(c.records))*feedRecordBytes
}

// end returns the ordinal behind the last record.
func (c *feedChunk) end() uint64 { return c.first + uint64(len(c.records)) }

// afterRecord returns the sequence number after which the record with an ordinal begins.
func (c *feedChunk) afterRecord(n uint64) key.SeqNum {
	if n == c.first {
		return c.after
	}
	return c.records[n-c.first-1].last
}

func (f *feed) init(db *DB) {
	f.db, f.limit = db, db.opts.MemoryBudget/feedPart
	f.closed, f.bell = make(chan struct{}), make(chan struct{}, 1)
	f.watchers, f.made = map[*watcher]struct{}{}, map[key.Space]key.SeqNum{}
}

// add makes the leader tell of what it commits from now on.
func (f *feed) add(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.find()
	w.told = f.next
	w.scanned = f.isScanned(w)
	f.watchers[w] = struct{}{}
	if f.sorter == nil && !f.shut {
		f.sorter = f.newSorter()
	}
	if f.sorter != nil {
		f.sorter.stale = true
		if !w.scanned {
			f.expectExpiriesLocked()
		}
		w.before.seq = key.SeqNum(f.db.visible.Load())
		if f.expirer != nil { // which keeps compactions from dropping what expires later
			w.before.reading = f.db.clock.readingAt(f.db.clock.glance())
		}
	}
	f.watched.Store(!f.shut)
}

// expectExpiriesLocked sees to it that the expiries of what is watched now are told, if there may be any.
func (f *feed) expectExpiriesLocked() {
	switch {
	case !f.db.mayExpire.Load() || f.sorter == nil:
	case f.expirer == nil:
		f.expirer = newExpirer(f.db, f.limit/expirerPart)
		f.telling.Store(f.expirer)
	default:
		f.expirer.rescan()
	}
}

// remove ends that; with the last watcher the feed goes.
func (f *feed) remove(w *watcher) {
	f.mu.Lock()
	delete(f.watchers, w)
	if f.sorter != nil {
		f.sorter.stale = true
	}
	if len(f.watchers) > 0 {
		f.unlock()
		return
	}
	f.watched.Store(false)
	f.drop()
}

// close ends all watchers.
func (f *feed) close() {
	f.mu.Lock()
	if f.shut {
		f.mu.Unlock()
		return
	}
	f.shut = true
	close(f.closed)
	f.watched.Store(false)
	f.drop()
}

// drop empties the feed, ends the sorter and gives up the lock.
func (f *feed) drop() {
	for _, c := range f.chunks {
		f.giveUpLocked(c)
	}
	f.chunks, f.bytes, f.sorted, f.done = nil, 0, f.next, f.next
	s, x := f.sorter, f.expirer
	f.sorter, f.expirer, f.asleep = nil, nil, false
	f.telling.Store(nil)
	f.unlock()
	if s != nil {
		close(s.quit)
		<-s.done
	}
	if x != nil {
		x.end()
		<-x.done
	}
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

// tell appends a group that has become visible, whose first operation has number seq. Only the leader calls it.
func (f *feed) tell(own *write, group *request, seq key.SeqNum) {
	f.mu.Lock()
	if f.sorter == nil {
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

// ring has the sorter woken if it sleeps, and gives up the lock.
func (f *feed) ring() {
	wake := f.asleep
	f.asleep = false
	f.unlock()
	if wake {
		ring(f.bell)
	}
}

// ring makes sure that whoever waits at a bell, or comes there next, hears it.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
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
		c.buf = w.appendOp(c.buf)
	}
	r.end = len(c.buf)
	f.addRecord(c, r)
	return last + 1
}

func (f *feed) addRecord(c *feedChunk, r feedRecord) {
	had := c.size()
	c.records = append(c.records, r)
	f.bytes += c.size() - had
	c.last = r.last
	f.next++
}

// chunkFor returns a chunk with room for so many bytes behind all that there is.
func (f *feed) chunkFor(need int, after key.SeqNum) *feedChunk {
	if n := len(f.chunks); n > 0 {
		if c := f.chunks[n-1]; c.large == nil && len(c.buf)+need <= cap(c.buf) {
			return c
		}
	}
	usual := int(min(max(f.limit/feedChunks, minFeedChunk), maxFeedChunk))
	c := &feedChunk{first: f.next, after: after, buf: make([]byte, 0, max(usual, need))}
	f.begin(c)
	return c
}

func (f *feed) begin(c *feedChunk) {
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

// view is a part of the feed that does not change: some records of a chunk.
type view struct {
	buf     []byte
	records []feedRecord
	first   uint64      // ordinal of the first record
	after   key.SeqNum  // the first record begins behind this
	large   *feedTables // with a reference, which whoever took the view gives up

	chunkEnd uint64 // ordinal behind the last record of the chunk, as yet
}

// afterRecord returns behind which sequence number record i begins.
func (v *view) afterRecord(i int) key.SeqNum {
	if i == 0 {
		return v.after
	}
	return v.records[i-1].last
}

// viewLocked returns the records of one chunk from an ordinal on, up to another; false when they are gone.
func (f *feed) viewLocked(from, to uint64) (v view, ok bool) {
	i := sort.Search(len(f.chunks), func(i int) bool { return f.chunks[i].end() > from })
	if i == len(f.chunks) || f.chunks[i].first > from {
		return view{}, false
	}
	c := f.chunks[i]
	if c.large != nil {
		c.large.ref()
	}
	return view{
		buf: c.buf, records: c.records[from-c.first : min(to, c.end())-c.first],
		first: from, after: c.afterRecord(from), large: c.large, chunkEnd: c.end(),
	}, true
}

// ordinalLocked returns the ordinal of the first record with something behind a sequence number; false when that is gone, or was
// committed before the feed began. Where the feed is empty, nothing tells.
func (f *feed) ordinalLocked(seq key.SeqNum) (n uint64, ok bool) {
	i := sort.Search(len(f.chunks), func(i int) bool { return f.chunks[i].last > seq })
	if i == len(f.chunks) {
		return f.next, true
	}
	c := f.chunks[i]
	if i == 0 && c.after > seq {
		return 0, false
	}
	return c.first + uint64(sort.Search(len(c.records), func(i int) bool { return c.records[i].last > seq })), true
}

// expiriesLocked returns the ordinal of the first of those records right before n, but not before least, that tell what has expired behind a
// sequence number; n for none. They have that number, as changes up to it have, which were told in another way.
func (f *feed) expiriesLocked(n, least uint64, seq key.SeqNum) uint64 {
	for _, c := range slices.Backward(f.chunks) {
		for n > max(c.first, least) {
			if r := &c.records[n-1-c.first]; !r.expired || r.last != seq {
				return n
			}
			n--
		}
	}
	return n
}

// reaches tells whether all that follows a sequence number is in the feed, or will be.
func (f *feed) reaches(seq key.SeqNum) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.chunks) == 0 {
		return false
	}
	_, ok := f.ordinalLocked(seq)
	return ok
}

// watching returns how many watchers there are, and the memory of the feed.
func (f *feed) watching() (watchers int, sizeBytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers), f.bytes
}
