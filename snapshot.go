package tinykv

import (
	"iter"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Snapshot is the store as it was at one moment. It may be used concurrently. It keeps entries that
// were overwritten or deleted since from being dropped, so it must be closed; it pins no files.
type Snapshot struct {
	db     *DB
	seq    key.SeqNum
	now    clockReading     // that it hides values by; zero while there are none to hide
	spaces *manifest.Spaces // at that moment
	tx     *Tx              // the transaction that it is for, or nil
	ours   bool             // it is the engine's own: Metrics do not count it
	closed atomic.Bool

	origin origin // fixed

	prev, next *Snapshot // guarded by DB.mu; in the list of open snapshots
}

// NewSnapshot returns a snapshot of this moment: it sees every write acknowledged before the call
// and none that begins after it. Error: ErrClosed.
func (db *DB) NewSnapshot() (*Snapshot, error) {
	s := &Snapshot{db: db}
	if err := db.open(s); err != nil {
		return nil, err
	}
	return s, nil
}

// open has a snapshot begin to see the store as it is.
func (db *DB) open(s *Snapshot) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.fixLocked(s); err != nil {
		return err
	}
	s.origin.at = db.sampler.now()
	if db.snapshots.opened%db.sampler.originEvery == 0 {
		s.origin.note(2)
	}
	db.snapshots.push(s)
	return nil
}

// fixLocked fixes what a new snapshot sees. db.mu is held, and given up while the clock is adjusted.
func (db *DB) fixLocked(s *Snapshot) error {
	for {
		if db.closing {
			return ErrClosed
		}
		s.seq, s.spaces = key.SeqNum(db.visible.Load()), db.spaces.Load()
		if !db.mayExpire.Load() {
			return nil
		}
		if now, ok := db.clock.advance(); ok {
			s.now = db.clock.readingAt(now)
			return nil
		}
		db.mu.Unlock()
		db.adjustClock(true)
		db.mu.Lock()
	}
}

// fixReading has a snapshot go by a reading from now on that hides what it hid before. Compactions look at it meanwhile.
func (db *DB) fixReading(s *Snapshot, now clockReading) {
	db.mu.Lock()
	defer db.mu.Unlock()
	s.now = now
}

// hasSnapshots tells whether any snapshot is open.
func (db *DB) hasSnapshots() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.snapshots.oldest != nil
}

// Seq returns the number of the last write, in commit order, that the snapshot sees.
func (s *Snapshot) Seq() uint64 { return uint64(s.seq) }

// Close ends the snapshot. Iterators made from it go on. A second call does nothing.
func (s *Snapshot) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	wasOldest := s.db.snapshots.oldest == s
	s.db.snapshots.remove(s)
	now := s.db.state.Load()
	covers := now != nil && now.tree.rangeDeletes
	if covers {
		s.db.mayCover.Store(true)
	}
	if covers || wasOldest && s.db.jobs.heldBack {
		s.db.noteExpiredLocked()
		s.db.jobs.heldBack = false
		s.db.scheduleCompactionLocked()
	}
	return nil
}

func (s *Snapshot) reader() reader { return reader{db: s.db, snapshot: s} }

// Get is [DB.Get] at the moment of the snapshot.
func (s *Snapshot) Get(k []byte) ([]byte, error) { return s.reader().get(nil, k) }

// GetTo is [DB.GetTo] at the moment of the snapshot.
func (s *Snapshot) GetTo(dst, k []byte) ([]byte, error) { return s.reader().get(dst, k) }

// Peek is [DB.Peek] at the moment of the snapshot.
func (s *Snapshot) Peek(k []byte, fn func(value []byte) error) error { return s.reader().peek(k, fn) }

// Has is [DB.Has] at the moment of the snapshot.
func (s *Snapshot) Has(k []byte) (bool, error) { return s.reader().has(k) }

// NewIter is [DB.NewIter] at the moment of the snapshot.
func (s *Snapshot) NewIter(r Range) (*Iterator, error) { return s.reader().newIter(r) }

// Scan is [DB.Scan] at the moment of the snapshot.
func (s *Snapshot) Scan(r Range, opts ...ScanOption) iter.Seq2[Item, error] {
	return s.reader().scan(r, opts)
}

// snapshotList is the open snapshots in order of age, which is that of their sequence numbers.
type snapshotList struct {
	oldest, newest *Snapshot

	count  int
	opened uint64
}

func (l *snapshotList) push(s *Snapshot) {
	if !s.ours {
		l.count++
	}
	l.opened++
	s.prev = l.newest
	if l.newest == nil {
		l.oldest = s
	} else {
		l.newest.next = s
	}
	l.newest = s
}

func (l *snapshotList) remove(s *Snapshot) {
	if !s.ours {
		l.count--
	}
	if s.prev == nil {
		l.oldest = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.newest = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// seqs returns their distinct sequence numbers, ascending.
func (l *snapshotList) seqs() []key.SeqNum {
	var seqs []key.SeqNum
	for s := l.oldest; s != nil; s = s.next {
		if n := len(seqs); n == 0 || seqs[n-1] != s.seq {
			seqs = append(seqs, s.seq)
		}
	}
	return seqs
}
