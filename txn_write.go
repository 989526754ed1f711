package tinykv

import (
	"fmt"

	"github.com/tinykv/tinykv/internal/key"
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

// Merge is [DB.Merge] within the transaction. No WriteOption applies. It is no read of the key, unless the transaction is larger than a memtable and
// the store holds values that expire. Errors are those of Put, and ErrInvalidOperand.
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
	if tx.own != nil && tx.own.mustSettle() {
		return tx.settle(space, k, operand, opts)
	}
	return tx.write(key.KindMerge, space, k, operand, opts)
}

// settle is merge where the operand must not go to a table: see ownWrites.mustSettle. It reads what the operand follows.
func (tx *Tx) settle(space key.Space, k, operand []byte, opts []WriteOption) error {
	if len(opts) > 0 {
		return errTxOption
	}
	if err := checkSizes(k, operand); err != nil {
		return err
	}
	value, expiry := operand, int64(0)
	one := Range{Lower: append([]byte{}, k...), Upper: append(append([]byte{}, k...), 0)}
	for item, err := range tx.scan(space, one, nil) {
		if err != nil {
			return err
		}
		if value, err = merge(tx.db.opts.MergeOperator, item.Value, operand); err != nil {
			return err
		}
		if !item.ExpiresAt.IsZero() {
			expiry = unixNanos(item.ExpiresAt)
		}
	}
	if expiry == 0 {
		return tx.writes().insert(key.KindSet, space, k, value, 0)
	}
	return tx.writes().insert(key.KindSetExpiring, space, k, value, expiry)
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
	expiry := expires.expiry(tx.db.writingNow())
	tx.db.expires()
	if tx.snapshot.now.now == 0 { // nothing could expire when it began
		tx.db.fixReading(&tx.snapshot)
	}
	return tx.writes().insert(key.KindSetExpiring, space, k, value, expiry)
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
