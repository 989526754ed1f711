package main

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
)

// startProfile starts the profiles that were asked for, and returns what ends and writes them.
func startProfile(c *config) (stop func() error, err error) {
	stopCPU := func() error { return nil }
	if c.cpuProfile != "" {
		if stopCPU, err = startCPUProfile(c.cpuProfile); err != nil {
			return nil, err
		}
	}
	return func() error {
		err := stopCPU()
		if c.memProfile != "" {
			err = errors.Join(err, writeMemProfile(c.memProfile))
		}
		return err
	}, nil
}

func startCPUProfile(name string) (stop func() error, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// writeMemProfile writes what is in the heap now, and all that was allocated.
func writeMemProfile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
