package tinykv

import (
	"bytes"
	"context"

	"github.com/tinykv/tinykv/internal/key"
)

// countCheck is how many keys Count counts between two looks at its context.
const countCheck = 1024

// Count returns the exact number of keys in a range, as the store was when the call began. It reads
// all of them; EstimateSize and Metrics.Keys tell something about as useful at once.
// Errors: ErrInvalidRange, ErrInvalidOption for a nil ctx, ErrClosed, the cause of a context that has ended, and for damaged files
// one that matches ErrCorrupt.
func (db *DB) Count(ctx context.Context, r Range) (uint64, error) { return db.reader().count(ctx, r) }

// Count is [DB.Count] at the moment of the snapshot.
func (s *Snapshot) Count(ctx context.Context, r Range) (uint64, error) {
	return s.reader().count(ctx, r)
}

func (r reader) count(ctx context.Context, bounds Range) (n uint64, err error) {
	if ctx == nil {
		return 0, r.db.unlessClosed(errNilContext)
	}
	i, err := r.newIter(bounds)
	if err != nil {
		return 0, err
	}
	for more := true; more && err == nil; {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			break
		}
		err = i.state.guard(func() error {
			more, n = i.countSome(n)
			return i.Err()
		})
	}
	if cerr := i.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// countSome adds the next keys to n, and tells whether there may be more.
func (i *Iterator) countSome(n uint64) (more bool, sum uint64) {
	for range countCheck {
		if !i.Next() { // at first to the first
			return false, n
		}
		n++
	}
	return true, n
}

// EstimateSize tells about how many bytes of disk a range takes, with what of it is in memory and will
// take disk later. It reads no data: tables that lie in the range count whole, others by the blocks
// that their index says belong to it, which is at most two blocks too much for each. What was
// overwritten or deleted counts until a compaction drops it; the log does not count.
// Errors: ErrInvalidRange, ErrClosed, and those of opening a table.
func (db *DB) EstimateSize(r Range) (uint64, error) { return db.estimateSize(r, 0) }

func (db *DB) estimateSize(r Range, space key.Space) (uint64, error) {
	if err := r.check(); err != nil {
		return 0, db.unlessClosed(err)
	}
	lower, upper := r.stored(space)
	s, err := db.acquire()
	if err != nil {
		return 0, err
	}
	defer s.unref()
	if bytes.Compare(lower, upper) >= 0 {
		return 0, nil
	}
	size := s.active.table.EstimateSize(lower, upper)
	for _, m := range s.sealed {
		size += m.table.EstimateSize(lower, upper)
	}
	err = s.guard(func() error {
		n, err := s.tree.estimateSize(lower, upper)
		size += n
		return err
	})
	if err != nil {
		return 0, err
	}
	return uint64(size), nil
}

// estimateSize sums up the tables.
func (tr *tree) estimateSize(lower, upper []byte) (size int64, err error) {
	for _, l := range tr.levels {
		for _, t := range l.tables {
			n, err := t.estimateSize(lower, upper)
			if err != nil {
				return 0, err
			}
			size += n
		}
	}
	return size, nil
}

// estimateSize returns about how many bytes of a table hold keys from lower up to, but without, upper.
func (t *table) estimateSize(lower, upper []byte) (int64, error) {
	least, greatest := t.meta.Smallest.Stored, t.meta.Largest.Stored
	switch {
	case bytes.Compare(greatest, lower) < 0 || bytes.Compare(least, upper) >= 0:
		return 0, nil
	case bytes.Compare(least, lower) >= 0 && bytes.Compare(greatest, upper) < 0:
		return t.meta.Size, nil
	}
	r, err := t.open()
	if err != nil {
		return 0, err
	}
	return r.EstimateSize(lower, upper), nil
}
