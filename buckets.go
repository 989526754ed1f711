package tinykv

import (
	"context"
	"fmt"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Each bucket is a keyspace: its keys have the id of it in front. The manifest holds names and ids; an immutable
// set of them hangs behind DB.spaces, where every call on a bucket looks its name up. The leader alone replaces it:
//
//  1. A bucket comes into being when the leader has a write for it that takes effect: the edit is synced and the name can be
//     found before the log holds anything with the id.
//  2. One is dropped by a range tombstone over its keyspace, which is synced before the edit that forgets the name. A
//     crash in between leaves an empty bucket.
//  3. Ids are never given again. A write whose bucket was dropped while it waited is bound anew, to one that comes into
//     being for it.
//
// So a read between the parts of a drop finds the bucket empty or gone, and a snapshot, which holds the set of
// its moment, goes on seeing all of it. The reasons stand in docs/decisions/0014-buckets.md.

// noSpace stands for a keyspace that is not there: no stored key begins with it.
const noSpace = key.MaxSpace + 1

// errSpaces is what a write gets that would need one more id than there are.
var errSpaces = fmt.Errorf("tinykv: %d buckets have been made in this store, and it can make no more; copy it to a new one", key.MaxSpace)

// Buckets returns the names of all buckets, sorted bytewise. Error: ErrClosed.
func (db *DB) Buckets() ([]string, error) {
	if err := db.unlessClosed(nil); err != nil {
		return nil, err
	}
	all := db.spaces.Load().All()
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return names, nil
}

// DropBucket removes a bucket with all that is in it, at once, whatever its size; the space comes back as for DeleteRange.
// Snapshots and iterators made before go on seeing it. A write that comes later, or was a part of a batch made before, makes a
// new bucket of that name. The drop is on stable storage when it returns; after an error the bucket is as it was, empty, or gone.
//
// Errors: ErrNotFound when there is none, ErrInvalidOption for a nil ctx or a name that no bucket can have, the cause of a
// context that has ended, and those of Put.
func (db *DB) DropBucket(ctx context.Context, name string) error {
	err := checkBucketName(name)
	if ctx == nil {
		err = errNilContext
	}
	if err != nil {
		return db.unlessClosed(err)
	}
	return db.exclusivelyWithin(ctx, func() error { return db.dropBucket(ctx, name) })
}

// dropBucket is DropBucket for the leader.
func (db *DB) dropBucket(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := db.writable(); err != nil {
		return err
	}
	id, ok := db.spaces.Load().Find(name)
	if !ok {
		return fmt.Errorf("%w: there is no bucket %q", ErrNotFound, name)
	}
	clears := write{kind: key.KindRangeDelete, space: id, value: key.SpaceEnd(id), waitSync: true}
	if err := db.commitGroup(&clears, nil); err != nil {
		return err
	}
	return db.changeSpaces(&manifest.Edit{DroppedSpaces: []key.Space{id}})
}

// makeBuckets makes those among the named buckets that do not exist. Only the leader calls it.
func (db *DB) makeBuckets(names ...string) error {
	if err := db.writable(); err != nil {
		return err
	}
	spaces, err := guess(db.spaces.Load(), names)
	if err != nil || len(spaces.next) == 0 {
		return err
	}
	return db.changeSpaces(&manifest.Edit{NewSpaces: spaces.next})
}

// changeSpaces makes an edit of keyspaces durable, and then known to all. Only the leader calls it.
func (db *DB) changeSpaces(e *manifest.Edit) error {
	err := db.appendSpaces(e)
	if err != nil {
		db.tellFailure()
	}
	return err
}

func (db *DB) appendSpaces(e *manifest.Edit) error {
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	e.NextFile = manifest.FileNum(db.nextFile.Load())
	if err := db.appendEdit(e); err != nil {
		if db.manifest.Err() != nil {
			return db.latch(err)
		}
		return err
	}
	db.mu.Lock() // so that no snapshot is taken between two looks
	db.spaces.Store(db.manifest.State().Spaces)
	db.mu.Unlock()
	db.feed.learnSpaces(e, key.SeqNum(db.visible.Load()))
	db.scheduleRenewal()
	return nil
}

// knowSpaces has the keyspaces found that a manifest says there are.
func (db *DB) knowSpaces(s *manifest.Spaces) {
	if s == nil {
		s = &manifest.Spaces{}
	}
	db.spaces.Store(s)
}

// bind finds the keyspaces that a write for buckets goes to, and makes those that are not there. Only the leader
// calls it.
func (db *DB) bind(w *write) error {
	if w.bindTo(db.spaces.Load()) {
		return nil
	}
	if err := db.makeBuckets(w.buckets()...); err != nil {
		return err
	}
	w.bindTo(db.spaces.Load())
	return nil
}

// buckets returns the names that a write goes to.
func (w *write) buckets() []string {
	if w.batch != nil {
		return w.batch.named().names
	}
	return []string{w.bucket.name}
}

// bindTo finds the keyspaces of a write for buckets among some, and tells whether all are there.
func (w *write) bindTo(s *manifest.Spaces) bool {
	if w.spaces == s {
		return true
	}
	w.spaces = unbound
	if w.batch == nil {
		id, ok := s.Find(w.bucket.name)
		if !ok {
			return false
		}
		if w.kind == key.KindRangeDelete && id != w.space {
			_, w.value = Range{Upper: rangeEnd(w.space, w.value)}.stored(id)
		}
		w.space, w.spaces = id, s
		return true
	}
	named := w.batch.named()
	if w.batch = named.bindTo(s); w.batch == nil {
		w.batch = named
		return false
	}
	w.spaces = s
	return true
}

// unbound marks a write for buckets that are not there.
var unbound = &manifest.Spaces{}

// isBoundTo tells whether the keyspaces of a write for buckets are still those that its names have among some.
func (w *write) isBoundTo(s *manifest.Spaces) bool {
	if w.spaces == s {
		return true
	}
	if w.batch != nil {
		return w.batch.isBoundTo(s)
	}
	id, ok := s.Find(w.bucket.name)
	return ok && id == w.space
}

// checkBucketName returns why no bucket can have a name, or nil.
func checkBucketName(name string) error {
	if len(name) == 0 || len(name) > manifest.MaxSpaceName {
		return fmt.Errorf("%w: the name of a bucket has 1 to %d bytes, not %d", ErrInvalidOption, manifest.MaxSpaceName, len(name))
	}
	return nil
}
