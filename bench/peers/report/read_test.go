package report

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/bench/peers/record"
)

func encode(t testing.TB, lines []record.Line) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, line := range lines {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.Bytes()
}

func TestRead_ReturnsWhatWasWritten(t *testing.T) {
	want := sampleLines("equal", 1)
	got, err := Read(bytes.NewReader(encode(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("lines differ after having been written and read")
	}
}

func TestRead_NamesTheLineItCannotUse(t *testing.T) {
	good := `{"row":{"engine":"tinykv","row":"readseq","threads":1,"state":"settled"}}` + "\n\n"
	for about, bad := range map[string]string{
		"not JSON":               `benchmark started`,
		"neither run nor row":    `{"raw":{}}`,
		"run and row":            `{"run":{},"row":{"engine":"tinykv","row":"readseq"}}`,
		"a row of no engine":     `{"row":{"row":"readseq"}}`,
		"a negative measurement": `{"row":{"engine":"tinykv","row":"readseq","seconds":-1}}`,
		"a number of operations that no counter holds": `{"row":{"engine":"tinykv","row":"readseq","ops":1e300}}`,
		"a line that is too long":                      strings.Repeat("x", maxLineBytes+1),
	} {
		_, err := Read(strings.NewReader(good + bad))
		if err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%s: %v, want an error that names line 3", about, err)
		}
	}
}

// Whatever Read takes can be written and read again, and a report of it fails with an error at most.
func FuzzRead(f *testing.F) {
	f.Add(encode(f, sampleLines("equal", 1)[:9]))
	f.Add([]byte(`{"run":{"profile":"equal"}}` + "\n" + `{"row":{"engine":"tinykv","row":"kill","ops":1,"seconds":1e-300}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := Read(bytes.NewReader(encode(t, lines)))
		if err != nil || len(again) != len(lines) {
			t.Fatalf("%d lines, then %d, %v", len(lines), len(again), err)
		}
		r, err := newResults(lines)
		for g := range groups() {
			if err != nil {
				break
			}
			for _, c := range []*chart{r.throughputChart(g), r.latencyChart(g)} {
				least, most := c.limits()
				if len(c.rows) > 0 && (least <= 0 || least >= most || math.IsInf(most/least, 0)) {
					t.Errorf("axis from %v to %v", least, most)
				}
			}
		}
		var report, comparison bytes.Buffer
		if err := Markdown(&report, lines); err != nil && report.Len() > 0 {
			t.Error("an error, and yet a report")
		}
		if err := Compare(&comparison, lines, lines); err != nil && comparison.Len() > 0 {
			t.Error("an error, and yet a comparison")
		}
	})
}

// What a full disk or a kill leaves can still be reported.
func TestRead_LeavesOutALastLineThatIsTorn(t *testing.T) {
	const whole = `{"row":{"engine":"tinykv","row":"fillseq","threads":1,"state":"empty","ops":1,"seconds":1}}`
	lines, err := Read(strings.NewReader(whole + "\n" + whole[:40]))
	if err != nil || len(lines) != 1 {
		t.Errorf("%d lines, %v, want the first", len(lines), err)
	}
	if _, err := Read(strings.NewReader(whole[:40] + "\n" + whole)); err == nil {
		t.Error("a torn line before others was passed over")
	}
}
