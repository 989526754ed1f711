package tinykv

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// BenchmarkIdle fills a store, opens it again, reads a little, and then leaves it alone for ten seconds.
// It reports how often a thread of the process woke up meanwhile, with the store and without one, and
// how much memory of its own the process has more than without the store: the
// memtable in whole (huge) pages, the cache, and the rest. Run it
// once: -bench Idle -benchtime 1x.
func BenchmarkIdle(b *testing.B) {
	b.Run("raw", func(b *testing.B) { benchmarkIdle(b, &Options{Compression: CompressionNone}) })
	b.Run("compressed", func(b *testing.B) { benchmarkIdle(b, nil) })
}

func benchmarkIdle(b *testing.B, o *Options) {
	const rest = 10 * time.Second
	for b.Loop() {
		dir := b.TempDir()
		db, err := Open(dir, o)
		if err != nil {
			b.Fatal(err)
		}
		var k [16]byte
		for n := range uint64(benchEntries) {
			if err := db.Put(benchKey(k[:], n), make([]byte, 100)); err != nil {
				b.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		memory, heap := ownMemory(b)
		wakeups := restFor(b, rest)
		b.ReportMetric(float64(wakeups), "wakeups-without")
		if db, err = Open(dir, o); err != nil {
			b.Fatal(err)
		}
		for n := range uint64(1000) {
			if err := db.Put(benchKey(k[:], n), nil); err != nil {
				b.Fatal(err)
			}
			if _, err := db.Get(benchKey(k[:], n*997)); err != nil {
				b.Fatal(err)
			}
		}
		restFor(b, 2*restAfter)
		wakeups = restFor(b, rest)
		b.ReportMetric(float64(wakeups), "wakeups")
		table := db.state.Load().active.table
		moreMemory, moreHeap := ownMemory(b)
		b.ReportMetric(float64(moreMemory-memory)/1024, "KiB-more")
		b.ReportMetric(float64(moreHeap-heap)/1024, "KiB-more-heap")
		b.ReportMetric(float64(table.Used())/1024, "KiB-of-memtable")
		b.ReportMetric(float64(db.Metrics().Memory.Cache)/1024, "KiB-of-cache")
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// restFor sleeps, and returns how often threads of the process went to sleep meanwhile, which they do as
// often as they wake up.
func restFor(b *testing.B, d time.Duration) (wakeups int) {
	b.Helper()
	before := sleeps(b)
	<-time.After(d)
	return sleeps(b) - before
}

func sleeps(b *testing.B) (n int) {
	b.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || threads == nil {
		b.Fatal("no /proc/self/task: ", err)
	}
	for _, name := range threads {
		n += statusField(b, name, "voluntary_ctxt_switches")
	}
	return n
}

// ownMemory returns the resident memory that is no file's, and what objects of the heap take of it, in
// bytes, garbage collected.
func ownMemory(b *testing.B) (resident, heap int) {
	b.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return statusField(b, "/proc/self/status", "RssAnon") * 1024, int(m.HeapAlloc)
}

func statusField(b *testing.B, name, field string) (n int) {
	b.Helper()
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			if _, err := fmt.Sscan(text, &n); err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatalf("%s has no %s", name, field)
	return 0
}
