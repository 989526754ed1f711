package tinykv

import (
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"time"
)

// ScanOption changes how [DB.Scan] goes over a range. The options are [Reverse], [KeysOnly] and
// [Limit].
type ScanOption int64

const (
	// Reverse yields the greatest key first.
	Reverse ScanOption = -1

	// KeysOnly yields items without values.
	KeysOnly ScanOption = -2
)

// Limit ends a scan after n items. A negative n is an error.
func Limit(n int) ScanOption {
	if n < 0 {
		return invalidLimit
	}
	return ScanOption(n)
}

const invalidLimit ScanOption = -3

// Scan yields the items of a range in the order of their keys, as the store was when the loop began.
// Options: [Reverse], [KeysOnly], [Limit]. Items belong to the caller. A failure is yielded as the
// last pair, with an empty item: ErrInvalidRange, ErrInvalidOption, ErrClosed, or for damaged files
// one that matches ErrCorrupt. The loop may be left at any time and leaves nothing to close.
func (db *DB) Scan(r Range, opts ...ScanOption) iter.Seq2[Item, error] {
	return db.reader().scan(r, opts)
}

// scanOptions are the decoded options of a scan.
type scanOptions struct {
	reverse, keysOnly bool
	limit             int // -1 for none
}

func decodeScanOptions(opts []ScanOption) (scanOptions, error) {
	o := scanOptions{limit: -1}
	for _, opt := range opts {
		switch {
		case opt == Reverse:
			o.reverse = true
		case opt == KeysOnly:
			o.keysOnly = true
		case opt >= 0:
			o.limit = int(opt)
		default:
			return o, fmt.Errorf("%w: of a scan, want Reverse, KeysOnly, or a Limit of 0 or more", ErrInvalidOption)
		}
	}
	return o, nil
}

// scan copies what it is given, as the loop may come late.
func (r reader) scan(bounds Range, opts []ScanOption) iter.Seq2[Item, error] {
	bounds, opts = bounds.clone(), slices.Clone(opts)
	return func(yield func(Item, error) bool) {
		o, err := decodeScanOptions(opts)
		if err != nil {
			yield(Item{}, r.db.unlessClosed(err))
			return
		}
		i, err := r.newIter(bounds)
		if err != nil {
			yield(Item{}, err)
			return
		}
		defer i.Close() // also when the loop's body panics; a second Close does nothing
		stopped := !i.yieldAll(o, yield)
		err = i.Err()
		if cerr := i.Close(); err == nil {
			err = cerr
		}
		if err != nil && !stopped {
			yield(Item{}, err)
		}
	}
}

// yieldAll yields items until the end of the range or of the limit, or a failure; it reports false
// when the receiver wants no more.
func (i *Iterator) yieldAll(o scanOptions, yield func(Item, error) bool) bool {
	start, move := i.First, i.Next
	if o.reverse {
		start, move = i.Last, i.Prev
	}
	for n := 0; n != o.limit; n++ {
		item, ok := i.moved(start, o.keysOnly)
		if !ok {
			return true
		}
		if !yield(item, nil) {
			return false
		}
		start = move
	}
	return true
}

// moved moves the iterator and returns a copy of where it then stands, under a guard.
func (i *Iterator) moved(move func() bool, keysOnly bool) (item Item, ok bool) {
	var fault error
	defer func() {
		if fault != nil {
			item, ok = Item{}, i.end(fault)
		}
	}()
	defer i.state.endGuard(debug.SetPanicOnFault(true), &fault)
	if !move() {
		return Item{}, false
	}
	return i.item(keysOnly), true
}

// item returns a copy of the present key and value.
func (i *Iterator) item(keysOnly bool) Item {
	k, v := i.Key(), i.Value()
	if keysOnly {
		v = nil
	}
	buf := make([]byte, len(k)+len(v))
	copy(buf, k)
	copy(buf[len(k):], v)
	item := Item{Key: buf[:len(k):len(k)]}
	if seq := i.found.Seq(); seq < ownBase {
		item.Seq = uint64(seq)
	}
	item.setExpiry(i.expiry)
	if !keysOnly {
		item.Value = buf[len(k):]
	}
	return item
}

// setExpiry sets when the item expires; 0 for never.
func (it *Item) setExpiry(expiry int64) {
	if expiry != 0 {
		it.ExpiresAt = time.Unix(0, expiry)
	}
}
