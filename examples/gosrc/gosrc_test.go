package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
)

// asProgram makes the test binary be the program.
const asProgram = "TINYKV_GOSRC_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// makeTree writes n files of various sizes and returns the directory that -goroot names.
func makeTree(t *testing.T, n int) (goroot string) {
	t.Helper()
	goroot = t.TempDir()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	junk := make([]byte, 16<<10)
	for i := range junk {
		junk[i] = byte(rng.Uint32())
	}
	write := func(name string, size int) {
		path := filepath.Join(goroot, "src", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		off := rng.IntN(len(junk) - size + 1)
		if err := os.WriteFile(path, junk[off:off+size], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		write(fmt.Sprintf("p%d/q%d/%s%d.go", i%10, i%70, strings.Repeat("long", 20), i), rng.IntN(len(junk)))
	}
	write("net/http/server.go", 1000)
	write("net/http/pprof/pprof.go", 234)
	write("net/http.go", 1) // beside the directory, not in it
	write("net-http/empty.go", 0)
	return goroot
}

// gosrc runs the program in this process, expects an exit code, and returns stdout and stderr.
func gosrc(t *testing.T, code int, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), args, stdio{strings.NewReader(stdin), &out, &errs}); got != code {
		t.Fatalf("%v: exit code %d, want %d; stderr:\n%s", args, got, code, &errs)
	}
	return out.String(), errs.String()
}

func expect(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func TestRun_LoadsComparesAndScans(t *testing.T) {
	goroot := makeTree(t, 300)
	temporary := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, temporary)
	}
	stdout, stderr := gosrc(t, exitDone, "", "-goroot="+goroot)
	expect(t, stdout, "loaded 304 files", "every byte is right", "net/http/: 2 files, 1234 bytes\n", "level tables")
	expect(t, stderr, "load: 100.0 %, 304 of 304 files", "compare: 100.0 %, 304 of 304 files")
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRun_NoProgressIfNotWanted(t *testing.T) {
	t.Setenv("NO_PROGRESS", "1")
	if _, stderr := gosrc(t, exitDone, "", "-goroot="+makeTree(t, 3)); stderr != "" {
		t.Errorf("stderr: %s", stderr)
	}
}

func TestRun_LoadOnlyPrintsWhatVerifyChecks(t *testing.T) {
	goroot, db := makeTree(t, 50), filepath.Join(t.TempDir(), "db")
	acknowledged, _ := gosrc(t, exitDone, "", "-goroot="+goroot, "-db="+db, "-load-only", "-sync")
	if n := strings.Count(acknowledged, "\n"); n != 54 {
		t.Errorf("%d lines:\n%s", n, acknowledged)
	}
	stdout, _ := gosrc(t, exitDone, acknowledged, "-goroot="+goroot, "-db="+db, "-verify")
	expect(t, stdout, "54 paths are there")
}

func TestRun_DifferencesAreFailures(t *testing.T) {
	goroot, path := makeTree(t, 5), filepath.Join(t.TempDir(), "db")
	args := []string{"-goroot=" + goroot, "-db=" + path}
	gosrc(t, exitDone, "", args...)
	change := func(fn func(db *tinykv.DB) error) {
		t.Helper()
		db, err := tinykv.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := fn(db); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	name := []byte("net/http.go")

	change(func(db *tinykv.DB) error { return db.Put(name, []byte("!!")) })
	_, stderr := gosrc(t, exitFailed, string(name), append(args, "-verify")...)
	expect(t, stderr, "net/http.go differs: 2 bytes in the store, 1 in the file")

	change(func(db *tinykv.DB) error { return db.Delete(name) })
	_, stderr = gosrc(t, exitFailed, string(name), append(args, "-verify")...)
	expect(t, stderr, "get net/http.go: ", tinykv.ErrNotFound.Error())

	change(func(db *tinykv.DB) error { return db.Put([]byte("extra"), nil) })
	_, stderr = gosrc(t, exitFailed, "", args...) // loading again puts back what was deleted
	expect(t, stderr, "extra is in the store, but no file")
}

func TestRun_InterruptedEndsInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	args := []string{"-goroot=" + makeTree(t, 5), "-db=" + filepath.Join(t.TempDir(), "db")}
	if code := run(ctx, args, stdio{nil, &out, &errs}); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	expect(t, errs.String(), "interrupted; 0 of 9 files are in the store")
	gosrc(t, exitDone, "", args...) // it was closed
}

func TestRun_BadCommandLineExitsWithUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"-bd":                     {"-bd=x"},
		`unexpected argument "x"`: {"x"},
		"exclude each other":      {"-load-only", "-verify", "-db=x"},
		"need -db":                {"-verify"},
	} {
		_, stderr := gosrc(t, exitUsage, "", args...)
		expect(t, stderr, want, "valid flags:", "-goroot", "-load-only")
	}
	stdout, _ := gosrc(t, exitDone, "", "-help")
	expect(t, stdout, "valid flags:", "-goroot")
}

func TestRun_MissingDirectoriesAreFailures(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	gosrc(t, exitFailed, "", "-goroot="+nowhere)
	gosrc(t, exitFailed, "", "-goroot="+makeTree(t, 1), "-db="+nowhere, "-verify")
}

// A child loads a tree and is killed at a moment that its own output decides. What it had printed
// must be in the store. It cannot end before that: what it prints is more than a pipe holds.
func TestKilledProcess_KeepsWhatItAcknowledged(t *testing.T) {
	const files = 3000
	goroot := makeTree(t, files)
	for _, killAfter := range []int{1, 100, files / 4, files / 2} {
		t.Run(fmt.Sprint(killAfter), func(t *testing.T) {
			args := []string{"-goroot=" + goroot, "-db=" + filepath.Join(t.TempDir(), "db")}
			acknowledged := loadAndKill(t, killAfter, append(args, "-load-only"))
			stdout, _ := gosrc(t, exitDone, acknowledged, append(args, "-verify")...)
			expect(t, stdout, fmt.Sprintf("%d paths are there with the right bytes", strings.Count(acknowledged, "\n")))
			gosrc(t, exitDone, "", args...) // goes on, and finds every file
		})
	}
}

// loadAndKill runs a child, kills it once it has printed so many lines, and returns all complete
// lines that it printed before it died.
func loadAndKill(t *testing.T, killAfter int, args []string) string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], args...)
	child.Env = append(os.Environ(), asProgram+"=1", "NO_PROGRESS=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for r, n := bufio.NewReader(out), 1; ; n++ {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lines.WriteString(line)
		if n == killAfter {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child had ended before it was killed")
	}
	return lines.String()
}
