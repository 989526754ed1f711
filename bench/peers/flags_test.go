package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/record"
)

func TestFlags_DefaultsAreAMillionKeysOfTheEqualProfileThreeTimes(t *testing.T) {
	c, err := parseFlags(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.profile != engine.Equal || c.entries != 1_000_000 || c.valueBytes != 100 || c.reps != 3 || !slices.Equal(c.threads, []int{1, 2, 8}) {
		t.Errorf("%+v", c)
	}
}

func TestFlags_QuickIsAChoiceThatOtherFlagsChange(t *testing.T) {
	c, err := parseFlags([]string{"-quick", "-n", "5000", "-memory-limit", "64MiB"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.engines, []string{"tinykv", "pebble", "lmdb"}) || len(c.rows) != 6 {
		t.Errorf("engines %v, rows %v", c.engines, c.rows)
	}
	if c.entries != 5000 || c.memoryLimit != 64<<20 || c.readTime != 500*time.Millisecond {
		t.Errorf("%+v", c)
	}
}

func TestFlags_RefuseWhatCannotBeMeasured(t *testing.T) {
	bad := map[string]string{
		"-profile fast":      "neither equal nor default",
		"-n 10":              "-n: 10",
		"-value 3":           "-value: 3",
		"-reps 0":            "-reps: 0",
		"-threads 0":         "no number from 1",
		"-threads ,":         "at least one",
		"-memory-limit 1MiB": "at least 32MiB",
		"-memory-limit much": "at least 32MiB",
		"-write-limit -1s":   "above 0",
		"-read-time 0s":      "above 0",
		"results.jsonl":      "commands are report and compare",
		"-n many":            "invalid value",
	}
	for args, want := range bad {
		if _, err := parseFlags(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestChoose_NamesTheEngineThatIsNotThere(t *testing.T) {
	c := &config{engines: []string{"tinykv", "oracle"}, enginesGiven: true}
	if _, _, err := c.choose(io.Discard); err == nil || !strings.Contains(err.Error(), `no "oracle"`) {
		t.Errorf("%v", err)
	}
}

// An engine that is one of all, or of -quick, and is not there is left out.
func TestChoose_GoesOnWithoutAnEngineThatNobodyAskedFor(t *testing.T) {
	var told strings.Builder
	c := &config{engines: []string{"tinykv", "oracle", "tinykv"}}
	chosen, _, err := c.choose(&told)
	if err != nil || len(chosen) != 1 || !strings.Contains(told.String(), "without oracle") {
		t.Errorf("%d engines, %v, told %q", len(chosen), err, told.String())
	}
}

// A run that fails leaves the results of a former one, and two runs do not mix.
func TestResults_TakeThePlaceOfFormerOnesAtTheEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), resultsFile)
	if err := os.WriteFile(name, []byte("former\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := newLog(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newLog(name); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("a second run: %v", err)
	}
	if err := r.add(record.Line{Row: &record.Row{Engine: "tinykv"}}); err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, name)); got != "former\n" {
		t.Errorf("before the end the file holds %q", got)
	}
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, name)); !strings.Contains(got, "tinykv") {
		t.Errorf("at the end the file holds %q", got)
	}
}

func TestEngines_HaveAllThatAReportTells(t *testing.T) {
	for _, e := range engines() {
		for _, profile := range []engine.Profile{engine.Equal, engine.Default} {
			c := engine.Config{Profile: profile}
			if e.Name == "" || e.Settings(c) == "" || e.Durability(c) == "" || version(e) == "" {
				t.Errorf("%s under %s: settings %q, durability %q, version %q", e.Name, profile, e.Settings(c), e.Durability(c), version(e))
			}
		}
	}
}
