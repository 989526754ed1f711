package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tinykv/tinykv/vfs"
)

// field is a line of the header.
type field struct{ name, text string }

// header tells what is being measured: first as RocksDB's db_bench does, then what else a number
// depends on.
func header(c *config, dir string) []field {
	entry := float64(c.keySize + c.valueSize)
	return []field{
		{"Keys", fmt.Sprintf("%d bytes each", c.keySize)},
		{"Values", fmt.Sprintf("%d bytes each (they would compress to %d)",
			c.valueSize, int(float64(c.valueSize)*c.compressionRatio+0.5))},
		{"Entries", fmt.Sprint(c.num)},
		{"RawSize", fmt.Sprintf("%s (estimated)", megabytes(entry*float64(c.num)))},
		{"FileSize", fmt.Sprintf("%s (estimated with compression: %s)", megabytes(c.fileSize()*float64(c.num)), c.compression)},
		{"Threads", fmt.Sprintf("%d, each of which does all operations", c.threads)},
		{"Seed", fmt.Sprint(c.seed)},
		{"Numbers", numbersText(c)},
		{"Durability", durabilityText(c)},
		{"Store", storeText(c)},
		{"Reads", readsText(c)},
		{"Latencies", latenciesText()},
		{"Machine", machineText()},
		{"Software", softwareText()},
		{"Directory", directoryText(dir)},
		{"Date", time.Now().Format(time.RFC1123Z)},
	}
}

// numbersText tells how random keys are drawn. That takes time, which counts.
func numbersText(c *config) string {
	skew := newScrambled(uint64(c.num), c.zipfExponent)
	zipf := fmt.Sprintf("of zipf and latest %v, with %d ns for each draw", c.zipfExponent, drawCost(skew).Nanoseconds())
	if c.distribution == distUniform {
		return "uniform; exponent " + zipf
	}
	return c.distribution + " where the store is not empty at first; exponent " + zipf
}

// drawCost returns how long it takes to draw a number.
func drawCost(n numbers) time.Duration {
	const rounds = 10_000
	rng := rand.New(rand.NewPCG(1, 1))
	start := time.Now()
	for range rounds {
		n.draw(rng)
	}
	return time.Since(start) / rounds
}

func durabilityText(c *config) string {
	if c.sync {
		return "neither the death of the process nor power loss takes anything: a write returns when it is on stable storage"
	}
	return "the death of the process takes nothing, power loss the last 100 ms: a write returns when the system has it" +
		" (of fillsync, when it is on stable storage)"
}

func storeText(c *config) string {
	bloom := "none"
	if c.bloomBits > 0 {
		bloom = fmt.Sprintf("%d bits a key", c.bloomBits)
	}
	sizes := fmt.Sprintf("memtable %s, table %s", megabytes(float64(c.memTableSize)), megabytes(float64(c.tableSize)))
	if c.memoryBudget > 0 {
		sizes = "memory budget " + megabytes(float64(c.memoryBudget))
		if c.memTableSize > 0 {
			sizes += ", memtable " + megabytes(float64(c.memTableSize))
		}
	}
	return fmt.Sprintf("%s, block %d bytes, Bloom filter %s, compression %s", sizes, c.blockSize, bloom, compressionText(c))
}

func readsText(c *config) string {
	seeks := "seekrandom makes an iterator for each seek"
	if c.reuseIterator {
		seeks = "seekrandom uses a single iterator"
	}
	return "GetTo into a buffer that is used again; multireadrandom has new memory from GetMulti; " + seeks
}

func latenciesText() string {
	return fmt.Sprintf("of one call in so many, as each line says, with %d ns for the clock;"+
		" calls between two timed ones count together for the maximum", clockCost().Nanoseconds())
}

func machineText() string {
	cpu := ""
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		cpu = cpuModel(info)
	}
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	return fmt.Sprintf("%d * %s, GOMAXPROCS %d", runtime.NumCPU(), cpu, runtime.GOMAXPROCS(0))
}

// cpuModel returns the name of the first processor in /proc/cpuinfo, or nothing.
func cpuModel(info []byte) string {
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func softwareText() string {
	kernel := runtime.GOOS
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel += " " + strings.TrimSpace(string(release))
	}
	return fmt.Sprintf("%s, %s, %s, tinykv commit %s", runtime.Version(), kernel, runtime.GOARCH, buildCommit())
}

func buildCommit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return commitText(info.Settings)
}

// commitText returns the commit that a program was built from, as far as the build recorded it.
func commitText(settings []debug.BuildSetting) string {
	commit, changed := "unknown", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision" && s.Value != "":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " and changes since"
		}
	}
	return commit + changed
}

func directoryText(dir string) string {
	kind, err := vfs.OS().Type(dir)
	switch {
	case err != nil:
		kind = "unknown file system"
	case kind == "tmpfs":
		kind = "tmpfs, which is memory: a sync costs nothing"
	}
	return fmt.Sprintf("%s (%s)", dir, kind)
}

// clockCost returns how long it takes to read the clock.
func clockCost() time.Duration {
	const rounds = 10_000
	start, last := time.Now(), time.Duration(0)
	for range rounds {
		last = time.Since(start)
	}
	return last / rounds
}
