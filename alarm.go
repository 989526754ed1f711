package tinykv

import (
	"sync"
	"sync/atomic"
	"time"
)

// alarm runs a function some time after it was first asked for. It has a timer only while it is set, so
// that an idle store sleeps.
type alarm struct {
	after time.Duration // 0: never
	ring  func()        // may set the alarm again

	armed atomic.Bool // it will ring, and has not begun to

	mu      sync.Mutex
	stopped bool        // guarded by mu
	timer   *time.Timer // guarded by mu
	running sync.WaitGroup
}

// arm sets the alarm. It costs one load when it is set anyway.
func (a *alarm) arm() {
	if a.armed.Load() || a.armed.Swap(true) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || a.after == 0 {
		return
	}
	a.running.Add(1)
	a.timer = time.AfterFunc(a.after, a.fire)
}

func (a *alarm) fire() {
	defer a.running.Done()
	a.armed.Store(false) // before the work: what is asked for during it may need another
	a.ring()
}

// stop ends the alarm and waits for work under way.
func (a *alarm) stop() {
	a.mu.Lock()
	a.stopped = true
	if a.timer != nil && a.timer.Stop() {
		a.running.Done()
	}
	a.mu.Unlock()
	a.running.Wait()
}
