package server

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tinykv/tinykv"
)

// query is the parameters of a request. Each name is known and comes once: a mistyped bound must not become no bound.
type query struct {
	url.Values
	hex bool // keys are hexadecimal digits
}

// queryOf reads the parameters; beside the names, encoding and bucket may be there.
func queryOf(r *http.Request, names ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query{}, badRequest("the parameters are not properly encoded; write each byte that is special as %% and two hexadecimal digits")
	}
	for name, v := range values {
		if !slices.Contains(names, name) && name != "encoding" && name != "bucket" {
			return query{}, badRequest("there is no parameter of that name here; those that are: %v, encoding, bucket", names)
		}
		if len(v) > 1 {
			return query{}, badRequest("parameter %s comes twice", name)
		}
	}
	q := query{Values: values}
	if values.Has("encoding") {
		if values.Get("encoding") != "hex" {
			return query{}, badRequest("encoding must be hex, or left out")
		}
		q.hex = true
	}
	return q, nil
}

// key is the key in the path.
func (q *query) key(r *http.Request) ([]byte, error) { return q.bytes("the key", r.PathValue("key")) }

// bytes reads a key.
func (q *query) bytes(name, s string) ([]byte, error) {
	if q.hex {
		return unhex(name, s)
	}
	return []byte(s), nil
}

// bounds reads a range of keys, and tells whether there is any bound: a prefix of no bytes, such as a variable leaves that was never set, is none.
func (q *query) bounds() (r tinykv.Range, bounded bool, err error) {
	if q.Has("prefix") {
		if q.Has("lower") || q.Has("upper") {
			return r, false, badRequest("there are both a prefix and bounds; give one of them")
		}
		p, err := q.bytes("prefix", q.Get("prefix"))
		return tinykv.Prefix(p), len(p) > 0, err
	}
	if q.Has("lower") {
		if r.Lower, err = q.bytes("lower", q.Get("lower")); err != nil {
			return r, false, err
		}
	}
	if q.Has("upper") {
		if r.Upper, err = q.bytes("upper", q.Get("upper")); err != nil {
			return r, false, err
		}
	}
	if r.Upper != nil && bytes.Compare(r.Lower, r.Upper) > 0 {
		return r, false, tinykv.ErrInvalidRange
	}
	return r, len(r.Lower) > 0 || r.Upper != nil, nil
}

// flag reads a parameter that is true or false; one that is there without a value is true.
func (q *query) flag(name string) (bool, error) {
	if !q.Has(name) {
		return false, nil
	}
	switch q.Get(name) {
	case "", "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	default:
		return false, badRequest("%s must be true or false", name)
	}
}

// number reads a number from 1 to most.
func (q *query) number(name string, byDefault, most int) (int, error) {
	if !q.Has(name) {
		return byDefault, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 || n > most {
		return 0, badRequest("%s must be a number from 1 to %d", name, most)
	}
	return n, nil
}

// expiry reads ttl and expires_at, of which there may be one. It returns a time, which is zero for never.
func (q *query) expiry(now time.Time) (time.Time, error) {
	if q.Has("ttl") && q.Has("expires_at") {
		return time.Time{}, badRequest("there are both ttl and expires_at; give one of them")
	}
	if q.Has("ttl") {
		return expiryIn(q.Get("ttl"), now)
	}
	if q.Has("expires_at") {
		at, err := time.Parse(time.RFC3339Nano, q.Get("expires_at"))
		if err != nil || at.IsZero() {
			return time.Time{}, badRequest("expires_at must be a time such as 2030-01-31T12:00:00Z")
		}
		return at, nil
	}
	return time.Time{}, nil
}

func expiryIn(ttl string, now time.Time) (time.Time, error) {
	d, err := time.ParseDuration(ttl)
	if err != nil || d <= 0 {
		return time.Time{}, badRequest("ttl must be a time such as 30s or 1h30m")
	}
	return now.Add(d), nil
}

// durability reads sync: nothing leaves it to the store.
func (q *query) durability() ([]tinykv.WriteOption, error) {
	if !q.Has("sync") {
		return nil, nil
	}
	sync, err := q.flag("sync")
	if err != nil {
		return nil, err
	}
	if sync {
		return []tinykv.WriteOption{tinykv.Sync}, nil
	}
	return []tinykv.WriteOption{tinykv.NoSync}, nil
}
