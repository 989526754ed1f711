package rocksdb

import (
	"fmt"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// Names of rows that are no loop.
const (
	rowOpen       = "open"
	rowOpenKilled = "openkilled"
	rowKill       = "kill"
)

const (
	batchEntries = 1000 // of fillbatch
	multiGetKeys = 32
	scanPasses   = 4 // of readseq and readreverse, which db_bench ends after one pass, whatever the time
)

// fillCommand returns the run that fills a new store as a row wants.
func (d *Driver) fillCommand(s Spec, store string) (command, error) {
	c := command{store: store, threads: s.Threads, quantiles: true, untilRest: true}
	name, writes := randomFill(s.Threads), d.Entries
	switch s.Name {
	case "fillseq":
		name = "fillseq" // each thread writes the same keys, from the first on
	case "fillrandom":
	case "fillbatch":
		c.quantiles = false // of a batch, they would say nothing of an entry
		c.flags = append(c.flags, flag("batch_size", batchEntries))
	case "fillsync": // db_bench's own of that name also draws from a thousandth of the keys
		name, writes = "fillrandom", d.Entries/200
		c.flags = append(c.flags, "-sync=true")
	default:
		return c, noCounterpart(s)
	}
	c.benchmarks = []string{name, waitForRest}
	if name != uniqueFill { // which knows by itself, and takes no less than all keys
		c.flags = append(c.flags, flag("writes", share(writes, s.Threads)))
	}
	return c, nil
}

const uniqueFill = "filluniquerandom"

// randomFill is the benchmark that writes keys in random order: each once, or, as that has one thread only, drawn with repetition,
// so that some 63 % of the keys are there afterwards.
func randomFill(threads int) string {
	if threads > 1 {
		return "fillrandom"
	}
	return uniqueFill
}

// rowCommand returns the run that measures a row on the shared store, after one pass over all of it.
func (d *Driver) rowCommand(s Spec, store string) (command, error) {
	c := command{store: store, exists: true, threads: s.Threads, quantiles: true}
	measured, err := d.benchmark(s, &c)
	if err != nil {
		return c, err
	}
	c.benchmarks = append([]string{warm}, measured...)
	if onlyReads(s) {
		c.enough = len(c.benchmarks)
	}
	c.benchmarks = append(c.benchmarks, waitForRest)
	return c, nil
}

// warm reads everything once.
const warm = "readseq"

// benchmark returns what measures a row, and sets the flags.
func (d *Driver) benchmark(s Spec, c *command) ([]string, error) {
	with := func(flags ...string) { c.flags = append(c.flags, flags...) }
	switch s.Name {
	case "readseq", "readreverse":
		c.quantiles = false // the clock would take a fifth of the time
		return each(s.Name, scanPasses), nil
	case "readrandom", "readmissing", "seekrandom":
		with(d.readTime())
		return []string{s.Name}, nil
	case "readhot": // db_bench has none: the keys are those of a smaller number
		with(d.readTime(), flag("num", (d.Entries+99)/100))
		return []string{"readrandom"}, nil
	case "multiget":
		c.quantiles = false // a call is many operations
		with(d.readTime(), flag("batch_size", multiGetKeys), "-multiread_batched=true")
		return []string{"multireadrandom"}, nil
	case "readwhilewriting":
		with(d.readTime())
		return []string{s.Name, "stats"}, nil
	case "overwrite":
		with(flag("writes", share(d.Entries, s.Threads)))
		return []string{s.Name}, nil
	case "deleterandom":
		with(flag("deletes", share(d.Entries/4, s.Threads)))
		return []string{s.Name}, nil
	}
	return nil, noCounterpart(s)
}

func noCounterpart(s Spec) error {
	return fmt.Errorf("db_bench has no counterpart of %s", s.Name)
}

// writesCounted tells whether a row ends by a number of writes, and so is cut off after a time.
func writesCounted(s Spec) bool {
	return s.State == record.StateEmpty || s.Name == "overwrite" || s.Name == "deleterandom"
}

func onlyReads(s Spec) bool { return !writesCounted(s) && s.Name != "readwhilewriting" }

// batched tells whether a call of a row is many operations.
func batched(s Spec) bool { return s.Name == "fillbatch" || s.Name == "multiget" }
