package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/tinykv/tinykv/bench/internal/machine"
)

// jsonReport prints a JSON object in each line. They have "header", "limit", "benchmark" or "not_run"
// as their first name, by which they can be told apart.
type jsonReport struct {
	out       *json.Encoder
	histogram bool
}

func newJSONReport(w io.Writer, histogram bool) *jsonReport {
	return &jsonReport{out: json.NewEncoder(w), histogram: histogram}
}

// print prints a line. What cannot be printed is lost, as with text.
func (j *jsonReport) print(v any) { _ = j.out.Encode(v) }

func (j *jsonReport) header(c *config, fields []field) {
	text := map[string]string{}
	for _, f := range fields {
		text[f.name] = f.text
	}
	j.print(struct {
		Header     map[string]string `json:"header"`
		Flags      map[string]string `json:"flags"`
		GoMaxProcs int               `json:"gomaxprocs"`
		Commit     string            `json:"commit"`
	}{text, c.settings, runtime.GOMAXPROCS(0), machine.Commit()})
}

func (j *jsonReport) limit(name, text string) {
	j.print(struct {
		Limit string `json:"limit"`
		Text  string `json:"text"`
	}{name, text})
}

func (j *jsonReport) begin() {}

func (j *jsonReport) skipped(name, why string) {
	j.print(struct {
		Benchmark string `json:"benchmark"`
		Skipped   string `json:"skipped"`
	}{name, why})
}

func (j *jsonReport) notRun(names []string) {
	j.print(struct {
		NotRun []string `json:"not_run"`
	}{names})
}

func (j *jsonReport) info(name string, i info) {
	j.print(struct {
		Benchmark string `json:"benchmark"`
		Info      info   `json:"info"`
	}{name, i})
}

// jsonResult is a line of db_bench and what stands below it.
type jsonResult struct {
	Benchmark   string  `json:"benchmark"`
	MicrosPerOp float64 `json:"micros_per_op"` // of one thread
	OpsPerSec   float64 `json:"ops_per_sec"`   // of all, by the clock on the wall, as is the next
	MBPerSec    float64 `json:"mb_per_sec"`
	Seconds     float64 `json:"seconds"`
	Threads     int     `json:"threads"`

	Operations  uint64 `json:"operations"`
	Interrupted bool   `json:"interrupted,omitempty"`
	Wanted      uint64 `json:"wanted,omitempty"` // operations asked for; absent where -duration decides
	Writes      uint64 `json:"writes,omitempty"` // of the operations, where reads are told apart
	Found       uint64 `json:"found"`
	Bytes       uint64 `json:"bytes"`
	Packed      uint64 `json:"packed_bytes,omitempty"` // what these were compressed to

	Latencies []jsonLatencies `json:"latencies,omitempty"`
	Stalls    uint64          `json:"write_stalls"`
	Stalled   float64         `json:"write_stall_seconds"`
	Delayed   float64         `json:"write_delay_seconds"`
	Beside    *jsonResult     `json:"beside,omitempty"` // the thread that is not counted
}

// jsonLatencies are in microseconds.
type jsonLatencies struct {
	Call      string             `json:"call"` // op, read or write
	Timed     int64              `json:"timed"`
	OneIn     uint64             `json:"timed_one_in"`
	Average   float64            `json:"average_us"`
	Max       float64            `json:"max_us"` // of all calls, timed or not
	Quantiles map[string]float64 `json:"quantiles_us"`
	Histogram []jsonBucket       `json:"histogram,omitempty"`
}

type jsonBucket struct {
	From  float64 `json:"from_us"`
	To    float64 `json:"below_us"`
	Count int64   `json:"count"`
}

func (j *jsonReport) result(name string, r *result, _ string) { j.print(j.resultOf(name, r)) }

func (j *jsonReport) resultOf(name string, r *result) *jsonResult {
	line := &jsonResult{
		Benchmark: name, MicrosPerOp: r.microsPerOp(), OpsPerSec: r.opsPerSecond(),
		MBPerSec: r.megabytesPerSecond(), Seconds: r.seconds(), Threads: r.threads,
		Operations: r.ops, Interrupted: r.interrupted, Wanted: r.wanted, Writes: r.written, Found: r.found, Bytes: r.bytes, Packed: r.packed,
		Stalls: r.stalls.count, Stalled: r.stalls.waited.Seconds(), Delayed: r.stalls.slowed.Seconds(),
	}
	for _, k := range r.kinds() {
		line.Latencies = append(line.Latencies, j.latenciesOf(k))
	}
	if r.beside != nil {
		line.Beside = j.resultOf("beside", r.beside)
		line.Beside.Latencies = nil // stand with the others
	}
	return line
}

func (j *jsonReport) latenciesOf(k kindOfCall) jsonLatencies {
	l := jsonLatencies{
		Call: cmp.Or(k.name, "op"), Timed: k.Timed.TotalCount(), OneIn: k.every,
		Average: k.Timed.Mean() / 1e3, Max: float64(k.Longest) / 1e3, Quantiles: map[string]float64{},
	}
	for _, p := range quantiles() {
		l.Quantiles[fmt.Sprint("p", p)] = float64(k.quantile(p)) / 1e3
	}
	if j.histogram {
		for _, b := range buckets(k.Timed) {
			l.Histogram = append(l.Histogram, jsonBucket{float64(b.from) / 1e3, float64(b.to) / 1e3, b.count})
		}
	}
	return l
}
