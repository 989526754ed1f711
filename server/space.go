package server

import (
	"context"
	"iter"

	"github.com/tinykv/tinykv"
)

// reader is what is read the same way in a store, a bucket, a snapshot and a transaction.
type reader interface {
	Get(k []byte) ([]byte, error)
	Peek(k []byte, fn func(value []byte) error) error
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

// parted is what has buckets and keys outside of them: a store, a snapshot, a transaction.
type parted interface {
	Bucket(name string) *tinykv.Bucket
}

// space is where a request goes to.
func (s *Server) space(q *query) space {
	if q.Has("bucket") {
		return s.db.Bucket(q.Get("bucket"))
	}
	return s.db
}

// readerIn is where a request reads in a snapshot or a transaction.
func readerIn[P interface {
	reader
	parted
}](p P, q *query,
) reader {
	if q.Has("bucket") {
		return p.Bucket(q.Get("bucket"))
	}
	return p
}

// find returns a key without its value.
func find(in reader, key []byte) (tinykv.Item, error) {
	for it, err := range in.Scan(only(key), tinykv.KeysOnly, tinykv.Limit(1)) {
		it.Seq = number(it.Seq)
		return it, err
	}
	return tinykv.Item{}, tinykv.ErrNotFound
}

// only is the range of one key.
func only(key []byte) tinykv.Range {
	upper := make([]byte, len(key)+1)
	copy(upper, key)
	return tinykv.Between(upper[:len(key):len(key)], upper)
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
