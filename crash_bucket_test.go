package tinykv_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// buckets is a workload in which buckets come, fill, and go.
func buckets(r *crashRun) {
	r.open()
	r.puts(2, 20)
	for round := range 3 {
		r.toBuckets(2, 20, "a")
		r.toBuckets(3, 40, "a", "b", "c")
		r.toBuckets(1, 20, "b", "d") // made by a write that waits for a sync
		r.sync()
		r.toBuckets(2, 3000, "b", "a")
		if round == 1 {
			r.flush()
		}
		r.dropBucket("a")
		r.toBuckets(1, 20, "c")
		r.dropBucket("b")
	}
	r.close()
	r.open()
	r.toBuckets(1, 20, "a")
	r.dropBucket("a")
	r.dropBucket("c")
	r.toBuckets(2, 100, "c")
	b := r.largeBatch()
	r.must(b.Bucket("large").Put([]byte("k"), make([]byte, 20_000)))
	r.must(b.Bucket("c").DeleteRange(nil, nil))
	r.commit(b)
	r.synced = r.acked
	r.dropBucket("large")
	r.compact()
	r.close()
}

// toBuckets commits n batches with operations on each of some buckets, and outside.
func (r *crashRun) toBuckets(n, valueBytes int, names ...string) {
	for range n {
		r.commit(r.inBuckets(valueBytes, names...))
	}
}

// inBuckets returns a batch with operations on each of some buckets, and outside.
func (r *crashRun) inBuckets(valueBytes int, names ...string) *tinykv.Batch {
	b := r.batch(valueBytes)
	for _, name := range names {
		in := b.Bucket(name)
		r.must(in.Put(fmt.Appendf(nil, "%02d", r.IntN(20)), fmt.Appendf(nil, "%0*d", 1+r.IntN(2*valueBytes), r.Uint32())))
		r.must(in.Delete(fmt.Appendf(nil, "%02d", r.IntN(20))))
	}
	return b
}

// dropBucket drops a bucket. What is recovered while it runs has all of it or nothing; then all writes are durable.
func (r *crashRun) dropBucket(name string) { r.must(r.tryDrop(name)) }

// tryDrop is dropBucket where it may fail. Then it is open whether it has dropped the bucket.
func (r *crashRun) tryDrop(name string) error {
	r.dropping = r.states[r.tip].Clone()
	r.dropping.DropBucket(name)
	if err := r.db.DropBucket(context.Background(), name); err != nil {
		return err
	}
	r.states[r.tip], r.dropping = r.dropping, nil
	r.synced = r.acked
	return nil
}

// settleBuckets finds out, once a store goes on, what a failed call has made of its buckets.
func (r *crashRun) settleBuckets() {
	r.Helper()
	got, err := enginetest.Dump(r.db)
	r.must(err)
	if r.dropping != nil && slices.Equal(got, r.dropping.Dump()) {
		r.states[r.tip] = r.dropping
	}
	r.dropping = nil
	r.must(r.states[r.tip].FindEmpty(r.db))
}

// sameContents tells whether a store holds what it did after n commits, its buckets included.
func (r *crashRun) sameContents(db *tinykv.DB, n int) error {
	got, err := enginetest.Dump(db)
	if err != nil {
		return err
	}
	names, err := db.Buckets()
	if err != nil {
		return err
	}
	states := []*enginetest.Model{r.states[n]}
	if r.dropping != nil && n == r.tip {
		states = append(states, r.dropping)
	}
	for _, m := range states {
		if slices.Equal(got, m.Dump()) && r.mayHave(names, n, m) {
			return nil
		}
	}
	return fmt.Errorf("%d entries after %d commits, want %d; buckets %s, want %s", len(got), n, len(r.states[n].Dump()),
		strings.Join(names, " "), strings.Join(r.states[n].Names(), " "))
}

// mayHave tells whether a store in a state may have some buckets: those of the state, and others that a later commit made, which
// is gone, or that are being dropped.
func (r *crashRun) mayHave(names []string, n int, m *enginetest.Model) bool {
	for _, name := range m.Names() {
		if !slices.Contains(names, name) {
			return false
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(r.states[n:], func(m *enginetest.Model) bool { return m != nil && slices.Contains(m.Names(), name) }) {
			return false
		}
	}
	return true
}
