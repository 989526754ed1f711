//go:build unix

package rocksdb

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tinykv/tinykv/bench/peers/disk"
)

// usage is what a process has used so far.
type usage struct {
	cpu          time.Duration
	written      int64 // bytes
	anon, mapped int64 // resident bytes
}

// usageOf returns what a process used until its end. Its memory is gone by then.
func usageOf(p *os.ProcessState) usage {
	u := usage{cpu: p.UserTime() + p.SystemTime()}
	if ru, ok := p.SysUsage().(*syscall.Rusage); ok {
		u.written = int64(ru.Oublock) * disk.BlockBytes
	}
	return u
}

// readProcess returns what a running process has used, as far as there is a /proc that tells.
func readProcess(pid int) usage {
	proc := func(name string) []byte {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name)) // the process may have ended
		return text
	}
	status := proc("status")
	return usage{
		cpu:     cpuTime(proc("stat")),
		written: field(proc("io"), "write_bytes"),
		anon:    field(status, "RssAnon") * 1024,
		mapped:  field(status, "RssFile") * 1024,
	}
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 wherever Linux runs Go.
const tick = time.Second / 100

// cpuTime returns the sum of fields 14 and 15 of proc_pid_stat(5). The second field, a name in brackets, may contain anything.
func cpuTime(stat []byte) time.Duration {
	const afterName, utime, stime = 3, 14, 15
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= stime-afterName {
		return 0
	}
	return time.Duration(count(fields[utime-afterName])+count(fields[stime-afterName])) * tick
}

// field returns the number behind a name in lines of the form "name: number".
func field(text []byte, wanted string) int64 {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if words := strings.Fields(value); name == wanted && len(words) > 0 {
			return int64(count(words[0]))
		}
	}
	return 0
}

// diskBytes returns what the file system has allocated below a directory, as far as it can be told.
func diskBytes(dir string) int64 {
	total, _ := disk.Allocated(dir)
	return total
}
