package tinykv

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/tinykv/tinykv/internal/key"
)

// Bucket is a keyspace of its own within a store, found by its name: its keys meet those of no other bucket, nor those
// that the store has outside of buckets. It is made by [DB.Bucket], [Snapshot.Bucket], [Tx.Bucket] or [Batch.Bucket], and belongs to that; making
// one costs nothing and never fails. A name has 1 to 255 bytes of any kind; with another, every call returns ErrInvalidOption.
//
// A bucket comes into being with the first write to it, also if that is a Delete, and is there until [DB.DropBucket]. Reading one that is not there finds
// nothing. Keys take 1 to 4 bytes more than outside of buckets. A Bucket of a DB or a Snapshot may be used concurrently.
//
// A call that does not apply to what the bucket belongs to, such as Get to one of a batch, returns ErrInvalidOption.
type Bucket struct {
	db       *DB       // nil: of a batch
	snapshot *Snapshot // nil: as it is now
	batch    *Batch
	tx       *Tx
	name     string
	invalid  error // what is wrong with the name
}

// Bucket returns the bucket of a name, whether it is there or not.
func (db *DB) Bucket(name string) *Bucket {
	return &Bucket{db: db, name: name, invalid: checkBucketName(name)}
}

// Bucket returns the bucket of a name at the moment of the snapshot.
func (s *Snapshot) Bucket(name string) *Bucket {
	return &Bucket{db: s.db, snapshot: s, name: name, invalid: checkBucketName(name)}
}

// Bucket returns what adds operations on the bucket of a name to the batch: it has Put, Delete, DeleteRange and Merge. The store to which
// the batch is applied finds the bucket by its name then, or makes it.
func (b *Batch) Bucket(name string) *Bucket {
	return &Bucket{batch: b, name: name, invalid: checkBucketName(name)}
}

// Name returns the name of the bucket.
func (b *Bucket) Name() string { return b.name }

// reader reads the bucket; where there is none, one without keys.
func (b *Bucket) reader() (reader, error) {
	if b.batch != nil {
		return reader{}, fmt.Errorf("%w: a batch cannot be read; read by DB.Bucket, or Batch.Ops", ErrInvalidOption)
	}
	if b.invalid != nil {
		return reader{}, b.db.unlessClosed(b.invalid)
	}
	if b.tx != nil {
		return reader{}, b.db.unlessClosed(errTxBucket)
	}
	r := reader{db: b.db, snapshot: b.snapshot}
	spaces := b.db.spaces.Load()
	if b.snapshot != nil {
		spaces = b.snapshot.spaces
	}
	ok := false
	if r.space, ok = spaces.Find(b.name); !ok {
		r.space = noSpace
	}
	return r, nil
}

// ofStore returns why a call does not apply that only the bucket of a DB has, or nil.
func (b *Bucket) ofStore() error {
	switch {
	case b.batch != nil:
		return fmt.Errorf("%w: this does not apply to a bucket of a batch; use DB.Bucket", ErrInvalidOption)
	case b.invalid != nil:
		return b.db.unlessClosed(b.invalid)
	case b.tx != nil:
		return b.db.unlessClosed(errTxBucket)
	case b.snapshot != nil:
		return b.db.unlessClosed(fmt.Errorf("%w: this does not apply to a bucket of a snapshot; use DB.Bucket", ErrInvalidOption))
	}
	return nil
}

// Get is [DB.Get] within the bucket.
func (b *Bucket) Get(k []byte) ([]byte, error) { return b.GetTo(nil, k) }

// GetTo is [DB.GetTo] within the bucket.
func (b *Bucket) GetTo(dst, k []byte) ([]byte, error) {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return dst, err
		}
		return b.tx.get(space, dst, k)
	}
	r, err := b.reader()
	if err != nil {
		return dst, err
	}
	return r.get(dst, k)
}

// Peek is [DB.Peek] within the bucket.
func (b *Bucket) Peek(k []byte, fn func(value []byte) error) error {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return err
		}
		return b.tx.peek(space, k, fn)
	}
	r, err := b.reader()
	if err != nil {
		return err
	}
	return r.peek(k, fn)
}

// Has is [DB.Has] within the bucket.
func (b *Bucket) Has(k []byte) (bool, error) {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return false, err
		}
		return b.tx.has(space, k)
	}
	r, err := b.reader()
	if err != nil {
		return false, err
	}
	return r.has(k)
}

// GetMulti is [DB.GetMulti] within the bucket.
func (b *Bucket) GetMulti(keys ...[]byte) ([][]byte, error) {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return nil, err
		}
		return b.tx.getMulti(space, keys)
	}
	r, err := b.reader()
	if err != nil {
		return nil, err
	}
	return r.getMulti(keys)
}

// Scan is [DB.Scan] within the bucket, as it is when the loop begins.
func (b *Bucket) Scan(bounds Range, opts ...ScanOption) iter.Seq2[Item, error] {
	bounds, opts = bounds.clone(), slices.Clone(opts) // the loop may come late
	return func(yield func(Item, error) bool) {
		if b.tx != nil {
			space, err := b.inTx()
			if err != nil {
				yield(Item{}, err)
				return
			}
			b.tx.scan(space, bounds, opts)(yield)
			return
		}
		r, err := b.reader()
		if err != nil {
			yield(Item{}, err)
			return
		}
		r.scan(bounds, opts)(yield)
	}
}

// NewIter is [DB.NewIter] within the bucket. The iterator goes on when the bucket is dropped.
func (b *Bucket) NewIter(bounds Range) (*Iterator, error) {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return nil, err
		}
		return b.tx.newIter(space, bounds)
	}
	r, err := b.reader()
	if err != nil {
		return nil, err
	}
	return r.newIter(bounds)
}

// Count is [DB.Count] within the bucket.
func (b *Bucket) Count(ctx context.Context, bounds Range) (uint64, error) {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return 0, err
		}
		return b.tx.count(ctx, space, bounds)
	}
	r, err := b.reader()
	if err != nil {
		return 0, err
	}
	return r.count(ctx, bounds)
}

// EstimateSize is [DB.EstimateSize] within the bucket. It tells of the store as it is now, also for a snapshot.
func (b *Bucket) EstimateSize(bounds Range) (uint64, error) {
	r, err := b.reader()
	if err != nil {
		return 0, err
	}
	return r.db.estimateSize(bounds, r.space)
}

// Compact is [DB.Compact] for keys of the bucket; one that is not there is compacted. Also ErrInvalidOption for that of a snapshot or a
// transaction.
func (b *Bucket) Compact(ctx context.Context, bounds Range) error {
	if err := b.ofStore(); err != nil {
		return err
	}
	if ctx == nil {
		return b.db.unlessClosed(errNilContext)
	}
	if err := bounds.check(); err != nil {
		return b.db.unlessClosed(err)
	}
	space, ok := b.db.spaces.Load().Find(b.name)
	if !ok {
		return b.db.unlessClosed(nil)
	}
	lower, upper := bounds.stored(space)
	return b.db.compactStored(ctx, lower, upper)
}

// Explain is [DB.Explain] within the bucket.
func (b *Bucket) Explain(k []byte) (*Explanation, error) {
	r, err := b.reader()
	if err != nil {
		return nil, err
	}
	e, err := r.explain(k)
	if e != nil {
		e.Bucket = b.name
	}
	return e, err
}

// Put is [DB.Put], or [Batch.Put], within the bucket.
func (b *Bucket) Put(k, value []byte, opts ...WriteOption) error {
	return b.write(key.KindSet, k, value, opts)
}

// Delete is [DB.Delete], or [Batch.Delete], within the bucket.
func (b *Bucket) Delete(k []byte, opts ...WriteOption) error {
	return b.write(key.KindDelete, k, nil, opts)
}

func (b *Bucket) write(kind key.Kind, k, value []byte, opts []WriteOption) error {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return err
		}
		if kind == key.KindSet {
			return b.tx.put(space, k, value, opts)
		}
		return b.tx.write(kind, space, k, value, opts)
	}
	if b.batch != nil {
		if kind == key.KindSet {
			return b.batch.put(b, k, value, opts)
		}
		return b.batch.addTo(b, kind, k, value, opts)
	}
	if err := b.ofStore(); err != nil {
		return err
	}
	return b.db.write(b, kind, k, value, opts)
}

// DeleteRange is [DB.DeleteRange], or [Batch.DeleteRange], within the bucket: DeleteRange(nil, nil) clears it alone.
func (b *Bucket) DeleteRange(lower, upper []byte, opts ...WriteOption) error {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return err
		}
		return b.tx.deleteRange(space, lower, upper, opts)
	}
	if b.batch != nil {
		return b.batch.deleteRange(b, lower, upper, opts)
	}
	if err := b.ofStore(); err != nil {
		return err
	}
	return b.db.deleteRange(b, lower, upper, opts)
}

// Merge is [DB.Merge], or [Batch.Merge], within the bucket.
func (b *Bucket) Merge(k, operand []byte, opts ...WriteOption) error {
	if b.tx != nil {
		space, err := b.inTx()
		if err != nil {
			return err
		}
		return b.tx.merge(space, k, operand, opts)
	}
	if b.batch == nil && b.ofStore() == nil {
		if err := checkOperand(b.db.opts.MergeOperator, operand); err != nil {
			return b.db.unlessClosed(err)
		}
	}
	return b.write(key.KindMerge, k, operand, opts)
}

// PutIfAbsent is [DB.PutIfAbsent] within the bucket.
func (b *Bucket) PutIfAbsent(k, value []byte, opts ...WriteOption) (bool, error) {
	if err := b.ofStore(); err != nil {
		return false, err
	}
	w := write{bucket: b, kind: key.KindSet, user: k, value: value}
	return b.db.writeIf(&w, opts, func(_ []byte, found bool) bool { return !found })
}

// CompareAndSwap is [DB.CompareAndSwap] within the bucket.
func (b *Bucket) CompareAndSwap(k, old, value []byte, opts ...WriteOption) (bool, error) {
	if err := b.ofStore(); err != nil {
		return false, err
	}
	w := write{bucket: b, kind: key.KindSet, user: k, value: value}
	return b.db.writeIf(&w, opts, func(v []byte, found bool) bool { return found && bytes.Equal(v, old) })
}

// CompareAndDelete is [DB.CompareAndDelete] within the bucket.
func (b *Bucket) CompareAndDelete(k, old []byte, opts ...WriteOption) (bool, error) {
	if err := b.ofStore(); err != nil {
		return false, err
	}
	w := write{bucket: b, kind: key.KindDelete, user: k}
	return b.db.writeIf(&w, opts, func(v []byte, found bool) bool { return found && bytes.Equal(v, old) })
}
