package main

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

// processMemory is what memory the process has, in bytes. What is resident is known on Linux only.
type processMemory struct {
	Heap    float64 `json:"heap_bytes"`       // objects, live and dead
	Runtime float64 `json:"go_runtime_bytes"` // all that the Go runtime has, the heap among it
	Anon    float64 `json:"rss_anon_bytes"`   // resident, of its own: the runtime's, memtables and the like
	File    float64 `json:"rss_file_bytes"`   // resident pages of mapped files, which the system can take back
	Peak    float64 `json:"peak_rss_bytes"`   // the most that was ever resident, of both
}

func (m processMemory) String() string {
	text := fmt.Sprintf("heap %s of %s", megabytes(m.Heap), megabytes(m.Runtime))
	if m.Peak == 0 {
		return text
	}
	return fmt.Sprintf("%s, RssAnon %s, RssFile %s, peak RSS %s",
		text, megabytes(m.Anon), megabytes(m.File), megabytes(m.Peak))
}

func readMemory() processMemory {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}, // part of the total, but given back
		{Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(samples)
	m := processMemory{
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
func (m *processMemory) setResident(status []byte) {
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

// anonPeak watches how much resident memory the process has of its own. The kernel keeps the most that
// ever was resident of own memory and mapped files together, not of each.
type anonPeak struct {
	stop, done chan struct{}
	most       atomic.Uint64 // bytes
}

const watchInterval = 20 * time.Millisecond

func watchMemory() *anonPeak {
	p := &anonPeak{stop: make(chan struct{}), done: make(chan struct{})}
	go p.watch()
	return p
}

func (p *anonPeak) watch() {
	defer close(p.done)
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		if status, err := os.ReadFile("/proc/self/status"); err == nil {
			var m processMemory
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

// end stops watching. A nil anonPeak watches nothing.
func (p *anonPeak) end() {
	if p != nil {
		close(p.stop)
		<-p.done
	}
}

// take returns the most since the last call, in bytes.
func (p *anonPeak) take() float64 { return float64(p.most.Swap(0)) }

func megabytes(n float64) string { return fmt.Sprintf("%.1f MB", n/bytesPerMB) }
