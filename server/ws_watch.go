package server

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
)

// What one message about changes holds at most. A larger value is left out: its size is told instead.
const (
	wsChanges     = 256
	wsChangeBytes = 64 << 10
	wsValueBytes  = 64 << 10
)

// change is one event of Watch.
type change struct {
	Op         string     `json:"op"` // put, delete, delete_range, merge or expire
	Bucket     string     `json:"bucket,omitempty"`
	Key        *string    `json:"key,omitempty"`
	KeyHex     *string    `json:"key_hex,omitempty"`
	Value      *string    `json:"value,omitempty"`
	ValueHex   *string    `json:"value_hex,omitempty"`
	ValueBytes int        `json:"value_bytes,omitempty"` // of one that is left out
	Upper      *string    `json:"upper,omitempty"`
	UpperHex   *string    `json:"upper_hex,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	Seq        uint64     `json:"seq"`
	Last       bool       `json:"last,omitempty"` // up to here it is a state that the store had
}

// changeOf tells an event, with a value of up to most bytes.
func changeOf(e *tinykv.Event, most int) change {
	c := change{Op: strings.ReplaceAll(e.Kind.String(), " ", "_"), Bucket: e.Bucket, Seq: e.Seq, Last: e.Last}
	c.Key, c.KeyHex = textOrHex(e.Key)
	switch {
	case e.Kind == tinykv.EventPut || e.Kind == tinykv.EventMerge:
		if len(e.Value) > most {
			c.ValueBytes = len(e.Value)
			break
		}
		c.Value, c.ValueHex = textOrHex(e.Value)
	case e.Upper != nil:
		c.Upper, c.UpperHex = textOrHex(e.Upper)
	}
	if !e.ExpiresAt.IsZero() {
		at := e.ExpiresAt.UTC()
		c.ExpiresAt = &at
	}
	return c
}

// watch tells the changes of a range in commit order, until the peer is too slow for them.
func (c *conversation) watch(q *request) error {
	r, err := q.bounds()
	if err != nil {
		return c.fail(q.ID, "bad_request", err.Error())
	}
	release, ok := c.s.watchers.take()
	if !ok {
		return c.fail(q.ID, "too_many", "there are as many watches as there may be; try again later")
	}
	ctx, endIt, err := c.start(q)
	if err != nil || ctx == nil {
		release()
		return err
	}
	end := func() {
		endIt()
		release()
	}
	changes := c.s.db.Watch(ctx, r, q.Since) // before done is said: what is written from then on is told
	if q.Bucket != "" {
		changes = c.s.db.Bucket(q.Bucket).Watch(ctx, r, q.Since)
	}
	return c.keep(ctx, end, q, func(ctx context.Context) error { return c.tellChanges(ctx, q, changes) })
}

func (c *conversation) tellChanges(ctx context.Context, q *request, changes iter.Seq2[tinykv.Event, error]) error {
	var group []change
	size := 0
	for e, err := range changes {
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		group = append(group, changeOf(&e, wsValueBytes))
		size += len(e.Key) + min(len(e.Value), wsValueBytes)
		if e.Last || len(group) >= wsChanges || size >= wsChangeBytes {
			if err := c.send(message{Kind: "change", ID: q.ID, Data: group}); err != nil {
				return err
			}
			group, size = group[:0], 0
		}
	}
	return nil
}

// bounds returns the range that a request names.
func (q *request) bounds() (r tinykv.Range, err error) {
	prefix, err := boundOf("prefix", q.Prefix, q.PrefixHex)
	if err != nil {
		return r, err
	}
	if r.Lower, err = boundOf("lower", q.Lower, q.LowerHex); err != nil {
		return r, err
	}
	if r.Upper, err = boundOf("upper", q.Upper, q.UpperHex); err != nil {
		return r, err
	}
	if prefix == nil {
		return r, nil
	}
	if r.Lower != nil || r.Upper != nil {
		return r, fmt.Errorf("a prefix, or lower and upper; not both")
	}
	return tinykv.Prefix(prefix), nil
}

// boundOf returns bytes that are given as text or as hexadecimal digits, nil when they are not given.
func boundOf(name string, text, digits *string) ([]byte, error) {
	switch {
	case text != nil && digits != nil:
		return nil, fmt.Errorf("%s and %s_hex; say one of them", name, name)
	case text != nil:
		return []byte(*text), nil
	case digits != nil:
		b, err := hex.DecodeString(*digits)
		if err != nil {
			return nil, fmt.Errorf("%s_hex is not hexadecimal: two digits for each byte", name)
		}
		return append([]byte{}, b...), nil
	default:
		return nil, nil
	}
}
