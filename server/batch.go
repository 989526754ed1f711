package server

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/tinykv/tinykv"
)

// Bounds of a batch. What its reads return is bounded, too: a small request can ask for one large value many times.
const (
	maxOps         = 10_000
	maxResultBytes = 8 << 20
)

// operation is one line of a batch.
type operation struct {
	Op        string     `json:"op"`
	Key       *string    `json:"key"`
	KeyHex    *string    `json:"key_hex"`
	Value     *string    `json:"value"`
	ValueHex  *string    `json:"value_hex"`
	TTL       string     `json:"ttl"`
	ExpiresAt *time.Time `json:"expires_at"`
	Bucket    *string    `json:"bucket"` // else that of the request

	key, value []byte
	expires    time.Time
}

// result is what came of one operation.
type result struct {
	OK    bool  `json:"ok"`
	Found *bool `json:"found,omitempty"`
	item
}

// check reads what is told in several ways. It is to be called before anything is written.
func (o *operation) check(now time.Time) (err error) {
	if o.key, err = untext("key", o.Key, o.KeyHex); err != nil {
		return err
	}
	if o.key == nil {
		return badRequest("there is no key; give key or key_hex")
	}
	if o.value, err = untext("value", o.Value, o.ValueHex); err != nil {
		return err
	}
	takes := o.Op == "put" || o.Op == "merge"
	switch {
	case !takes && o.Op != "get" && o.Op != "delete":
		return badRequest("op must be put, get, delete or merge")
	case takes && o.value == nil:
		return badRequest("there is no value; give value or value_hex")
	case !takes && o.value != nil:
		return badRequest("a %s takes no value", o.Op)
	case o.Op != "put" && (o.TTL != "" || o.ExpiresAt != nil):
		return badRequest("a %s takes no time to live", o.Op)
	case o.TTL != "" && o.ExpiresAt != nil:
		return badRequest("there are both ttl and expires_at; give one of them")
	case o.TTL != "":
		o.expires, err = expiryIn(o.TTL, now)
	case o.ExpiresAt != nil && o.ExpiresAt.IsZero():
		return badRequest("expires_at is the zero time; leave it out for a value that stays")
	case o.ExpiresAt != nil:
		o.expires = *o.ExpiresAt
	}
	return err
}

// checkOps checks all operations of a list, which has a name.
func checkOps(name string, ops []operation) error {
	if len(ops) > maxOps {
		return tooLarge("%s has more than %d operations; send them in several requests", name, maxOps)
	}
	now := time.Now()
	for i := range ops {
		if err := ops[i].check(now); err != nil {
			return badRequest("%s[%d]: %v", name, i, err)
		}
	}
	return nil
}

// in is where the operation goes to.
func (o *operation) in(tx *tinykv.Tx, q *query) txSpace {
	if o.Bucket != nil {
		return tx.Bucket(*o.Bucket)
	}
	return inTx(tx, q)
}

// do does operations in a transaction. The answer is bounded.
func do(tx *tinykv.Tx, r *http.Request, q *query, name string, ops []operation) ([]result, error) {
	results, size, share := make([]result, len(ops)), 0, grantOf(r).share
	for i := range ops {
		result, n, err := ops[i].do(ops[i].in(tx, q), share)
		if err != nil {
			p := problemOf(err)
			return nil, &problem{p.status, p.Code, badRequest("%s[%d]: %s", name, i, p.Message).Error()}
		}
		if size += n; size > maxResultBytes {
			return nil, tooLarge("the values that are read take more than %d bytes; read fewer at a time", maxResultBytes)
		}
		results[i] = result
	}
	return results, nil
}

// do returns the result, and the size of what it holds.
func (o *operation) do(in txSpace, share *share) (r result, size int, err error) {
	r.OK = true
	switch o.Op {
	case "put":
		if o.expires.IsZero() {
			return r, 0, in.Put(o.key, o.value)
		}
		return r, 0, in.Put(o.key, o.value, tinykv.ExpireAt(o.expires))
	case "delete":
		return r, 0, in.Delete(o.key)
	case "merge":
		err = in.Merge(o.key, o.value)
		if errors.Is(err, tinykv.ErrInvalidOption) {
			err = badRequest("the store has no merge operator; the program that has it open sets one (Options.MergeOperator)")
		}
		return r, 0, err
	}
	there := true
	err = in.PeekItem(o.key, func(it tinykv.Item) error {
		i, err := itemWithValue(&it, share)
		r.item = *i
		return err
	})
	if errors.Is(err, tinykv.ErrNotFound) {
		there, err = false, nil
		r.item = itemOf(&tinykv.Item{Key: o.key})
	}
	r.Found = &there
	return r, len(o.key) + r.size(), err
}

// batch does operations in one transaction: reads see what comes before them in the batch.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "sync")
	if err != nil {
		return err
	}
	durable, err := q.durability()
	if err != nil {
		return err
	}
	var in struct {
		Ops []operation `json:"ops"`
	}
	if err := s.decode(w, r, &in); err != nil {
		return err
	}
	if err := checkOps("ops", in.Ops); err != nil {
		return err
	}
	var out struct {
		Results []result `json:"results"`
	}
	if err := s.update(durable, func(tx *tinykv.Tx) error {
		out.Results, err = do(tx, r, &q, "ops", in.Ops)
		return err
	}); err != nil {
		return err
	}
	answer(w, http.StatusOK, out)
	return nil
}

// comparison is what must hold of a key: one of three things.
type comparison struct {
	Key      *string `json:"key"`
	KeyHex   *string `json:"key_hex"`
	Seq      *uint64 `json:"seq"`
	Absent   *bool   `json:"absent"`
	Value    *string `json:"value"`
	ValueHex *string `json:"value_hex"`
	Bucket   *string `json:"bucket"`

	operation operation
}

func (c *comparison) check() (err error) {
	c.operation = operation{Key: c.Key, KeyHex: c.KeyHex, Bucket: c.Bucket, Op: "get"}
	if err := c.operation.check(time.Time{}); err != nil {
		return err
	}
	value, err := untext("value", c.Value, c.ValueHex)
	if err != nil {
		return err
	}
	c.operation.value = value
	given := 0
	for _, is := range []bool{c.Seq != nil, c.Absent != nil, value != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return badRequest("give one of seq, absent and value to compare with")
	}
	return nil
}

func (c *comparison) holds(tx *tinykv.Tx, q *query) (bool, error) {
	is := false
	err := c.operation.in(tx, q).PeekItem(c.operation.key, func(it tinykv.Item) error {
		switch {
		case c.Absent != nil:
			is = !*c.Absent
		case c.Seq != nil:
			is = it.Seq == *c.Seq
		default:
			is = bytes.Equal(it.Value, c.operation.value)
		}
		return nil
	})
	if errors.Is(err, tinykv.ErrNotFound) {
		return c.Absent != nil && *c.Absent, nil
	}
	return is, err
}

// txn does one of two lists of operations in one transaction, as comparisons hold or not.
func (s *Server) txn(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "sync")
	if err != nil {
		return err
	}
	durable, err := q.durability()
	if err != nil {
		return err
	}
	var in struct {
		Compare []comparison `json:"compare"`
		Then    []operation  `json:"then"`
		Else    []operation  `json:"else"`
	}
	if err := s.decode(w, r, &in); err != nil {
		return err
	}
	if in.Compare == nil && in.Then == nil && in.Else == nil {
		return badRequest("there is nothing to do; give compare, then and else, as far as they are wanted")
	}
	if len(in.Compare) > maxOps {
		return tooLarge("there are more than %d comparisons", maxOps)
	}
	for i := range in.Compare {
		if err := in.Compare[i].check(); err != nil {
			return badRequest("compare[%d]: %v", i, err)
		}
	}
	if err := errors.Join(checkOps("then", in.Then), checkOps("else", in.Else)); err != nil {
		return err
	}
	var out struct {
		Succeeded bool     `json:"succeeded"`
		Results   []result `json:"results"`
	}
	if err := s.update(durable, func(tx *tinykv.Tx) error {
		out.Succeeded = true
		for i := range in.Compare {
			ok, err := in.Compare[i].holds(tx, &q)
			if err != nil {
				return err
			}
			out.Succeeded = out.Succeeded && ok
		}
		name, ops := "then", in.Then
		if !out.Succeeded {
			name, ops = "else", in.Else
		}
		out.Results, err = do(tx, r, &q, name, ops)
		return err
	}); err != nil {
		return err
	}
	answer(w, http.StatusOK, out)
	return nil
}
