package rocksdb

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// result is what db_bench prints of one benchmark.
type result struct {
	name    string
	micros  float64 // of an operation: the time of all threads by their operations
	seconds float64 // on the wall
	ops     uint64
	found   uint64 // 0 with several threads, since it prints what one of them found

	timed                   bool // there is a histogram
	p50, p99, p999, slowest float64
}

// output gathers what db_bench prints, line by line; what it does not know it passes over.
type output struct {
	results     []result
	openMillis  float64 // -report_open_timing
	keysWritten uint64  // "stats": since the store was opened
}

var (
	resultLine      = regexp.MustCompile(`(\w+)\s+:\s+([\d.]+) micros/op \d+ ops/sec ([\d.]+) seconds (\d+) operations;`)
	foundPart       = regexp.MustCompile(`\((\d+) of (\d+) found\)`)
	percentilesLine = regexp.MustCompile(`^Percentiles: P50: ([\d.]+) .*P99: ([\d.]+) P99\.9: ([\d.]+)`)
	maxPart         = regexp.MustCompile(`^Min: .* Max: ([\d.]+)`)
	openLine        = regexp.MustCompile(`OpenDb:\s+([\d.]+) milliseconds`)
	writesLine      = regexp.MustCompile(`^Cumulative writes: \S+ writes, (\d+)([KMG]?) keys`)
)

// add takes a line, and tells whether it is the end of a benchmark.
func (o *output) add(line string) (ended bool) {
	if m := resultLine.FindStringSubmatch(line); m != nil {
		r := result{name: m[1], micros: number(m[2]), seconds: number(m[3]), ops: count(m[4])}
		if f := foundPart.FindStringSubmatch(line); f != nil && count(f[2]) == r.ops {
			r.found = count(f[1])
		}
		o.results = append(o.results, r)
		return true
	}
	o.addDetail(strings.TrimSpace(line))
	return false
}

func (o *output) addDetail(line string) {
	if m := openLine.FindStringSubmatch(line); m != nil {
		o.openMillis = number(m[1])
	}
	if m := writesLine.FindStringSubmatch(line); m != nil {
		o.keysWritten = count(m[1]) * unit[m[2]]
	}
	if len(o.results) == 0 {
		return
	}
	last := &o.results[len(o.results)-1]
	if m := percentilesLine.FindStringSubmatch(line); m != nil {
		last.timed, last.p50, last.p99, last.p999 = true, number(m[1]), number(m[2]), number(m[3])
	}
	if m := maxPart.FindStringSubmatch(line); m != nil {
		last.slowest = number(m[1])
	}
}

// unit is what the letter behind a number stands for: db_bench leaves out the last three digits, or six.
var unit = map[string]uint64{"": 1, "K": 1e3, "M": 1e6, "G": 1e9}

// number and count return 0 for what is none, which the expressions do not let through but for what is too large.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

func count(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// measured returns the results of a benchmark that ran in a row at the end, the warming pass before them left out.
func (o *output) measured(name string, times int) []result {
	var all []result
	for _, r := range o.results {
		if r.name == name {
			all = append(all, r)
		}
	}
	if len(all) < times {
		return nil
	}
	return all[len(all)-times:]
}

// splitLines is a bufio.SplitFunc that ends a line at a carriage return, too: db_bench tells of slow operations by such.
func splitLines(data []byte, atEnd bool) (advance int, line []byte, err error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEnd && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
