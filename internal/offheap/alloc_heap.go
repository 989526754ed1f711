//go:build !linux || race

package offheap

// allocate takes the region from the Go heap.
func allocate(size int) ([]uint64, func() error, error) {
	return make([]uint64, size/8), func() error { return nil }, nil
}

func touch([]byte) {}
