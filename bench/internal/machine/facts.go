package machine

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/tinykv/tinykv/bench/internal/memory"
	"github.com/tinykv/tinykv/vfs"
)

// Facts tells what numbers of this machine depend on, dir being where files will lie.
func Facts(dir string, found func(name, text string)) {
	found("processor", Processor())
	if total := memoryTotal(); total > 0 {
		found("memory", memory.Megabytes(total))
	}
	found("system", System())
	found("file system", FileSystem(dir))
}

// Processor tells how many there are, and of which kind.
func Processor() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := valueOf(info, "model name"); name != "" {
			model = name
		}
	}
	return fmt.Sprintf("%d * %s, GOMAXPROCS %d", runtime.NumCPU(), model, runtime.GOMAXPROCS(0))
}

// memoryTotal returns the memory of the machine in bytes, or 0 where that is not known.
func memoryTotal() float64 {
	var kib float64
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		_, _ = fmt.Sscan(valueOf(info, "MemTotal"), &kib) // 0 where it is no number
	}
	return kib * 1024
}

// valueOf returns the first value of a name in a file of lines "name: value", as /proc has them, or nothing.
func valueOf(info []byte, wanted string) string {
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == wanted {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// System tells the versions of Go and of the kernel.
func System() string {
	kernel := runtime.GOOS
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel += " " + strings.TrimSpace(string(release))
	}
	return fmt.Sprintf("%s, %s, %s", runtime.Version(), kernel, runtime.GOARCH)
}

// FileSystem tells which kind of file system holds a directory.
func FileSystem(dir string) string {
	kind, err := vfs.OS().Type(dir)
	switch {
	case err != nil:
		return "unknown file system"
	case kind == "tmpfs":
		return "tmpfs, which is memory: a sync costs nothing"
	default:
		return kind
	}
}

// Commit returns the commit that this program was built from, as far as the build recorded it.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return commitText(info.Settings)
}

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
