package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
)

type benchCommand struct {
	progressFlag
	formatFlag
	Workloads   []string `arg:"" optional:"" complete:"fillseq,fillrandom,readseq,readrandom,ycsb-a" help:"fillseq, fillrandom, readseq, readrandom, ycsb-a. Default: all, in that order."`
	Num         int      `short:"n" default:"100000" help:"How many keys there are, and calls of each workload."`
	ValueSize   int      `default:"100" help:"Bytes of a value, half of which compress."`
	Sync        bool     `help:"Each write is on stable storage before the next begins."`
	Compression string   `enum:"default,none,s2,zstd" default:"default" help:"default, none, s2 or zstd."`
	Cache       int64    `placeholder:"BYTES" help:"Size of the cache of decompressed blocks. Default: the store's."`
}

// Help tells what the workloads are.
func (c *benchCommand) Help() string {
	return `fillseq writes keys in order, fillrandom keys drawn at random, readseq reads all
keys in order, readrandom keys drawn at random, ycsb-a half reads and half writes
of which few keys get the most (Zipf, 1.01). One goroutine makes all calls. Where
there is nothing to read, it is written first. Each row tells what it was measured
with. The store is new: in a temporary directory, or in that of --db, and stays there.`
}

// Run measures how fast the store is here.
func (c *benchCommand) Run(e *environment) error {
	if c.Num < 1 || c.ValueSize < 0 || c.Cache < 0 {
		return usageError{"--num, --value-size and --cache want positive numbers"}
	}
	for _, name := range c.Workloads {
		if !slices.Contains(benchNames(), name) {
			return usageError{fmt.Sprintf("there is no workload %q; those that are: %s", name, strings.Join(benchNames(), " "))}
		}
	}
	if len(c.Workloads) == 0 {
		c.Workloads = benchNames()
	}
	dir := e.db
	if dir == "" {
		tmp, err := os.MkdirTemp("", "tinykv-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		dir = filepath.Join(tmp, "db")
	}
	db, err := tinykv.Open(dir, c.options())
	if errors.Is(err, tinykv.ErrExists) {
		return fmt.Errorf("%s is not empty, and bench wants a new store; name another directory by --db, or none", dir)
	}
	if err != nil {
		return err
	}
	b := &bencher{c: c, ctx: e.ctx, db: db, meter: c.meter(e), rnd: rand.New(rand.NewPCG(1, 1)), value: make([]byte, c.ValueSize)}
	return errors.Join(b.all(e), db.Close())
}

func benchNames() []string {
	return []string{"fillseq", "fillrandom", "readseq", "readrandom", "ycsb-a"}
}

func (c *benchCommand) options() *tinykv.Options {
	o := &tinykv.Options{ErrorIfExists: true, CacheSize: c.Cache, Compression: map[string]tinykv.Compression{
		"none": tinykv.CompressionNone, "s2": tinykv.CompressionS2, "zstd": tinykv.CompressionZstd,
	}[c.Compression]}
	if c.Sync {
		o.Durability = tinykv.DurabilitySync
	}
	return o
}

// bencher carries out workloads.
type bencher struct {
	c      *benchCommand
	ctx    context.Context
	db     *tinykv.DB
	meter  *meter
	rnd    *rand.Rand
	zipf   *rand.Zipf
	value  []byte
	key    []byte
	filled bool
}

// benched is a row.
type benched struct {
	Workload    string  `json:"workload"`
	Calls       int     `json:"calls"`
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"per_second"`
	BytesPerSec float64 `json:"bytes_per_second"` // of keys and values
	P50         span    `json:"p50_ns"`           // of reads, or of writes where there are no reads; 0: not measured
	P99         span    `json:"p99_ns"`
	Durability  string  `json:"durability"`
	Compression string  `json:"compression"`
	CacheBytes  int64   `json:"cache_bytes"`
	StoreBytes  int64   `json:"store_bytes"` // tables and log at the end
}

func (b *bencher) all(e *environment) error {
	c := b.c
	form := c.form("jsonl", "table")
	if form == "table" {
		e.printf("%d keys of 16 B, values of %d B, %s in all\none goroutine, %s, %s/%s\n", c.Num, c.ValueSize,
			sizeText(int64(c.Num)*int64(16+c.ValueSize)), shell.Counted(runtime.GOMAXPROCS(0), "processor"), runtime.GOOS, runtime.GOARCH)
	}
	l := newList(e, form, "workload", ">calls/s", ">MB/s", ">p50", ">p99", "durable", "compress", ">cache", ">size")
	for _, name := range c.Workloads {
		row, err := b.measure(name)
		b.meter.end()
		if err == nil {
			err = l.row(row, row.cells()...)
		}
		if err != nil {
			return l.end(b.meter.stopped(err))
		}
	}
	return l.end(nil)
}

func (r *benched) cells() []string {
	p50, p99 := "-", "-"
	if r.P99 > 0 {
		p50, p99 = r.P50.String(), r.P99.String()
	}
	return []string{
		r.Workload, fmt.Sprintf("%.0f", r.PerSecond), fmt.Sprintf("%.1f", r.BytesPerSec/1e6), p50, p99,
		r.Durability, r.Compression, shortSize(r.CacheBytes), shortSize(r.StoreBytes),
	}
}

// shortSize writes a size as 22.2M, where M is 1024 times 1024.
func shortSize(n int64) string {
	return strings.TrimSuffix(strings.ReplaceAll(sizeText(n), " ", ""), "iB")
}

// measure carries out a workload.
func (b *bencher) measure(name string) (*benched, error) {
	do := map[string]func(i int) error{
		"fillseq": b.fillSeq, "fillrandom": b.fillRandom, "readrandom": b.readRandom, "ycsb-a": b.ycsbA,
	}[name]
	if name != "fillseq" && name != "fillrandom" {
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
	before, begun := b.db.Metrics(), time.Now()
	var err error
	if do == nil {
		err = b.readSeq()
	} else {
		err = b.repeat(name, do)
	}
	if err != nil {
		return nil, err
	}
	took := time.Since(begun)
	b.filled = true
	return b.row(name, before, took), nil
}

func (b *bencher) row(name string, before *tinykv.Metrics, took time.Duration) *benched {
	m := b.db.Metrics()
	per := float64(b.c.Num) / took.Seconds()
	r := &benched{
		Workload: name, Calls: b.c.Num, Seconds: took.Seconds(), PerSecond: per, BytesPerSec: per * float64(16+b.c.ValueSize),
		Durability: "periodic", Compression: b.c.Compression, CacheBytes: m.Cache.Size, StoreBytes: m.TableBytes + m.LogBytes,
	}
	if b.c.Sync {
		r.Durability = "sync"
	}
	x := ratesOf(before, m, took)
	if r.P50, r.P99 = x.ReadP50, x.ReadP99; r.P99 == 0 {
		r.P50, r.P99 = x.WriteP50, x.WriteP99
	}
	return r
}

// fill writes what there is to read, unless a workload has.
func (b *bencher) fill() error {
	if b.filled {
		return nil
	}
	b.filled = true
	return b.repeat("filling", b.fillSeq)
}

const benchCheck = 1024 // calls between two looks at the context

func (b *bencher) repeat(name string, do func(i int) error) error {
	for i := range b.c.Num {
		if i%benchCheck == 0 {
			if err := context.Cause(b.ctx); err != nil {
				return err
			}
			b.meter.update(step{Phase: name, Done: int64(i), Total: int64(b.c.Num), Unit: "calls"})
		}
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// number returns a key of 16 digits, which holds until the next call.
func (b *bencher) number(n int) []byte {
	b.key = fmt.Appendf(b.key[:0], "%016d", n)
	return b.key
}

// random returns a value: its first half is drawn, the rest is alike.
func (b *bencher) random() []byte {
	for i := 0; i < len(b.value)/2; i++ {
		b.value[i] = byte(b.rnd.Uint32())
	}
	return b.value
}

func (b *bencher) fillSeq(i int) error  { return b.db.Put(b.number(i), b.random()) }
func (b *bencher) fillRandom(int) error { return b.db.Put(b.number(b.rnd.IntN(b.c.Num)), b.random()) }
func (b *bencher) readRandom(int) error { return b.read(b.rnd.IntN(b.c.Num)) }

func (b *bencher) read(n int) error {
	v, err := b.db.GetTo(b.value[:0], b.number(n))
	if errors.Is(err, tinykv.ErrNotFound) {
		return nil // fillrandom left it out
	}
	if len(v) > 0 && len(v) == len(b.value) {
		b.value = v
	}
	return err
}

func (b *bencher) ycsbA(i int) error {
	if b.zipf == nil {
		b.zipf = rand.NewZipf(b.rnd, 1.01, 1, uint64(b.c.Num-1))
	}
	n := int(b.zipf.Uint64() * 2654435761 % uint64(b.c.Num)) // the most wanted keys lie far apart
	if i%2 == 0 {
		return b.read(n)
	}
	return b.db.Put(b.number(n), b.random())
}

func (b *bencher) readSeq() (err error) {
	it, err := b.db.NewIter(tinykv.All())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	return b.repeat("readseq", func(int) error {
		if !it.Next() && it.Err() == nil {
			it.First() // fillrandom left some out
		}
		return it.Err()
	})
}
