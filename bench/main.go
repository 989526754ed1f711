// Command bench measures tinykv in the manner of db_bench, the benchmark of LevelDB and RocksDB: the
// same names of benchmarks and flags, the same keys and values, the same lines of output, so that
// numbers can be laid side by side.
//
//	go run ./bench                                                  everything, in about a minute
//	go run ./bench -benchmarks=fillrandom,readrandom -num=10000000
//	go run ./bench -db=DIR -benchmarks=fillrandom                   keeps the store
//	go run ./bench -db=DIR -use_existing_db -benchmarks=readrandom
//	go run ./bench -benchmarks=fillseq,ycsba,ycsbb,ycsbc            YCSB on a million records
//	go run ./bench -benchmarks=fillseq,readrandomwriterandom -threads=4 -duration=10m
//	go run ./bench -json                                            for programs
//	go run ./bench -help                                            all flags and benchmarks
//
// A benchmark that fills begins with an empty store; others use what is there. Each thread does all
// operations. micros/op is the time of a thread, ops/sec and MB/s (of 2^20 bytes) are of all threads
// by the clock on the wall. -duration replaces the number of operations where keys are random. Where
// reads and writes are mixed, latencies of both are apart, and so are those of a thread that writes
// beside others, whose operations are not counted.
//
// Results go to stdout, everything else to stderr. The exit code is 0 when all was done, 1 after a
// failure, 2 for a command line that makes no sense, 130 when it was interrupted.
//
// A family of benchmarks has a file:
//
//	write.go    fills and changes       read.go      lookups
//	scan.go     iterators               mix.go       reads and writes mixed, or beside each other
//	mixgraph.go the social graph        ycsb.go      YCSB
//	features.go expiry, merges, transactions
//	upkeep.go   flush, compact, verify  codec.go     checksums, compression (by codec_kinds.go)
//	facts.go    stats and the like      beside.go    the thread that writes beside others
//
// What they share:
//
//	flags.go    what can be chosen      check.go     what makes sense    options.go  for the engine
//	seconds.go  a flag of time          compression.go  flags of it      suggest.go  what was meant
//	session.go  directory, store, order worker.go    threads             benchmarks.go  kinds
//	keys.go     keys                    numbers.go   distributions       result.go   sums
//	stalls.go   of writers              report.go    lines of output     histogram.go histograms
//	json.go     for programs            header.go    what is measured    progress.go how far it is
//	profile.go  for pprof
//
// What bench/peers, which compares engines, uses too stands in packages of its own:
//
//	internal/meter   counting and timing      internal/draw     distributions of keys, skewed ones
//	internal/values  values                   internal/memory   of the process
//	internal/machine what can be at best
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		printHelp(stdout)
		return exitDone
	}
	if err == nil {
		err = newSession(c, stdout, stderr).run(ctx)
	}
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(stderr, "bench: interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "bench:", err)
		return exitUsage
	default:
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
}
