package offheap

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machineBytes returns the memory of the machine; 0 when it cannot be told.
func machineBytes() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// groupBytes returns the least memory limit of the control group that a process is in and of those
// above it, as both versions of the interface state it below mount; 0 when there is none. membership
// is the process's /proc/PID/cgroup: a line ID:controllers:path for each hierarchy.
func groupBytes(membership, mount string) int64 {
	text, err := os.ReadFile(membership)
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root, file := mount, "memory.max"
		if fields[1] != "" {
			if !strings.Contains(","+fields[1]+",", ",memory,") {
				continue
			}
			root, file = filepath.Join(mount, "memory"), "memory.limit_in_bytes"
		}
		for dir := filepath.Clean("/" + fields[2]); ; dir = filepath.Dir(dir) {
			if l := limitIn(filepath.Join(root, dir, file)); l > 0 {
				least = min(least, l)
			}
			if dir == "/" {
				break
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// limitIn reads a limit; 0 for "max", for the huge number that stands for none, and for no file.
func limitIn(name string) int64 {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= 1<<60 {
		return 0
	}
	return n
}
