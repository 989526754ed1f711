package server

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
)

// Bounds of one answer to a range, which goes on at a cursor. Filters may pass over much: so what is looked at is bounded, too.
const (
	defaultRangeKeys = 100
	maxRangeKeys     = 10_000
	maxRangeBytes    = 8 << 20
	maxScannedKeys   = 100_000
	maxScannedBytes  = 64 << 20
)

// cursorVersion stands before the last key that was looked at: together they are a cursor, in base64.
const cursorVersion = 1

// rangeQuery is which items to answer with.
type rangeQuery struct {
	bounds   tinykv.Range
	limit    int
	reverse  bool
	keysOnly bool
	filters  []func(it *tinykv.Item) bool
	values   bool      // a filter looks at values
	until    time.Time // when to answer with what was found so far; filters may take long
}

// rangeNames are the parameters of a range.
func rangeNames() []string {
	return []string{"prefix", "lower", "upper", "limit", "reverse", "keys_only", "cursor", "key_contains", "key_regex", "value_contains", "where"}
}

func rangeQueryOf(q *query) (rq rangeQuery, err error) {
	if rq.bounds, _, err = q.bounds(); err != nil {
		return rq, err
	}
	if rq.limit, err = q.number("limit", defaultRangeKeys, maxRangeKeys); err != nil {
		return rq, err
	}
	if rq.reverse, err = q.flag("reverse"); err != nil {
		return rq, err
	}
	if rq.keysOnly, err = q.flag("keys_only"); err != nil {
		return rq, err
	}
	if err := rq.filter(q); err != nil {
		return rq, err
	}
	return rq, rq.goOn(q)
}

// filter reads what keys and values must look like.
func (rq *rangeQuery) filter(q *query) error {
	if part := []byte(q.Get("key_contains")); len(part) > 0 {
		rq.filters = append(rq.filters, func(it *tinykv.Item) bool { return bytes.Contains(it.Key, part) })
	}
	if pattern := q.Get("key_regex"); pattern != "" {
		re, err := compilePattern(pattern)
		if err != nil {
			return err
		}
		rq.filters = append(rq.filters, func(it *tinykv.Item) bool { return re.Match(it.Key) })
	}
	if part := []byte(q.Get("value_contains")); len(part) > 0 {
		rq.values = true
		rq.filters = append(rq.filters, func(it *tinykv.Item) bool { return bytes.Contains(it.Value, part) })
	}
	if text := q.Get("where"); text != "" {
		w, err := parseWhere(text)
		if err != nil {
			return err
		}
		rq.values = true
		rq.filters = append(rq.filters, func(it *tinykv.Item) bool { return holdsOf(w, it.Value) })
	}
	return nil
}

// goOn begins behind the cursor of an earlier answer.
func (rq *rangeQuery) goOn(q *query) error {
	if !q.Has("cursor") {
		return nil
	}
	last, err := base64.RawURLEncoding.DecodeString(q.Get("cursor"))
	if err != nil || len(last) == 0 || last[0] != cursorVersion {
		return badRequest("the cursor is not one that an answer gave as next")
	}
	last = last[1:]
	if rq.reverse {
		if rq.bounds.Upper == nil || bytes.Compare(last, rq.bounds.Upper) < 0 {
			rq.bounds.Upper = last
		}
		if bytes.Compare(rq.bounds.Lower, last) > 0 {
			rq.bounds.Lower = last
		}
		return nil
	}
	next := append(last, 0)
	if bytes.Compare(next, rq.bounds.Lower) > 0 {
		rq.bounds.Lower = next
	}
	if rq.bounds.Upper != nil && bytes.Compare(next, rq.bounds.Upper) > 0 {
		rq.bounds.Upper = next
	}
	return nil
}

// rangePage is one answer.
type rangePage struct {
	items   []byte // a list, in JSON
	next    string // empty at the end of the range
	scanned int
}

// tell answers with a page. It may be large: so it is not copied once more.
func (p *rangePage) tell(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	end := ""
	if p.next != "" {
		end = `,"next":"` + p.next + `"`
	}
	_, _ = io.WriteString(w, `{"items":`)
	_, _ = w.Write(p.items)
	_, _ = fmt.Fprintf(w, "%s,\"scanned\":%d}\n", end, p.scanned) // what fails is the peer, which is gone
}

// read goes over a range until the page is full.
func (rq *rangeQuery) read(r *http.Request, in reader) (*rangePage, error) {
	p, seen, items := &rangePage{items: []byte{'['}}, 0, 0
	share := grantOf(r).share
	defer func() { p.items = append(p.items, ']') }()
	for it, err := range in.Scan(rq.bounds, rq.options()...) {
		if err = errors.Join(err, r.Context().Err()); err != nil {
			return nil, err
		}
		if rq.takes(&it) {
			before := len(p.items)
			p.items = rq.appendItem(p.items, &it, items)
			if len(p.items) > maxRangeBytes && items > 0 {
				p.items = p.items[:before]
				return p, nil
			}
			if err := share.take(2 * (len(p.items) - before)); err != nil { // it grows by steps
				return nil, err
			}
			items++
		}
		seen += len(it.Key) + len(it.Value)
		p.scanned++
		p.next = base64.RawURLEncoding.EncodeToString(append([]byte{cursorVersion}, it.Key...))
		if items == rq.limit || p.scanned == maxScannedKeys || seen >= maxScannedBytes || rq.isLate() {
			return p, nil
		}
	}
	p.next = ""
	return p, nil
}

func (rq *rangeQuery) options() (opts []tinykv.ScanOption) {
	if rq.reverse {
		opts = append(opts, tinykv.Reverse)
	}
	if rq.keysOnly && !rq.values {
		opts = append(opts, tinykv.KeysOnly)
	}
	return opts
}

// timeToAnswer is when a range answers with what its filters let through so far: the answer needs time, too.
func (s *Server) timeToAnswer() time.Time { return time.Now().Add(s.opts.RequestTimeout / 4) }

// isLate tells whether it is time to answer: a page with a cursor is more than an error when the request's time is over.
func (rq *rangeQuery) isLate() bool {
	return len(rq.filters) > 0 && !rq.until.IsZero() && !time.Now().Before(rq.until)
}

func (rq *rangeQuery) takes(it *tinykv.Item) bool {
	for _, f := range rq.filters {
		if !f(it) {
			return false
		}
	}
	return true
}

// appendItem appends an item to a list of so many. A value that is larger than a page is told by its length.
func (rq *rangeQuery) appendItem(list []byte, it *tinykv.Item, items int) []byte {
	if items > 0 {
		list = append(list, ',')
	}
	fields := interchange.FieldExpiry
	if it.Seq != 0 {
		fields |= interchange.FieldSeq
	}
	if large := len(it.Value) > maxRangeBytes; !large && !rq.keysOnly {
		fields |= interchange.FieldValue
	} else if large && !rq.keysOnly {
		list = interchange.AppendItem(list, it, fields)
		return fmt.Appendf(list[:len(list)-1], `,"value_bytes":%d}`, len(it.Value))
	}
	return interchange.AppendItem(list, it, fields)
}

// getRange answers with the items of a range, page by page.
func (s *Server) getRange(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, rangeNames()...)
	if err != nil {
		return err
	}
	rq, err := rangeQueryOf(&q)
	if err != nil {
		return err
	}
	rq.until = s.timeToAnswer()
	ctx, cancel := s.requestContext(r)
	defer cancel()
	p, err := rq.read(r.WithContext(ctx), s.space(&q))
	if err != nil {
		return err
	}
	p.tell(w)
	return nil
}

// deleteRange removes the keys of a range as one operation. All keys go only when that is said.
func (s *Server) deleteRange(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "prefix", "lower", "upper", "all", "sync")
	if err != nil {
		return err
	}
	bounds, bounded, err := q.bounds()
	if err != nil {
		return err
	}
	all, err := q.flag("all")
	if err != nil {
		return err
	}
	if bounded == all {
		return badRequest("give a prefix, lower or upper that is not empty, or all=true")
	}
	durable, err := q.durability()
	if err != nil {
		return err
	}
	if err := s.space(&q).DeleteRange(bounds.Lower, bounds.Upper, durable...); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// count answers with the exact number of keys in a range.
func (s *Server) count(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "prefix", "lower", "upper")
	if err != nil {
		return err
	}
	bounds, _, err := q.bounds()
	if err != nil {
		return err
	}
	ctx, cancel := s.requestContext(r)
	defer cancel()
	n, err := s.space(&q).Count(ctx, bounds)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		Count uint64 `json:"count"`
	}{n})
	return nil
}
