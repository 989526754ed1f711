package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/metrics"
	"strings"
)

// printStats prints what the engine and the system tell of themselves.
func (s *session) printStats() {
	fmt.Fprintln(s.out, "stats        :")
	fmt.Fprint(s.out, s.db.Metrics())
	fmt.Fprintf(s.out, "process: %s\n", memoryText())
}

// memoryText tells what memory the process has: that of the Go runtime, of which live and dead
// objects are a part, and on Linux what is resident, apart as memory of its own and as pages of mapped
// files, which the system can take back.
func memoryText() string {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}, // part of the total, but given back
		{Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(samples)
	text := fmt.Sprintf("Go runtime %s, objects %s",
		megabytes(bytesOf(samples[0])-bytesOf(samples[1])), megabytes(bytesOf(samples[2])))
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return text
	}
	return text + residentText(status)
}

// bytesOf returns the value of a sample, or 0 where the runtime does not know the name.
func bytesOf(s metrics.Sample) float64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return float64(s.Value.Uint64())
}

// residentText takes the resident memory from a file as proc_pid_status(5) describes, in which sizes
// are in KiB.
func residentText(status []byte) string {
	var b strings.Builder
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		var kib float64
		switch name {
		case "VmRSS", "RssAnon", "RssFile":
			if _, err := fmt.Sscan(value, &kib); err == nil {
				fmt.Fprintf(&b, ", %s %s", name, megabytes(kib*1024))
			}
		}
	}
	return b.String()
}

func megabytes(n float64) string { return fmt.Sprintf("%.1f MB", n/bytesPerMB) }
