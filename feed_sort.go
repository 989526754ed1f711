package tinykv

import (
	"bytes"
	"slices"
	"sort"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
)

// The sorter is a goroutine that exists while there are watchers. It looks at each record of the feed once, finds the watchers whose ranges it
// meets, notes it for them and wakes them: so a hundred who watch a hundred prefixes cost about as much as one.
//
// The ranges cut the keys into stretches. For each stretch there is a list of those who watch it; who watches many stretches is wide, and gets all records,
// to see for himself which are his.
//
// The leader wakes the sorter when it sleeps. When that has happened wakesPerWindow times within a window, the sorter sleeps on until the window
// ends without asking to be woken: while writes keep coming, all that came meanwhile is told at once, and the leader is not held up by waking anybody.

const (
	wideStretches  = 8
	sortedAtOnce   = 512 // records
	maxDue         = 256 // runs that are noted for a watcher; beyond that they grow together
	wakesPerWindow = 8

	minWakeWindow  = time.Millisecond
	windowPerWoken = 100 * time.Microsecond // for each watcher that was woken in the window before
	maxWakeWindow  = 10 * time.Millisecond
)

// run is records of the feed from an ordinal up to, but without, another.
type run struct {
	from, to uint64
	after    key.SeqNum // the first one begins behind this
}

// sorter is the state of that goroutine. All but quit, done and stale is for it alone.
type sorter struct {
	feed       *feed
	quit, done chan struct{}
	stale      bool // guarded by feed.mu: the watchers have changed

	bounds   [][]byte     // ascending; stretch i begins at bounds[i-1], the first before all keys
	watching [][]*watcher // of each stretch, those that are not wide
	wide     []*watcher
	last     key.SeqNum // of the records that were sorted
	hits     []hit      // found and not yet noted
	expirer  *expirer
	expiring bool     // a value that expires was seen
	wideOf   []bounds // of those who are wide
	woken    []*watcher

	window               time.Duration
	windowStart          time.Time
	rings, wokenInWindow int
}

// newSorter begins to sort.
func (f *feed) newSorter() *sorter {
	s := &sorter{feed: f, quit: make(chan struct{}), done: make(chan struct{}), window: minWakeWindow}
	go s.run()
	return s
}

func (s *sorter) run() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if s.sortSome() {
			continue
		}
		var over <-chan time.Time
		if pause := s.pause(); pause > 0 {
			timer.Reset(pause)
			over = timer.C
		} else if !s.lieDown() {
			continue
		}
		select {
		case <-s.feed.bell:
			s.rings++
		case <-over:
		case <-s.quit:
			return
		}
	}
}

// pause returns for how long the sorter must not be woken; 0 when it may be.
func (s *sorter) pause() time.Duration {
	now := time.Now()
	if left := s.window - now.Sub(s.windowStart); left <= 0 {
		s.window = min(minWakeWindow+time.Duration(s.wokenInWindow)*windowPerWoken, maxWakeWindow)
		s.windowStart, s.rings, s.wokenInWindow = now, 0, 0
	} else if s.rings >= wakesPerWindow {
		return left
	}
	return 0
}

// lieDown has the leader ring the bell at the next record, and reports false when there is one already.
func (s *sorter) lieDown() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.feed.sorter == s && s.feed.sorted < s.feed.next {
		return false
	}
	s.feed.asleep = s.feed.sorter == s
	return true
}

// sortSome sorts some records, and reports false when there are none.
func (s *sorter) sortSome() bool {
	f := s.feed
	f.mu.Lock()
	if f.sorter != s || f.sorted == f.next {
		f.mu.Unlock()
		return false
	}
	if s.stale {
		s.stale = false
		s.learn()
	}
	s.expirer = f.expirer
	from := f.sorted
	v, ok := f.viewLocked(from, from+sortedAtOnce)
	if !ok { // gone before anybody looked at them
		s.noteMissed(run{from: from, to: f.chunks[0].first, after: s.last})
		f.sorted, f.done = f.chunks[0].first, f.chunks[0].first
		if s.expirer != nil {
			s.expirer.missed()
		}
		f.mu.Unlock()
		s.wake()
		return true
	}
	f.sorted += uint64(len(v.records)) // who joins from now on sees to these himself, see attachLocked
	f.mu.Unlock()
	s.sort(&v)
	return true
}

// learn finds out who watches what.
func (s *sorter) learn() {
	s.bounds, s.wide, s.wideOf = s.bounds[:0], s.wide[:0], s.wideOf[:0]
	for w := range s.feed.watchers {
		for _, b := range w.bounds {
			s.bounds = append(s.bounds, b.lower, b.upper)
		}
	}
	slices.SortFunc(s.bounds, bytes.Compare)
	s.bounds = slices.CompactFunc(s.bounds, bytes.Equal)
	s.watching = make([][]*watcher, len(s.bounds)+1)
	for w := range s.feed.watchers {
		if w.whole || s.stretchesOf(w) > wideStretches {
			s.wide = append(s.wide, w)
			s.wideOf = append(s.wideOf, w.bounds...)
			continue
		}
		for _, b := range w.bounds {
			for i := s.stretch(b.lower); i <= s.stretchBelow(b.upper); i++ {
				s.watching[i] = append(s.watching[i], w)
			}
		}
	}
}

func (s *sorter) stretchesOf(w *watcher) (n int) {
	for _, b := range w.bounds {
		n += s.stretchBelow(b.upper) + 1 - s.stretch(b.lower)
	}
	return n
}

// stretch returns the stretch that a key is in.
func (s *sorter) stretch(stored []byte) int {
	return sort.Search(len(s.bounds), func(i int) bool { return bytes.Compare(s.bounds[i], stored) > 0 })
}

// stretchBelow returns the last stretch with keys below a bound.
func (s *sorter) stretchBelow(bound []byte) int {
	return sort.Search(len(s.bounds), func(i int) bool { return bytes.Compare(s.bounds[i], bound) >= 0 })
}

// sort notes some records for those whom they concern.
func (s *sorter) sort(v *view) {
	s.hits = s.hits[:0]
	for i := range v.records {
		s.meet(v, i)
	}
	s.last = v.records[len(v.records)-1].last
	f := s.feed
	f.mu.Lock()
	if v.large != nil {
		f.gone = append(f.gone, v.large)
	}
	f.done = v.first + uint64(len(v.records))
	if s.expirer != nil {
		s.expirer.sortedUpTo(s.last, v.large)
	} else if v.large != nil && v.large.expires() {
		s.expiring = true
	}
	if f.sorter == s {
		for _, w := range s.wide {
			s.note(w, run{from: v.first, to: v.first + uint64(len(v.records)), after: v.after})
		}
		for _, h := range s.hits {
			n := v.first + uint64(h.record)
			s.note(h.watcher, run{from: n, to: n + 1, after: v.afterRecord(h.record)})
		}
		if s.expiring && f.expirer == nil {
			f.expectExpiriesLocked()
		}
		s.expiring = false
	}
	f.unlock()
	s.wake()
}

// hit is a record that concerns a watcher.
type hit struct {
	watcher *watcher
	record  int
}

// meet finds those whose ranges a record meets.
func (s *sorter) meet(v *view, i int) {
	if v.large != nil {
		for _, t := range v.large.tables { // who is met by several is told once, as note takes records in order
			s.meetStretches(s.stretch(t.meta.Smallest.Stored), s.stretch(t.meta.Largest.Stored), i)
		}
		return
	}
	payload := v.buf[v.records[i].off:v.records[i].end]
	seq, count := batchrepr.Header(payload)
	ops := batchrepr.ReadOps(payload, count)
	for op, ok, _ := ops.Next(); ok; op, ok, _ = ops.Next() {
		first := s.stretch(op.Stored)
		last := first
		if op.Kind == key.KindRangeDelete {
			last = s.stretchBelow(op.Value)
		}
		s.meetStretches(first, last, i)
		if v.records[i].expired {
			continue
		}
		if op.Kind == key.KindSetExpiring || s.expirer != nil {
			s.expect(op, seq, first)
		}
		seq++
	}
}

// expect has the expirer know of an operation, in a stretch of keys, that was committed.
func (s *sorter) expect(op batchrepr.Op, seq key.SeqNum, stretch int) {
	watched := op.Kind != key.KindSetExpiring || len(s.watching[stretch]) > 0
	for i := 0; i < len(s.wideOf) && !watched; i++ {
		watched = s.wideOf[i].contain(op.Stored)
	}
	switch {
	case !watched:
	case s.expirer == nil:
		s.expiring = true // it will find the value by its scan
	case op.Kind == key.KindSetExpiring:
		expiry, _, _ := key.SplitExpiring(op.Value)
		s.expirer.note(expiring{expiry: expiry, stored: string(op.Stored), seq: seq})
	default:
		s.expirer.overwritten(op, seq)
	}
}

func (s *sorter) meetStretches(first, last, record int) {
	for _, watchers := range s.watching[first : last+1] {
		for _, w := range watchers {
			s.hits = append(s.hits, hit{w, record})
		}
	}
}

// note tells a watcher of records; feed.mu is held.
func (s *sorter) note(w *watcher, r run) {
	if w.note(r) {
		s.woken = append(s.woken, w)
	}
}

// noteMissed tells all watchers that they have missed something; feed.mu is held.
func (s *sorter) noteMissed(r run) {
	for w := range s.feed.watchers {
		s.note(w, r)
	}
}

// wake wakes those who have got something to do.
func (s *sorter) wake() {
	for i, w := range s.woken {
		ring(w.wake)
		s.woken[i] = nil
	}
	s.wokenInWindow += len(s.woken)
	s.woken = s.woken[:0]
}
