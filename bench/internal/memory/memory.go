// Package memory tells what memory the process has.
package memory

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"time"
)

// Usage is what memory the process has, in bytes. What is resident is known on Linux only.
type Usage struct {
	Heap    float64 `json:"heap_bytes"`       // objects, live and dead
	Runtime float64 `json:"go_runtime_bytes"` // all that the Go runtime has, the heap among it
	Anon    float64 `json:"rss_anon_bytes"`   // resident, of its own: the runtime's, memtables and the like
	File    float64 `json:"rss_file_bytes"`   // resident pages of mapped files, which the system can take back
	Peak    float64 `json:"peak_rss_bytes"`   // the most that was ever resident, of both
}

// String tells of all of it, in megabytes.
func (m Usage) String() string {
	text := fmt.Sprintf("heap %s of %s", Megabytes(m.Heap), Megabytes(m.Runtime))
	if m.Peak == 0 {
		return text
	}
	return fmt.Sprintf("%s, RssAnon %s, RssFile %s, peak RSS %s",
		text, Megabytes(m.Anon), Megabytes(m.File), Megabytes(m.Peak))
}

// Read returns what memory the process has now.
func Read() Usage {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}, // part of the total, but given back
		{Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(samples)
	m := Usage{
		Runtime: bytesOf(samples[0]) - bytesOf(samples[1]),
		Heap:    bytesOf(samples[2]),
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		m.setResident(status)
	}
	return m
}

// bytesOf returns the value of a sample, or 0 where the runtime does not know the name.
func bytesOf(s metrics.Sample) float64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return float64(s.Value.Uint64())
}

// setResident takes the resident memory from a file as proc_pid_status(5) describes, in which sizes
// are in KiB.
func (m *Usage) setResident(status []byte) {
	fields := map[string]*float64{"RssAnon": &m.Anon, "RssFile": &m.File, "VmHWM": &m.Peak}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		field, ok := fields[name]
		if !ok {
			continue
		}
		var kib float64
		if _, err := fmt.Sscan(value, &kib); err == nil {
			*field = kib * 1024
		}
	}
}

// AnonPeak watches how much resident memory the process has of its own. The kernel keeps the most that
// ever was resident of own memory and mapped files together, not of each.
type AnonPeak struct {
	stop, done chan struct{}
	most       atomic.Uint64 // bytes
}

const watchInterval = 20 * time.Millisecond

// Watch starts to watch, which ends by End.
func Watch() *AnonPeak {
	p := &AnonPeak{stop: make(chan struct{}), done: make(chan struct{})}
	go p.watch()
	return p
}

func (p *AnonPeak) watch() {
	defer close(p.done)
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		if status, err := os.ReadFile("/proc/self/status"); err == nil {
			var m Usage
			m.setResident(status)
			p.most.Store(max(p.most.Load(), uint64(m.Anon)))
		}
		select {
		case <-tick.C:
		case <-p.stop:
			return
		}
	}
}

// End stops watching. A nil AnonPeak watches nothing.
func (p *AnonPeak) End() {
	if p != nil {
		close(p.stop)
		<-p.done
	}
}

// Take returns the most since the last call, in bytes.
func (p *AnonPeak) Take() float64 { return float64(p.most.Swap(0)) }

// BytesPerMB is what a megabyte has, as db_bench counts.
const BytesPerMB = 1 << 20

// Megabytes returns a number of bytes in megabytes.
func Megabytes(n float64) string { return fmt.Sprintf("%.1f MB", n/BytesPerMB) }
