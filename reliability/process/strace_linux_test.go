package process_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/reliability/load"
)

// strace runs children and does something to their system calls.

// storageCalls are what a store could reach its files by, as strace names them; a slash begins a regular expression.
var storageCalls = []string{
	"openat", "write", "pwrite64", "fdatasync", "fsync", "/^rename", "/^unlink", "mmap", "munmap", "madvise", "mkdirat", "flock",
	"msync", "ftruncate", "fallocate",
}

// straced returns the command that runs a child under strace. Calls are written to a file; inject says what is done to them.
func straced(t testing.TB, out, calls string, inject ...string) []string {
	t.Helper()
	args := []string{command(t, "strace"), "-f", "-y", "-qq", "-s", "300", "-o", out, "-e", "trace=" + calls}
	for _, i := range inject {
		args = append(args, "-e", "inject="+i)
	}
	return args
}

// onFilesOf are arguments by which strace sees calls on files of a store alone: the runtime writes, too.
func onFilesOf(store string) (args []string) {
	names := []string{"LOCK", "CURRENT", "CURRENT.tmp"}
	for n := range 400 {
		names = append(names, fmt.Sprintf("%06d.sst", n), fmt.Sprintf("%06d.wal", n), fmt.Sprintf("MANIFEST-%06d", n))
	}
	for _, name := range names {
		args = append(args, "-P", filepath.Join(store, name))
	}
	return args
}

// call is a system call of a child that a trace shows.
type call struct {
	thread string
	name   string
	file   string // kind of file in the store, as kindOf returns it; empty if it was about something else
	nth    int    // of those with this name in the thread
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. mmap resumed>.* = (0x[0-9a-f]+)`)
	mappedAt    = regexp.MustCompile(` = (0x[0-9a-f]+)`)
	address     = regexp.MustCompile(`^0x[0-9a-f]+`)
)

// trace is what strace wrote.
type trace struct {
	store   string
	calls   []call
	perName map[string]map[string]int // calls by name, thread
	mapped  map[string]string         // kind of file by address
	pending map[string]string         // kind of file by thread in a call of mmap
}

// readTrace reads what strace wrote of a child on a store.
func readTrace(t testing.TB, name, store string) *trace {
	t.Helper()
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	tr := &trace{store: store, perName: map[string]map[string]int{}, mapped: map[string]string{}, pending: map[string]string{}}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		tr.line(lines.Text())
	}
	return tr
}

func (tr *trace) line(text string) {
	if m := resumedLine.FindStringSubmatch(text); m != nil {
		tr.mapped[m[2]] = tr.pending[m[1]]
		return
	}
	m := callLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	c := call{thread: m[1], name: m[2], file: tr.kindOf(m[3])}
	switch at := address.FindString(m[3]); c.name {
	case "mmap":
		tr.pending[c.thread] = c.file
		if m := mappedAt.FindStringSubmatch(text); m != nil {
			tr.mapped[m[1]] = c.file
		}
	case "munmap", "madvise":
		c.file = tr.mapped[at]
	}
	if tr.perName[c.name] == nil {
		tr.perName[c.name] = map[string]int{}
	}
	tr.perName[c.name][c.thread]++
	c.nth = tr.perName[c.name][c.thread]
	tr.calls = append(tr.calls, c)
}

// kindOf returns which kind of file of the store the arguments of a call name.
func (tr *trace) kindOf(args string) string {
	_, rest, ok := strings.Cut(args, tr.store)
	if !ok {
		return ""
	}
	name := strings.TrimPrefix(rest[:len(rest)-len(strings.TrimLeftFunc(rest, func(r rune) bool { return !strings.ContainsRune(`>", `, r) }))], "/")
	switch kind, _, _ := strings.Cut(name, "-"); {
	case name == "":
		return "directory"
	case filepath.Ext(name) == ".sst":
		return "table"
	case filepath.Ext(name) == ".wal":
		return "log"
	default:
		return kind
	}
}

// most returns the largest number of calls of one name in one thread.
func (tr *trace) most(pattern string) int {
	most := 0
	for name, threads := range tr.perName {
		if matches(pattern, name) {
			for _, n := range threads {
				most = max(most, n)
			}
		}
	}
	return most
}

// nth returns the first call that was the nth of its name in its thread.
func (tr *trace) nth(pattern string, n int) (call, bool) {
	for _, c := range tr.calls {
		if matches(pattern, c.name) && c.nth == n {
			return c, true
		}
	}
	return call{}, false
}

// matches tells whether strace would take a name for one of a pattern.
func matches(pattern, name string) bool {
	if expr, ok := strings.CutPrefix(pattern, "/"); ok {
		return regexp.MustCompile(expr).MatchString(name)
	}
	return pattern == name
}

// calibrate runs a child without faults, and returns its calls.
func calibrate(t testing.TB, c load.Config) *trace {
	t.Helper()
	c = configIn(t, c)
	c.Limit = 150
	out := filepath.Join(filepath.Dir(c.Dir), "trace")
	child := load.Start(t, c, straced(t, out, strings.Join(storageCalls, ","))...)
	must(t, child.Wait())
	must(t, child.Sound())
	return readTrace(t, out, c.Dir)
}

// whenNth is the part of an injection that says at which call of a thread it is.
func whenNth(n int) string { return ":when=" + strconv.Itoa(n) }
