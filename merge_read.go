package tinykv

import (
	"bytes"
	"fmt"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// resolve tells whether the entry that the iterator stands at, going forward, amounts to a value, and leaves that in
// i.value. It is not called for a plain value. deleted is the newest range tombstone on the key that the iterator sees.
func (i *Iterator) resolve(deleted key.SeqNum) (present bool, err error) {
	switch i.found.Kind() {
	case key.KindSetExpiring:
		return i.unexpired(), nil
	case key.KindMerge:
		return true, i.fold(deleted)
	default:
		return false, nil
	}
}

// unexpired takes apart a value that expires.
func (i *Iterator) unexpired() bool {
	i.expiry, i.value, _ = key.SplitExpiring(i.value)
	return !i.now.hides(i.expiry, i.found.Seq())
}

// fold puts together the operands from where the iterator stands on, going forward, and what they follow. It leaves in
// behind them.
func (i *Iterator) fold(deleted key.SeqNum) error {
	if i.merged == nil {
		i.merged = &operands{op: i.db.opts.MergeOperator}
	}
	i.merged.begin(i.found, i.value)
	base, exists, err := i.gather(deleted)
	if err != nil {
		return err
	}
	i.pos = atMerged
	if i.merged.skip && (!i.merged.expiring || i.merged.op == nil) {
		return nil
	}
	return i.state.guard(func() error {
		if i.value, err = i.merged.fold(base, exists); err != nil {
			return fmt.Errorf("key %s cannot be read until it is put or deleted, or its operator works: %w", key.FormatStored(i.key), err)
		}
		return nil
	})
}

// gather collects operands until it meets what they follow.
func (i *Iterator) gather(deleted key.SeqNum) (base []byte, exists bool, err error) {
	passed := 0
	for kv := i.in.Next(); ; kv = i.in.Next() {
		if passed == jumpAfter && kv != nil && bytes.Equal(kv.Stored, i.key) && kv.Trailer.Seq() >= i.merged.low {
			kv = i.cursor.seekOlderGE(0, i.key, key.SeekTrailer(i.merged.low-1))
			passed = 0
		}
		i.kv = kv
		switch {
		case kv == nil:
			return nil, false, i.unreadBehind()
		case !bytes.Equal(kv.Stored, i.key):
			return nil, false, nil
		case kv.Trailer.Seq() >= i.merged.low:
			passed++
			continue
		case kv.Trailer.Seq() > i.seq && kv.Trailer.Seq() < ownBase: // from after the transaction began
			continue
		case kv.Trailer.Seq() < deleted:
			return nil, false, nil
		}
		switch kv.Trailer.Kind() {
		case key.KindMerge:
			i.merged.add(kv.Trailer, kv.Value)
		case key.KindSet:
			return kv.Value, true, nil
		case key.KindSetExpiring: // which nothing is merged with, see commit_merge.go
			i.merged.expiring = true
			expiry, v, _ := key.SplitExpiring(kv.Value)
			if i.now.hides(expiry, kv.Trailer.Seq()) {
				return nil, false, nil
			}
			i.expiry = expiry
			return v, true, nil
		default:
			return nil, false, nil
		}
	}
}

// unreadBehind returns the failure that may hide older entries of the key.
func (i *Iterator) unreadBehind() error {
	err := i.in.Err()
	if err == nil {
		return nil
	}
	if bound, known := iterator.FailedAt(i.in, true); known && bytes.Compare(bound.Stored, i.key) > 0 {
		return nil
	}
	return err
}

// resolveBackward is resolve going backward, where in stands before the key and has to again.
func (i *Iterator) resolveBackward() (present bool, err error) {
	if i.found.Kind() != key.KindMerge {
		return i.resolve(0)
	}
	deleted := key.SeqNum(0)
	by, err := i.cursor.deleted(i.key, i.seq)
	if err != nil {
		return false, err
	}
	if by != nil {
		deleted = by.newest
	}
	if kv := i.in.SeekGE(i.key, i.found); kv == nil || kv.Trailer != i.found || !bytes.Equal(kv.Stored, i.key) {
		return false, i.lost()
	}
	if err := i.fold(deleted); err != nil {
		return false, err
	}
	i.kv = i.in.SeekLT(i.key, key.MaxTrailer)
	i.pos = atBackward
	return true, nil
}

// lost returns why an entry that was there is not any more, which is a failure to read it.
func (i *Iterator) lost() error {
	if err := i.in.Err(); err != nil {
		return err
	}
	return errLostEntry
}

// fold returns what a key has whose newest entry is a merge operand, in new memory.
func (r reader) fold(s *readState, stored []byte, seq key.SeqNum) (value []byte, err error) {
	value, _, err = r.foldItem(s, stored, seq)
	return value, err
}

// foldItem is fold, with the expiry; 0 for none.
func (r reader) foldItem(s *readState, stored []byte, seq key.SeqNum) (value []byte, expiry int64, err error) {
	err = s.guard(func() error {
		c := cursors.Get().(*cursor)
		c.own = r.own()
		c.initAt(s, stored)
		i := Iterator{db: r.db, state: s, seq: seq, cursor: c, in: c.in()}
		if r.db.mayExpire.Load() {
			i.now = r.clock()
		}
		found := i.forward(i.in.SeekGE(c.lower, key.MaxTrailer))
		err := i.err
		if found {
			value, expiry = append([]byte{}, i.value...), i.expiry
		}
		if cerr := c.release(); err == nil {
			err = cerr
		}
		if err == nil && !found {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return value, expiry, nil
}
