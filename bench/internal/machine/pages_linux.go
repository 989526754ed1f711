package machine

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// touchedBytes is how much a probe of page faults touches.
const touchedBytes = 64 << 20

func pageProbes() []probe {
	return []probe{{"first touch of a page of own memory", touchPages}}
}

// touchPages stores to each page of new memory, which the kernel finds and zeroes only then. Huge pages, of
// which one takes the place of hundreds, are turned off: memory that grows bit by bit does not get them.
func touchPages(string) (_ string, err error) {
	area, err := unix.Mmap(-1, 0, touchedBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return "", fmt.Errorf("mmap: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Munmap(area)) }()
	// A kernel without huge pages does not know the advice.
	if err := unix.Madvise(area, unix.MADV_NOHUGEPAGE); err != nil && !errors.Is(err, unix.EINVAL) {
		return "", fmt.Errorf("madvise: %w", err)
	}
	page, touched := os.Getpagesize(), 0
	start := time.Now()
	for took := time.Duration(0); touched < len(area) && took < probeTime; took = time.Since(start) {
		for end := touched + len(area)/64; touched < end; touched += page {
			area[touched] = 1
		}
	}
	took := time.Since(start)
	return fmt.Sprintf("%.0f ns, of %d KiB each", float64(took.Nanoseconds())/float64(touched/page), page>>10), nil
}
