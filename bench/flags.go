package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
)

// Limits of what can be asked for.
const (
	maxThreads   = 1024
	maxKeySize   = 1<<16 - 2 // the engine's limit, and room for the byte that readmissing appends
	maxValueSize = 64 << 20
	maxBatchSize = 1 << 20
)

// Defaults of tinykv.Options. They are repeated here to be shown; a test compares.
const (
	defaultMemTableSize = 16 << 20
	defaultBlockSize    = 4 << 10
	defaultBloomBits    = 10
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
	reuseIterator    bool

	// Store.
	db            string
	useExistingDB bool
	sync          bool
	memTableSize  int64
	tableSize     int64
	blockSize     int64
	bloomBits     int

	// Output.
	histogram     bool
	machine       bool
	progress      bool
	statsInterval time.Duration
}

// usageError is a command line that makes no sense.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
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
	if c.tableSize == 0 {
		c.tableSize = c.memTableSize / 2
	}
	if c.seed == 0 {
		c.seed = uint64(time.Now().UnixNano())
	}
	return c, c.validate()
}

// newFlags returns the flags, which set the fields of c, and the list of benchmarks.
func newFlags(c *config) (fs *flag.FlagSet, names *string) {
	fs = flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)

	names = fs.String("benchmarks", defaultBenchmarks, "what to run, in this order, separated by commas")
	fs.Int64Var(&c.num, "num", 1_000_000, "`operations` of each thread, and number of different keys")
	fs.Int64Var(&c.reads, "reads", -1, "`operations` of each thread of a benchmark that reads; -1: as -num")
	fs.IntVar(&c.threads, "threads", 1, "`number` of threads, each of which does all operations")
	fs.IntVar(&c.keySize, "key_size", 16, "`bytes` of a key")
	fs.IntVar(&c.valueSize, "value_size", 100, "`bytes` of a value")
	fs.Float64Var(&c.compressionRatio, "compression_ratio", 0.5, "values are made to shrink to this `part` of their size")
	fs.IntVar(&c.batchSize, "batch_size", 1, "`operations` in a batch; fillbatch makes 1000 of 1")
	fs.Uint64Var(&c.seed, "seed", 1, "`number` that random keys and values come from; 0: another one each time")
	fs.BoolVar(&c.reuseIterator, "reuse_iterator", false, "seekrandom seeks with a single iterator; default: a new one for each seek, as db_bench does")

	fs.StringVar(&c.db, "db", "", "`directory` of the store, which is kept; default: a temporary one")
	fs.BoolVar(&c.useExistingDB, "use_existing_db", false, "use the store in -db as it is; benchmarks that begin with an empty one are skipped")
	fs.BoolVar(&c.sync, "sync", false, "every write waits for stable storage")
	fs.Int64Var(&c.memTableSize, "write_buffer_size", defaultMemTableSize, "`bytes` of a memtable (Options.MemTableSize)")
	fs.Int64Var(&c.tableSize, "target_file_size_base", 0, "`bytes` of a table (Options.TableSize); 0: half of -write_buffer_size")
	fs.Int64Var(&c.blockSize, "block_size", defaultBlockSize, "`bytes` of a block (Options.BlockSize)")
	fs.IntVar(&c.bloomBits, "bloom_bits", defaultBloomBits, "`bits` of filter for a key (Options.BloomBitsPerKey); 0: no filters")

	fs.BoolVar(&c.histogram, "histogram", false, "print a histogram of latencies")
	fs.BoolVar(&c.machine, "machine", true, "measure the machine first; default: only if -benchmarks is not given")
	fs.BoolVar(&c.progress, "progress", true, "show on stderr how far a benchmark is")
	fs.DurationVar(&c.statsInterval, "stats_interval", 10*time.Second, "`time` between lines of progress where stderr is no terminal")
	return fs, names
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

// pickBenchmarks returns the benchmarks of a list of names.
func pickBenchmarks(list string) ([]benchmark, error) {
	all := allBenchmarks()
	var picked []benchmark
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(b benchmark) bool { return b.name == name })
		if i < 0 {
			var names []string
			for _, b := range all {
				names = append(names, b.name)
			}
			return nil, unknownError("benchmark", name, names)
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

func (c *config) validate() error {
	check := func(ok bool, name string, value any, want string) error {
		if ok {
			return nil
		}
		return usagef("-%s is %v, want %s", name, value, want)
	}
	isRatio := c.compressionRatio > 0 && c.compressionRatio <= 1
	return firstOf(
		check(c.num >= 1, "num", c.num, "1 or more"),
		check(c.reads >= 1, "reads", c.reads, "1 or more, or -1 for as many as -num"),
		check(c.threads >= 1 && c.threads <= maxThreads, "threads", c.threads, fmt.Sprint("1 to ", maxThreads)),
		check(c.keySize >= 1 && c.keySize <= maxKeySize, "key_size", c.keySize, fmt.Sprint("1 to ", maxKeySize)),
		check(uint64(c.num-1) <= maxNumber(c.keySize), "num", c.num,
			fmt.Sprintf("no more than there are keys of %d bytes", c.keySize)),
		check(c.valueSize >= 0 && c.valueSize <= maxValueSize, "value_size", c.valueSize, fmt.Sprint("0 to ", maxValueSize)),
		check(isRatio, "compression_ratio", c.compressionRatio, "above 0, up to 1"),
		check(c.batchSize >= 1 && c.batchSize <= maxBatchSize, "batch_size", c.batchSize, fmt.Sprint("1 to ", maxBatchSize)),
		check(c.statsInterval > 0, "stats_interval", c.statsInterval, "a time above 0"),
		check(c.memTableSize >= 1, "write_buffer_size", c.memTableSize, "1 or more"),
		check(c.tableSize >= 1, "target_file_size_base", c.tableSize, "1 or more, or 0 for half of -write_buffer_size"),
		check(c.blockSize >= 1, "block_size", c.blockSize, "1 or more"),
		check(c.bloomBits >= -1, "bloom_bits", c.bloomBits, "0 or more"),
		check(!c.useExistingDB || c.db != "", "use_existing_db", c.useExistingDB, "-db too, to know which"),
	)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// maxNumber returns the greatest number that a key of so many bytes can hold.
func maxNumber(keySize int) uint64 {
	if keySize >= numberLen {
		return math.MaxUint64
	}
	return 1<<(8*keySize) - 1
}

// options returns the options of the store.
func (c *config) options() *tinykv.Options {
	o := &tinykv.Options{
		MemTableSize:    c.memTableSize,
		TableSize:       c.tableSize,
		BlockSize:       c.blockSize,
		BloomBitsPerKey: c.bloomBits,
		ErrorIfMissing:  c.useExistingDB,
	}
	if c.bloomBits == 0 {
		o.BloomBitsPerKey = -1 // where 0 is the default
	}
	if c.sync {
		o.Durability = tinykv.DurabilitySync
	}
	return o
}

// inFlags puts the names of flags for those of options in a message of the engine.
func inFlags(message string) string {
	return strings.NewReplacer(
		"MemTableSize", "-write_buffer_size",
		"TableSize", "-target_file_size_base",
		"BlockSize", "-block_size",
		"BloomBitsPerKey", "-bloom_bits",
	).Replace(message)
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "usage: bench [-name=value ...]\n\nflags:\n")
	fs, _ := newFlags(&config{})
	fs.SetOutput(w)
	fs.PrintDefaults()
	fmt.Fprint(w, "\nbenchmarks:\n")
	for _, b := range allBenchmarks() {
		fmt.Fprintf(w, "  %-18s %s\n", b.name, b.about)
	}
}
