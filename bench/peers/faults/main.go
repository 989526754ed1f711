// Faults does to tinykv and to its rivals what a disk may do: it flips bits of small stores, in one byte after the other, and fills a
// small disk. It prints a table for each, in Markdown.
//
//	go run ./faults                               tinykv and Pebble
//	go run ./faults -engines tinykv,goleveldb,bbolt -per-kind 100
//	go run ./faults -flips=false                  only the full disk, which needs root
//
// Each store is opened and read in a child process, which is started anew when the engine ends it.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/engines/badger"
	"github.com/tinykv/tinykv/bench/peers/engines/bbolt"
	"github.com/tinykv/tinykv/bench/peers/engines/goleveldb"
	"github.com/tinykv/tinykv/bench/peers/engines/pebble"
	"github.com/tinykv/tinykv/bench/peers/engines/tinykv"
)

func engines() []engine.Engine {
	return []engine.Engine{tinykv.New(), pebble.New(), goleveldb.New(), bbolt.New(), badger.New()}
}

func find(name string) (engine.Engine, error) {
	all := engines()
	i := slices.IndexFunc(all, func(e engine.Engine) bool { return e.Name == name })
	if i < 0 {
		return engine.Engine{}, fmt.Errorf("no engine is called %q", name)
	}
	return all[i], nil
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == childArg {
		if err := serve(os.Args[2], os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	names := flag.String("engines", "tinykv,pebble", "engines, with commas between")
	perKind := flag.Int("per-kind", 400, "bytes that are damaged of each kind of file, evenly spread; of manifests and pointers to them, all are")
	values := flag.String("values", "313,22", "bytes of a value, with commas between: bits are flipped in stores of each")
	flips := flag.Bool("flips", true, "flip bits")
	full := flag.Bool("full", true, "fill a disk")
	flag.Parse()
	if err := run(strings.Split(*names, ","), strings.Split(*values, ","), *perKind, *flips, *full); err != nil {
		log.Fatal(err)
	}
}

func run(names, values []string, perKind int, flips, full bool) error {
	for _, name := range names {
		e, err := find(name)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", name, version(e.Module))
	}
	for _, bytes := range values {
		if err := os.Setenv(valueEnv, bytes); err != nil {
			return err
		}
		if !flips {
			break
		}
		if err := flipAll(names, perKind); err != nil {
			return err
		}
	}
	if full {
		return fillAll(names)
	}
	return nil
}

// version tells the version of an engine, as the build recorded it.
func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "unknown"
	}
	for _, m := range info.Deps {
		switch {
		case m.Path == module && m.Replace != nil:
			return "this commit"
		case m.Path == module:
			return m.Version
		}
	}
	return "unknown"
}
