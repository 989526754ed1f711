package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// maxLineBytes bounds a line; the longest, the head of a run, has a few thousand bytes.
const maxLineBytes = 1 << 20

// Times that a row may have, whether in seconds or microseconds: what lies outside is a mistake, and cannot be drawn.
const (
	leastTime = 1e-12
	mostTime  = 1e15
)

// Read returns the lines of a file of results. Empty lines are passed over, fields that are not known are, too.
// So is a last line that ends in its middle, as a full disk or a kill leaves it. An error names the line, the first being 1.
func Read(r io.Reader) ([]record.Line, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLineBytes)
	var lines []record.Line
	n := 0
	for scanner.Scan() {
		n++
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		line, err := decode(text)
		if isTorn(err) && !scanner.Scan() {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("results, line %d: %w", n, err)
		}
		lines = append(lines, line)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("results, line %d: %w", n+1, err)
	}
	return lines, nil
}

// isTorn tells whether a line may be the first part of a good one.
func isTorn(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax) && strings.Contains(err.Error(), "unexpected end")
}

// decode reads one line.
func decode(text []byte) (record.Line, error) {
	var line record.Line
	if err := json.Unmarshal(text, &line); err != nil {
		return record.Line{}, err
	}
	if (line.Run == nil) == (line.Row == nil) {
		return record.Line{}, errors.New(`neither "run" nor "row", or both: is this a file of results?`)
	}
	if line.Row != nil {
		return line, checkRow(line.Row)
	}
	return line, nil
}

// checkRow refuses what no run writes and tables would turn into nonsense.
func checkRow(r *record.Row) error {
	if r.Engine == "" || r.Name == "" {
		return errors.New("a row without engine or name")
	}
	for _, x := range []float64{r.Seconds, r.Mean, r.P50, r.P99, r.P999} {
		if x != 0 && x < leastTime || x > mostTime {
			return fmt.Errorf("%s of %s: %v is no time", r.Name, r.Engine, x)
		}
	}
	for _, x := range []float64{
		float64(r.Threads), r.Allocs, r.AllocBytes, r.CPUSeconds, r.SettleSeconds,
		float64(r.WrittenBytes), float64(r.PutBytes), float64(r.AnonBytes), float64(r.MappedBytes), float64(r.SettledBytes),
	} {
		if x < 0 {
			return fmt.Errorf("%s of %s: a negative measurement", r.Name, r.Engine)
		}
	}
	return nil
}
