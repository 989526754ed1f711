package tinykv

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// MergeOperator says what [DB.Merge] makes of a key's value and an operand. A store has one operator for all its life;
// see Options.MergeOperator. Its methods are called concurrently.
type MergeOperator interface {
	// Name identifies the operator in the store. It has 1 to 255 bytes. A change of what Merge returns for
	// the same arguments needs another name.
	Name() string

	// Merge returns what a value, or an operand, followed by an operand amounts to. A key without a value
	// has the first operand as its value. Merge must be associative, as operands are put together before
	// it is known what they follow:
	//
	//	Merge(Merge(a, b), c) = Merge(a, Merge(b, c))
	//
	// It must depend on nothing but its arguments, and handle all of them, as values may have been put too. The memory of
	// older is the call's to change and to extend; newer is only to be read. Neither is to be kept. It may return older, or a part of
	// it, newer, or any memory, which is not written to; nil is the empty value. A call that
	// panics gives an error where the key is read, and changes nothing.
	Merge(older, newer []byte) []byte
}

// OperandChecker is a MergeOperator that does not take every operand. CheckOperand returns what is wrong with one;
// a write of it fails then, with ErrInvalidOperand. A panic of it goes through to whoever writes.
type OperandChecker interface {
	MergeOperator
	CheckOperand(operand []byte) error
}

// BuiltinMerge is one of the operators of this package.
type BuiltinMerge int

const (
	// MergeAddInt64 adds numbers, for counters: values and operands are those of [EncodeInt64]. A value of another
	// length counts as absent. What exceeds 64 bits wraps around.
	MergeAddInt64 BuiltinMerge = 1

	// MergeAppend appends operands to the value.
	MergeAppend BuiltinMerge = 2

	// MergeMax keeps what sorts last bytewise. Numbers sort as they should in big-endian order, times in RFC 3339 and UTC.
	MergeMax BuiltinMerge = 3
)

// builtinNames are what stores know the built-in operators by.
var builtinNames = map[BuiltinMerge]string{
	MergeAddInt64: "tinykv.add-int64",
	MergeAppend:   "tinykv.append",
	MergeMax:      "tinykv.max",
}

// builtinMerge returns the built-in operator of a name, or nil.
func builtinMerge(name string) MergeOperator {
	for op, known := range builtinNames {
		if known == name {
			return op
		}
	}
	return nil
}

// Name implements MergeOperator.
func (m BuiltinMerge) Name() string { return builtinNames[m] }

// Merge implements MergeOperator.
func (m BuiltinMerge) Merge(older, newer []byte) []byte {
	switch m {
	case MergeAddInt64:
		return addInt64(older, newer)
	case MergeMax:
		if bytes.Compare(older, newer) >= 0 {
			return older
		}
		return append(older[:0], newer...)
	default:
		return append(older, newer...)
	}
}

// CheckOperand implements OperandChecker.
func (m BuiltinMerge) CheckOperand(operand []byte) error {
	if m == MergeAddInt64 && len(operand) != int64Len {
		return fmt.Errorf("%d bytes, want the 8 of EncodeInt64", len(operand))
	}
	return nil
}

const int64Len = 8

func addInt64(older, newer []byte) []byte {
	switch {
	case len(newer) != int64Len:
		return older
	case len(older) != int64Len:
		return append(older[:0], newer...)
	}
	sum := binary.LittleEndian.Uint64(older) + binary.LittleEndian.Uint64(newer)
	binary.LittleEndian.PutUint64(older, sum)
	return older
}

// EncodeInt64 returns a number as MergeAddInt64 takes it: 8 bytes, two's complement, little endian.
func EncodeInt64(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// DecodeInt64 returns the number that EncodeInt64 encoded. It reports false for a value of another length.
func DecodeInt64(value []byte) (n int64, ok bool) {
	if len(value) != int64Len {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(value)), true
}

// mergeOperator returns the operator of a store that knows one by a name, given what its opener chose: nil leaves it to the
// store. An empty name is that of a store without one.
func mergeOperator(name string, chosen MergeOperator) (MergeOperator, error) {
	switch {
	case name == "":
		return chosen, nil
	case chosen != nil && chosen.Name() != name:
		return nil, fmt.Errorf("%w: MergeOperator is %q, that of the store is %q", ErrInvalidOption, chosen.Name(), name)
	case chosen != nil:
		return chosen, nil
	}
	if op := builtinMerge(name); op != nil {
		return op, nil
	}
	return nil, fmt.Errorf("%w: MergeOperator is nil, that of the store is %q: give it, as without it values cannot be read", ErrInvalidOption, name)
}

// chooseOperator settles the store's operator, and notes in its state one that is new.
func (db *DB) chooseOperator(state *manifest.State) error {
	op, err := mergeOperator(state.MergeOperator, db.opts.MergeOperator)
	if err != nil {
		return err
	}
	if db.opts.MergeOperator = op; op != nil {
		state.MergeOperator = op.Name()
	}
	return nil
}

// checkOperator returns what is wrong with an operator that was chosen.
func checkOperator(op MergeOperator) error {
	if op == nil {
		return nil
	}
	name := op.Name()
	if b, ok := op.(BuiltinMerge); ok && name == "" {
		return invalid("MergeOperator", fmt.Sprintf("BuiltinMerge(%d)", int(b)), "MergeAddInt64, MergeAppend or MergeMax")
	}
	if name == "" || len(name) > maxOperatorName {
		return invalid("MergeOperator", fmt.Sprintf("%T with a name of %d bytes", op, len(name)), "one of 1 to 255 bytes")
	}
	if builtin := builtinMerge(name); builtin != nil && builtin != op {
		return invalid("MergeOperator", fmt.Sprintf("%T with the name %q", op, name), "another name: that one is taken")
	}
	return nil
}

const maxOperatorName = 255

// checkOperand returns ErrInvalidOption in a store without an operator, ErrInvalidOperand, or nil.
func checkOperand(op MergeOperator, operand []byte) error {
	if op == nil {
		return fmt.Errorf("%w: the store has no merge operator; open it with Options.MergeOperator", ErrInvalidOption)
	}
	if checker, ok := op.(OperandChecker); ok {
		if err := checker.CheckOperand(operand); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalidOperand, err)
		}
	}
	return nil
}

// merge calls an operator. What it returns lies in the memory of older, or is new. Its failure is the operator's, or that what
// comes out is too large for a value.
func merge(op MergeOperator, older, newer []byte) (merged []byte, err error) {
	if op == nil {
		return nil, corrupt.Errorf("entry", "merge operand in a store without a merge operator")
	}
	defer func() {
		if r := recover(); r != nil {
			if _, isFault := r.(interface{ Addr() uintptr }); isFault { // of a disk: see fault.go
				panic(r)
			}
			merged, err = nil, fmt.Errorf("tinykv: merge operator %q panicked: %v", op.Name(), r)
		}
	}()
	if merged = op.Merge(older, newer); len(merged) > maxValueLen {
		return nil, fmt.Errorf("%w: merged to %d bytes, at most %d", ErrValueTooLarge, len(merged), int64(maxValueLen))
	}
	if _, ok := op.(BuiltinMerge); ok {
		return merged, nil
	}
	return owned(older, merged), nil
}

// owned copies what an operator returned, unless it begins where older does: for whoever calls merge goes on to write there. Otherwise
// it may be newer, which lies in a memtable, a mapped table or what a user gave, or a slice that the operator keeps.
func owned(older, merged []byte) []byte {
	if cap(merged) > 0 && cap(older) > 0 && &merged[:1][0] == &older[:1][0] {
		return merged
	}
	return append(older[:0], merged...)
}

// operands are what the entries of one key amount to, which come newest first. They are kept where they lie.
type operands struct {
	op    MergeOperator
	all   [][]byte
	low   key.SeqNum // the next entry that counts lies below
	value []byte     // scratch

	expiring bool // they follow a value that expires, or has expired
	skip     bool // if they do not, the operator is not called, nor is it without one
}

// begin starts with the newest operand.
func (o *operands) begin(trailer key.Trailer, stored []byte) {
	clear(o.all)
	o.all, o.expiring = o.all[:0], false
	o.add(trailer, stored)
}

// add takes the next older operand.
func (o *operands) add(trailer key.Trailer, stored []byte) {
	reach, operand, _ := key.SplitOperand(stored)
	o.all, o.low = append(o.all, operand), trailer.Seq()-reach
}

// fold returns what the operands make of a base, nil for none. The result holds until the next fold.
func (o *operands) fold(base []byte, exists bool) (value []byte, err error) {
	rest := o.all
	if exists {
		value = append(o.value[:0], base...)
	} else {
		last := len(rest) - 1
		value, rest = append(o.value[:0], rest[last]...), rest[:last]
	}
	for i := len(rest) - 1; i >= 0; i-- {
		if value, err = merge(o.op, value, rest[i]); err != nil {
			return nil, err
		}
	}
	if value == nil {
		value = []byte{}
	}
	o.value = value
	return value, nil
}
