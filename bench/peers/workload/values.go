package workload

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tinykv/tinykv/bench/internal/values"
)

// Values makes the values of keys, and tells whether one is that of a key. A value begins with the id of its key and the place
// of the rest in a pool of bytes that shrink to half:
//
//	 0  id     8 bytes, little endian
//	 8  place  4 bytes
//	12  rest of the value, pool[place:]
type Values struct {
	pool []byte
	size int
}

// MinValueBytes is the shortest value.
const MinValueBytes = headBytes + 4

const (
	headBytes  = 12
	poolBytes  = 1 << 20
	halfPacked = 0.5
)

// NewValues returns values of a size.
func NewValues(size int, seed uint64) *Values {
	return &Values{pool: values.NewPool(max(size, poolBytes), halfPacked, seed), size: size}
}

// Set writes a version of the value of a key into value, which has the size of values.
func (v *Values) Set(value []byte, id, version uint64) {
	place := mix(id^version<<40) % uint64(len(v.pool)-v.size)
	binary.LittleEndian.PutUint64(value, id)
	binary.LittleEndian.PutUint32(value[8:], uint32(place))
	copy(value[headBytes:], v.pool[place:])
}

// checkAllEvery is how many values there are to one of which every byte is compared. The others have their length and key checked.
const checkAllEvery = 16

// Check returns an error if a value is not that of a key, in some version.
func (v *Values) Check(value []byte, id uint64, all bool) error {
	if len(value) != v.size {
		return fmt.Errorf("value of key %d has %d bytes, not %d", id, len(value), v.size)
	}
	if got := binary.LittleEndian.Uint64(value); got != id {
		return fmt.Errorf("value of key %d is that of key %d", id, got)
	}
	if !all {
		return nil
	}
	place := uint64(binary.LittleEndian.Uint32(value[8:]))
	if place > uint64(len(v.pool)-v.size) || !bytes.Equal(value[headBytes:], v.pool[place:][:v.size-headBytes]) {
		return fmt.Errorf("value of key %d has other bytes than were written", id)
	}
	return nil
}
