// Package offheap hands out large blocks of memory that the garbage collector neither scans nor
// counts: anonymous mappings, in huge pages where the system offers them.
//
// A [Region] shows the same bytes as bytes, 32-bit and 64-bit words, so that its users need no
// unsafe code to work on it with package sync/atomic. This is the only package of the engine that
// uses unsafe. Builds with the race detector, which cannot see such memory, and systems without
// anonymous mappings take the memory from the Go heap instead.
package offheap

import (
	"fmt"
	"unsafe"
)

// Region is a block of memory, zero at first. It is not safe to use it during or after Free.
type Region struct {
	words []uint64 // the whole region
	bytes []byte   // the same memory
	half  []uint32 // the same memory
	free  func() error
}

// Alloc returns a zeroed region of at least size bytes, a multiple of 8.
func Alloc(size int) (*Region, error) {
	if size <= 0 {
		return nil, fmt.Errorf("offheap: invalid size %d", size)
	}
	size = (size + 7) &^ 7
	words, free, err := allocate(size)
	if err != nil {
		return nil, fmt.Errorf("offheap: %d bytes: %w", size, err)
	}
	base := unsafe.Pointer(unsafe.SliceData(words))
	return &Region{
		words: words,
		bytes: unsafe.Slice((*byte)(base), size),
		half:  unsafe.Slice((*uint32)(base), size/4),
		free:  free,
	}, nil
}

// Len returns the size in bytes.
func (r *Region) Len() int { return len(r.bytes) }

// Bytes returns the region as bytes.
func (r *Region) Bytes() []byte { return r.bytes }

// Uint32s returns the region as 32-bit words in the byte order of the machine.
func (r *Region) Uint32s() []uint32 { return r.half }

// Uint64s returns the region as 64-bit words in the byte order of the machine.
func (r *Region) Uint64s() []uint64 { return r.words }

// Touch has the system provide the memory now rather than when it is first written to.
func (r *Region) Touch() { touch(r.bytes) }

// Free gives the memory back. A second call does nothing.
func (r *Region) Free() error {
	if r.words == nil {
		return nil
	}
	r.words, r.bytes, r.half = nil, nil, nil
	return r.free()
}
