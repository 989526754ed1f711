package key

import "encoding/binary"

// Values of two kinds begin with something of their own. It is part of the value wherever one is stored:
//
//	SETEXP  expiry (8 bytes, little endian: Unix time in nanoseconds, above 0) | value
//	MERGE   reach (uvarint) | operand
//
// From its expiry on a value is hidden. An operand MERGE@s with reach d is what all operands on its key with sequence
// numbers from s-d to s amount to: the next older entry that counts lies below s-d.

// MaxHeadLen is the greatest length of what an operation's value may begin with.
const MaxHeadLen = expiryLen

// expiryLen is how many bytes an expiry takes.
const expiryLen = 8

// AppendExpiring appends to dst what KindSetExpiring stores.
func AppendExpiring(dst []byte, expiry int64, value []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(dst, uint64(expiry)), value...)
}

// SplitExpiring takes apart what KindSetExpiring stores. It reports false when that is malformed.
func SplitExpiring(stored []byte) (expiry int64, value []byte, ok bool) {
	if len(stored) < expiryLen {
		return 0, nil, false
	}
	expiry = int64(binary.LittleEndian.Uint64(stored))
	return expiry, stored[expiryLen:], expiry > 0
}

// AppendOperand appends to dst what KindMerge stores.
func AppendOperand(dst []byte, reach SeqNum, operand []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(reach)), operand...)
}

// SplitOperand takes apart what KindMerge stores. It reports false when that is malformed.
func SplitOperand(stored []byte) (reach SeqNum, operand []byte, ok bool) {
	v, n := binary.Uvarint(stored)
	if n <= 0 || v > uint64(MaxSeqNum) || n > 1 && stored[n-1] == 0 {
		return 0, nil, false
	}
	return SeqNum(v), stored[n:], true
}

// ValidValue tells whether an entry of a kind may have a value. An operand reaches to an operation that came
// before, so that its reach is below its sequence number.
func ValidValue(trailer Trailer, stored []byte) bool {
	switch trailer.Kind() {
	case KindSetExpiring:
		_, _, ok := SplitExpiring(stored)
		return ok
	case KindMerge:
		reach, _, ok := SplitOperand(stored)
		return ok && reach < max(trailer.Seq(), 1)
	default:
		return true
	}
}
