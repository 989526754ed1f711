// Command gosrc keeps real data in tinykv: the source tree of the Go installation, some ten thousand
// files, each under its path below src. It loads them all, closes the store, opens it again, compares
// every byte with the file system, and scans a directory.
//
//	go run ./examples/gosrc             in a temporary directory
//	go run ./examples/gosrc -db=DIR     in DIR, which is kept
//
// Two more modes show that what was acknowledged survives the death of the process. The first prints
// each path once its Put has returned; the second reads paths and checks that they are in the store:
//
//	gosrc -db=DIR -load-only > acknowledged    kill -9 it at any moment
//	gosrc -db=DIR -verify    < acknowledged
//
// Progress goes to stderr. Ctrl-C ends the program in order. The exit code is 0 when all is well, 1
// after a failure or a difference or when it was interrupted, 2 for a command line that makes no
// sense.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// stdio is what a program reads from and writes to.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// config is the command line.
type config struct {
	db, goroot       string
	sync             bool
	loadOnly, verify bool
}

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, std stdio) int {
	c, help, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(std.out, help)
		return exitDone
	case err != nil:
		fmt.Fprintf(std.err, "gosrc: %v\n%s", err, help)
		return exitUsage
	}
	if err := c.run(ctx, std); err != nil {
		fmt.Fprintln(std.err, "gosrc:", err)
		return exitFailed
	}
	return exitDone
}

// parseFlags returns the configuration that a command line asks for, and a text that tells what can
// be asked for.
func parseFlags(args []string) (c *config, help string, err error) {
	c = &config{}
	var text strings.Builder
	text.WriteString("valid flags:\n")
	fs := flag.NewFlagSet("gosrc", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run says what is wrong
	fs.StringVar(&c.db, "db", "", "`directory` of the store, which is kept; default: a temporary one")
	fs.StringVar(&c.goroot, "goroot", "", "`directory` whose src is loaded; default: that of the go command")
	fs.BoolVar(&c.sync, "sync", false, "every write waits for stable storage")
	fs.BoolVar(&c.loadOnly, "load-only", false, "load into -db and print each path when it is acknowledged")
	fs.BoolVar(&c.verify, "verify", false, "check that each path on stdin is in -db, with the bytes of its file")
	err = fs.Parse(args)
	fs.SetOutput(&text)
	fs.PrintDefaults()
	switch {
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case c.loadOnly && c.verify:
		err = errors.New("-load-only and -verify exclude each other")
	case (c.loadOnly || c.verify) && c.db == "":
		err = errors.New("-load-only and -verify need -db")
	}
	return c, text.String(), err
}
