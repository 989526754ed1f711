package server

import (
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv"
)

// transactions are those that peers have begun and not ended. Each has a lease, which every request on it renews: when it ends, so
// does the transaction, since what is open keeps old entries from being dropped.
type transactions struct {
	lease   time.Duration
	most    int // for each owner
	memory  *memory
	mu      sync.Mutex
	ended   bool
	open    map[string]*transaction
	holding map[string]int // by owner
}

// transactionOwners is how many owners may have as many transactions open as one may: where no token is asked for, a peer may have many addresses.
const transactionOwners = 16

// transaction is one of them.
type transaction struct {
	id       string
	owner    string
	writable bool
	requests atomic.Int32 // under way

	mu    sync.Mutex // a Tx belongs to one goroutine at a time
	tx    *tinykv.Tx // nil when it has ended
	until time.Time  // the end of its lease
	timer *time.Timer
	share *share // of memory
}

// transactionBytes is about how much memory a transaction takes at most: with a store's defaults, what outgrows that goes to tables.
const transactionBytes = 16 << 20

// takeMemory counts memory for a write of so many bytes. It grows by steps, so it counts twice.
func (t *transaction) takeMemory(n int) error {
	return t.share.take(int(min(2*int64(n), max(0, transactionBytes-t.share.taken))))
}

// renewLocked lets a transaction go on for another lease.
func (t *transaction) renewLocked(lease time.Duration) {
	t.until = time.Now().Add(lease)
	t.timer.Reset(lease)
}

func newTransactions(o *Options, m *memory) *transactions {
	return &transactions{lease: o.TransactionLease, most: o.MaxTransactions, memory: m, open: map[string]*transaction{}, holding: map[string]int{}}
}

// begin begins a transaction for an owner, who is counted before anything is opened.
func (ts *transactions) begin(db *tinykv.DB, owner string, writable bool) (*transaction, error) {
	t := &transaction{id: rand.Text(), owner: owner, writable: writable, share: ts.memory.share()}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := ts.add(t); err != nil {
		return nil, err
	}
	tx, err := db.Begin(writable)
	if err != nil {
		ts.remove(t)
		return nil, err
	}
	t.tx = tx
	t.timer = time.AfterFunc(ts.lease, func() { ts.expire(t) })
	t.renewLocked(ts.lease)
	return t, nil
}

func (ts *transactions) add(t *transaction) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.ended {
		return tinykv.ErrClosed
	}
	if ts.holding[t.owner] >= ts.most {
		return tooMany("%d transactions are open; end some, or wait until their leases end", ts.most)
	}
	if len(ts.open) >= ts.most*transactionOwners {
		return tooMany("others have %d transactions open; wait until some have ended", len(ts.open))
	}
	ts.holding[t.owner]++
	ts.open[t.id] = t
	return nil
}

func (ts *transactions) remove(t *transaction) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.open[t.id] != t {
		return
	}
	delete(ts.open, t.id)
	if ts.holding[t.owner]--; ts.holding[t.owner] == 0 {
		delete(ts.holding, t.owner)
	}
}

// count returns how many are open.
func (ts *transactions) count() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.open)
}

// with calls fn with an open transaction, one call at a time, and renews its lease.
func (ts *transactions) with(id, owner string, fn func(t *transaction) error) error {
	t, err := ts.enter(id, owner)
	if err != nil {
		return err
	}
	defer t.requests.Add(-1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tx == nil {
		return errNoTransaction()
	}
	t.timer.Stop()
	defer func() {
		if t.tx != nil {
			t.renewLocked(ts.lease)
		}
	}()
	return fn(t)
}

// maxTransactionRequests is how many requests may be on a transaction at once. One is done, and the others wait, each with a connection of its own
// that makes no room meanwhile.
const maxTransactionRequests = 16

// enter returns an open transaction to an owner, with one request more on it.
func (ts *transactions) enter(id, owner string) (*transaction, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.open[id]
	if t == nil || strings.HasPrefix(owner, tokenOwner) && t.owner != owner {
		return nil, errNoTransaction()
	}
	if t.requests.Add(1) > maxTransactionRequests {
		t.requests.Add(-1)
		return nil, tooMany("%d requests are on this transaction; they are done one by one, wait for some", maxTransactionRequests)
	}
	return t, nil
}

func errNoTransaction() error {
	return notFound("there is no such transaction; it was ended, or its lease did; begin another")
}

// expire ends a transaction whose lease has ended. A request may have held it when its timer fired, and renewed the lease.
func (ts *transactions) expire(t *transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !time.Now().Before(t.until) {
		ts.end(t)
	}
}

// rollback ends a transaction without effect, if it has not ended.
func (ts *transactions) rollback(t *transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ts.end(t)
}

// end ends a transaction, of which the caller has the lock.
func (ts *transactions) end(t *transaction) {
	if t.tx == nil {
		return
	}
	t.timer.Stop()
	_ = t.tx.Rollback() // does nothing after a commit
	t.tx = nil
	t.share.release()
	ts.remove(t)
}

// close ends all transactions, and lets nobody begin another.
func (ts *transactions) close() {
	ts.mu.Lock()
	ts.ended = true
	all := make([]*transaction, 0, len(ts.open))
	for _, t := range ts.open {
		all = append(all, t)
	}
	ts.mu.Unlock()
	for _, t := range all {
		ts.rollback(t)
	}
}
