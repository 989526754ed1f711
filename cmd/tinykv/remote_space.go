package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tinykv/tinykv"
)

// remoteSpace is a part of the store of a running server. All keys go there as hexadecimal digits, which need no care.
type remoteSpace struct {
	*remoteSite
	name string
}

func (s *remoteSite) bucket(name string) space { return remoteSpace{s, name} }

// query returns the parameters of a request about the space.
func (s remoteSpace) query() url.Values {
	q := hexed()
	if s.name != "" {
		q.Set("bucket", s.name)
	}
	return q
}

func (s remoteSpace) bounded(r tinykv.Range) url.Values {
	q := s.query()
	if r.Lower != nil {
		q.Set("lower", hex.EncodeToString(r.Lower))
	}
	if r.Upper != nil {
		q.Set("upper", hex.EncodeToString(r.Upper))
	}
	return q
}

func keyPath(k []byte) string { return "/v1/keys/" + hex.EncodeToString(k) }

func (s remoteSpace) get(k []byte) ([]byte, error) {
	return s.call(http.MethodGet, keyPath(k), s.query(), nil)
}

func (s remoteSpace) item(k []byte) (tinykv.Item, error) {
	for i, err := range s.scan(only(k), scanning{limit: 1}) {
		return i, err
	}
	return tinykv.Item{}, tinykv.ErrNotFound
}

func (s remoteSpace) put(k, value []byte, w writing) error {
	q := s.query()
	q.Set("sync", "true")
	if w.ttl > 0 {
		q.Set("ttl", w.ttl.String())
	}
	_, err := s.call(http.MethodPut, keyPath(k), q, value)
	return err
}

func (s remoteSpace) deleteRange(r tinykv.Range) error {
	q := s.bounded(r)
	q.Set("sync", "true")
	if len(r.Lower) == 0 && r.Upper == nil { // an empty bound is none
		q.Set("all", "true")
	}
	_, err := s.call(http.MethodDelete, "/v1/range", q, nil)
	return err
}

// deleteKeys deletes all or none.
func (s *remoteSite) deleteKeys(bucket string, keys [][]byte) error {
	type remove struct {
		Op  string `json:"op"`
		Hex string `json:"key_hex"`
	}
	var body struct {
		Ops []remove `json:"ops"`
	}
	for _, k := range keys {
		body.Ops = append(body.Ops, remove{"delete", hex.EncodeToString(k)})
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = s.post("/v1/batch", bucket, text)
	return err
}

func (s remoteSpace) count(_ context.Context, r tinykv.Range) (uint64, error) {
	var a struct{ Count uint64 }
	err := s.ask("/v1/count", s.bounded(r), &a)
	return a.Count, err
}

func (s remoteSpace) size(r tinykv.Range) (uint64, error) {
	var a struct{ Bytes uint64 }
	err := s.ask("/v1/size", s.bounded(r), &a)
	return a.Bytes, err
}

func (s remoteSpace) explain(k []byte) (*tinykv.Explanation, error) {
	var a struct {
		Key    *string `json:"key"`
		KeyHex *string `json:"key_hex"`
		explained
	}
	if err := s.ask("/v1/explain/"+hex.EncodeToString(k), s.query(), &a); err != nil {
		return nil, err
	}
	x := tinykv.Explanation(a.explained)
	x.Key = k
	return &x, nil
}

type explained tinykv.Explanation

// pageOf is one answer to a range.
type pageOf struct {
	Items []struct {
		jsonItem
		ValueBytes int `json:"value_bytes"` // of a value that is too large to be told here
	}
	Next string
}

const pageKeys = 1000

// scan goes over a range page by page: what is written meanwhile may be seen or not.
func (s remoteSpace) scan(r tinykv.Range, how scanning) iter.Seq2[tinykv.Item, error] {
	q := s.bounded(r)
	if how.reverse {
		q.Set("reverse", "true")
	}
	if how.keysOnly {
		q.Set("keys_only", "true")
	}
	return func(yield func(tinykv.Item, error) bool) {
		for left := how.limit; ; {
			n := pageKeys
			if how.limit > 0 {
				n = min(n, left)
			}
			q.Set("limit", strconv.Itoa(n))
			var p pageOf
			if err := s.ask("/v1/range", q, &p); err != nil {
				yield(tinykv.Item{}, err)
				return
			}
			left -= len(p.Items)
			if !s.yieldAll(&p, how, yield) || p.Next == "" || how.limit > 0 && left <= 0 {
				return
			}
			q.Set("cursor", p.Next)
		}
	}
}

// yieldAll yields the items of a page, and reports whether to go on.
func (s remoteSpace) yieldAll(p *pageOf, how scanning, yield func(tinykv.Item, error) bool) bool {
	for _, j := range p.Items {
		i := tinykv.Item{ExpiresAt: j.ExpiresAt, Seq: j.Seq}
		var err error
		if i.Key, err = unJSON(j.Key, j.KeyHex); err == nil {
			i.Value, err = unJSON(j.Value, j.ValueHex)
		}
		if err == nil && j.ValueBytes > 0 && !how.keysOnly {
			i.Value, err = s.get(i.Key)
		}
		if err != nil {
			yield(tinykv.Item{}, err)
			return false
		}
		if !yield(i, nil) {
			return false
		}
	}
	return true
}
