//go:build linux && !race

package offheap

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugeBytes is the size of a huge page on the machines that matter; smaller regions get none.
const hugeBytes = 2 << 20

// allocate maps anonymous memory. A mapping starts on a page, so its words are aligned.
func allocate(size int) ([]uint64, func() error, error) {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, err
	}
	if size >= hugeBytes {
		_ = unix.Madvise(mem, unix.MADV_HUGEPAGE) // advice: refused where huge pages are off
	}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(mem))), size/8)
	return words, func() error { return unix.Munmap(mem) }, nil
}

// touch enters all pages in the page table, without changing them (Linux 5.14). It is advice.
func touch(mem []byte) { _ = unix.Madvise(mem, unix.MADV_POPULATE_WRITE) }
