// Peers measures tinykv and rival engines by the same workloads, and says where each stands.
//
//	go run . [flags]             measure, and write results.jsonl, report.md and plots to -out
//	go run . report FILE...      write the report of results that are there, to the directory of the first; with -text, no plots
//	go run . compare FILE FILE   how far the medians of two runs are apart
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/tinykv/tinykv/bench/peers/contest"
	"github.com/tinykv/tinykv/bench/peers/record"
	"github.com/tinykv/tinykv/bench/peers/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return measure(ctx, nil)
	}
	switch args[0] {
	case contest.ChildCommand:
		return runChild(ctx)
	case "report":
		return writeReport(args[1:])
	case "compare":
		return compare(os.Stdout, args[1:])
	default:
		return measure(ctx, args)
	}
}

func writeReport(files []string) error {
	asText := len(files) > 0 && files[0] == "-text"
	if asText {
		files = files[1:]
	}
	if len(files) == 0 {
		return errors.New("report needs files of results: peers report [-text] results.jsonl")
	}
	lines, err := readAll(files)
	if err != nil {
		return err
	}
	if !asText {
		return report.Write(filepath.Dir(files[0]), lines)
	}
	var text bytes.Buffer
	if err := report.Markdown(&text, lines); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(files[0]), "report.md"), text.Bytes(), 0o644)
}

func compare(w io.Writer, files []string) error {
	if len(files) != 2 {
		return errors.New("compare needs two files of results: peers compare first/results.jsonl second/results.jsonl")
	}
	a, err := readAll(files[:1])
	if err != nil {
		return err
	}
	b, err := readAll(files[1:])
	if err != nil {
		return err
	}
	return report.Compare(w, a, b)
}

func readAll(files []string) (all []record.Line, err error) {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		lines, err := report.Read(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, lines...)
	}
	return all, nil
}
