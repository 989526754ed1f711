package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	smallDisk = "size=8m"
	grownDisk = "size=64m"
	patience  = 20 * time.Second // for an error, and for going on
)

// fillAll fills a disk of 8 MiB with each engine.
func fillAll(names []string) error {
	if os.Getuid() != 0 {
		fmt.Println("\nThe full disk is left out: it needs root, to mount a tmpfs.")
		return nil
	}
	fmt.Println("\nA disk of 8 MiB (tmpfs) that fills up with values of 1 KiB, each write synced and tried again 100 ms after an error; then the disk grows to 64 MiB.")
	fmt.Println("\n| engine | acknowledged | first error after | errors until it grows | goes on without reopening | acknowledged writes there after reopening |")
	fmt.Println("| --- | ---: | --- | ---: | --- | --- |")
	for _, name := range names {
		row, err := fillDisk(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println(row)
	}
	return nil
}

func fillDisk(name string) (row string, err error) {
	dir, err := os.MkdirTemp("", "full")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.Remove(dir)) }()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, smallDisk); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH)) }()
	w, err := startWorker(name)
	if err != nil {
		return "", err
	}
	defer func() { w.kill() }()
	if err := w.tell("grow", dir); err != nil {
		return "", err
	}
	f := &filling{w: w}
	first := f.until(func() bool { return f.errors > 0 })
	f.during(3 * time.Second)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, grownDisk); err != nil {
		return "", err
	}
	full, errorsThen := f.acks, f.errors
	onward := f.until(func() bool { return f.acks > full })
	f.stop()
	if w, err = startWorker(name); err != nil {
		return "", err
	}
	there := w.ask("count", dir)
	return fmt.Sprintf("| %s | %d | %s | %d | %s | %s of %d |", name, full, first, errorsThen, onward, there, f.acks), nil
}

// filling is what a child says while it writes.
type filling struct {
	w            *worker
	acks, errors int
	ended        bool
}

// take waits for one line until a moment, and reports false when there is none.
func (f *filling) take(deadline <-chan time.Time) bool {
	select {
	case text, ok := <-f.w.lines:
		switch {
		case !ok:
			f.ended = true
			return false
		case strings.HasPrefix(text, "ack "):
			_, _ = fmt.Sscanf(text, "ack %d", &f.acks)
		default:
			f.errors++
		}
		return true
	case <-deadline:
		return false
	}
}

// until waits for something to hold, and tells how long it took from the last acknowledgement before.
func (f *filling) until(holds func() bool) string {
	begun := time.Now()
	for acks := f.acks; !holds(); {
		if f.acks != acks {
			acks, begun = f.acks, time.Now()
		}
		if f.take(time.After(patience)) {
			continue
		}
		if f.ended {
			return "process ended"
		}
		return fmt.Sprintf("never: hangs for %v", patience)
	}
	return fmt.Sprintf("%.2f s", time.Since(begun).Seconds())
}

// stop kills the child, and takes what it had said by then.
func (f *filling) stop() {
	_ = f.w.cmd.Process.Kill()
	for f.take(nil) {
	}
	f.w.kill()
}

// during takes what comes in a time.
func (f *filling) during(d time.Duration) {
	for deadline := time.After(d); f.take(deadline); {
	}
}
