package tinykv

import (
	"sync"
	"time"
)

// backoff keeps something that fails from being tried too often: for a while after a failure, longer
// each time up to a second, it answers with that failure. It may be used concurrently.
type backoff struct {
	mu    sync.Mutex
	err   error         // guarded by mu; of the last attempt
	at    time.Time     // guarded by mu; when it ended
	pause time.Duration // guarded by mu
}

// try runs fn, or returns the failure of a moment ago.
func (b *backoff) try(fn func() error) error {
	if err := b.recent(); err != nil {
		return err
	}
	err := fn()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err = err; err == nil {
		b.pause = 0
		return nil
	}
	b.at, b.pause = time.Now(), min(max(2*b.pause, minRetryPause), maxHurriedPause)
	return err
}

// forget lets the next try be made at once.
func (b *backoff) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.pause = nil, 0
}

func (b *backoff) recent() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil && time.Since(b.at) < b.pause {
		return b.err
	}
	return nil
}
