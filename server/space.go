package server

import (
	"context"
	"iter"

	"github.com/tinykv/tinykv"
)

// reader is what is read the same way in a store, a bucket, a snapshot and a transaction.
type reader interface {
	PeekItem(k []byte, fn func(tinykv.Item) error) error
	Scan(r tinykv.Range, opts ...tinykv.ScanOption) iter.Seq2[tinykv.Item, error]
	Count(ctx context.Context, r tinykv.Range) (uint64, error)
}

// writer is what is written the same way.
type writer interface {
	Put(k, value []byte, opts ...tinykv.WriteOption) error
	Delete(k []byte, opts ...tinykv.WriteOption) error
	DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
	Merge(k, operand []byte, opts ...tinykv.WriteOption) error
}

// space is where a request reads and writes: a store, or a bucket of it.
type space interface {
	reader
	writer
	PutIfAbsent(k, value []byte, opts ...tinykv.WriteOption) (bool, error)
	Explain(k []byte) (*tinykv.Explanation, error)
	EstimateSize(r tinykv.Range) (uint64, error)
	Watch(ctx context.Context, r tinykv.Range, since uint64) iter.Seq2[tinykv.Event, error]
}

// space is where a request goes to.
func (s *Server) space(q *query) space {
	if q.Has("bucket") {
		return s.db.Bucket(q.Get("bucket"))
	}
	return s.db
}

// find returns a key without its value.
func find(in reader, key []byte) (found tinykv.Item, err error) {
	err = in.PeekItem(key, func(it tinykv.Item) error {
		it.Value = nil
		found = it
		return nil
	})
	return found, err
}

// txSpace is where a request reads and writes in a transaction.
type txSpace interface {
	reader
	writer
}

func inTx(tx *tinykv.Tx, q *query) txSpace {
	if q.Has("bucket") {
		return tx.Bucket(q.Get("bucket"))
	}
	return tx
}
