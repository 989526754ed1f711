package manifest

import (
	"encoding/binary"
	"math"

	"github.com/tinykv/tinykv/internal/key"
)

// ExpiryState says what of the values that expire was hidden, whatever a clock shows later. It is never changed once it is
// part of a State or an Edit.
type ExpiryState struct {
	Reading int64 // of the clock, in Unix nanoseconds; 0 when nothing was hidden yet
	Marks   []ExpiryMark
}

// ExpiryMark says that values which expired up to a time were hidden, of those that were there then: with sequence numbers
// up to Seq. It is left where a clock went back.
//
// Of the marks of a state, those with greater sequence numbers have lesser times, else they would contain others; the one
// with the least sequence number comes first.
type ExpiryMark struct {
	Until int64 // in Unix nanoseconds
	Seq   key.SeqNum
}

func (s *ExpiryState) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(s.Reading))
	for _, m := range s.Marks {
		b = binary.AppendUvarint(b, uint64(m.Seq))
		b = binary.AppendUvarint(b, uint64(m.Until))
	}
	return b
}

func (d *decoder) expiryState() *ExpiryState {
	s := &ExpiryState{Reading: d.expiry()}
	for len(d.rest) > 0 && !d.failed {
		m := ExpiryMark{Seq: d.seq(), Until: d.expiry()}
		if n := len(s.Marks); n > 0 && (s.Marks[n-1].Seq >= m.Seq || s.Marks[n-1].Until <= m.Until) {
			d.failed = true
		}
		s.Marks = append(s.Marks, m)
	}
	return s
}

// expiry takes off a time, in Unix nanoseconds, above 0.
func (d *decoder) expiry() int64 {
	v := d.uvarint()
	if v == 0 || v > math.MaxInt64 {
		d.failed = true
		return 0
	}
	return int64(v)
}

func appendExpiring(b []byte, t *Table) []byte {
	for _, v := range []uint64{t.Expiring, uint64(t.LeastExpiry), uint64(t.GreatestExpiry)} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func (d *decoder) tableThatExpires() AddedTable {
	a := d.table()
	t := a.Table
	t.RangeDeletes, t.Expiring = d.uvarint(), d.uvarint()
	t.LeastExpiry, t.GreatestExpiry = d.expiry(), d.expiry()
	d.failed = d.failed || t.Expiring == 0 || t.LeastExpiry > t.GreatestExpiry
	return a
}
