//go:build unix

package child

import (
	"runtime/metrics"
	"syscall"
	"time"

	"github.com/tinykv/tinykv/bench/peers/disk"
)

// usage is what the process has used so far, background work included.
type usage struct {
	cpu        time.Duration
	dirtied    int64 // bytes of pages of files that were made dirty: shows activity, not what reaches the disk
	allocs     uint64
	allocBytes uint64
}

func readUsage() (usage, error) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return usage{}, err
	}
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return usage{
		cpu:        time.Duration(ru.Utime.Nano() + ru.Stime.Nano()),
		dirtied:    int64(ru.Oublock) * disk.BlockBytes,
		allocs:     samples[0].Value.Uint64(),
		allocBytes: samples[1].Value.Uint64(),
	}, nil
}
