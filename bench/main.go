// Command bench measures tinykv in the manner of db_bench, the benchmark of LevelDB and RocksDB: the
// same names of benchmarks and flags, the same keys and values, the same lines of output, so that
// numbers can be laid side by side.
//
//	go run ./bench                                                  everything, in about a minute
//	go run ./bench -benchmarks=fillrandom,readrandom -num=10000000
//	go run ./bench -db=DIR -benchmarks=fillrandom                   keeps the store
//	go run ./bench -db=DIR -use_existing_db -benchmarks=readrandom
//	go run ./bench -help                                            all flags and benchmarks
//
// Results go to stdout, everything else to stderr. The exit code is 0 when all was done, 1 after a
// failure, 2 for a command line that makes no sense, 130 when it was interrupted.
//
//	flags.go       what can be chosen           benchmarks.go  what can be measured
//	session.go     directory, store, order      worker.go      threads of one benchmark
//	keys.go        keys                         values.go      values
//	write.go       loops that write             read.go        loops that read
//	meter.go       counting and timing          report.go      lines of output
//	wait.go        waitforcompaction            stats.go       stats
//	header.go      what is being measured       machine.go     what the machine can do at best
//	progress.go    how far it is                suggest.go     what may have been meant
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
