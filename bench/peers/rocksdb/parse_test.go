package rocksdb

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

func parse(t *testing.T, text string) *output {
	t.Helper()
	o := &output{}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Split(splitLines)
	for lines.Scan() {
		o.add(lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return o
}

// The output is of two runs of db_bench 7.8.3: two threads that fill, read and print statistics; and one that reads.
func TestOutput_HasWhatWasPrinted(t *testing.T) {
	text, err := os.ReadFile("testdata/output.txt")
	if err != nil {
		t.Fatal(err)
	}
	o := parse(t, string(text))
	want := []result{
		{name: "filluniquerandom", micros: 10.409, seconds: 0.211, ops: 20000, timed: true, p50: 5.21, p99: 70.08, p999: 315, slowest: 19065},
		{name: "readrandom", micros: 2.710, seconds: 0.056, ops: 40000, timed: true, p50: 0.62, p99: 2.57, p999: 44.13, slowest: 8261},
		{name: "readseq", micros: 1.946, seconds: 0.039, ops: 20000},
		{name: "readmissing", micros: 0.620, seconds: 0.012, ops: 20000},
		{name: "multireadrandom", micros: 1.603, seconds: 0.032, ops: 20000, found: 20000},
		{name: "seekrandom", micros: 2.272, seconds: 0.046, ops: 20000, found: 20000},
	}
	if len(o.results) != len(want) {
		t.Fatalf("%d results, want %d: %+v", len(o.results), len(want), o.results)
	}
	for i, w := range want {
		if o.results[i] != w {
			t.Errorf("result %d is\n%+v, want\n%+v", i, o.results[i], w)
		}
	}
	if o.openMillis != 148.307 || o.keysWritten != 20_000 {
		t.Errorf("open %v ms, %d keys written", o.openMillis, o.keysWritten)
	}
}

func TestOutput_PassesOverWhatItDoesNotKnow(t *testing.T) {
	tests := map[string]struct {
		text string
		want int
	}{
		"nothing":                       {"", 0},
		"a message before, on its line": {"warningfillrandom : 1.0 micros/op 5 ops/sec 2.0 seconds 7 operations; 3 MB/s", 1},
		"carriage returns":              {"long op: 1000001 micros    \rfillseq : 1.0 micros/op 5 ops/sec 2.0 seconds 7 operations;\r\n", 1},
		"a line cut short":              {"fillseq : 1.0 micros/op 5 ops/sec", 0},
		"details of no benchmark":       {"Percentiles: P50: 1.0 P75: 2.0 P99: 3.0 P99.9: 4.0 P99.99: 5.0\nMin: 1 Max: 2", 0},
		"a number too large":            {"fillseq : 1.0 micros/op 5 ops/sec 2.0 seconds 99999999999999999999999 operations;", 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := len(parse(t, tc.text).results); got != tc.want {
				t.Errorf("%d results, want %d", got, tc.want)
			}
		})
	}
}

func FuzzOutput(f *testing.F) {
	f.Add("readseq : 1.9 micros/op 5 ops/sec 0.1 seconds 20 operations;\nPercentiles: P50: 1 P75: 2 P99: 3 P99.9: 4\n")
	f.Fuzz(func(t *testing.T, text string) { parse(t, text) })
}

func TestReport_IsSummed(t *testing.T) {
	ops, seconds, err := readReport("testdata/report.csv")
	if err != nil || ops != 132708+134708+163981 || seconds != 3 {
		t.Errorf("%d operations in %v s, %v", ops, seconds, err)
	}
}

func TestCPUTime_IsThatOfUserAndSystem(t *testing.T) {
	tests := map[string]struct {
		stat string
		want time.Duration
	}{
		"a name with brackets": {"7 (a (b) c) S 1 7 7 0 -1 4 0 0 0 0 150 50 0 0 20 0 2 0", 2 * time.Second},
		"the process is gone":  {"", 0},
		"cut short":            {"7 (a) S 1 7", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := cpuTime([]byte(tc.stat)); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestField_IsFoundByItsWholeName(t *testing.T) {
	text := []byte("wchar: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 7\nRssAnon:\t  12 kB\n")
	if n := field(text, "write_bytes"); n != 4096 {
		t.Errorf("write_bytes %d", n)
	}
	if n := field(text, "RssAnon"); n != 12 {
		t.Errorf("RssAnon %d", n)
	}
	if n := field(text, "nosuch"); n != 0 {
		t.Errorf("nosuch %d", n)
	}
}

// Under the default profile db_bench is told what to do, not how.
func TestArguments_LeaveOptionsToTheDefaultProfile(t *testing.T) {
	for _, p := range []engine.Profile{engine.Equal, engine.Default} {
		d := &Driver{Profile: p, Entries: 100, ValueBytes: 10}
		all := strings.Join(d.arguments(command{store: "store", benchmarks: []string{"fillseq"}}), " ")
		for _, option := range []string{"cache_size", "bloom_bits", "write_buffer_size", "compression_type", "disable_wal"} {
			if got := strings.Contains(all, "-"+option+"="); got != (p == engine.Equal) {
				t.Errorf("%s: -%s is given: %v", p, option, got)
			}
		}
	}
}
