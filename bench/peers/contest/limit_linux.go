package contest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Where the memory controller may be: of control groups version 2, and of version 1.
var memoryControllers = []struct{ top, sign, file string }{
	{"/sys/fs/cgroup", "cgroup.controllers", "memory.max"},
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.limit_in_bytes"},
}

// limitMemory makes a control group of limited memory, for children to join, and returns its directory and what removes it. It
// needs the rights of root. No limit: no group.
func limitMemory(bytes int64) (dir string, remove func(), err error) {
	if bytes == 0 {
		return "", func() {}, nil
	}
	for _, c := range memoryControllers {
		if _, err := os.Stat(filepath.Join(c.top, c.sign)); err != nil {
			continue
		}
		dir := filepath.Join(c.top, fmt.Sprintf("tinykv-peers-%d", os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", nil, fmt.Errorf("memory cannot be limited: %w; run as root, or without -memory-limit", err)
		}
		remove := func() { _ = os.Remove(dir) } // fails only while a child is in it
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(strconv.FormatInt(bytes, 10)), 0); err != nil {
			remove()
			return "", nil, fmt.Errorf("memory cannot be limited: %w; run where the memory controller is there, or without -memory-limit", err)
		}
		return dir, remove, nil
	}
	return "", nil, errors.New("memory cannot be limited: no memory controller in /sys/fs/cgroup; run without -memory-limit")
}
