package tinykv

import (
	"sync"
	"sync/atomic"
	"time"
)

// syncer syncs the log some time after a write that did not wait for it. It has a timer only while
// something is to be synced, so that an idle store sleeps.
type syncer struct {
	interval time.Duration
	sync     func()

	armed atomic.Bool // a sync will come, and will cover what is in the log now

	mu      sync.Mutex
	stopped bool        // guarded by mu
	timer   *time.Timer // guarded by mu
	running sync.WaitGroup
}

// arm has a sync follow within the interval. It costs one load when one is coming anyway.
func (s *syncer) arm() {
	if s.armed.Load() || s.armed.Swap(true) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.interval == 0 {
		return
	}
	s.running.Add(1)
	s.timer = time.AfterFunc(s.interval, s.fire)
}

func (s *syncer) fire() {
	defer s.running.Done()
	s.armed.Store(false) // before the sync: a write that comes during it may need another
	s.sync()
}

// stop ends the syncer and waits for a sync under way.
func (s *syncer) stop() {
	s.mu.Lock()
	s.stopped = true
	if s.timer != nil && s.timer.Stop() {
		s.running.Done()
	}
	s.mu.Unlock()
	s.running.Wait()
}
