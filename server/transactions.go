package server

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
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
	ts.mu.Lock()
	t := ts.open[id]
	ts.mu.Unlock()
	if t == nil || strings.HasPrefix(owner, tokenOwner) && t.owner != owner {
		return errNoTransaction()
	}
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

// beginTransaction answers with the id by which a new transaction is known.
func (s *Server) beginTransaction(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	var in struct {
		Writable bool `json:"writable"`
	}
	if err := s.decode(w, r, &in); err != nil {
		return err
	}
	if in.Writable {
		if err := s.permit(r, write); err != nil {
			return err
		}
	}
	t, err := s.transactions.begin(s.db, ownerOf(r), in.Writable)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		ID    string `json:"id"`
		Lease int64  `json:"lease_ms"`
	}{t.id, s.opts.TransactionLease.Milliseconds()})
	return nil
}

// inTransaction calls fn with the transaction that a request names.
func (s *Server) inTransaction(r *http.Request, fn func(t *transaction) error) error {
	return s.transactions.with(r.PathValue("id"), ownerOf(r), fn)
}

func (s *Server) getKeyInTransaction(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r)
	if err != nil {
		return err
	}
	key, err := q.key(r)
	if err != nil {
		return err
	}
	return s.inTransaction(r, func(t *transaction) error { return writeKey(w, r, inTx(t.tx, &q), key) })
}

// putKeyInTransaction sets a value. The body comes before the transaction is taken, so that a slow peer does not hold it.
func (s *Server) putKeyInTransaction(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "ttl", "expires_at")
	if err != nil {
		return err
	}
	value, opts, err := s.valueOf(&q, w, r)
	if err != nil {
		return err
	}
	return s.writeInTransaction(w, r, &q, len(value), func(to writer, key []byte) error { return to.Put(key, value, opts...) })
}

func (s *Server) deleteKeyInTransaction(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r)
	if err != nil {
		return err
	}
	return s.writeInTransaction(w, r, &q, 0, func(to writer, key []byte) error { return to.Delete(key) })
}

func (s *Server) writeInTransaction(w http.ResponseWriter, r *http.Request, q *query, valueBytes int, do func(to writer, key []byte) error) error {
	key, err := q.key(r)
	if err != nil {
		return err
	}
	c, err := conditionOf(r)
	if err != nil {
		return err
	}
	if err := s.inTransaction(r, func(t *transaction) error {
		if !t.writable {
			return &problem{http.StatusForbidden, "read_only", `the transaction only reads; begin one with {"writable":true}`}
		}
		in := inTx(t.tx, q)
		if !c.isNone() {
			if err := c.holds(in, key); err != nil {
				return err
			}
		}
		if err := t.takeMemory(len(key) + valueBytes); err != nil {
			return err
		}
		return do(in, key)
	}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) getRangeInTransaction(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, rangeNames()...)
	if err != nil {
		return err
	}
	rq, err := rangeQueryOf(&q)
	if err != nil {
		return err
	}
	rq.until = s.timeToAnswer()
	var p *rangePage
	if err := s.inTransaction(r, func(t *transaction) (err error) {
		p, err = rq.read(r, inTx(t.tx, &q))
		return err
	}); err != nil {
		return err
	}
	p.tell(w)
	return nil
}

// commit ends a transaction; whatever comes of it, it has ended.
func (s *Server) commit(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "sync")
	if err != nil {
		return err
	}
	durable, err := q.durability()
	if err != nil {
		return err
	}
	if err := s.inTransaction(r, func(t *transaction) error {
		defer s.transactions.end(t)
		return t.tx.Commit(durable...)
	}); err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		Committed bool `json:"committed"`
	}{true})
	return nil
}

func (s *Server) rollback(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	if err := s.inTransaction(r, func(t *transaction) error {
		s.transactions.end(t)
		return nil
	}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
