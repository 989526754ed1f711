package tinykv

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// A value may have an expiry: from that time on its key is absent. Clocks jump, back and forth, also while a store is closed. What holds
// all the same:
//
//  1. A value that was hidden from readers stays hidden. Compactions rely on it: they drop what has expired.
//  2. A value that has not expired is there, although a clock may have shown a later time before it was written.
//
// So long as the clock goes on, or less than maxSmoothed back, readings do not go back. Where it goes back further, a mark is left: what was
// there (by its sequence number) and had expired before stays hidden, whatever the clock shows. All else goes by the new time.
//
// Marks, and the highest reading, are kept in the manifest. A mark is there before anything is read or written by the
// new time. A reading is there at the next edit; one that is more than maxUnsaved later than that in the manifest, before anything is hidden by
// it. So a crash while the clock is that far ahead, after which it has gone back, brings back what was hidden for less than an hour.
// (A store that cannot write does not save readings, and goes by them all the same.)
//
// A store in which nothing expires reads no clock.

const (
	// maxSmoothed is how far a clock may go back without leaving a mark, in nanoseconds.
	maxSmoothed = int64(time.Second)

	// maxUnsaved is how much later than the one in the manifest a reading may be that hides something, in nanoseconds.
	maxUnsaved = int64(time.Hour)

	// maxMarks bounds the marks. The two oldest become one that contains both when there are more.
	maxMarks = 256
)

// expiryClock is the time by which values expire. A change of marks or of limit, and a step back of last, is made with
// DB.manifestMu held.
type expiryClock struct {
	source func() time.Time // fixed

	last  atomic.Int64                          // the highest reading that something was hidden by, since the last step back
	limit atomic.Int64                          // readings up to here need not be saved first
	marks atomic.Pointer[[]manifest.ExpiryMark] // nil for none; never changed in place
}

// clockReading is what a reader goes by, all the time that it reads.
type clockReading struct {
	now   int64
	marks []manifest.ExpiryMark
}

// hides tells whether a value with an expiry is hidden, which was written with a sequence number.
func (r *clockReading) hides(expiry int64, seq key.SeqNum) bool {
	return expiry <= r.now || len(r.marks) > 0 && marked(r.marks, expiry, seq)
}

// unexpired returns the value of an entry that expires, or ErrNotFound.
func (r *clockReading) unexpired(stored []byte, seq key.SeqNum) ([]byte, error) {
	expiry, v, _ := key.SplitExpiring(stored)
	if r.hides(expiry, seq) {
		return nil, ErrNotFound
	}
	return v, nil
}

func marked(marks []manifest.ExpiryMark, expiry int64, seq key.SeqNum) bool {
	return slices.ContainsFunc(marks, func(m manifest.ExpiryMark) bool { return seq <= m.Seq && expiry <= m.Until })
}

// unixNanos returns a time in Unix nanoseconds, at least 1, as far as they reach.
func unixNanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 1
	case s > math.MaxInt64/int64(time.Second)-1:
		return math.MaxInt64
	default:
		return max(t.UnixNano(), 1)
	}
}

func (c *expiryClock) sample() int64 { return unixNanos(c.source()) }

// restore begins with what a manifest has.
func (c *expiryClock) restore(s *manifest.ExpiryState) {
	c.set(s.Reading, s.Marks)
	if s.Reading > 0 {
		c.limit.Store(limitAfter(s.Reading))
	}
}

// set publishes the marks first: whoever reads the earlier time has them.
func (c *expiryClock) set(last int64, marks []manifest.ExpiryMark) {
	c.marks.Store(&marks)
	c.last.Store(last)
}

func limitAfter(saved int64) int64 {
	if saved > math.MaxInt64-maxUnsaved {
		return math.MaxInt64
	}
	return saved + maxUnsaved
}

// advance returns a reading to hide values by, or false when the clock has to be adjusted before.
func (c *expiryClock) advance() (now int64, ok bool) {
	for {
		last := c.last.Load() // before the sample, so that no old sample counts as a step forward
		t := c.sample()
		switch {
		case last-t >= maxSmoothed, t > c.limit.Load():
			return 0, false
		case t <= last:
			return last, true
		case c.last.CompareAndSwap(last, t):
			return t, true
		}
	}
}

// now returns the time by which values expire, in Unix nanoseconds. Readings do not go back by less than maxSmoothed. No
// lock is held, but maybe the lead.
func (db *DB) now() int64 {
	for {
		if now, ok := db.clock.advance(); ok {
			return now
		}
		db.adjustClock(true)
	}
}

// writingNow returns the time by which a lifetime counts that begins now. Nothing is hidden by it. It must be called before a value that
// expires is written, as a step back of the clock has to be noticed before.
func (db *DB) writingNow() int64 {
	c := &db.clock
	last, t := c.last.Load(), c.sample()
	if last-t >= maxSmoothed {
		db.adjustClock(false)
		last, t = c.last.Load(), c.sample()
	}
	return max(last, t)
}

// reading returns the present reading, to be taken after the sequence number to read at. No lock is held, but maybe the lead.
func (db *DB) reading() clockReading {
	return db.clock.readingAt(db.now())
}

func (c *expiryClock) readingAt(now int64) clockReading {
	r := clockReading{now: now}
	if marks := c.marks.Load(); marks != nil {
		r.marks = *marks
	}
	return r
}

// clock returns the reading by which a reader hides values: that of its snapshot, or the present one. A snapshot without one was
// made when nothing could expire.
func (r reader) clock() clockReading {
	if r.snapshot != nil {
		return r.snapshot.now
	}
	return r.db.reading()
}

// adjustClock makes up for a clock that went back, and saves a reading that is much later than the saved one.
func (db *DB) adjustClock(hides bool) {
	defer db.tellFailure()
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	c := &db.clock
	for {
		last, t := c.last.Load(), c.sample()
		s := manifest.ExpiryState{Reading: t}
		if marks := c.marks.Load(); marks != nil {
			s.Marks = *marks
		}
		switch {
		case last-t >= maxSmoothed:
			s.Marks = withMark(s.Marks, manifest.ExpiryMark{Until: last, Seq: key.SeqNum(db.visible.Load())})
		case hides && t > c.limit.Load():
			s.Reading = max(t, last)
		default:
			return
		}
		db.saveExpiryLocked(&s)
		c.marks.Store(&s.Marks)
		if c.last.CompareAndSwap(last, s.Reading) {
			c.limit.Store(limitAfter(s.Reading))
			return
		}
	}
}

// withMark returns marks and one more, without those that it contains. It has the greatest sequence number.
func withMark(marks []manifest.ExpiryMark, m manifest.ExpiryMark) []manifest.ExpiryMark {
	kept := slices.DeleteFunc(slices.Clone(marks), func(old manifest.ExpiryMark) bool { return old.Until <= m.Until })
	if n := len(kept); n > 0 && kept[n-1].Seq >= m.Seq { // contains it
		return kept
	}
	if len(kept) == maxMarks {
		kept[1].Until = kept[0].Until
		kept = kept[1:]
	}
	return append(kept, m)
}

// marksUpTo returns marks for a store whose last sequence number is the given one. Where the power took writes, others will have their
// sequence numbers, which no mark must hide.
func marksUpTo(marks []manifest.ExpiryMark, last key.SeqNum) (kept []manifest.ExpiryMark) {
	for _, m := range marks {
		if n := len(kept); n > 0 && kept[n-1].Seq >= last { // contains it
			break
		}
		kept = append(kept, manifest.ExpiryMark{Until: m.Until, Seq: min(m.Seq, last)})
	}
	return kept
}

// saveExpiryLocked writes an edit for the sake of readings alone. db.manifestMu is held. A store that cannot write goes on without.
func (db *DB) saveExpiryLocked(s *manifest.ExpiryState) {
	if db.manifest == nil || db.writable() != nil {
		return
	}
	db.mu.Lock()
	closing := db.closing // the manifest may be sealed
	db.mu.Unlock()
	if closing {
		return
	}
	if err := db.appendEdit(&manifest.Edit{Expiry: s}); err != nil {
		if db.manifest.Err() != nil {
			err = db.latch(err)
		}
		db.report("save a reading of the clock", err)
		return
	}
	db.scheduleRenewal()
}

// expiryState returns what a version edit is to say of readings; nil for nothing. db.manifestMu is held, and whoever makes the
// edit durable calls expirySaved.
func (db *DB) expiryState() *manifest.ExpiryState {
	c := &db.clock
	s := &manifest.ExpiryState{Reading: c.last.Load()}
	if s.Reading == 0 {
		return nil
	}
	if marks := c.marks.Load(); marks != nil {
		s.Marks = slices.DeleteFunc(slices.Clone(*marks), func(m manifest.ExpiryMark) bool { return m.Until <= s.Reading })
	}
	return s
}

// expirySaved notes what is in the manifest now.
func (db *DB) expirySaved(s *manifest.ExpiryState) {
	if s == nil {
		return
	}
	c := &db.clock
	c.marks.Store(&s.Marks) // those that are left out hide nothing more
	c.limit.Store(limitAfter(s.Reading))
}

// expires notes that values that expire are in the store, or about to be. It is called before any is visible.
func (db *DB) expires() {
	if !db.mayExpire.Load() {
		db.mayExpire.Store(true)
		_ = db.now() // saves a reading, so that no reader has to
	}
}

// findExpiring takes over what a recovered store says of what expires. Nobody reads yet.
func (db *DB) findExpiring(state *manifest.State) {
	state.Expiry.Marks = marksUpTo(state.Expiry.Marks, state.LastSeq)
	db.clock.restore(&state.Expiry)
	for _, tables := range state.Version.Levels {
		for _, t := range tables {
			if t.Expiring > 0 {
				db.mayExpire.Store(true)
			}
		}
	}
}

// expired returns the rule for compactions, which holds for every reader that there is and that comes; nil when nothing
// expires.
func (db *DB) expired() func(expiry int64, seq key.SeqNum) bool {
	if !db.mayExpire.Load() {
		return nil
	}
	now := db.reading() // first: a snapshot that is made meanwhile is among those below, or has a later reading
	readings := append(db.snapshotReadings(), now)
	floor, seen, watched := db.feed.floor()
	if watched {
		readings = append(readings, clockReading{now: floor}) // what marks hide may not have been told of
	}
	// Readings with the same marks differ in their times alone, the least of which decides.
	slices.SortFunc(readings, func(a, b clockReading) int { return len(a.marks) - len(b.marks) })
	var deciding []clockReading
	for _, r := range readings {
		i := slices.IndexFunc(deciding, func(d clockReading) bool { return slices.Equal(d.marks, r.marks) })
		if i < 0 {
			deciding = append(deciding, r)
			continue
		}
		deciding[i].now = min(deciding[i].now, r.now)
	}
	return func(expiry int64, seq key.SeqNum) bool {
		if seq > seen {
			return false
		}
		for i := range deciding {
			if !deciding[i].hides(expiry, seq) {
				return false
			}
		}
		db.stats.expired.Add(1)
		return true
	}
}

// snapshotReadings returns the readings of those open snapshots that have one; the others see nothing that expires.
func (db *DB) snapshotReadings() (all []clockReading) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for s := db.snapshots.oldest; s != nil; s = s.next {
		if s.now.now > 0 {
			all = append(all, s.now)
		}
	}
	return all
}
