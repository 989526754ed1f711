package main

import (
	"encoding/json"
	"time"

	"github.com/tinykv/tinykv"
)

type ttlCommand struct {
	hexFlag
	bucketFlag
	JSON bool   `name:"json" help:"As JSON."`
	Key  string `arg:"" help:"The key."`
}

// Run tells how long a value still lives, or that it stays.
func (c *ttlCommand) Run(e *environment) error {
	k, err := c.bytes(c.Key)
	if err != nil {
		return err
	}
	return e.look(func(s site) error {
		in, err := c.in(s)
		if err != nil {
			return err
		}
		item, err := in.item(k)
		if err != nil {
			return e.orAbsent(c.hexFlag, k, err)
		}
		left := time.Until(item.ExpiresAt)
		switch {
		case c.JSON:
			j := c.jsonItem(&item, false)
			if item.ExpiresAt.IsZero() {
				return e.jsonLine(j)
			}
			return e.jsonLine(struct {
				jsonItem
				LeftMS int64 `json:"left_ms"`
			}{j, left.Milliseconds()})
		case item.ExpiresAt.IsZero():
			e.printf("stays\n")
		default:
			e.printf("%s, until %s\n", left.Round(time.Millisecond), expiryText(item.ExpiresAt))
		}
		return nil
	})
}

type expireCommand struct {
	hexFlag
	bucketFlag
	Key string   `arg:"" help:"The key."`
	TTL lifetime `arg:"" name:"in" help:"How long it lives from now on, as 30s or 1h30m."`
}

// Run gives a value a lifetime.
func (c *expireCommand) Run(e *environment) error {
	return c.rewrite(e, c.hexFlag, c.Key, time.Duration(c.TTL))
}

type persistCommand struct {
	hexFlag
	bucketFlag
	Key string `arg:"" help:"The key."`
}

// Run takes the lifetime of a value away.
func (c *persistCommand) Run(e *environment) error { return c.rewrite(e, c.hexFlag, c.Key, 0) }

// rewriteTries bounds how often a value is read again that others keep writing.
const rewriteTries = 20

// rewrite puts the value of a key again, with another lifetime, unless somebody writes it in between: then it begins anew.
func (f bucketFlag) rewrite(e *environment, x hexFlag, key string, ttl time.Duration) error {
	k, err := x.bytes(key)
	if err != nil {
		return err
	}
	return e.at(&tinykv.Options{ErrorIfMissing: true}, func(s site) error {
		in, err := f.in(s)
		if err != nil {
			return err
		}
		for range rewriteTries {
			item, err := in.item(k)
			if err != nil {
				return e.orAbsent(x, k, err)
			}
			if done, err := putIfUnchanged(s, f.Bucket, &item, ttl); done || err != nil {
				return err
			}
		}
		return tinykv.ErrConflict
	})
}

// putIfUnchanged puts the value of an item anew if nobody has written it since.
func putIfUnchanged(s site, bucket string, item *tinykv.Item, ttl time.Duration) (bool, error) {
	type operation struct {
		Op  string `json:"op,omitempty"`
		TTL string `json:"ttl,omitempty"`
		jsonItem
	}
	compare, put := operation{}, operation{Op: "put"}
	compare.Seq = item.Seq
	compare.Key, compare.KeyHex = hexFlag{}.jsonText(item.Key)
	put.Key, put.KeyHex = compare.Key, compare.KeyHex
	put.Value, put.ValueHex = hexFlag{}.jsonText(item.Value)
	if ttl > 0 {
		put.TTL = ttl.String()
	}
	text, err := json.Marshal(map[string][]operation{"compare": {compare}, "then": {put}})
	if err != nil {
		return false, err
	}
	answer, err := s.post("/v1/txn", bucket, text)
	if err != nil {
		return false, err
	}
	var a struct{ Succeeded bool }
	err = json.Unmarshal(answer, &a)
	return a.Succeeded, err
}
