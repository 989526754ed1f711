// Package rocksdb measures RocksDB by its own program, db_bench (Debian: rocksdb-tools). What db_bench does in a row is its own:
// its loop, in C++, its keys (16 bytes, a number first) and its values (half of each compressible). So its numbers stand beside
// the others', not in their places: nothing crosses from Go to C, values that are read are not looked at, and a latency is a whole
// number of microseconds before it goes into a histogram.
//
// Rows that have no counterpart in db_bench are reported with the reason.
package rocksdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/record"
)

// program is what is run.
const program = "db_bench"

// Spec is a row to measure.
type Spec struct {
	Name    string
	Threads int
	State   string
}

// Driver runs rows by db_bench, one at a time.
type Driver struct {
	Dir        string // where stores are made, each in a directory of its own; it exists, and is the caller's to remove
	Group      string // control group that processes join; empty: none
	Profile    engine.Profile
	Entries    int
	ValueBytes int
	Seed       uint64

	MemoryLimit int64 // of Group, in bytes; 0: none

	WriteLimit time.Duration // after which a row that writes so many keys is cut off; 0: never
	ReadTime   time.Duration // of rows that end by time, in whole seconds, at least one

	runs uint64 // processes started, each of which draws other numbers
}

// sizes tells the sizes of memtable and cache.
func (d *Driver) sizes() engine.Config {
	return engine.Config{Profile: d.Profile, MemoryLimit: d.MemoryLimit}
}

// Available returns why RocksDB cannot be measured, nil if it can.
func Available() error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("rocksdb: %w (Debian has it in rocksdb-tools)", err)
	}
	return nil
}

// Version returns what db_bench says of itself, with a note when it was built with assertions: Debian's is, and slower for it.
// It is empty when db_bench cannot be run.
func Version() string {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return ""
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "db_bench version ")
	if assertions() {
		version += ", built with assertions"
	}
	return version
}

// assertions tells whether db_bench warns of them, which it does only when it has something to run.
func assertions() bool {
	dir, err := os.MkdirTemp("", "rocksdb-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	out, _ := exec.Command(program, "-db="+filepath.Join(dir, "store"), "-benchmarks=levelstats", "-num=1").CombinedOutput()
	return strings.Contains(string(out), "Assertions are enabled")
}

// Settings says in a line which options db_bench is given.
func Settings(c engine.Config) string {
	const own = "db_bench's own loop, keys and values; "
	if c.Profile == engine.Default {
		return own + "its defaults: memtable 64 MiB, cache 8 MiB, no filters, Snappy, two background jobs"
	}
	return own + "memtable " + engine.MiB(c.MemTableBytes()) + ", cache " + engine.MiB(c.CacheBytes()) + ", no compression, 10 bits, else its defaults: two background jobs"
}

// Durability says what an acknowledged write survives.
func Durability(c engine.Config) string {
	if c.Sync {
		return "power loss"
	}
	return "killed process"
}

// Run measures rows: fills each in a new store; the others, in order, in one store that all share, which a random fill makes;
// those about a killed process in a third. Rows that fail say why. The end of ctx ends it, with its error.
func (d *Driver) Run(ctx context.Context, specs []Spec) ([]record.Row, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	p := d.split(specs)
	rows := p.none
	for _, part := range []func(context.Context, parts) ([]record.Row, error){
		d.fills, d.filled, d.settled, d.killed,
	} {
		some, err := part(ctx, p)
		rows = append(rows, some...)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// parts are rows by the store that they are about.
type parts struct {
	none []record.Row // rows that db_bench has not

	fills, filled, settled, killed []Spec
}

func (d *Driver) split(specs []Spec) (p parts) {
	for _, s := range specs {
		list := &p.settled
		var err error
		switch {
		case s.Name == rowKill || s.Name == rowOpenKilled:
			list = &p.killed
		case s.Name == rowOpen:
		case s.State == record.StateEmpty:
			list = &p.fills
			_, err = d.fillCommand(s, "")
		default:
			if s.State == record.StateFilled {
				list = &p.filled
			}
			_, err = d.rowCommand(s, "")
		}
		if err != nil {
			p.none = append(p.none, d.failed(s, err))
			continue
		}
		*list = append(*list, s)
	}
	return p
}

func (d *Driver) newRow(s Spec) record.Row {
	return record.Row{Engine: "rocksdb", Name: s.Name, Threads: s.Threads, State: s.State}
}

// failed returns a row that could not be measured.
func (d *Driver) failed(s Spec, err error) record.Row {
	r := d.newRow(s)
	r.Err = "rocksdb: " + err.Error()
	return r
}
