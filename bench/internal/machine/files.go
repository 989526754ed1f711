package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tinykv/tinykv/bench/internal/meter"
	"github.com/tinykv/tinykv/vfs"
)

const (
	recordBytes = 128     // about a log record
	syncBytes   = 4 << 10 // a page
	probeBytes  = 1 << 20 // of a file

	probeTime = 200 * time.Millisecond
	syncTime  = 300 * time.Millisecond // longer, for quantiles

	probeName = "tinykv-bench-probe"
)

// Engines that allocate their log ahead do what is overwritten, others what is appended, which has the
// file system write its own log too.
func fileProbes() []probe {
	return []probe{
		{"write(2) of 128 bytes", probeLog(timeWrites)},
		{"store of 128 bytes in a mapped file", probeLog(timeStores)},
		{"fdatasync of 4 KiB overwritten", probeLog(timeOverwrites)},
		{"fdatasync of 4 KiB appended", timeAppends},
	}
}

// withoutName removes the name of a file just made, so that nothing stays behind whatever happens. Where the
// system wants it to be closed first, end does it.
func withoutName(name string) (end func(closed error) error) {
	if vfs.OS().Remove(name) == nil {
		return func(closed error) error { return closed }
	}
	return func(closed error) error { return errors.Join(closed, os.Remove(name)) }
}

// probeLog returns a measurement that uses a preallocated file.
func probeLog(measure func(vfs.Log) (string, error)) func(dir string) (string, error) {
	return func(dir string) (_ string, err error) {
		name := filepath.Join(dir, probeName)
		log, err := vfs.OS().CreateLog(name)
		if err != nil {
			return "", err
		}
		end := withoutName(name)
		defer func() { err = errors.Join(err, end(log.Close())) }()
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

func timeOverwrites(log vfs.Log) (string, error) {
	p := make([]byte, syncBytes)
	return quantilesOf(func(n int) error {
		if _, err := log.WriteAt(p, int64(n)*syncBytes%probeBytes); err != nil {
			return err
		}
		return log.Datasync()
	})
}

func timeAppends(dir string) (_ string, err error) {
	name := filepath.Join(dir, probeName)
	file, err := vfs.OS().Create(name)
	if err != nil {
		return "", err
	}
	end := withoutName(name)
	defer func() { err = errors.Join(err, end(file.Close())) }()
	p := make([]byte, syncBytes)
	return quantilesOf(func(int) error {
		if _, err := file.Write(p); err != nil {
			return err
		}
		return file.Sync() // fdatasync where there is one
	})
}

// quantilesOf repeats a call, which is told how many came before, for syncTime. It gives quantiles, as the
// times differ a lot.
func quantilesOf(call func(n int) error) (string, error) {
	var took []time.Duration
	for begin := time.Now(); len(took) == 0 || time.Since(begin) < syncTime; {
		start := time.Now()
		if err := call(len(took)); err != nil {
			return "", err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return fmt.Sprintf("%s µs, nine in ten below %s µs, 99 in 100 below %s µs", meter.Micros(took[len(took)/2]),
		meter.Micros(took[len(took)*9/10]), meter.Micros(took[len(took)*99/100])), nil
}
