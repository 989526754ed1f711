package main

import "encoding/binary"

// A key is a number as eight big-endian bytes, so that keys order as numbers do, and '0' up to its
// size. This is RocksDB's format. Example: number 258 with -key_size=10 is
//
//	00 00 00 00 00 00 01 02 30 30
//
// A key too short for eight bytes has the last bytes of the number, as many as fit.

const (
	numberLen = 8
	padding   = '0'

	// missingSuffix makes a key that is absent: it lies behind that of its number and before the
	// next one.
	missingSuffix = '.'
)

// newKey returns the key of number 0.
func newKey(size int) []byte {
	key := make([]byte, size)
	for i := numberLen; i < size; i++ {
		key[i] = padding
	}
	return key
}

// setKey turns a key that newKey made into that of another number.
func setKey(key []byte, number uint64) {
	if len(key) >= numberLen {
		binary.BigEndian.PutUint64(key, number)
		return
	}
	for i := len(key) - 1; i >= 0; i-- {
		key[i] = byte(number)
		number >>= 8
	}
}
