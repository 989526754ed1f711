package machine

import (
	"fmt"
	"runtime"
	"time"

	"github.com/cespare/xxhash/v2"
)

// hashedBytes is how much a probe of hashing reads.
const hashedBytes = 256 << 20

// The hash of a key, as for a filter, and the checksum of a block.
func hashProbes() []probe {
	return []probe{
		{"xxhash64 of 16 bytes", timeHash(16)},
		{"xxhash64 of 4 KiB", timeHash(4 << 10)},
	}
}

// timeHash returns a measurement that hashes the same bytes again and again, as they lie in the cache.
func timeHash(size int) func(dir string) (string, error) {
	return func(string) (string, error) {
		p, rounds, sum := make([]byte, size), hashedBytes/size, uint64(0)
		start := time.Now()
		for range rounds {
			sum += xxhash.Sum64(p)
		}
		took := time.Since(start)
		runtime.KeepAlive(sum)
		return fmt.Sprintf("%.1f ns", float64(took.Nanoseconds())/float64(rounds)), nil
	}
}
