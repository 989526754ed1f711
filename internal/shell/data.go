package shell

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"time"

	"github.com/tinykv/tinykv"
)

// tinykvReader is what reads.
type tinykvReader interface {
	Get(k []byte) ([]byte, error)
	Scan(r tinykv.Range, opts ...tinykv.ScanOption) iter.Seq2[tinykv.Item, error]
	Count(ctx context.Context, r tinykv.Range) (uint64, error)
}

// absent names the key in the error that says that it is absent.
func absent(k []byte, err error) error {
	if errors.Is(err, tinykv.ErrNotFound) {
		return absentError{cut(k)}
	}
	return err
}

// absentError names the key that is not there.
type absentError struct{ key string }

func (e absentError) Error() string { return "key not found: " + e.key }
func (e absentError) Unwrap() error { return tinykv.ErrNotFound }

func (s *Session) get(c *call) error {
	for i := range c.args.plain {
		k := c.args.key(i)
		v, err := s.space().Get(k)
		if err != nil {
			return absent(k, err)
		}
		text := show(v)
		if len(c.args.plain) > 1 {
			text = Quote(k) + "  " + cut(v)
		}
		if !c.out.room(len(text)) {
			return mistakef("the value has %d bytes, more than is shown here; tinykv get --raw writes it to a file", len(v))
		}
		c.out.printf("%s\n", text)
	}
	return nil
}

func (s *Session) put(c *call) error {
	var opts []tinykv.WriteOption
	if c.args.has("ttl") {
		d, err := Lifetime(c.args.options["ttl"])
		if err != nil {
			return err
		}
		opts = append(opts, tinykv.TTL(d))
	}
	if err := s.written(s.space().Put(c.args.key(0), c.args.key(1), opts...)); err != nil {
		return err
	}
	s.ok(c)
	return nil
}

// written notes that the transaction has writes.
func (s *Session) written(err error) error {
	s.wrote = s.wrote || err == nil && s.tx != nil
	return err
}

// ok tells that it was done, or will be.
func (s *Session) ok(c *call) {
	if s.tx != nil {
		c.out.printf("ok, for commit\n")
		return
	}
	c.out.printf("ok\n")
}

func (s *Session) del(c *call) error {
	n := len(c.args.plain)
	switch {
	case c.args.has("range") && n == 2:
		if err := s.written(s.space().DeleteRange(c.args.key(0), c.args.key(1))); err != nil {
			return err
		}
	case c.args.has("range"):
		return Mistake("--range wants two keys: where it begins, and the first one that stays")
	case c.args.has("prefix") && n == 0:
		r := tinykv.Prefix([]byte(c.args.options["prefix"]))
		if err := s.written(s.space().DeleteRange(r.Lower, r.Upper)); err != nil {
			return err
		}
	case n == 0 || c.args.has("prefix"):
		return Mistake("name keys, or a --prefix, or a --range of two keys; clear deletes everything")
	default:
		if err := s.deleteKeys(c); err != nil {
			return err
		}
	}
	s.ok(c)
	return nil
}

// deleteKeys deletes all or none.
func (s *Session) deleteKeys(c *call) error {
	return s.update(func(to space) error {
		for i := range c.args.plain {
			if err := to.Delete(c.args.key(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// bounds returns the range that a line is about.
func (a arguments) bounds() (r tinykv.Range, err error) {
	if len(a.plain) > 0 {
		if a.has("lower") || a.has("upper") {
			return r, Mistake("a prefix does not go with --lower or --upper")
		}
		r = tinykv.Prefix(a.key(0))
	}
	if a.has("lower") {
		r.Lower = []byte(a.options["lower"])
	}
	if a.has("upper") {
		r.Upper = []byte(a.options["upper"])
	}
	if a.has("after") {
		r.Lower = append([]byte(a.options["after"]), 0)
	}
	return r, nil
}

func (s *Session) scan(c *call) error {
	r, err := c.args.bounds()
	if err != nil {
		return err
	}
	limit := uint64(scanLimit)
	if c.args.has("limit") {
		if limit, err = strconv.ParseUint(c.args.options["limit"], 10, 31); err != nil || limit == 0 {
			return mistakef("--limit wants a positive number, not %q", firstRunes(c.args.options["limit"], 40))
		}
	}
	var opts []tinykv.ScanOption
	if c.args.has("reverse") {
		opts = append(opts, tinykv.Reverse)
	}
	if c.args.has("keys-only") {
		opts = append(opts, tinykv.KeysOnly)
	}
	return s.list(c, limit, s.space().Scan(r, opts...))
}

// list shows items, and how to go on where there are more than limit, or more than is shown.
func (s *Session) list(c *call, limit uint64, items iter.Seq2[tinykv.Item, error]) error {
	var last []byte
	shown := uint64(0)
	for item, err := range items {
		if err == nil {
			err = context.Cause(c.ctx)
		}
		if err != nil {
			return err
		}
		line := Quote(item.Key)
		if !c.args.has("keys-only") {
			line += "  " + cut(item.Value) + lives(item.ExpiresAt)
		}
		if shown == limit || c.out.lines >= MaxLines-1 || !c.out.room(len(line)+1<<10) {
			more := "--after"
			if c.args.has("reverse") {
				more = "--upper"
			}
			if last == nil {
				return Mistake("the key is longer than what is shown here; tinykv scan writes it whole")
			}
			c.out.printf("-- %s shown, and there are more: scan %s %s\n", Counted(shown, "key"), more, Quote(last))
			return nil
		}
		c.out.printf("%s\n", line)
		last = item.Key
		shown++
	}
	if shown == 0 {
		c.out.printf("-- no keys\n")
	}
	return nil
}

// lives tells when a value expires, or nothing.
func lives(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return "  (expires " + at.UTC().Format(time.RFC3339) + ")"
}

func (s *Session) count(c *call) error {
	r, err := c.args.bounds()
	if err != nil {
		return err
	}
	n, err := s.space().Count(c.ctx, r)
	if err != nil {
		return err
	}
	c.out.printf("%d\n", n)
	return nil
}

// item returns a key with its expiry, which Get does not tell.
func item(in tinykvReader, k []byte) (tinykv.Item, error) {
	after := append(append([]byte(nil), k...), 0)
	for i, err := range in.Scan(tinykv.Between(k, after), tinykv.Limit(1)) {
		return i, err
	}
	return tinykv.Item{}, absent(k, tinykv.ErrNotFound)
}

func (s *Session) ttl(c *call) error {
	i, err := item(s.space(), c.args.key(0))
	if err != nil {
		return err
	}
	if i.ExpiresAt.IsZero() {
		c.out.printf("stays\n")
		return nil
	}
	c.out.printf("%s, until %s\n", time.Until(i.ExpiresAt).Round(time.Millisecond), i.ExpiresAt.UTC().Format(time.RFC3339))
	return nil
}

func (s *Session) expire(c *call) error {
	d, err := Lifetime(c.args.plain[1].text)
	if err != nil {
		return err
	}
	return s.rewrite(c, tinykv.TTL(d))
}

func (s *Session) persist(c *call) error { return s.rewrite(c) }

// rewrite puts the value of a key again, with another lifetime.
func (s *Session) rewrite(c *call, opts ...tinykv.WriteOption) error {
	k := c.args.key(0)
	err := s.update(func(in space) error {
		v, err := in.Get(k)
		if err != nil {
			return absent(k, err)
		}
		return in.Put(k, v, opts...)
	})
	if err == nil {
		s.ok(c)
	}
	return err
}
