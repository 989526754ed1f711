package enginetest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
)

// bucketNames are the buckets of a history.
var bucketNames = []string{"a", "b", "\xff\x00"}

func (h *History) anyBucket() string { return bucketNames[h.IntN(len(bucketNames))] }

// Bucket returns the model of a bucket; an empty one where there is none.
func (m *Model) Bucket(name string) *Model {
	if b, ok := m.buckets[name]; ok {
		return b
	}
	return &Model{}
}

// part returns the model of a bucket, and makes it where there is none; without a name, the model itself.
func (m *Model) part(name string) *Model {
	if name == "" {
		return m
	}
	if m.buckets == nil {
		m.buckets = map[string]*Model{}
	}
	if m.buckets[name] == nil {
		m.buckets[name] = &Model{}
	}
	return m.buckets[name]
}

// DropBucket removes a bucket, and tells whether there was one.
func (m *Model) DropBucket(name string) bool {
	_, ok := m.buckets[name]
	delete(m.buckets, name)
	return ok
}

// Names returns the names of the buckets, sorted.
func (m *Model) Names() []string { return slices.Sorted(maps.Keys(m.buckets)) }

// Dump returns the entries outside of buckets, then those of each bucket.
func (m *Model) Dump() []Entry {
	all := slices.Clone(m.entries)
	for _, name := range m.Names() {
		all = append(all, within(name, m.buckets[name].entries)...)
	}
	return all
}

// Dump returns what Model.Dump does, of a store.
func Dump(db *tinykv.DB) ([]Entry, error) {
	all, err := Collect(db.Scan(tinykv.All()))
	names, err2 := db.Buckets()
	if err = cmp.Or(err, err2); err != nil {
		return nil, err
	}
	for _, name := range names {
		entries, err := Collect(db.Bucket(name).Scan(tinykv.All()))
		if err != nil {
			return nil, err
		}
		all = append(all, within(name, entries)...)
	}
	return all, nil
}

func within(name string, entries []Entry) (named []Entry) {
	for _, e := range entries {
		named = append(named, Entry{"bucket " + name + ": " + e.Key, e.Value, e.Expiry})
	}
	return named
}

// FindEmpty learns from a store that has crashed which buckets it has: the name of one may be there
// without what was written first.
func (m *Model) FindEmpty(db *tinykv.DB) error {
	names, err := db.Buckets()
	for _, name := range names {
		m.part(name)
	}
	for name, b := range m.buckets {
		if len(b.entries) == 0 && !slices.Contains(names, name) {
			delete(m.buckets, name)
		}
	}
	return err
}

func onBucket(read func(h *History, s store, m *Model)) func(*History) {
	return func(h *History) {
		name := h.anyBucket()
		read(h, h.db.Bucket(name), h.model.Bucket(name))
	}
}

func onBucketOfSnapshot(read func(h *History, s store, m *Model)) func(*History) {
	return func(h *History) {
		if len(h.snaps) > 0 {
			s, name := h.snaps[h.IntN(len(h.snaps))], h.anyBucket()
			read(h, s.snapshot.Bucket(name), s.model.Bucket(name))
		}
	}
}

func (h *History) bucketPut(opts ...tinykv.WriteOption) {
	name, k, v := h.anyBucket(), h.Key(), h.Value()
	h.must(h.db.Bucket(name).Put(k, v, opts...))
	h.did(opts, func(b *tinykv.Batch) error { return b.Bucket(name).Put(k, v) })
}

func (h *History) bucketDelete() {
	name, k, opts := h.anyBucket(), h.Key(), h.writeOption()
	h.must(h.db.Bucket(name).Delete(k, opts...))
	h.did(opts, func(b *tinykv.Batch) error { return b.Bucket(name).Delete(k) })
}

func (h *History) bucketMerge() {
	name, k, operand, opts := h.anyBucket(), h.Key(), h.operand(), h.writeOption()
	h.must(h.db.Bucket(name).Merge(k, operand, opts...))
	h.did(opts, func(b *tinykv.Batch) error { return b.Bucket(name).Merge(k, operand) })
}

func (h *History) bucketDeleteRange() {
	name, r, opts := h.anyBucket(), h.NarrowRange(), h.writeOption()
	empty := r.Upper != nil && string(r.Lower) >= string(r.Upper)
	h.must(h.db.Bucket(name).DeleteRange(r.Lower, r.Upper, opts...))
	h.did(opts, func(b *tinykv.Batch) error {
		if empty { // which makes no bucket
			return nil
		}
		return b.Bucket(name).DeleteRange(r.Lower, r.Upper)
	})
}

func (h *History) bucketPutIfAbsent() {
	name, k, v, opts := h.anyBucket(), h.Key(), h.Value(), h.writeOption()
	_, found := h.model.Bucket(name).Get(string(k))
	done, err := h.db.Bucket(name).PutIfAbsent(k, v, opts...)
	h.must(err)
	h.same("done", done, !found)
	if done {
		h.did(opts, func(b *tinykv.Batch) error { return b.Bucket(name).Put(k, v) })
	}
}

func (h *History) bucketSwap() {
	name, k, v, opts := h.anyBucket(), h.Key(), h.Value(), h.writeOption()
	old, found := h.model.Bucket(name).Get(string(k))
	done, err := h.db.Bucket(name).CompareAndSwap(k, []byte(old), v, opts...)
	h.must(err)
	h.same("done", done, found)
	if done {
		h.did(opts, func(b *tinykv.Batch) error { return b.Bucket(name).Put(k, v) })
	}
}

// batchBucket adds operations on buckets to a batch that is under way.
func (h *History) batchBucket() {
	b := h.anyBatch()
	for range 1 + h.IntN(4) {
		to := b.Bucket(h.anyBucket())
		switch h.IntN(8) {
		case 0:
			r := h.NarrowRange()
			h.must(to.DeleteRange(r.Lower, r.Upper))
		case 1, 2:
			h.must(to.Delete(h.Key()))
		case 3:
			h.must(to.Merge(h.Key(), h.operand()))
		default:
			h.must(to.Put(h.Key(), h.Value()))
		}
	}
}

// applyLargeBuckets applies a batch that goes to a table at once.
func (h *History) applyLargeBuckets() {
	b := h.db.NewBatch()
	draw := NewRandom(h.Uint64())
	for range 250 {
		to := b.Bucket(bucketNames[draw.IntN(len(bucketNames))])
		if draw.OneIn(50) {
			r := draw.NarrowRange()
			h.must(to.DeleteRange(r.Lower, r.Upper))
		} else {
			h.must(to.Put(draw.Key(), draw.Value()))
		}
	}
	h.apply(b)
}

func (h *History) dropAny() { h.dropBucket(h.anyBucket()) }

// crashInDrop has the system crash while a bucket is dropped.
func (h *History) crashInDrop() {
	name := h.anyBucket()
	crashingIn(func(h *History) { h.dropBucket(name) })(h)
	if h.Same {
		h.dropBucket(name)
	}
}

// dropBucket drops a bucket, and all that was written before is durable then.
func (h *History) dropBucket(name string) {
	if h.lost.durable != nil { // the first half, which a crash may leave alone
		clears := h.db.NewBatch()
		h.must(clears.Bucket(name).DeleteRange(nil, nil))
		h.lost.during = append(h.lost.during, clears)
	}
	err := h.db.DropBucket(context.Background(), name)
	if !h.model.DropBucket(name) {
		if !errors.Is(err, tinykv.ErrNotFound) {
			h.Errorf("%s: drop of a bucket that is not there: %v", h.last, err)
		}
		return
	}
	h.must(err)
	h.durable()
}

// listBuckets compares the names, and all that is in the buckets.
func (h *History) listBuckets() {
	names, err := h.db.Buckets()
	h.must(err)
	h.same("names", strings.Join(names, " "), strings.Join(h.model.Names(), " "))
	got, err := Dump(h.db)
	h.must(err)
	h.sameEntries(got, h.model.Dump())
}

// bucketOps are the operations on buckets.
var bucketOps = []historyOp{
	{"bucket: put", 70, func(h *History) { h.bucketPut(h.writeOption()...) }},
	{"bucket: put, synced", 4, func(h *History) { h.bucketPut(tinykv.Sync) }},
	{"bucket: delete", 20, (*History).bucketDelete},
	{"bucket: merge", 15, (*History).bucketMerge},
	{"bucket: delete range", 5, (*History).bucketDeleteRange},
	{"bucket: put if absent", 8, (*History).bucketPutIfAbsent},
	{"bucket: compare and swap", 8, (*History).bucketSwap},
	{"bucket: in a batch", 40, (*History).batchBucket},
	{"bucket: apply large", 1, (*History).applyLargeBuckets},
	{"bucket: drop", 6, (*History).dropAny},
	{"bucket: list", 4, (*History).listBuckets},
	{"bucket: get", 40, onBucket((*History).getFrom)},
	{"bucket: get multi", 10, onBucket((*History).getMultiFrom)},
	{"bucket: scan", 6, onBucket(scanning())},
	{"bucket: scan backward", 4, onBucket(scanning(tinykv.Reverse))},
	{"bucket: count", 4, onBucket((*History).countIn)},
	{"bucket: iterator", 8, onBucket((*History).newIterOf)},
	{"bucket of a snapshot: get", 12, onBucketOfSnapshot((*History).getFrom)},
	{"bucket of a snapshot: scan", 6, onBucketOfSnapshot(scanning())},
	{"bucket of a snapshot: iterator", 3, onBucketOfSnapshot((*History).newIterOf)},
}
