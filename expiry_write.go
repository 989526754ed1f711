package tinykv

import (
	"fmt"
	"math"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
)

const (
	// invalidExpiry is what TTL and ExpireAt return for what is none.
	invalidExpiry WriteOption = 3

	// From here on an option is an expiry, in Unix nanoseconds, or with ttlBit a lifetime, in nanoseconds.
	minExpiry WriteOption = 16
	ttlBit    WriteOption = 1 << 63
)

// TTL gives a value a lifetime, after which its key is absent. It counts from the call that it is given to. A later write of the key
// without it makes the value stay. It applies to writes of values: Put, PutIfAbsent, CompareAndSwap. One that is not positive makes the write
// fail with ErrInvalidOption. The time that comes of it ends in April 2262, as that of ExpireAt does.
func TTL(d time.Duration) WriteOption {
	if d <= 0 {
		return invalidExpiry
	}
	return ttlBit | WriteOption(d)
}

// ExpireAt is TTL by the time from which on the key is absent. A time that has passed makes it absent at once; the zero Time makes the
// write fail with ErrInvalidOption. It is kept to the nanosecond, and one behind 2262-04-11 23:47:16 UTC as that.
func ExpireAt(t time.Time) WriteOption {
	if t.IsZero() {
		return invalidExpiry
	}
	return max(WriteOption(unixNanos(t)), minExpiry)
}

var (
	errExpiry   = fmt.Errorf("%w: a TTL must be positive, and ExpireAt needs a time", ErrInvalidOption)
	errNoExpiry = fmt.Errorf("%w: TTL and ExpireAt apply to what writes the value of one key", ErrInvalidOption)
)

// otherOption returns what is wrong with an option where no expiry applies.
func otherOption(opt WriteOption) error {
	if opt == invalidExpiry || opt >= minExpiry {
		return errNoExpiry
	}
	return errUnknownOption(opt)
}

func errUnknownOption(opt WriteOption) error {
	return fmt.Errorf("%w: WriteOption(%d) is not known", ErrInvalidOption, opt)
}

// expiry returns the expiry that an option means, given the present time, in Unix nanoseconds.
func (opt WriteOption) expiry(now int64) int64 {
	if opt < ttlBit {
		return int64(opt)
	}
	ttl := int64(opt &^ ttlBit)
	if ttl > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + ttl
}

// takeOptions brings options into a write of a value.
func (db *DB) takeOptions(w *write, opts []WriteOption) error {
	w.waitSync = db.opts.Durability == DurabilitySync
	var expires WriteOption
	for _, opt := range opts {
		switch {
		case opt == Sync:
			w.waitSync = true
		case opt == NoSync:
			w.waitSync = false
		case opt == invalidExpiry:
			return errExpiry
		case opt >= minExpiry:
			expires = opt
		default:
			return errUnknownOption(opt)
		}
	}
	if expires != 0 {
		w.kind = key.KindSetExpiring
		w.expiry = expires.expiry(db.writingNow())
		db.expires()
	}
	return nil
}

// put adds the setting of a value.
func (b *Batch) put(to *Bucket, k, value []byte, opts []WriteOption) error {
	if len(opts) == 0 {
		return b.addTo(to, key.KindSet, k, value, nil)
	}
	if to != nil && to.invalid != nil {
		return to.invalid
	}
	expires, err := onlyExpiry(opts, errBatchOption)
	if err != nil {
		return err
	}
	if err := b.check(k, value, nil); err != nil {
		return err
	}
	b.appendExpiring(b.spaceFor(to), k, expires.expiry(b.now()), value)
	return nil
}

// onlyExpiry returns the expiry among options, 0 for none, where no other applies.
func onlyExpiry(opts []WriteOption, otherwise error) (expires WriteOption, err error) {
	for _, opt := range opts {
		switch {
		case opt == invalidExpiry:
			return 0, errExpiry
		case opt >= minExpiry:
			expires = opt
		default:
			return 0, otherwise
		}
	}
	return expires, nil
}

var errBatchOption = fmt.Errorf("%w: of the operations of a batch, Put takes TTL and ExpireAt, and no other any option; give it to Apply", ErrInvalidOption)

// now returns the time from which lifetimes count.
func (b *Batch) now() int64 {
	if b.db == nil {
		return unixNanos(time.Now())
	}
	return b.db.writingNow()
}

// appendExpiring adds an operation that was checked.
func (b *Batch) appendExpiring(space key.Space, k []byte, expiry int64, value []byte) {
	b.begin()
	var head [key.MaxHeadLen]byte
	b.repr = batchrepr.AppendHeadedOp(b.repr, key.KindSetExpiring, space, k, key.AppendExpiring(head[:0], expiry, nil), value)
	b.counted(key.KindSetExpiring)
}

// appendWrite adds a single write to an empty batch.
func (b *Batch) appendWrite(space key.Space, w *write) error {
	if err := b.check(w.user, w.value, nil); err != nil {
		return err
	}
	if w.kind == key.KindSetExpiring {
		b.appendExpiring(space, w.user, w.expiry, w.value)
	} else {
		b.append(w.kind, space, w.user, w.value)
	}
	return nil
}

// noteExpiring is called before a batch is applied.
func (db *DB) noteExpiring(b *Batch) {
	if b.expiring > 0 {
		db.writingNow()
		db.expires()
	}
}
