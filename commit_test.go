package tinykv

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/vfs"
)

// queued waits until so many requests wait for the leader.
func (q *commitQueue) queued(n int) {
	for q.length() != n {
		runtime.Gosched()
	}
}

func (q *commitQueue) length() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for r := q.first; r != nil; r = r.next {
		n++
	}
	return n
}

// ledStore is a store whose lead the test has, and writers that wait for it in order.
type ledStore struct {
	*DB
	t       *testing.T
	waiting int
	running sync.WaitGroup
}

func newLedStore(t *testing.T, size int64) *ledStore {
	db, err := Open("store", &Options{FS: vfs.NewMem(), MemTableSize: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if !db.queue.tryLead() {
		t.Fatal("a new store has a leader")
	}
	return &ledStore{DB: db, t: t}
}

// wait has a writer wait behind the others.
func (s *ledStore) wait(write func() error) {
	s.running.Go(func() {
		if err := write(); err != nil {
			s.t.Error(err)
		}
	})
	s.waiting++
	s.queue.queued(s.waiting)
}

func (s *ledStore) waitPut(k string, valueLen int, opts ...WriteOption) {
	s.wait(func() error { return s.Put([]byte(k), make([]byte, valueLen), opts...) })
}

// leave gives the lead up and returns when everybody has written.
func (s *ledStore) leave() {
	s.queue.leave()
	s.running.Wait()
}

func TestCommit_LeaderDoesLittleWorkThatCameLate(t *testing.T) {
	s := newLedStore(t, 1<<20)
	for i := range 20 {
		s.waitPut(fmt.Sprintf("key %02d", i), 10)
	}
	if !s.commitLate() || s.commitLate() {
		t.Error("want all that wait in one group, and then none")
	}
	s.running.Wait() // nobody else led
	for i := range 20 {
		if k := fmt.Sprintf("key %02d", i); !s.has(k) {
			t.Errorf("%s is not there", k)
		}
	}
	if got := s.visible.Load(); got != 20 {
		t.Errorf("last sequence number %d, want 20", got)
	}
	s.leave()
}

func (s *ledStore) has(k string) bool {
	has, err := s.Has([]byte(k))
	return has && err == nil
}

func TestCommit_WhatCouldKeepTheLeaderIsLeftToAnother(t *testing.T) {
	for _, c := range []struct {
		name  string
		size  int64
		first func(*ledStore)
	}{
		{"a write that waits for stable storage", 1 << 20, func(s *ledStore) { s.waitPut("a", 10, Sync) }},
		{"one that must run alone", 1 << 20, func(s *ledStore) {
			s.wait(func() error { return s.exclusively(func() error { return nil }) })
		}},
		{"one that is long", 1 << 20, func(s *ledStore) { s.waitPut("a", maxLateGroupNeed) }},
		{"a memtable that may have to be sealed", 64 << 10, func(s *ledStore) {
			for s.active.table.Fits(maxLateGroupNeed) {
				if err := s.commitGroup(&write{kind: key.KindSet, value: make([]byte, 1000)}, nil); err != nil {
					s.t.Fatal(err)
				}
			}
			s.waitPut("a", 10)
		}},
		{"a throttle", 1 << 20, func(s *ledStore) {
			s.throttle.nanosPerKiB.Store(1)
			s.waitPut("a", 10)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newLedStore(t, c.size)
			c.first(s)
			s.waitPut("b", 10)
			if s.commitLate() {
				t.Error("the leader was kept")
			}
			s.leave()
			if !s.has("b") {
				t.Error("a write was lost")
			}
		})
	}
}

// Those before a write that syncs are committed at once, and it is next.
func TestCommit_LateWritesKeepTheirOrder(t *testing.T) {
	s := newLedStore(t, 1<<20)
	s.waitPut("a", 10)
	s.waitPut("b", 10, Sync)
	s.waitPut("c", 10)
	if !s.commitLate() || s.commitLate() {
		t.Error("want a group of those before the sync")
	}
	if !s.has("a") || s.has("b") || s.has("c") {
		t.Error("want the first and no other to be written")
	}
	s.leave()
	if !s.has("b") || !s.has("c") {
		t.Error("a write was lost")
	}
}

// A failure while the leader works for others is theirs.
func TestCommit_LateFailureIsToldToThoseConcerned(t *testing.T) {
	s := newLedStore(t, 1<<20)
	cause := errors.New("disk on fire")
	failed := func() error {
		if err := s.Put([]byte("a"), nil); !errors.Is(err, ErrFailed) || !errors.Is(err, cause) {
			return fmt.Errorf("got %v, want ErrFailed and its cause", err)
		}
		return nil
	}
	s.wait(failed)
	s.wait(failed)
	s.fail(cause)
	if !s.commitLate() {
		t.Error("nobody was told")
	}
	s.leave()
}

// A write that waits for stable storage has the whole group wait, whoever leads it.
func TestCommit_AGroupIsSyncedIfAnyOfItWaits(t *testing.T) {
	s := newLedStore(t, 1<<20)
	s.waitPut("a", 10)
	s.waitPut("b", 10, Sync)
	s.waitPut("c", 10)
	s.leave()
	if got := s.log.Load().SyncedMark(); got != 3 {
		t.Errorf("synced up to sequence number %d, want 3", got)
	}
}

// A sequence number is published once all up to it is in the memtable: no reader sees a part of a batch.
func TestCommit_PublishesWhatIsInTheMemtable(t *testing.T) {
	db, err := Open("store", &Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	table := db.active.table
	var stop atomic.Bool
	var watching sync.WaitGroup
	watching.Go(func() {
		for !stop.Load() {
			if published := db.visible.Load(); table.Entries() < published {
				t.Errorf("%d operations are published, fewer are in the memtable", published)
				return
			}
		}
	})
	for range 20 {
		b := db.NewBatch()
		for i := range 2000 {
			if err := b.Put(fmt.Appendf(nil, "%06d", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	watching.Wait()
	if db.active.table != table {
		t.Error("the memtable was sealed")
	}
}
