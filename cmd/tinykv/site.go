package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
	"github.com/tinykv/tinykv/internal/shell"
	"github.com/tinykv/tinykv/server"
)

// site is a store that a command works on: one that it has opened, or that of a running server.
type site interface {
	bucket(name string) space // empty: outside of all
	metrics() (*tinykv.Metrics, error)
	bucketNames() ([]string, error)
	dropBucket(name string) error
	deleteKeys(bucket string, keys [][]byte) error // all or none
	speaker() (speaker, error)                     // a session of the shell
	compact(bucket string, r tinykv.Range, m *meter) (before, after int64, err error)

	load(in io.Reader, c *importCommand, o *interchange.ImportOptions) (*interchange.ImportReport, error)
	dump(w io.Writer, c *exportCommand, r tinykv.Range, o *interchange.ExportOptions, done *exported) error

	// post sends a request of the REST interface that writes, and returns its answer when that is on stable storage.
	post(path, bucket string, body []byte) ([]byte, error)
}

// writing is how a value is put.
type writing struct{ ttl time.Duration }

// scanning is how a range is gone over.
type scanning struct {
	limit    int // 0: all
	reverse  bool
	keysOnly bool
}

// space is a part of it.
type space interface {
	get(k []byte) ([]byte, error)
	item(k []byte) (tinykv.Item, error)
	put(k, value []byte, opts writing) error
	deleteRange(r tinykv.Range) error
	scan(r tinykv.Range, how scanning) iter.Seq2[tinykv.Item, error]
	count(ctx context.Context, r tinykv.Range) (uint64, error)
	size(r tinykv.Range) (uint64, error)
	explain(k []byte) (*tinykv.Explanation, error)
}

// at calls fn with the store: that of --server, one that is opened with the options, or, where another program has it open, that of the server
// which that is.
func (e *environment) at(o *tinykv.Options, fn func(s site) error) error {
	if e.server != "" {
		r, err := dialURL(e)
		if err != nil {
			return err
		}
		return fn(r)
	}
	db, err := e.open(o)
	if errors.Is(err, tinykv.ErrLocked) {
		if r := dialSocket(e); r != nil {
			return fn(r)
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(fn(local{e, db}), db.Close())
}

// look is at for those who only read.
func (e *environment) look(fn func(s site) error) error {
	return e.at(&tinykv.Options{ReadOnly: true}, fn)
}

// local is a store that the command has opened.
type local struct {
	e  *environment
	db *tinykv.DB
}

func (l local) metrics() (*tinykv.Metrics, error) { return l.db.Metrics(), nil }
func (l local) bucketNames() ([]string, error)    { return l.db.Buckets() }
func (l local) dropBucket(name string) error      { return l.db.DropBucket(l.e.ctx, name) }

func (l local) bucket(name string) space {
	if name == "" {
		return localSpace{l.db}
	}
	return localSpace{l.db.Bucket(name)}
}

func (l local) speaker() (speaker, error) { return shell.New(l.db), nil }

func (l local) deleteKeys(bucket string, keys [][]byte) error {
	b := l.db.NewBatch()
	remove := b.Delete
	if bucket != "" {
		remove = b.Bucket(bucket).Delete
	}
	for _, k := range keys {
		if err := remove(k); err != nil {
			return err
		}
	}
	return l.db.Apply(b, tinykv.Sync)
}

// post has the server answer within this process, so that what a request means is told in one place.
func (l local) post(path, bucket string, body []byte) ([]byte, error) {
	s, err := server.New(l.db, &server.Options{MaxBody: maxRequest})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	r, err := newRequest(l.e.ctx, http.MethodPost, localURL+path+"?"+durably(bucket).Encode(), body)
	if err != nil {
		return nil, err
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	r.RemoteAddr = "127.0.0.1:0"
	s.ServeHTTP(w, r)
	return w.body.Bytes(), answerError(w.status, w.body.Bytes())
}

// recorder is the answer to a request within this process.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(status int)      { r.status = status }

// opened is what a DB and a Bucket have in common, as far as commands need it.
type opened interface {
	Get(k []byte) ([]byte, error)
	Put(k, value []byte, opts ...tinykv.WriteOption) error
	DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
	Scan(r tinykv.Range, opts ...tinykv.ScanOption) iter.Seq2[tinykv.Item, error]
	Count(ctx context.Context, r tinykv.Range) (uint64, error)
	EstimateSize(r tinykv.Range) (uint64, error)
	Explain(k []byte) (*tinykv.Explanation, error)
}

// localSpace writes to stable storage: nobody waits for a command to come back to it.
type localSpace struct{ opened }

func (s localSpace) get(k []byte) ([]byte, error)                  { return s.Get(k) }
func (s localSpace) size(r tinykv.Range) (uint64, error)           { return s.EstimateSize(r) }
func (s localSpace) explain(k []byte) (*tinykv.Explanation, error) { return s.Explain(k) }

func (s localSpace) item(k []byte) (tinykv.Item, error) {
	for i, err := range s.Scan(only(k), tinykv.Limit(1)) {
		return i, err
	}
	return tinykv.Item{}, tinykv.ErrNotFound
}

// only is the range of one key.
func only(k []byte) tinykv.Range {
	return tinykv.Between(k, append(append(make([]byte, 0, len(k)+1), k...), 0))
}

func (s localSpace) put(k, value []byte, w writing) error {
	opts := []tinykv.WriteOption{tinykv.Sync}
	if w.ttl > 0 {
		opts = append(opts, tinykv.TTL(w.ttl))
	}
	return s.Put(k, value, opts...)
}

func (s localSpace) deleteRange(r tinykv.Range) error {
	return s.DeleteRange(r.Lower, r.Upper, tinykv.Sync)
}

func (s localSpace) scan(r tinykv.Range, how scanning) iter.Seq2[tinykv.Item, error] {
	var opts []tinykv.ScanOption
	if how.limit > 0 {
		opts = append(opts, tinykv.Limit(how.limit))
	}
	if how.reverse {
		opts = append(opts, tinykv.Reverse)
	}
	if how.keysOnly {
		opts = append(opts, tinykv.KeysOnly)
	}
	return s.Scan(r, opts...)
}

func (s localSpace) count(ctx context.Context, r tinykv.Range) (uint64, error) {
	return s.Count(ctx, r)
}
