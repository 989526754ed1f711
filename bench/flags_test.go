package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

func TestRun_BadCommandLineExitsWithUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string // in the message
	}{
		{[]string{"-nmu=3"}, []string{`unknown flag "nmu"`, "did you mean num?", "valid are", "use_existing_db"}},
		{[]string{"--xyzzy"}, []string{`unknown flag "xyzzy"; valid are`}},
		{[]string{"-benchmarks=fillsqe"}, []string{`unknown benchmark "fillsqe"`, "did you mean fillseq?", "waitforcompaction"}},
		{[]string{"-benchmarks="}, []string{`unknown benchmark ""`}},
		{[]string{"-num=-1"}, []string{"-num is -1, want 1 or more"}},
		{[]string{"-num=0"}, []string{"-num is 0"}},
		{[]string{"-num=many"}, []string{`"many"`, "-num"}},
		{[]string{"-num"}, []string{"-num"}},
		{[]string{"-reads=0"}, []string{"-reads is 0"}},
		{[]string{"-threads=0"}, []string{"-threads is 0, want 1 to 1024"}},
		{[]string{"-key_size=0"}, []string{"-key_size is 0"}},
		{[]string{"-key_size=65535"}, []string{"-key_size is 65535"}},
		{[]string{"-key_size=1", "-num=257"}, []string{"-num is 257", "keys of 1 bytes"}},
		{[]string{"-value_size=-1"}, []string{"-value_size is -1"}},
		{[]string{"-compression_ratio=0"}, []string{"-compression_ratio is 0"}},
		{[]string{"-compression=lz4"}, []string{"-compression is lz4, want default, none, s2, zstd"}},
		{[]string{"-cache_size=1000"}, []string{"-cache_size is 1000, want 64 KiB to 1 TiB"}},
		{[]string{"-compression_ratio=NaN"}, []string{"-compression_ratio is NaN"}},
		{[]string{"-batch_size=0"}, []string{"-batch_size is 0"}},
		{[]string{"-duration=-1s"}, []string{"-duration is -1s"}},
		{[]string{"-duration=soon"}, []string{`"soon"`, "-duration"}},
		{[]string{"-readwritepercent=101"}, []string{"-readwritepercent is 101, want 0 to 100"}},
		{[]string{"-benchmark_write_rate_limit=-1"}, []string{"-benchmark_write_rate_limit is -1"}},
		{[]string{"-distribution=normal"}, []string{"-distribution is normal, want uniform, zipf, latest"}},
		{[]string{"-zipf_s=0"}, []string{"-zipf_s is 0"}},
		{[]string{"-seek_nexts=-1"}, []string{"-seek_nexts is -1"}},
		{[]string{"-stats_interval=-1s"}, []string{"-stats_interval is -1s"}},
		{[]string{"-bloom_bits=65"}, []string{"-bloom_bits is 65"}},
		{[]string{"-write_buffer_size=0"}, []string{"-write_buffer_size is 0"}},
		{[]string{"-write_buffer_size=1000"}, []string{"-write_buffer_size is 1000, want 64 KiB to 1 GiB"}},
		{[]string{"-target_file_size_base=1000"}, []string{"-target_file_size_base is 1000"}},
		{[]string{"-block_size=1"}, []string{"-block_size is 1"}},
		{[]string{"-use_existing_db"}, []string{"-db too"}},
		{[]string{"fillseq"}, []string{`unexpected argument "fillseq"`}},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), c.args, &stdout, &stderr); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", c.args, code, exitUsage)
		}
		if stdout.Len() > 0 {
			t.Errorf("%v: printed to stdout: %s", c.args, &stdout)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%v: %q does not contain %q", c.args, &stderr, want)
			}
		}
	}
}

func TestRun_HelpNamesAllFlagsAndBenchmarks(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-help"}, &stdout, &stderr); code != exitDone || stderr.Len() > 0 {
		t.Fatalf("exit code %d, stderr %q", code, &stderr)
	}
	for _, want := range []string{"-benchmarks", "-compression_ratio", "fillseq", "waitforcompaction"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %s in:\n%s", want, &stdout)
		}
	}
}

func TestParseFlags_FillsInWhatIsNotGiven(t *testing.T) {
	c, err := parseFlags(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.reads != c.num || c.tableSize != c.memTableSize/2 || !c.machine || c.seed == 0 {
		t.Errorf("defaults: %+v", c)
	}
	c, err = parseFlags([]string{"--benchmarks", "fillseq, stats", "-seed=0", "-num=7", "-sync", "-bloom_bits=0"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.benchmarks) != 2 || c.benchmarks[1].name != "stats" || c.reads != 7 || c.machine || c.seed == 0 {
		t.Errorf("given: %+v", c)
	}
	if o := c.options(); o.Durability != tinykv.DurabilitySync || o.BloomBitsPerKey != -1 {
		t.Errorf("options: %+v", o)
	}
	if c, err = parseFlags([]string{"-benchmarks=stats", "-machine"}); err != nil || !c.machine {
		t.Errorf("machine asked for: %+v, %v", c, err)
	}
}

func TestPickBenchmarks_GroupsStandForTheirMembers(t *testing.T) {
	for list, want := range map[string]string{
		"fillseq, ycsb ,stats": "fillseq ycsba ycsbb ycsbc ycsbf ycsbd ycsbe stats",
		"compress,uncompress":  "s2comp zstdcomp s2uncomp zstduncomp",
		"checksum":             "xxhash crc32c",
	} {
		picked, err := pickBenchmarks(list)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range picked {
			names = append(names, b.name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", list, got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "600": 10 * time.Minute, "600s": 10 * time.Minute, "1m30s": 90 * time.Second,
	} {
		c, err := parseFlags([]string{"-duration=" + text})
		if err != nil || c.duration != want {
			t.Errorf("%s: %v, %v, want %v", text, c.duration, err, want)
		}
	}
}

// Time ends what draws keys at random; what goes over keys in order ends with these.
func TestBenchmark_DurationEndsRandomOnes(t *testing.T) {
	c, err := parseFlags([]string{"-duration=7"})
	if err != nil {
		t.Fatal(err)
	}
	limits := map[string]time.Duration{}
	for _, b := range allBenchmarks() {
		limits[b.name] = b.limit(c)
	}
	for _, name := range []string{"fillrandom", "overwrite", "readrandom", "seekrandom", "readwhilewriting", "ycsba"} {
		if limits[name] != 7*time.Second {
			t.Errorf("%s: %v", name, limits[name])
		}
	}
	for _, name := range []string{"fillseq", "fillbatch", "readseq", "readreverse", "deleteseq", "compact"} {
		if limits[name] != 0 {
			t.Errorf("%s: %v", name, limits[name])
		}
	}
}

// The engine does not export its defaults, but documents them.
func TestDefaults_AreThoseOfTheEngine(t *testing.T) {
	source, err := os.ReadFile("../options.go")
	if err != nil {
		t.Fatal(err)
	}
	for option, want := range map[string]string{
		"MemTableSize":    "a twelfth of\n\t// MemoryBudget, or a thirtieth where that is below 1 MiB",
		"TableSize":       "half of MemTableSize",
		"BlockSize":       "4 KiB",
		"BloomBitsPerKey": "10",
	} {
		comment := regexp.MustCompile(`// ` + option + ` is (?:[^\n]*\n\s*//)*?[^\n]*Default: ([^;]*);`).FindSubmatch(source)
		if comment == nil || string(comment[1]) != want {
			t.Errorf("%s: options.go has the default %q, the flag %q", option, comment, want)
		}
	}
	if defaultMemTableSize != 16<<20 || defaultBlockSize != 4<<10 || defaultBloomBits != 10 {
		t.Error("the constants differ from the list above")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"num", "reads", "readrandom", "fillseq"}
	for name, want := range map[string]string{
		"nmu": "num", "readrandm": "readrandom", "fill_seq": "fillseq", "x": "", "": "", "verify": "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("nearest to %q: %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"num", "num", 0}, {"nmu", "num", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
