package offheap

import "math"

// Limit returns how many bytes of memory this process may use at most, as far as that is known: what
// the machine has, or what the process's control group grants if that is less. It returns 0 when
// nothing is known.
func Limit() int64 {
	limit := int64(math.MaxInt64)
	for _, l := range []int64{machineBytes(), groupBytes("/proc/self/cgroup", "/sys/fs/cgroup")} {
		if l > 0 {
			limit = min(limit, l)
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}
