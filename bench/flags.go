package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// config is the command line.
type config struct {
	benchmarks []benchmark

	// Work.
	num, reads       int64
	threads          int
	keySize          int
	valueSize        int
	compressionRatio float64
	batchSize        int
	seed             uint64
	duration         time.Duration // 0: the operations decide
	readWritePercent int
	writeRate        int64

	// Keys and iterators.
	distribution    string
	zipfExponent    float64
	reuseIterator   bool
	reverseIterator bool
	seekNexts       int

	// Store.
	db            string
	useExistingDB bool
	sync          bool
	memoryBudget  int64
	memTableSize  int64
	tableSize     int64
	blockSize     int64
	bloomBits     int
	compression   string
	cacheSize     int64

	// Output.
	json          bool
	histogram     bool
	machine       bool
	progress      bool
	statsInterval time.Duration
	cpuProfile    string
	memProfile    string

	settings map[string]string // all flags, as they are
}

// parseFlags returns the configuration that a command line asks for. Its errors are flag.ErrHelp and
// *usageError.
func parseFlags(args []string) (*config, error) {
	c := &config{}
	fs, names := newFlags(c)
	if err := fs.Parse(args); err != nil {
		return nil, explain(fs, err)
	}
	if fs.NArg() > 0 {
		return nil, usagef("unexpected argument %q; flags are given as -name=value", fs.Arg(0))
	}
	var err error
	if c.benchmarks, err = pickBenchmarks(*names); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if given["benchmarks"] && !given["machine"] {
		c.machine = false
	}
	if c.reads == -1 {
		c.reads = c.num
	}
	if c.memoryBudget > 0 { // what it leaves open is divided by the engine
		if !given["write_buffer_size"] {
			c.memTableSize = 0
		}
		if !given["cache_size"] {
			c.cacheSize = engineDecides
		}
	}
	if c.tableSize == 0 {
		c.tableSize = c.memTableSize / 2
	}
	if c.seed == 0 {
		c.seed = uint64(time.Now().UnixNano())
	}
	c.settings = map[string]string{}
	fs.VisitAll(func(f *flag.Flag) { c.settings[f.Name] = f.Value.String() })
	return c, c.validate()
}

// newFlags returns the flags, which set the fields of c, and the list of benchmarks.
func newFlags(c *config) (fs *flag.FlagSet, names *string) {
	fs = flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	names = fs.String("benchmarks", defaultBenchmarks, "what to run, in this order, separated by commas")
	addWorkFlags(fs, c)
	addStoreFlags(fs, c)
	addOutputFlags(fs, c)
	return fs, names
}

func addWorkFlags(fs *flag.FlagSet, c *config) {
	fs.Int64Var(&c.num, "num", 1_000_000, "`operations` of each thread, and number of different keys")
	fs.Int64Var(&c.reads, "reads", -1, "`operations` of each thread of a benchmark that reads; -1: as -num")
	fs.Var((*seconds)(&c.duration), "duration", "`time` that benchmarks of random keys go on, whatever -num and -reads say, "+
		"in seconds or as 10m; 0: these decide")
	fs.IntVar(&c.threads, "threads", 1, "`number` of threads, each of which does all operations")
	fs.IntVar(&c.keySize, "key_size", 16, "`bytes` of a key")
	fs.IntVar(&c.valueSize, "value_size", 100, "`bytes` of a value")
	fs.Float64Var(&c.compressionRatio, "compression_ratio", 0.5, "values are made to shrink to this `part` of their size")
	fs.IntVar(&c.batchSize, "batch_size", 1, "`operations` in a batch; fillbatch makes 1000 of 1, multireadrandom 32")
	fs.IntVar(&c.readWritePercent, "readwritepercent", 90, "`percent` of readrandomwriterandom that reads")
	fs.Int64Var(&c.writeRate, "benchmark_write_rate_limit", 0, "`bytes` a second that a thread beside others writes; 0: any")
	fs.Uint64Var(&c.seed, "seed", 1, "`number` that random keys and values come from; 0: another one each time")
	fs.StringVar(&c.distribution, "distribution", distUniform, "`how` random keys of the store that is there are drawn: "+
		strings.Join(distributions(), ", "))
	fs.Float64Var(&c.zipfExponent, "zipf_s", 0.99, "`exponent` of zipf and latest, also those of readzipf and YCSB")
	fs.BoolVar(&c.reuseIterator, "reuse_iterator", false, "seekrandom seeks with a single iterator; "+
		"default: a new one for each seek, as db_bench does")
	fs.IntVar(&c.seekNexts, "seek_nexts", 0, "`moves` after each seek of seekrandom")
	fs.BoolVar(&c.reverseIterator, "reverse_iterator", false, "these moves are Prev; default: Next")
}

func addStoreFlags(fs *flag.FlagSet, c *config) {
	fs.StringVar(&c.db, "db", "", "`directory` of the store, which is kept; default: a temporary one")
	fs.BoolVar(&c.useExistingDB, "use_existing_db", false, "use the store in -db as it is; "+
		"benchmarks that begin with an empty one are skipped")
	fs.BoolVar(&c.sync, "sync", false, "every write waits for stable storage")
	fs.Int64Var(&c.memTableSize, "write_buffer_size", defaultMemTableSize, "`bytes` of a memtable (Options.MemTableSize)")
	fs.Int64Var(&c.tableSize, "target_file_size_base", 0, "`bytes` of a table (Options.TableSize); 0: half of -write_buffer_size")
	fs.Int64Var(&c.blockSize, "block_size", defaultBlockSize, "`bytes` of a block (Options.BlockSize)")
	fs.IntVar(&c.bloomBits, "bloom_bits", defaultBloomBits, "`bits` of filter for a key (Options.BloomBitsPerKey); 0: no filters")
	fs.Int64Var(&c.memoryBudget, "memory_budget", 0, "`bytes` of memory for all (Options.MemoryBudget), which the engine divides "+
		"where -write_buffer_size and -cache_size are not given; what the process has of its own is watched then")
	addCompressionFlags(fs, c)
}

func addOutputFlags(fs *flag.FlagSet, c *config) {
	fs.BoolVar(&c.json, "json", false, "print a JSON object in each line: one for the header, one for each benchmark")
	fs.BoolVar(&c.histogram, "histogram", false, "print a histogram of latencies")
	fs.BoolVar(&c.machine, "machine", true, "measure the machine first; default: only if -benchmarks is not given")
	fs.BoolVar(&c.progress, "progress", true, "show on stderr how far a benchmark is")
	fs.DurationVar(&c.statsInterval, "stats_interval", 10*time.Second, "`time` between lines of progress where stderr is no terminal")
	fs.StringVar(&c.cpuProfile, "cpuprofile", "", "`file` for a profile of the processor's time in all benchmarks")
	fs.StringVar(&c.memProfile, "memprofile", "", "`file` for a profile of memory, as it is at the end")
}

// explain turns an error of package flag into one that says what would be right.
func explain(fs *flag.FlagSet, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return flag.ErrHelp
	}
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return usagef("%v", err)
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return unknownError("flag", name, names)
}

// groups are names that stand for several benchmarks.
func groups() map[string]string {
	return map[string]string{
		"compress":   "s2comp,zstdcomp",
		"uncompress": "s2uncomp,zstduncomp",
		"checksum":   "xxhash,crc32c",
		"ycsb":       "ycsba,ycsbb,ycsbc,ycsbf,ycsbd,ycsbe", // those that insert come last
	}
}

// pickBenchmarks returns the benchmarks of a list of names.
func pickBenchmarks(list string) ([]benchmark, error) {
	all := allBenchmarks()
	var picked []benchmark
	for name := range strings.SplitSeq(expand(list), ",") {
		i := slices.IndexFunc(all, func(b benchmark) bool { return b.name == name })
		if i < 0 {
			return nil, unknownError("benchmark", name, namesOf(all))
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

// expand puts the members of groups for their names, and takes out spaces.
func expand(list string) string {
	names := strings.Split(list, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if members, ok := groups()[names[i]]; ok {
			names[i] = members
		}
	}
	return strings.Join(names, ",")
}

func namesOf(all []benchmark) []string {
	var names []string
	for _, b := range all {
		names = append(names, b.name)
	}
	return append(names, slices.Sorted(maps.Keys(groups()))...)
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "usage: bench [-name=value ...]\n\nflags:\n")
	fs, _ := newFlags(&config{})
	fs.SetOutput(w)
	fs.PrintDefaults()
	fmt.Fprint(w, "\nbenchmarks:\n")
	for _, b := range allBenchmarks() {
		fmt.Fprintf(w, "  %-22s %s\n", b.name, b.about)
	}
	for _, name := range slices.Sorted(maps.Keys(groups())) {
		fmt.Fprintf(w, "  %-22s %s\n", name, "stands for "+groups()[name])
	}
}
