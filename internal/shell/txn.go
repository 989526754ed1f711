package shell

import (
	"errors"
	"fmt"

	"github.com/tinykv/tinykv"
)

const maxBatch = 10_000 // operations

// operation is a part of a batch.
type operation struct {
	word word
	args arguments
}

// batch carries out operations that take effect together; each get sees those before it.
func (s *Session) batch(c *call) error {
	ops, err := operations(c.args.plain)
	if err != nil {
		return err
	}
	var out *output
	err = s.update(func(in space) error {
		out = &output{} // it may be called again
		for i, op := range ops {
			if err := op.apply(in, out); err != nil {
				return fmt.Errorf("operation %d: %w", i+1, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.out.page(out.String())
	s.ok(c)
	return nil
}

// operations reads put, get and del, divided by a ; that stands alone.
func operations(tokens []token) (ops []operation, err error) {
	for first := 0; first < len(tokens); {
		end := first
		for end < len(tokens) && !tokens[end].is(";") {
			end++
		}
		if end > first {
			op, err := parseOperation(tokens[first:end])
			if err != nil {
				return nil, fmt.Errorf("operation %d: %w", len(ops)+1, err)
			}
			if ops = append(ops, op); len(ops) > maxBatch {
				return nil, mistakef("a batch here has at most %d operations; tinykv batch takes more", maxBatch)
			}
		}
		first = end + 1
	}
	if len(ops) == 0 {
		return nil, Mistake("a batch is put, get and del, divided by a ; with a space on either side")
	}
	return ops, nil
}

func parseOperation(tokens []token) (op operation, err error) {
	switch name := tokens[0].text; name {
	case "put", "get", "del":
		if op.word, err = find(name); err == nil {
			op.args, err = op.word.parse(tokens[1:])
		}
	default:
		err = mistakef("a batch takes put, get and del, not %q", firstRunes(name, 40))
	}
	return op, err
}

func (op operation) apply(in space, out *output) error {
	switch op.word.name {
	case "put":
		return op.put(in)
	case "del":
		return op.del(in)
	}
	for i := range op.args.plain {
		k := op.args.key(i)
		v, err := in.Get(k)
		switch {
		case errors.Is(err, tinykv.ErrNotFound):
			out.page(Quote(k) + "  (absent)\n")
		case err != nil:
			return err
		default:
			out.page(Quote(k) + "  " + cut(v) + "\n")
		}
	}
	return nil
}

func (op operation) put(in space) error {
	if !op.args.has("ttl") {
		return in.Put(op.args.key(0), op.args.key(1))
	}
	d, err := Lifetime(op.args.options["ttl"])
	if err != nil {
		return err
	}
	return in.Put(op.args.key(0), op.args.key(1), tinykv.TTL(d))
}

func (op operation) del(in space) error {
	switch {
	case op.args.has("range") && len(op.args.plain) == 2:
		return in.DeleteRange(op.args.key(0), op.args.key(1))
	case op.args.has("range"):
		return Mistake("--range wants two keys: where it begins, and the first one that stays")
	case op.args.has("prefix") && len(op.args.plain) == 0:
		r := tinykv.Prefix([]byte(op.args.options["prefix"]))
		return in.DeleteRange(r.Lower, r.Upper)
	case op.args.has("prefix"):
		return Mistake("name keys or a --prefix, not both")
	}
	for i := range op.args.plain {
		if err := in.Delete(op.args.key(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) begin(c *call) error {
	if s.tx != nil {
		return Mistake("a transaction is open; commit or rollback ends it")
	}
	tx, err := s.db.Begin(!c.args.has("read-only"))
	if err != nil {
		return err
	}
	s.tx, s.wrote = tx, false
	c.out.printf("transaction at sequence number %d\n", tx.Seq())
	return nil
}

const errNoTransaction = Mistake("no transaction is open; begin begins one")

func (s *Session) commit(c *call) error {
	if s.tx == nil {
		return errNoTransaction
	}
	tx := s.tx
	s.tx = nil
	if err := tx.Commit(); err != nil {
		return err
	}
	if s.wrote {
		c.out.printf("committed\n")
	} else {
		c.out.printf("committed; nothing was written\n")
	}
	return nil
}

func (s *Session) rollback(c *call) error {
	if s.tx == nil {
		return errNoTransaction
	}
	s.Close()
	c.out.printf("rolled back\n")
	return nil
}
