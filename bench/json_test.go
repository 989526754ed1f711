package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// jsonLines runs the program and returns each line as an object.
func jsonLines(t *testing.T, args ...string) []map[string]any {
	t.Helper()
	stdout, _ := bench(t, exitDone, append([]string{"-json"}, args...)...)
	var lines []map[string]any
	for line := range strings.Lines(stdout) {
		object := map[string]any{}
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, object)
	}
	return lines
}

func TestRun_JSONIsAnObjectPerLine(t *testing.T) {
	lines := jsonLines(t, "-num=500", "-histogram", "-benchmarks=fillseq,readrandom,readwhilewriting,ycsba,stats,levelstats")
	if len(lines) != 7 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	if flags := lines[0]["flags"].(map[string]any); flags["num"] != "500" || flags["value_size"] != "100" {
		t.Errorf("flags: %v", flags)
	}
	for i, want := range []struct {
		name      string
		latencies []string
	}{
		{"fillseq", []string{"op"}},
		{"readrandom", []string{"op"}},
		{"readwhilewriting", []string{"read", "write"}},
		{"ycsba", []string{"read", "write"}},
	} {
		line := lines[i+1]
		if line["benchmark"] != want.name || line["operations"] != 500.0 || line["threads"] != 1.0 {
			t.Errorf("%v", line)
		}
		latencies := line["latencies"].([]any)
		if len(latencies) != len(want.latencies) {
			t.Fatalf("%v", line)
		}
		for i, call := range want.latencies {
			l := latencies[i].(map[string]any)
			if l["call"] != call || len(l["quantiles_us"].(map[string]any)) != 4 || len(l["histogram"].([]any)) == 0 {
				t.Errorf("%s: %v", want.name, l)
			}
		}
	}
	if lines[3]["beside"].(map[string]any)["operations"] == 0.0 {
		t.Errorf("%v", lines[3])
	}
	if metrics := lines[5]["info"].(map[string]any)["metrics"].(map[string]any); metrics["last_seq"].(float64) < 500 {
		t.Errorf("%v", metrics)
	}
	if levels := lines[6]["info"].(map[string]any)["levels"].([]any); len(levels) < 2 {
		t.Errorf("%v", levels)
	}
}

func TestRun_JSONTellsWhatWasSkipped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	bench(t, exitDone, "-db="+dir, "-num=100", "-benchmarks=fillseq")
	lines := jsonLines(t, "-db="+dir, "-num=100", "-use_existing_db", "-benchmarks=fillseq,readseq")
	if len(lines) != 3 || lines[1]["skipped"] != "-use_existing_db" || lines[2]["operations"] != 100.0 {
		t.Errorf("%v", lines)
	}
}

func TestRun_WritesProfiles(t *testing.T) {
	dir := t.TempDir()
	cpu, mem := filepath.Join(dir, "cpu"), filepath.Join(dir, "mem")
	bench(t, exitDone, "-num=1000", "-benchmarks=fillseq", "-cpuprofile="+cpu, "-memprofile="+mem)
	for _, name := range []string{cpu, mem} {
		if file, err := os.Stat(name); err != nil || file.Size() == 0 {
			t.Errorf("%v, %v", file, err)
		}
	}
	bench(t, exitFailed, "-num=1000", "-benchmarks=fillseq", "-cpuprofile="+filepath.Join(dir, "no", "where"))
}
