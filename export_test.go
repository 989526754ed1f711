package tinykv

import (
	"context"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Internal gives tests outside of this package the seams of internalOptions.
type Internal struct {
	Inline         func() bool
	Random         func() uint64
	Hook           func(step string, begins bool)
	ManifestGrowth int64
	SampleEvery    uint64
	NoDelay        bool
}

// With returns a copy of the options with seams.
func (o *Options) With(in Internal) *Options {
	c := *o
	c.internal = internalOptions{
		inline: in.Inline, random: in.Random, hook: in.Hook, manifestGrowth: in.ManifestGrowth,
		sampleEvery: in.SampleEvery, noDelay: in.NoDelay,
	}
	return &c
}

// MaxValueLen is the longest value.
const MaxValueLen = maxValueLen

// HugeBatch returns a batch that has no room for anything more. Its operations are nonsense, in
// memory that nobody touches.
func HugeBatch() *Batch { return &Batch{repr: make([]byte, maxBatchLen-10), count: 1} }

// waitForCompactions waits until no compaction is due and none runs.
func (db *DB) waitForCompactions() {
	_ = db.waitUntil(context.Background(), func() (bool, error) {
		return db.jobs.running == 0 && db.pickNextLocked() == nil, nil
	})
}

// HalfOpenedRead does the first half of opening a read, runs between, and tells whether the second
// half goes on with what the first one found.
func (db *DB) HalfOpenedRead(between func()) (goesOn bool) {
	s, err := db.acquire()
	if err != nil {
		return false
	}
	defer s.unref()
	between()
	_, goesOn = db.seqFor(s)
	return goesOn
}

// CompactionFailure returns what made compactions fail, until one succeeds or none is due.
func (db *DB) CompactionFailure() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.jobs.state.err
}

// LookForExpired does what the alarm of tables with values that expire does.
func (db *DB) LookForExpired() { db.lookForExpired() }

// SettleDown waits until background work has settled and has the store give back what it keeps ready.
func (db *DB) SettleDown() {
	_ = db.waitUntil(context.Background(), func() (bool, error) {
		return len(db.state.Load().sealed) == 0 && db.jobs.running == 0 && db.pickNextLocked() == nil && len(db.garbage) == 0 && !db.removals.running, nil
	})
	for range 2 {
		db.rest()
	}
}

// ClockChanged has those who watch told of what has expired by Options.Clock, which timers know nothing of.
func (db *DB) ClockChanged() {
	db.feed.mu.Lock()
	defer db.feed.mu.Unlock()
	if x := db.feed.expirer; x != nil {
		ring(x.bell)
	}
}

// SetLastSeq makes the store go on behind a sequence number.
func (db *DB) SetLastSeq(seq uint64) { db.visible.Store(seq) }

// SkipSpaces has buckets made from now on get ids above one.
func (db *DB) SkipSpaces(last uint32) error {
	return db.exclusively(func() error {
		return db.changeSpaces(&manifest.Edit{DroppedSpaces: []key.Space{key.Space(last)}})
	})
}
