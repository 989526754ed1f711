package tinykv

import (
	"sync"
	"sync/atomic"
)

// commitQueue lets one writer lead at a time and the others wait in order.
type commitQueue struct {
	// state is queueIdle, queueLed, or queueWaited when others may wait for the leader. It goes from
	// queueWaited to queueIdle only under mu.
	state atomic.Int32

	mu          sync.Mutex
	first, last *request // guarded by mu; those who wait
}

const (
	queueIdle int32 = iota
	queueLed
	queueWaited
)

// request is a writer that waits.
type request struct {
	write
	next *request

	wake chan struct{}
	err  error // set before wake, unless lead is
	lead bool  // the writer is to lead the next group
}

// finish wakes the writers of a chain of requests. A nil chain has none.
func (r *request) finish(err error) {
	for r != nil {
		next := r.next // r belongs to its writer again once it is woken
		r.err = err
		r.wake <- struct{}{}
		r = next
	}
}

var requests = sync.Pool{New: func() any { return &request{wake: make(chan struct{}, 1)} }}

// tryLead makes the caller the leader if there is none.
func (q *commitQueue) tryLead() bool { return q.state.CompareAndSwap(queueIdle, queueLed) }

// join waits until the request is committed, or until it is its turn to lead, which it reports.
func (q *commitQueue) join(r *request) (lead bool) {
	if q.enqueue(r) {
		return true
	}
	<-r.wake
	return r.lead
}

// enqueue puts a request into the queue, or makes it lead if nobody does any more, which it reports.
func (q *commitQueue) enqueue(r *request) (lead bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.state.Load() != queueWaited {
		if q.tryLead() {
			return true
		}
		q.state.CompareAndSwap(queueLed, queueWaited)
	}
	if q.first == nil {
		q.first = r
	} else {
		q.last.next = r
	}
	q.last = r
	return false
}

// withdraw takes a request out of the queue again, and reports false when it has left already.
func (q *commitQueue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	var before *request
	for at := q.first; at != nil; before, at = at, at.next {
		if at != r {
			continue
		}
		if before == nil {
			q.first = r.next
		} else {
			before.next = r.next
		}
		if q.last == r {
			q.last = before
		}
		return true
	}
	return false
}

// takeWhile gives the leader those who wait, as a chain in order, as long as they have room and may go.
func (q *commitQueue) takeWhile(goes func(*write) bool, room int64) *request {
	if q.state.Load() != queueWaited {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var last *request
	for r := q.first; r != nil && goes(&r.write); r = r.next {
		if room -= r.need(); room < 0 {
			break
		}
		last = r
	}
	if last == nil {
		return nil
	}
	group := q.first
	q.first, last.next = last.next, nil
	return group
}

// leave ends the lead and wakes the one who takes over, if anyone waits.
func (q *commitQueue) leave() {
	if q.state.CompareAndSwap(queueLed, queueIdle) {
		return
	}
	q.mu.Lock()
	r := q.first
	if r == nil {
		q.state.Store(queueIdle)
		q.mu.Unlock()
		return
	}
	q.first, r.next = r.next, nil
	q.mu.Unlock()
	r.lead = true
	r.wake <- struct{}{}
}
