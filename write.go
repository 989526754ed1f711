package tinykv

import (
	"bytes"
	"errors"

	"github.com/tinykv/tinykv/internal/key"
)

// Put sets the value of a key. Options: [Sync], [NoSync], [TTL], [ExpireAt].
//
// Errors: ErrKeyTooLarge, ErrValueTooLarge, ErrInvalidOption, ErrClosed, and ErrReadOnly for a store
// opened so, mean that nothing was written; after ErrFailed, or any other error, the write may or may not have taken effect.
func (db *DB) Put(k, value []byte, opts ...WriteOption) error {
	return db.write(nil, key.KindSet, k, value, opts)
}

// Delete removes a key; that it is absent is no error. Options and errors are those of Put.
func (db *DB) Delete(k []byte, opts ...WriteOption) error {
	return db.write(nil, key.KindDelete, k, nil, opts)
}

// DeleteRange removes every key from lower up to, but without, upper, as one operation whatever their
// number. Nil is unbounded: DeleteRange(nil, nil) clears the store, but for its buckets. It costs about as much as a
// Delete; the space comes back in the background, at once where whole tables fall into the range.
// Options: [Sync], [NoSync]. Errors are those of Put, and ErrInvalidRange for inverted bounds.
func (db *DB) DeleteRange(lower, upper []byte, opts ...WriteOption) error {
	return db.deleteRange(nil, lower, upper, opts)
}

// deleteRange is DeleteRange in a bucket; nil is none.
func (db *DB) deleteRange(to *Bucket, lower, upper []byte, opts []WriteOption) error {
	first, end, ok, err := deleteRange(lower, upper, 0)
	if err != nil {
		return db.unlessClosed(err)
	}
	waitSync, err := db.opts.wantsSync(opts)
	if err != nil {
		return db.unlessClosed(err)
	}
	if !ok { // an empty range; with Sync, what came before is on stable storage all the same
		return db.Apply(&Batch{}, opts...)
	}
	w := write{bucket: to, kind: key.KindRangeDelete, user: first, value: end, waitSync: waitSync}
	if to != nil {
		w.bindTo(db.spaces.Load())
	}
	if db.isLarge(&w) { // long bounds, small memtables
		b := &Batch{}
		b.appendRange(to, first, upper)
		return db.commitLarge(b, 0)
	}
	return db.commitSampled(&w)
}

// Merge makes of a key's value what the store's merge operator makes of it and the operand, without reading it: several
// operands wait in the store until something has a use for the result. An absent key gets the operand as its value, and
// a value that expires keeps its expiry. Options: [Sync], [NoSync]. Errors are those of Put, ErrInvalidOperand, and ErrInvalidOption
// in a store without Options.MergeOperator.
func (db *DB) Merge(k, operand []byte, opts ...WriteOption) error {
	if err := checkOperand(db.opts.MergeOperator, operand); err != nil {
		return db.unlessClosed(err)
	}
	return db.write(nil, key.KindMerge, k, operand, opts)
}

// write commits a single operation in a bucket; nil is none.
func (db *DB) write(to *Bucket, kind key.Kind, k, value []byte, opts []WriteOption) error {
	if err := checkSizes(k, value); err != nil {
		return db.unlessClosed(err)
	}
	w := write{bucket: to, kind: kind, user: k, value: value}
	if err := db.setOptions(&w, opts); err != nil {
		return db.unlessClosed(err)
	}
	if to != nil {
		w.bindTo(db.spaces.Load())
	}
	if db.isLarge(&w) {
		b, err := w.named()
		if err != nil {
			return err
		}
		return db.commitLarge(b, 0)
	}
	return db.commitSampled(&w)
}

// setOptions brings options into a write of a single operation.
func (db *DB) setOptions(w *write, opts []WriteOption) (err error) {
	if len(opts) == 0 {
		w.waitSync = db.opts.Durability == DurabilitySync
		return nil
	}
	if w.kind == key.KindSet || w.kind == key.KindSetExpiring {
		return db.takeOptions(w, opts)
	}
	w.waitSync, err = db.opts.wantsSync(opts)
	return err
}

// named returns a batch with the single operation of a write, and the name of its bucket.
func (w *write) named() (*Batch, error) {
	b := &Batch{}
	return b, b.appendWrite(b.spaceFor(w.bucket), w)
}

// batchOf returns a batch with the single operation of a write, and the id of its bucket.
func batchOf(w *write) (*Batch, error) {
	b := &Batch{}
	return b, b.appendWrite(w.space, w)
}

// Apply makes all operations of a batch take effect at once: they are read, and after a crash
// recovered, together or not at all, whatever the size of the batch. An empty batch does nothing.
// Options: [Sync], [NoSync]. Errors are those of Put. The batch may be used again afterwards.
//
// A batch too large for the memtable is written to a table of its own and is then on stable storage
// when Apply returns; other writers wait while it takes its place.
func (db *DB) Apply(b *Batch, opts ...WriteOption) error {
	if b == nil {
		return db.unlessClosed(errBatchNil)
	}
	waitSync, err := db.opts.wantsSync(opts)
	if err != nil {
		return db.unlessClosed(err)
	}
	w := write{batch: b, waitSync: waitSync}
	if len(b.names) > 0 {
		w.bindTo(db.spaces.Load())
	}
	if b.count == 0 && !waitSync {
		return db.writable()
	}
	if b.merges > 0 {
		if err := b.checkOperands(db.opts.MergeOperator); err != nil {
			return db.unlessClosed(err)
		}
	}
	db.noteExpiring(b)
	if db.isLarge(&w) {
		return db.commitLarge(b, 0)
	}
	return db.commitSampled(&w)
}

// isLarge tells whether a write does not go through log and memtable.
func (db *DB) isLarge(w *write) bool {
	return w.need() > db.largeNeed || w.batch != nil && int(w.batch.ranges) > db.largeRanges
}

// PutIfAbsent sets the value of a key unless it has one, and reports whether it did. Nothing comes
// between the look and the write. Options and errors are those of Put.
func (db *DB) PutIfAbsent(k, value []byte, opts ...WriteOption) (bool, error) {
	w := write{kind: key.KindSet, user: k, value: value}
	return db.writeIf(&w, opts, func(_ []byte, found bool) bool { return !found })
}

// CompareAndSwap sets the value of a key to value if it is old, and reports whether it was. A key
// that is absent, or has expired, has no value, not even an empty one. The expiry of the old value is no part of it: without TTL
// or ExpireAt the new one stays. Nothing comes between the look and the write. Options and errors are those of Put.
func (db *DB) CompareAndSwap(k, old, value []byte, opts ...WriteOption) (bool, error) {
	w := write{kind: key.KindSet, user: k, value: value}
	return db.writeIf(&w, opts, func(v []byte, found bool) bool { return found && bytes.Equal(v, old) })
}

// CompareAndDelete removes a key if its value is old, and reports whether it was. Nothing comes
// between the look and the write. Options and errors are those of Put.
func (db *DB) CompareAndDelete(k, old []byte, opts ...WriteOption) (bool, error) {
	w := write{kind: key.KindDelete, user: k}
	return db.writeIf(&w, opts, func(v []byte, found bool) bool { return found && bytes.Equal(v, old) })
}

// writeIf commits a single operation if the condition holds of the key's present value.
func (db *DB) writeIf(w *write, opts []WriteOption, condition func(v []byte, found bool) bool) (done bool, err error) {
	if err := checkSizes(w.user, w.value); err != nil {
		return false, db.unlessClosed(err)
	}
	if err := db.setOptions(w, opts); err != nil {
		return false, db.unlessClosed(err)
	}
	reads := db.reader()
	if w.bucket != nil && !w.bindTo(db.spaces.Load()) {
		if !condition(nil, false) {
			return false, db.writable() // and no bucket is made
		}
		reads.space = noSpace
	}
	var large *largeWrite
	if db.isLarge(w) {
		b, err := w.named()
		if err != nil {
			return false, err
		}
		if large, err = db.prepareBound(b, 0); err != nil {
			return false, err
		}
	}
	err = db.exclusively(func() error {
		if err := db.writable(); err != nil {
			return err
		}
		if w.bucket != nil && w.bindTo(db.spaces.Load()) {
			reads.space = w.space
		}
		if err := reads.peek(w.user, func(v []byte) error {
			done = condition(v, true)
			return nil
		}); errors.Is(err, ErrNotFound) {
			done = condition(nil, false)
		} else if err != nil {
			return err
		}
		switch {
		case !done:
			return nil
		case large != nil:
			return db.installLarge(large)
		case w.bucket != nil:
			if err := db.bind(w); err != nil {
				return err
			}
		}
		return db.commitGroup(w, nil)
	})
	if large != nil && (!done || err != nil) {
		large.abandon()
		if errors.Is(err, errDropped) {
			return db.writeIf(w, opts, condition)
		}
	}
	return done && err == nil, err
}

// Sync returns once every write that was acknowledged before the call is on stable storage. It does
// so even in a store that has failed, unless it was the log that failed.
// Errors: ErrClosed, ErrFailed, ErrReadOnly.
func (db *DB) Sync() error {
	if db.state.Load() == nil {
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return errOpenReadOnly
	}
	for {
		log := db.log.Load()
		err := log.Sync()
		if err == nil {
			return nil
		}
		if err = db.logFailure(log, err); db.log.Load() == log {
			return err
		}
	} // Resume came in between, and has begun another log
}
