package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
)

// getKey answers with a value, or for those who accept JSON with an item.
func (s *Server) getKey(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r)
	if err != nil {
		return err
	}
	key, err := q.key(r)
	if err != nil {
		return err
	}
	return writeKey(w, r, s.space(&q), key)
}

func writeKey(w http.ResponseWriter, r *http.Request, in reader, key []byte) error {
	begun := false
	var told *item
	err := in.PeekItem(key, func(it tinykv.Item) (err error) {
		switch {
		case !describe(w, r, &it):
			begun = true
			w.WriteHeader(http.StatusNotModified)
		case !acceptsJSON(r):
			err = writeValue(w, it.Value, &begun)
		default:
			told, err = itemWithValue(&it, grantOf(r).share)
		}
		return err
	})
	switch {
	case err != nil && begun:
		return errBroken
	case err != nil:
		return err
	case told != nil: // only now, as a slow peer need not hold up what the store would give up
		answer(w, http.StatusOK, told)
	}
	return nil
}

// describe sets the headers that tell of an item, and tells whether the peer wants the rest.
func describe(w http.ResponseWriter, r *http.Request, it *tinykv.Item) bool {
	h := w.Header()
	h.Set("Vary", "Accept")
	if it.Seq != 0 { // a transaction's own writes have none yet
		h.Set("ETag", etag(it.Seq))
	}
	if !it.ExpiresAt.IsZero() {
		h.Set("Tinykv-Expires-At", it.ExpiresAt.UTC().Format(time.RFC3339Nano))
	}
	return !isNamed(r, h.Get("ETag"))
}

// itemWithValue tells an item. A value that is too large for JSON is told by its length, and not copied.
func itemWithValue(it *tinykv.Item, share *share) (*item, error) {
	i := itemOf(it)
	if len(it.Value) > maxRangeBytes {
		i.ValueBytes = len(it.Value)
		return &i, nil
	}
	i.setValue(it.Value)
	return &i, share.take(decodedFactor * len(it.Value))
}

const pieceBytes = 64 << 10

// writeValue copies a value piece by piece, so that a slow peer holds one piece, and a fault of the disk is met by Peek.
// begun tells whether it has begun, also when that fault cuts it off.
func writeValue(w http.ResponseWriter, value []byte, begun *bool) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(value)))
	piece := make([]byte, min(len(value), pieceBytes))
	for len(value) > 0 {
		n := copy(piece, value)
		*begun = true
		if _, err := w.Write(piece[:n]); err != nil {
			return err
		}
		value = value[n:]
	}
	return nil
}

// errBroken tells that an answer ends before its end: the connection is cut, so that the peer sees it.
var errBroken = errors.New("server: answer broken off")

func acceptsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

func etag(seq uint64) string { return `"` + strconv.FormatUint(seq, 10) + `"` }

// valueOf reads a value, which is the body, and for how long it is to live.
func (s *Server) valueOf(q *query, w http.ResponseWriter, r *http.Request) ([]byte, []tinykv.WriteOption, error) {
	expires, err := q.expiry(time.Now())
	if err != nil {
		return nil, nil, err
	}
	value, err := s.body(w, r)
	if err != nil || expires.IsZero() {
		return value, nil, err
	}
	return value, []tinykv.WriteOption{tinykv.ExpireAt(expires)}, nil
}

// putKey sets a value, which is the body.
func (s *Server) putKey(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "ttl", "expires_at", "sync")
	if err != nil {
		return err
	}
	key, err := q.key(r)
	if err != nil {
		return err
	}
	value, opts, err := s.valueOf(&q, w, r)
	if err != nil {
		return err
	}
	if err := s.write(r, &q, key, func(to writer, more ...tinykv.WriteOption) error {
		return to.Put(key, value, append(more, opts...)...)
	}); err != nil {
		return err
	}
	s.tellETag(w, &q, key, value)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteKey removes a key, which need not be there.
func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "sync")
	if err != nil {
		return err
	}
	key, err := q.key(r)
	if err != nil {
		return err
	}
	if err := s.write(r, &q, key, func(to writer, more ...tinykv.WriteOption) error {
		return to.Delete(key, more...)
	}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// write does a write at once, or under the conditions of a request in a transaction.
func (s *Server) write(r *http.Request, q *query, key []byte, do func(to writer, more ...tinykv.WriteOption) error) error {
	durable, err := q.durability()
	if err != nil {
		return err
	}
	c, err := conditionOf(r)
	if err != nil {
		return err
	}
	if c.isNone() {
		return do(s.space(q), durable...)
	}
	return s.update(durable, func(tx *tinykv.Tx) error {
		in := inTx(tx, q)
		if err := c.holds(in, key); err != nil {
			return err
		}
		return do(in)
	})
}

// update is DB.Update with a durability.
func (s *Server) update(durable []tinykv.WriteOption, fn func(tx *tinykv.Tx) error) error {
	if err := s.db.Update(fn); err != nil {
		return err
	}
	if len(durable) > 0 && durable[0] == tinykv.Sync {
		return s.db.Sync()
	}
	return nil
}

// tellETag tells the number of what was just written, unless somebody has written the key since: that number is for those alone who have
// seen what it stands for.
func (s *Server) tellETag(w http.ResponseWriter, q *query, key, value []byte) {
	_ = s.space(q).PeekItem(key, func(it tinykv.Item) error { // the write is done, whatever this says
		if bytes.Equal(it.Value, value) {
			w.Header().Set("ETag", etag(it.Seq))
		}
		return nil
	})
}

// body reads the body. Memory grows with what arrives, whatever length is declared.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := asItIs(w, r); err != nil {
		return nil, err
	}
	if r.ContentLength > s.opts.MaxBody {
		return nil, &http.MaxBytesError{Limit: s.opts.MaxBody}
	}
	b, err := io.ReadAll(charged{http.MaxBytesReader(w, r.Body, s.opts.MaxBody), grantOf(r).share})
	var large *http.MaxBytesError
	var known *problem
	switch {
	case err == nil, errors.As(err, &large), errors.As(err, &known), errors.Is(err, os.ErrDeadlineExceeded):
		return b, err
	default:
		return nil, badRequest("the body could not be read to its end")
	}
}

// asItIs refuses a body that stands for another one: what was compressed would be taken for what it becomes, and a part of a value for all of it.
func asItIs(w http.ResponseWriter, r *http.Request) error {
	if coding := allOf(r, "Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		return &problem{http.StatusUnsupportedMediaType, "unsupported_media_type", "send the body as it is, without Content-Encoding"}
	}
	if allOf(r, "Content-Range") != "" {
		return badRequest("a part of a value cannot be written; send all of it, without Content-Range")
	}
	return nil
}

// charged is a body whose memory is counted. What it is read into grows by steps, so it counts twice.
type charged struct {
	io.Reader
	share *share
}

func (c charged) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if over := c.share.take(2 * n); over != nil {
		return n, over
	}
	return n, err
}
