package server

import "net/http"

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
