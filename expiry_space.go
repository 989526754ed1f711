package tinykv

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/manifest"
)

// Space of values that have expired comes back with no call. Whenever compactions are looked for, the next time is noted at which a table will be
// due because of what has expired (compaction/expiry.go), and an alarm is set for it: a store that is idle otherwise wakes for nothing else.

// minExpiryWait is the least time between two looks.
const minExpiryWait = 100 * time.Millisecond

// expiredBy returns the time by which every reader that there is, and that comes, goes, or an earlier one.
func (db *DB) expiredBy() int64 {
	by := db.now() // first, as in expired
	for _, r := range db.snapshotReadings() {
		by = min(by, r.now)
	}
	if floor, _, ok := db.feed.floor(); ok {
		by = min(by, floor)
	}
	return by
}

// expiredTables returns the tables of a version that can go because all in them has expired.
func (db *DB) expiredTables(v *manifest.Version) []manifest.DeletedTable {
	_, seen, _ := db.feed.floor()
	return slices.DeleteFunc(compaction.Expired(v, db.expiredBy()), func(d manifest.DeletedTable) bool {
		return slices.ContainsFunc(v.Levels[d.Level], func(t *manifest.Table) bool { return t.Num == d.Num && t.LargestSeq > seen })
	})
}

// expiredByLocked is expiredBy for deciding what to do. No reader goes by what it returns; what is done about it asks the
// clock again.
func (db *DB) expiredByLocked() int64 {
	if !db.mayExpire.Load() {
		return 0
	}
	by := db.clock.glance()
	for s := db.snapshots.oldest; s != nil; s = s.next {
		if s.now.now > 0 {
			by = min(by, s.now.now)
		}
	}
	if floor, _, ok := db.feed.floor(); ok {
		by = min(by, floor)
	}
	return by
}

// glance returns about the present reading. Nothing is hidden by it.
func (c *expiryClock) glance() int64 {
	last, t := c.last.Load(), c.sample()
	if last-t >= maxSmoothed {
		return t
	}
	return max(last, t)
}

// awaitExpiryLocked sets the alarm.
func (db *DB) awaitExpiryLocked() {
	s := db.state.Load()
	if s == nil || !db.mayExpire.Load() || db.opts.internal.inline != nil {
		return
	}
	now := db.clock.glance() // what was due before and held back by a snapshot waits for its end
	next := compaction.NextExpiry(s.tree.version, now)
	if next == math.MaxInt64 {
		db.expirer.clear()
		return
	}
	db.expirer.set(max(time.Duration(next-now), minExpiryWait))
}

// lookForExpired is what the alarm does.
func (db *DB) lookForExpired() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closing {
		return
	}
	db.noteExpiredLocked()
	db.scheduleCompactionLocked()
}

// noteExpiredLocked has tables dropped of which all has expired, if there are any.
func (db *DB) noteExpiredLocked() {
	s := db.state.Load()
	if s != nil && db.mayExpire.Load() && len(compaction.Expired(s.tree.version, db.expiredByLocked())) > 0 {
		db.mayCover.Store(true)
	}
}

// dueAlarm runs a function at a time that may change. It has a timer only while it is set.
type dueAlarm struct {
	ring func() // may set the alarm again

	mu      sync.Mutex
	stopped bool        // guarded by mu
	timer   *time.Timer // guarded by mu; nil when it is not set
	running sync.WaitGroup
}

// set has the alarm ring after a while, and not when it was to ring.
func (a *dueAlarm) set(after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clearLocked()
	if a.stopped {
		return
	}
	a.running.Add(1)
	a.timer = time.AfterFunc(after, a.fire)
}

// clear keeps the alarm from ringing.
func (a *dueAlarm) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clearLocked()
}

func (a *dueAlarm) clearLocked() {
	if a.timer != nil && a.timer.Stop() {
		a.running.Done()
	}
	a.timer = nil
}

func (a *dueAlarm) fire() {
	defer a.running.Done()
	a.ring()
}

// stop ends the alarm and waits for work under way.
func (a *dueAlarm) stop() {
	a.mu.Lock()
	a.stopped = true
	a.clearLocked()
	a.mu.Unlock()
	a.running.Wait()
}
