package rocksdb

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

const keyBytes = 16

// waitForRest ends lists of benchmarks. It sleeps for five seconds and then as long as there is background work, so that the process
// can be looked at after the row.
const waitForRest = "waitforcompaction"

// command is one run of db_bench.
type command struct {
	store      string // directory
	exists     bool   // the store is there and goes on
	benchmarks []string
	threads    int
	quantiles  bool // timing every call takes some 70 ns of it

	// When the run is killed before its end, as waitForRest sleeps: after so many results, unless 0; once it is at rest.
	enough    int
	untilRest bool

	flags []string
}

// before returns how many results come before the measured one.
func (c command) before() int {
	if c.benchmarks[0] == warm {
		return 1
	}
	return 0
}

// arguments returns all arguments. Under the profile "default" none but what names the work is given.
func (d *Driver) arguments(c command) []string {
	d.runs++
	args := []string{
		"-benchmarks=" + strings.Join(c.benchmarks, ","),
		"-db=" + c.store,
		flag("use_existing_db", c.exists),
		flag("threads", max(c.threads, 1)),
		flag("key_size", keyBytes),
		flag("value_size", d.ValueBytes),
		"-compression_ratio=0.5", // of values
		flag("num", d.Entries),
		flag("reads", d.Entries), // of each readseq and readreverse; the others end by time
		flag("seed", (d.Seed+d.runs)%math.MaxInt32+1),
		flag("histogram", c.quantiles),
		"-progress_reports=false",
	}
	if d.Profile != engine.Default {
		args = append(args,
			flag("write_buffer_size", d.sizes().MemTableBytes()),
			flag("cache_size", d.sizes().CacheBytes()),
			flag("bloom_bits", engine.FilterBits),
			"-compression_type=none", "-disable_wal=false", "-sync=false")
	}
	return append(args, c.flags...) // the last of a name counts
}

func flag(name string, value any) string { return fmt.Sprintf("-%s=%v", name, value) }

// readTime returns how long a row that ends by time runs, as db_bench has it.
func (d *Driver) readTime() string {
	return flag("duration", max(1, int(math.Ceil(d.ReadTime.Seconds()))))
}

// share returns how many operations each thread does.
func share(total, threads int) int { return max(1, total/max(threads, 1)) }

// each returns benchmarks repeated.
func each(name string, times int) []string { return slices.Repeat([]string{name}, times) }

// noLimit is for what may take as long as its context.
const noLimit = time.Duration(math.MaxInt64)
