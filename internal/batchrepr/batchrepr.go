// Package batchrepr defines the bytes of a batch: the payload of a WAL record and the input of the
// memtable.
//
//	batch   sequence number  8 bytes, little endian; of the first operation, the others count up
//	        count            4 bytes, little endian; number of operations
//	        operation        count times
//
//	operation
//	        kind             1 byte, see internal/key
//	        key length       uvarint, 1 to key.MaxStoredLen
//	        stored key       keyspace id and user key
//	        value length     uvarint          (kinds with a value only)
//	        value                             (kinds with a value only)
//
// A value that expires and a merge operand begin with what internal/key says; an operand of a batch reaches no
// further back than itself. The value of a range deletion is where the range ends: a byte string above the stored key, which is
// the first that is deleted; the one where it ends is not.
//
// Example: the batch fig#12,SET:ripe and kiwi#13,DEL is stored as
//
//	0c 00 00 00 00 00 00 00  02 00 00 00
//	02  04 00 66 69 67  04 72 69 70 65
//	01  05 00 6b 69 77 69
//
// A kind that is not known makes the whole batch unreadable: a newer version wrote it.
package batchrepr

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// HeaderLen is the size in bytes of a batch without operations.
const HeaderLen = 12

// MaxCount bounds the operations of one batch.
const MaxCount = math.MaxUint32

// AppendHeader appends a batch header.
func AppendHeader(dst []byte, seq key.SeqNum, count uint32) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(seq))
	return binary.LittleEndian.AppendUint32(dst, count)
}

// SetHeader overwrites the header of repr.
func SetHeader(repr []byte, seq key.SeqNum, count uint32) {
	binary.LittleEndian.PutUint64(repr, uint64(seq))
	binary.LittleEndian.PutUint32(repr[8:], count)
}

// Header returns the first sequence number and the number of operations. repr holds at least
// HeaderLen bytes.
func Header(repr []byte) (key.SeqNum, uint32) {
	return key.SeqNum(binary.LittleEndian.Uint64(repr)), binary.LittleEndian.Uint32(repr[8:])
}

// Op is one operation. Its slices belong to the batch.
type Op struct {
	Kind   key.Kind
	Stored []byte
	Value  []byte // nil for kinds without a value; the end of the range for a range deletion
}

// hasValue tells whether operations of a kind have a value.
func hasValue(kind key.Kind) bool { return kind != key.KindDelete }

// AppendOp appends an operation on a user key; value is ignored for kinds that have none.
func AppendOp(dst []byte, kind key.Kind, space key.Space, user, value []byte) []byte {
	dst = append(dst, byte(kind))
	dst = binary.AppendUvarint(dst, uint64(space.Len()+len(user)))
	dst = key.AppendStored(dst, space, user)
	if hasValue(kind) {
		dst = binary.AppendUvarint(dst, uint64(len(value)))
		dst = append(dst, value...)
	}
	return dst
}

// AppendHeadedOp is AppendOp for a value that begins with a head, as internal/key says of its kind.
func AppendHeadedOp(dst []byte, kind key.Kind, space key.Space, user, head, value []byte) []byte {
	dst = append(dst, byte(kind))
	dst = binary.AppendUvarint(dst, uint64(space.Len()+len(user)))
	dst = key.AppendStored(dst, space, user)
	dst = binary.AppendUvarint(dst, uint64(len(head)+len(value)))
	return append(append(dst, head...), value...)
}

// OpLen returns an upper bound of what AppendOp and AppendHeadedOp append.
func OpLen(user, value []byte) int {
	return 1 + 3 + 4 + len(user) + binary.MaxVarintLen32 + key.MaxHeadLen + len(value)
}

// Reader walks over the operations of a batch.
type Reader struct {
	rest  []byte
	total int
	left  uint32
}

// Read starts at the first operation of repr, which may come from a damaged file.
func Read(repr []byte) (seq key.SeqNum, r Reader, err error) {
	if len(repr) < HeaderLen {
		return 0, Reader{}, corrupt.Errorf("batch header", "%d bytes, want %d", len(repr), HeaderLen).At(0)
	}
	seq, count := Header(repr)
	if seq == 0 || seq > key.MaxSeqNum || uint64(seq)+uint64(count) > uint64(key.MaxSeqNum) {
		return 0, Reader{}, corrupt.Errorf("batch header", "sequence number %d, %d operations", seq, count).At(0)
	}
	return seq, Reader{rest: repr[HeaderLen:], total: len(repr), left: count}, nil
}

// ReadOps starts at the first operation of a batch whose header is not filled in yet.
func ReadOps(repr []byte, count uint32) Reader {
	return Reader{rest: repr[HeaderLen:], total: len(repr), left: count}
}

// Next returns the next operation. At the end ok is false, and err tells whether the batch ended
// where its header said.
func (r *Reader) Next() (op Op, ok bool, err error) {
	if r.left == 0 {
		if len(r.rest) != 0 {
			return Op{}, false, r.damage("%d bytes behind the last operation", len(r.rest))
		}
		return Op{}, false, nil
	}
	if len(r.rest) == 0 {
		return Op{}, false, r.damage("%d operations missing", r.left)
	}
	op.Kind = key.Kind(r.rest[0])
	if !op.Kind.Valid() {
		return Op{}, false, r.damage("unknown kind %d", r.rest[0])
	}
	rest := r.rest[1:]
	if op.Stored, rest, ok = cutLengthed(rest); !ok || !validStored(op.Stored) {
		return Op{}, false, r.damage("key of %v is cut short or malformed", op.Kind)
	}
	if hasValue(op.Kind) {
		if op.Value, rest, ok = cutLengthed(rest); !ok {
			return Op{}, false, r.damage("value of %s is cut short", key.FormatStored(op.Stored))
		}
	}
	if !validValue(op) {
		return Op{}, false, r.damage("value of %v is malformed", op.Kind)
	}
	if op.Kind == key.KindRangeDelete && (len(op.Value) > key.MaxStoredLen || bytes.Compare(op.Stored, op.Value) >= 0) {
		return Op{}, false, r.damage("range from %s ends at % .20x", key.FormatStored(op.Stored), op.Value)
	}
	r.rest = rest
	r.left--
	return op, true, nil
}

func (r *Reader) damage(format string, args ...any) error {
	return corrupt.Errorf("batch", format, args...).At(int64(r.total - len(r.rest)))
}

func validStored(stored []byte) bool {
	_, _, ok := key.SplitStored(stored)
	return ok
}

// validValue tells whether what an operation's value begins with is right.
func validValue(op Op) bool {
	return op.Kind < key.KindMerge || key.ValidValue(key.MakeTrailer(1, op.Kind), op.Value)
}

// cutLengthed takes a length and that many bytes off b.
func cutLengthed(b []byte) (field, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	end := w + int(n)
	return b[w:end:end], b[end:], true
}

// Validate walks over the whole batch and returns the damage it finds, as Next does.
func Validate(repr []byte) error {
	_, r, err := Read(repr)
	for ok := err == nil; ok; {
		_, ok, err = r.Next()
	}
	return err
}
