//go:build unix

package child

import (
	"io/fs"
	"path/filepath"
	"runtime/metrics"
	"syscall"
	"time"
)

// usage is what the process has used so far, background work included.
type usage struct {
	cpu        time.Duration
	written    int64 // bytes that went to the block layer, or will: dirtied pages of files
	allocs     uint64
	allocBytes uint64
}

// blockBytes is the unit of ru_oublock, st_blocks and the like.
const blockBytes = 512

func readUsage() (usage, error) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return usage{}, err
	}
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return usage{
		cpu:        time.Duration(ru.Utime.Nano() + ru.Stime.Nano()),
		written:    int64(ru.Oublock) * blockBytes,
		allocs:     samples[0].Value.Uint64(),
		allocBytes: samples[1].Value.Uint64(),
	}, nil
}

// diskBytes returns what the file system has allocated for the files below a directory.
func diskBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreGone(err)
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreGone(err)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += int64(st.Blocks) * blockBytes
		}
		return nil
	})
	return total, err
}
