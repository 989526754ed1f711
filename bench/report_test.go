package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv/bench/internal/meter"
)

func TestWriteResult_Lines(t *testing.T) {
	timed := meter.NewLatencies()
	for i := range int64(1000) {
		if err := timed.Timed.RecordValue(1000 + i*1000); err != nil {
			t.Fatal(err)
		}
	}
	timed.Longest = 2 * time.Millisecond
	for _, c := range []struct {
		name   string
		result result
		remark string
		want   string
	}{
		{
			"fillseq",
			result{ops: 1_000_000, bytes: 116_000_000, elapsed: 2345 * time.Millisecond, busy: 2345 * time.Millisecond},
			"",
			"fillseq      :       2.345 micros/op 426439 ops/sec 2.345 seconds 1000000 operations;   47.2 MB/s\n",
		},
		{
			"readrandom",
			result{ops: 1000, bytes: 116_000, elapsed: time.Second, busy: 2 * time.Second},
			"(632 of 1000 found)",
			"readrandom   :    2000.000 micros/op 1000 ops/sec 1.000 seconds 1000 operations;    0.1 MB/s (632 of 1000 found)\n",
		},
		{
			"waitforcompaction",
			result{ops: 1, elapsed: 1500 * time.Millisecond, busy: 1500 * time.Millisecond},
			"",
			"waitforcompaction : 1500000.000 micros/op 0 ops/sec 1.500 seconds 1 operations;\n",
		},
		{
			"readseq",
			result{interrupted: true},
			"",
			"readseq      :       0.000 micros/op 0 ops/sec 0.000 seconds 0 operations; (interrupted)\n",
		},
		{
			"overwrite",
			result{ops: 10, elapsed: time.Second, busy: time.Second, calls: timed, every: 16},
			"",
			"overwrite    :  100000.000 micros/op 10 ops/sec 1.000 seconds 10 operations;\n" +
				"  p50 500.2  p95 950.3  p99 990.2  p99.9 999.4  max 2000 µs (1 in 16 timed)\n",
		},
		{
			"fillrandom",
			result{ops: 10, elapsed: time.Second, busy: time.Second, stalls: stalls{count: 3, waited: 20 * time.Millisecond}},
			"",
			"fillrandom   :  100000.000 micros/op 10 ops/sec 1.000 seconds 10 operations;\n" +
				"  write stalls: 3, 0.020 s in all; delays: 0.000 s\n",
		},
		{
			"ycsba",
			result{
				ops: 10, written: 4, found: 5, elapsed: time.Second, busy: time.Second,
				calls: timed, writes: timed, every: 16,
			},
			"( reads:6 writes:4 total:10 found:5)",
			"ycsba        :  100000.000 micros/op 10 ops/sec 1.000 seconds 10 operations; ( reads:6 writes:4 total:10 found:5)\n" +
				"  reads  p50 500.2  p95 950.3  p99 990.2  p99.9 999.4  max 2000 µs (1 in 16 timed)\n" +
				"  writes p50 500.2  p95 950.3  p99 990.2  p99.9 999.4  max 2000 µs (1 in 16 timed)\n" +
				"  write stalls: 0, 0.000 s in all; delays: 0.000 s\n",
		},
		{
			"readwhilewriting",
			result{
				ops: 10, found: 9, elapsed: time.Second, busy: time.Second, calls: timed, every: 16,
				beside: &result{ops: 20, bytes: 1 << 21, elapsed: 2 * time.Second, calls: timed, every: 1},
			},
			"(9 of 10 found)",
			"readwhilewriting :  100000.000 micros/op 10 ops/sec 1.000 seconds 10 operations; (9 of 10 found)\n" +
				"  reads  p50 500.2  p95 950.3  p99 990.2  p99.9 999.4  max 2000 µs (1 in 16 timed)\n" +
				"  writes p50 500.2  p95 950.3  p99 990.2  p99.9 999.4  max 2000 µs\n" +
				"  write stalls: 0, 0.000 s in all; delays: 0.000 s\n" +
				"  beside: 20 writes, not counted; 10 ops/sec, 1.0 MB/s\n",
		},
	} {
		if c.result.calls.Timed == nil {
			c.result.calls = meter.NewLatencies()
		}
		var b bytes.Buffer
		writeResult(&b, c.name, &c.result, c.remark)
		if b.String() != c.want {
			t.Errorf("got\n%swant\n%s", &b, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"short":                   "short",
		"a line of ten and more":  "a line of|ten and|more",
		"averyverylongword at it": "averyverylongword|at it",
	} {
		if got := strings.Join(wrap(text, 10), "|"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWriteHistogram(t *testing.T) {
	l := meter.NewLatencies()
	for _, ns := range []int64{5, 100, 100, 127, 128, 1_000_000} {
		if err := l.Timed.RecordValue(ns); err != nil {
			t.Fatal(err)
		}
	}
	const want = `Microseconds per op:
Count: 6  Average: 166.7753  StdDev: 372.72
Min: 0.0050  Median: 0.1000  Max: 1000.4470
------------------------------------------------------
[      0.005,      0.006 )         1   16.667%   16.667% #######
[      0.096,      0.112 )         2   33.333%   50.000% #############
[      0.112,      0.128 )         1   16.667%   66.667% #######
[      0.128,      0.160 )         1   16.667%   83.333% #######
[    917.504,   1048.576 )         1   16.667%  100.000% #######
`
	var b bytes.Buffer
	writeHistogram(&b, kindOfCall{Latencies: l})
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
}

func TestNextLimit_FourToTheOctave(t *testing.T) {
	n := int64(4)
	for _, want := range []int64{5, 6, 7, 8, 10, 12, 14, 16, 20} {
		if n = nextLimit(n); n != want {
			t.Fatalf("got %d, want %d", n, want)
		}
	}
}
