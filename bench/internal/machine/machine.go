// Package machine tells what a benchmark runs on, and what that can do at best.
package machine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/tinykv/tinykv/bench/internal/meter"
	"github.com/tinykv/tinykv/vfs"
)

// What an engine does is made of these, so no engine on this machine does better. All of it together
// takes some two seconds, as each probe of a file ends after probeTime.
const (
	arenaBytes = 256 << 20 // more than caches hold
	lineBytes  = 64        // of a cache
	jumps      = 1 << 20

	recordBytes = 128     // about a log record
	syncBytes   = 4 << 10 // a page
	probeBytes  = 1 << 20 // of a file

	probeTime = 250 * time.Millisecond
)

// probe is one limit of the machine.
type probe struct {
	name    string
	measure func(dir string) (string, error)
}

func probes() []probe {
	return []probe{
		{"random memory access", accessMemory},
		{"memory copy", copyMemory},
		{"write(2) of 128 bytes", probeLog(timeWrites)},
		{"store of 128 bytes in a mapped file", probeLog(timeStores)},
		{"fdatasync of 4 KiB overwritten", probeLog(timeSyncs)},
	}
}

// Measure measures the machine and reports what it finds. Files are made in dir, without a name
// where the system can do that, and removed.
func Measure(ctx context.Context, dir string, found func(name, text string)) error {
	for _, p := range probes() {
		if ctx.Err() != nil {
			return nil
		}
		text, err := p.measure(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		found(p.name, text)
	}
	debug.FreeOSMemory() // so that later numbers of memory do not contain what was measured with
	return nil
}

// line is a cache line of a chain.
type line struct {
	next uint32
	_    [lineBytes - 4]byte
}

// accessMemory follows a chain through all lines of an area in random order, so that no access can
// begin before the one before it has ended.
func accessMemory(string) (string, error) {
	lines := make([]line, arenaBytes/lineBytes)
	order := make([]uint32, len(lines))
	for i := range order {
		order[i] = uint32(i)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := len(order) - 1; i > 0; i-- { // Sattolo 1986: a single cycle
		j := rng.IntN(i)
		order[i], order[j] = order[j], order[i]
	}
	for i, next := range order {
		lines[i].next = next
	}
	at, start := uint32(0), time.Now()
	for range jumps {
		at = lines[at].next
	}
	took := time.Since(start)
	if at == 0 && len(lines) > jumps {
		return "", errors.New("the chain is too short") // cannot be; but at must be used
	}
	return fmt.Sprintf("%.1f ns, over %d MiB", float64(took.Nanoseconds())/jumps, arenaBytes>>20), nil
}

func copyMemory(string) (string, error) {
	from, to := make([]byte, arenaBytes/4), make([]byte, arenaBytes/4)
	copy(to, from) // the system gives memory only when it is touched
	const rounds = 4
	start := time.Now()
	for range rounds {
		copy(to, from)
	}
	took := time.Since(start)
	return fmt.Sprintf("%.1f GB/s", float64(rounds*len(from))/1e9/took.Seconds()), nil
}

// probeLog returns a measurement that uses a preallocated file.
func probeLog(measure func(vfs.Log) (string, error)) func(dir string) (string, error) {
	return func(dir string) (_ string, err error) {
		fs, name := vfs.OS(), filepath.Join(dir, "tinykv-bench-probe")
		log, err := fs.CreateLog(name)
		if err != nil {
			return "", err
		}
		unnamed := fs.Remove(name) == nil // nothing stays behind then, whatever happens
		defer func() {
			err = errors.Join(err, log.Close())
			if !unnamed {
				err = errors.Join(err, os.Remove(name))
			}
		}()
		if err := log.Extend(probeBytes); err != nil {
			return "", err
		}
		if err := log.Datasync(); err != nil {
			return "", err
		}
		return measure(log)
	}
}

func timeWrites(log vfs.Log) (string, error) {
	return meanOf(recordBytes, func(p []byte, off int64) error {
		_, err := log.WriteAt(p, off)
		return err
	})
}

func timeStores(log vfs.Log) (string, error) { return meanOf(recordBytes, log.WriteMapped) }

// meanOf returns the time of a call, which is repeated through the file for probeTime.
func meanOf(size int, call func(p []byte, off int64) error) (string, error) {
	p := make([]byte, size)
	n, start := 0, time.Now()
	for time.Since(start) < probeTime {
		for off := int64(0); off+int64(size) <= probeBytes; off += int64(size) {
			if err := call(p, off); err != nil {
				return "", err
			}
			n++
		}
	}
	return fmt.Sprintf("%.0f ns", float64(time.Since(start).Nanoseconds())/float64(n)), nil
}

// timeSyncs gives quantiles, as the times differ a lot.
func timeSyncs(log vfs.Log) (string, error) {
	p := make([]byte, syncBytes)
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < 2*probeTime; {
		off := int64(len(took)) * syncBytes % probeBytes
		start := time.Now()
		if _, err := log.WriteAt(p, off); err != nil {
			return "", err
		}
		if err := log.Datasync(); err != nil {
			return "", err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return fmt.Sprintf("%s µs, nine in ten below %s µs",
		meter.Micros(took[len(took)/2]), meter.Micros(took[len(took)*9/10])), nil
}
