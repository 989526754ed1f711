package tinykv

import (
	"bytes"
	"fmt"
	"time"

	"github.com/tinykv/tinykv/internal/key"
)

// Range is an interval of keys, half open: Lower is in it, Upper is not. A nil bound is unbounded; a
// non-nil empty Upper makes the range empty, since no key is below the empty one.
type Range struct {
	Lower, Upper []byte
}

// All returns the range of all keys.
func All() Range { return Range{} }

// Between returns the range from lower up to, but without, upper, both of which it copies.
func Between(lower, upper []byte) Range { return Range{Lower: lower, Upper: upper}.clone() }

// Prefix returns the range of keys that begin with p.
func Prefix(p []byte) Range {
	upper := bytes.Clone(p)
	for len(upper) > 0 {
		last := len(upper) - 1
		if upper[last]++; upper[last] != 0 {
			return Range{Lower: bytes.Clone(p), Upper: upper}
		}
		upper = upper[:last]
	}
	return Range{Lower: bytes.Clone(p)} // only 0xff: nothing lies above
}

// clone returns the range in new memory.
func (r Range) clone() Range { return Range{Lower: bytes.Clone(r.Lower), Upper: bytes.Clone(r.Upper)} }

// check returns ErrInvalidRange when the bounds are inverted.
func (r Range) check() error {
	if r.Lower != nil && r.Upper != nil && bytes.Compare(r.Lower, r.Upper) > 0 {
		return ErrInvalidRange
	}
	return nil
}

// stored returns the bounds as stored keys of a keyspace, in new memory; neither is nil.
func (r Range) stored(space key.Space) (lower, upper []byte) { return r.appendStored(nil, nil, space) }

// appendStored appends what stored returns to two slices.
func (r Range) appendStored(lower, upper []byte, space key.Space) ([]byte, []byte) {
	lower = key.AppendStored(lower, space, r.Lower)
	if r.Upper == nil {
		return lower, key.AppendSpaceEnd(upper, space)
	}
	return lower, key.AppendStored(upper, space, r.Upper)
}

// deleteRange returns the operands of a range deletion: the first key that goes, and the stored key
// that ends it. ok is false when there is nothing between the bounds.
func deleteRange(lower, upper []byte, space key.Space) (first, end []byte, ok bool, err error) {
	r := Range{Lower: lower, Upper: upper}
	if err := r.check(); err != nil {
		return nil, nil, false, err
	}
	if len(lower) > maxKeyLen || len(upper) > maxKeyLen {
		return nil, nil, false, fmt.Errorf("%w: a bound has %d bytes, at most %d", ErrKeyTooLarge, max(len(lower), len(upper)), maxKeyLen)
	}
	if upper == nil {
		return lower, key.SpaceEnd(space), true, nil
	}
	return lower, key.AppendStored(nil, space, upper), bytes.Compare(lower, upper) < 0, nil
}

// Item is a key with its value, as [DB.Scan] yields it. Its slices belong to the caller.
type Item struct {
	Key, Value []byte
	ExpiresAt  time.Time // zero: never
	Seq        uint64    // number of the write that made it, in commit order; 0 for a write of the reading transaction itself
}
