package tinykv

import (
	"fmt"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// Put is [DB.Put] within the transaction. Options: [TTL], [ExpireAt]. Errors: ErrTxDone, ErrReadOnly in a transaction that only reads,
// ErrKeyTooLarge, ErrValueTooLarge, ErrInvalidOption; nothing changes then.
func (tx *Tx) Put(k, value []byte, opts ...WriteOption) error {
	return tx.put(0, k, value, opts)
}

// Delete is [DB.Delete] within the transaction. No WriteOption applies. Errors are those of Put.
func (tx *Tx) Delete(k []byte, opts ...WriteOption) error {
	return tx.write(key.KindDelete, 0, k, nil, opts)
}

// Merge is [DB.Merge] within the transaction. No WriteOption applies. It is no read of the key. Errors are those of Put, and ErrInvalidOperand.
func (tx *Tx) Merge(k, operand []byte, opts ...WriteOption) error {
	return tx.merge(0, k, operand, opts)
}

// DeleteRange is [DB.DeleteRange] within the transaction: also of what the transaction has written. No WriteOption applies. Errors are those of Put, and ErrInvalidRange.
func (tx *Tx) DeleteRange(lower, upper []byte, opts ...WriteOption) error {
	return tx.deleteRange(0, lower, upper, opts)
}

// mayWrite returns why the transaction takes no writes, or nil.
func (tx *Tx) mayWrite() error {
	switch {
	case tx.done:
		return ErrTxDone
	case !tx.writable:
		return errTxReads
	default:
		return tx.db.writable()
	}
}

var errTxReads = fmt.Errorf("%w: the transaction only reads; use Update, or Begin(true)", ErrReadOnly)

func (tx *Tx) merge(space key.Space, k, operand []byte, opts []WriteOption) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	if err := checkOperand(tx.db.opts.MergeOperator, operand); err != nil {
		return err
	}
	return tx.write(key.KindMerge, space, k, operand, opts)
}

func (tx *Tx) put(space key.Space, k, value []byte, opts []WriteOption) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	expires, err := onlyExpiry(opts, errTxOption)
	if err != nil {
		return err
	}
	if err := checkSizes(k, value); err != nil {
		return err
	}
	if expires == 0 {
		return tx.writes().insert(key.KindSet, space, k, value, 0)
	}
	expiry := expires.expiry(tx.expiring())
	return tx.writes().insert(key.KindSetExpiring, space, k, value, expiry)
}

// expiring returns the time from which a lifetime counts, and sees to the reading by which the transaction hides what expires: its own
// values, too, but by no later time than that at which they were written, should the clock go back.
func (tx *Tx) expiring() (now int64) {
	db, s := tx.db, &tx.snapshot
	now = db.writingNow()
	db.expires()
	switch {
	case s.now.now == 0: // nothing could expire when it began
		db.fixReading(s, db.reading())
	case now < s.now.now: // what was hidden before stays so, as for the store
		before := manifest.ExpiryMark{Until: s.now.now, Seq: max(s.seq, tx.own.seq())}
		db.fixReading(s, clockReading{now: now, marks: withMark(s.now.marks, before)})
	}
	return now
}

var errTxOption = fmt.Errorf("%w: of the writes of a transaction, Put takes TTL and ExpireAt, and no other any option; Sync and NoSync are for Commit", ErrInvalidOption)

func (tx *Tx) write(kind key.Kind, space key.Space, k, value []byte, opts []WriteOption) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	if len(opts) > 0 {
		return errTxOption
	}
	if err := checkSizes(k, value); err != nil {
		return err
	}
	return tx.writes().insert(kind, space, k, value, 0)
}

func (tx *Tx) deleteRange(space key.Space, lower, upper []byte, opts []WriteOption) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	first, end, ok, err := deleteRange(lower, upper, space)
	if err != nil || !ok && len(opts) == 0 {
		return err
	}
	return tx.write(key.KindRangeDelete, space, first, end, opts)
}

// writes returns what takes the transaction's writes.
func (tx *Tx) writes() *ownWrites {
	if tx.own == nil {
		tx.own = &tx.parts.own
		tx.own.db, tx.own.tx = tx.db, tx
	}
	return tx.own
}
