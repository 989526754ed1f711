package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// bench runs the program, expects an exit code, and returns stdout and stderr.
func bench(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	return benchUntil(t, t.Context(), code, args...)
}

func benchUntil(t *testing.T, ctx context.Context, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	temporary := t.TempDir() // where a store would be left behind
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, temporary)
	}
	var out, errs bytes.Buffer
	if got := run(ctx, args, &out, &errs); got != code {
		t.Fatalf("%v: exit code %d, want %d; stderr:\n%s", args, got, code, &errs)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return out.String(), errs.String()
}

var (
	resultLine = regexp.MustCompile(`^[a-zA-Z0-9]+ *: .*(operations;|skipped)`)
	timeText   = regexp.MustCompile(`[0-9]+\.[0-9]+ micros/op [0-9]+ ops/sec [0-9]+\.[0-9]+ seconds|[0-9.]+ MB/s|\(output: [0-9.]+%\)`)
)

// resultLines returns the first lines of results without what differs from run to run.
func resultLines(stdout string) []string {
	var lines []string
	for line := range strings.Lines(stdout) {
		if resultLine.MatchString(line) {
			lines = append(lines, strings.Join(strings.Fields(timeText.ReplaceAllString(line, "")), " "))
		}
	}
	return lines
}

// Every benchmark is run once, and by its name in the list, so that none is forgotten.
func TestRun_AllBenchmarks(t *testing.T) {
	want := []string{
		"fillseq : 1000 operations;",
		"readrandom : 1000 operations; (1000 of 1000 found)",
		"readmissing : 1000 operations; (0 of 1000 found)",
		"fillsync : 1 operations; (1 ops)",
		"fill100K : 1 operations; (1 ops)",
		"fillbatch : 1000 operations;",
		"readseq : 1000 operations;",
		"readreverse : 1000 operations;",
		"seekrandom : 1000 operations; (1000 of 1000 found)",
		"readzipf : 1000 operations; (1000 of 1000 found)",
		"readhot : 1000 operations; (1000 of 1000 found)",
		"multireadrandom : 1000 operations; (1000 of 1000 found)",
		"readwhilewriting : 1000 operations; (1000 of 1000 found)",
		"seekrandomwhilewriting : 1000 operations; (1000 of 1000 found)",
		"readrandomwriterandom : 1000 operations; ( reads:902 writes:98 total:1000 found:902)",
		"updaterandom : 1000 operations; ( updates:1000 found:1000)",
		"ycsba : 1000 operations; ( reads:497 writes:503 total:1000 found:497)",
		"ycsbb : 1000 operations; ( reads:945 writes:55 total:1000 found:945)",
		"ycsbc : 1000 operations; ( reads:1000 writes:0 total:1000 found:1000)",
		"ycsbd : 1000 operations; ( reads:962 writes:38 total:1000 found:962)",
		"ycsbe : 1000 operations; ( reads:947 writes:53 total:1000 found:947)",
		"ycsbf : 1000 operations; ( reads:495 writes:505 total:1000 found:1000)",
		"mixgraph : 1000 operations; ( reads:853 writes:147 total:1000 found:853)",
		"flush : 1 operations;",
		"compact : 1 operations;",
		"verifychecksum : 1 operations;",
		"deleteseq : 1000 operations;",
		"xxhash : 1000 operations;",
		"crc32c : 1000 operations;",
		"s2comp : 1000 operations;",
		"s2uncomp : 1000 operations;",
		"zstdcomp : 1000 operations;",
		"zstduncomp : 1000 operations;",
		"fillrandom : 1000 operations;",
		"overwrite : 1000 operations;",
		"waitforcompaction : 1 operations;",
		"readrandom : 1000 operations; (853 of 1000 found)", // about 1 - 1/e²
		"openiterators : 1000 operations;",
		"deleterandom : 1000 operations;",
		"clear : 1 operations;",
		"waitfordisk : 1 operations;",
		"fillttl : 1000 operations;",
		"updatetransaction : 1000 operations; ( updates:1000 found:771)",
		"fillmerge : 1000 operations;",
	}
	names := []string{"stats", "levelstats", "sstables"}
	for _, line := range want {
		names = append(names, strings.Fields(line)[0])
	}
	for _, b := range allBenchmarks() {
		if !slices.Contains(names, b.name) {
			t.Errorf("%s is not run", b.name)
		}
	}
	stdout, stderr := bench(t, exitDone, "-num=1000", "-machine=false", "-histogram", "-benchmarks="+strings.Join(names[3:], ",")+
		","+strings.Join(names[:3], ","))
	if got := resultLines(stdout); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, part := range []string{
		"Keys:       16 bytes each\n", "RawSize:    0.1 MB (estimated)\n", "compression default", rule,
		"level tables", "process: heap", "p99.9", "Microseconds per op:", "Microseconds per write:",
		"Level Files Size(MB)", " files, ", "beside: ", "write stalls: 0", "(output: ",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %q in\n%s", part, stdout)
		}
	}
	if stderr != "" {
		t.Errorf("stderr: %s", stderr)
	}
}

func TestRun_ThreadsBatchesAndOtherSizes(t *testing.T) {
	stdout, _ := bench(t, exitDone, "-num=500", "-reads=100", "-threads=2", "-batch_size=7", "-key_size=4",
		"-value_size=0", "-bloom_bits=0", "-reuse_iterator", "-sync", "-write_buffer_size=65536",
		"-benchmarks=fillseq,deleterandom,fillbatch,readrandom,readmissing,readseq,seekrandom,waitforcompaction")
	want := []string{
		"fillseq : 1000 operations;",
		"deleterandom : 1000 operations;",
		"fillbatch : 1000 operations;",
		"readrandom : 200 operations; (200 of 200 found)",
		"readmissing : 200 operations; (0 of 200 found)",
		"readseq : 200 operations;",
		"seekrandom : 200 operations; (200 of 200 found)",
		"waitforcompaction : 1 operations;",
	}
	if got := resultLines(stdout); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRun_DirectoryGivenIsKeptAndUsedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	bench(t, exitDone, "-db="+dir, "-num=300", "-benchmarks=fillrandom,fillseq")
	stdout, _ := bench(t, exitDone, "-db="+dir, "-num=300", "-use_existing_db", "-benchmarks=fillseq,readseq")
	want := []string{"fillseq : skipped (-use_existing_db)", "readseq : 300 operations;"}
	if got := resultLines(stdout); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	_, stderr := bench(t, exitFailed, "-db="+dir, "-benchmarks=fillseq")
	if !strings.Contains(stderr, "is not empty: use what is there with -use_existing_db") {
		t.Errorf("stderr: %s", stderr)
	}
}

func TestRun_FailuresOfTheFileSystemExitWithFailure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bench(t, exitFailed, "-db="+file)
	bench(t, exitFailed, "-db="+filepath.Join(file, "below"))
	bench(t, exitFailed, "-db="+filepath.Join(t.TempDir(), "nothing"), "-use_existing_db")
}

// stopAt cancels a context as soon as something is written that contains a text.
type stopAt struct {
	text   string
	cancel func()
	bytes.Buffer
}

func (s *stopAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.text) {
		s.cancel()
	}
	return s.Buffer.Write(p)
}

func TestRun_InterruptedSaysWhatWasDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &stopAt{text: "2000 operations;", cancel: cancel}
	dir := t.TempDir()
	code := run(ctx, []string{"-num=2000", "-db=" + dir, "-benchmarks=fillseq,readseq,stats"}, out, &bytes.Buffer{})
	if code != exitInterrupted || !strings.HasSuffix(out.String(), "not run: readseq stats\n") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	bench(t, exitDone, "-num=2000", "-db="+dir, "-use_existing_db", "-benchmarks=readseq") // it was closed

	benchUntil(t, ctx, exitInterrupted, "-num=2000")
}

func TestSession_InterruptedBenchmarkEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := parseFlags([]string{"-benchmarks=fillseq,waitforcompaction", "-num=1000000", "-db=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := newSession(c, &out, &bytes.Buffer{})
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	for i := range c.benchmarks {
		if err := s.benchmark(ctx, &c.benchmarks[i]); err != nil {
			t.Error(err)
		}
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), "interrupted, 1000000 operations were asked for"); n != 1 {
		t.Errorf("%d:\n%s", n, &out)
	}
}

func TestResult_IsDoneByNumberOrTime(t *testing.T) {
	for _, c := range []struct {
		ops, wanted    uint64
		elapsed, limit time.Duration
		want           bool
	}{
		{ops: 9, wanted: 10, elapsed: time.Hour},
		{ops: 10, wanted: 10, want: true},
		{ops: 1000, elapsed: 5 * time.Second, limit: 6 * time.Second},
		{ops: 1, elapsed: 6 * time.Second, limit: 6 * time.Second, want: true},
	} {
		r := &result{ops: c.ops, wanted: c.wanted, elapsed: c.elapsed}
		if got := r.isDone(c.limit); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Time ends a run of several threads, and what they did is told of.
func TestRun_ForATime(t *testing.T) {
	stdout, _ := bench(t, exitDone, "-num=1000", "-threads=2", "-duration=20ms",
		"-benchmarks=fillseq,readrandomwriterandom,seekrandomwhilewriting", "-distribution=zipf", "-seek_nexts=3", "-reverse_iterator")
	if n := len(resultLines(stdout)); n != 3 || strings.Contains(stdout, "interrupted") {
		t.Errorf("%d results:\n%s", n, stdout)
	}
}
