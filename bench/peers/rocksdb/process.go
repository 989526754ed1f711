package rocksdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

var (
	// errCutOff says that a run was killed since its time had ended.
	errCutOff = errors.New("its time ended before its operations did")

	// errEnough says that a run was killed as nothing that it would still do is of use.
	errEnough = errors.New("enough")
)

// outcome is what is known of a run of db_bench.
type outcome struct {
	output
	samples  []sample // at the start, and when each result came
	busy     busy
	atRest   sample // of a run until rest
	exit     usage  // of the whole process
	onResult func() // called after each
}

// sample is what a process used until a moment.
type sample struct {
	usage
	disk int64 // of the store
}

// run runs db_bench to its end. It is killed if the measured benchmark has no result after the limit, and when nothing that it would
// still do is wanted.
func (d *Driver) run(ctx context.Context, c command, limit time.Duration) (*outcome, error) {
	ctx, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	out := &outcome{}
	defer out.busy.watch(func(pid int) {
		if c.untilRest {
			out.atRest = look(pid, c.store)
			kill(errEnough)
		}
	})()
	first := limit
	if c.before() > 0 {
		first = noLimit
	}
	timer := time.AfterFunc(first, func() { kill(errCutOff) })
	defer timer.Stop()
	out.onResult = func() {
		switch n := len(out.results); {
		case n == c.before():
			timer.Reset(limit)
		case n > c.before():
			timer.Stop()
		}
		if len(out.results) == c.enough {
			kill(errEnough)
		}
	}
	tail, err := d.watch(exec.CommandContext(ctx, program, d.arguments(c)...), c.store, out)
	switch cause := context.Cause(ctx); {
	case cause == errEnough:
		return out, nil
	case cause != nil:
		return out, cause
	case err != nil:
		return out, fmt.Errorf("%s: %w: %s", program, err, strings.Join(tail, " | "))
	}
	return out, nil
}

// watch starts a process, looks at it whenever it prints a result, and waits for its end. It returns the last lines printed.
func (d *Driver) watch(cmd *exec.Cmd, store string, out *outcome) (tail []string, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	write.Close() // the child's end lives on in the child
	if err != nil {
		return nil, err
	}
	if err := d.join(cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	out.samples = append(out.samples, look(cmd.Process.Pid, store))
	tail = out.follow(read, cmd.Process.Pid, store)
	err = cmd.Wait()
	out.exit = usageOf(cmd.ProcessState)
	return tail, err
}

const tailLines = 3

// follow reads all that a process prints.
func (o *outcome) follow(r io.Reader, pid int, store string) (tail []string) {
	lines := bufio.NewScanner(r)
	lines.Split(splitLines)
	for lines.Scan() {
		line := lines.Text()
		if o.add(line) {
			o.samples = append(o.samples, look(pid, store))
			o.busy.begin(pid)
			o.onResult()
		}
		if strings.TrimSpace(line) != "" {
			tail = append(tail, line)
			tail = tail[max(0, len(tail)-tailLines):]
		}
	}
	_, _ = io.Copy(io.Discard, r) // after a line too long, so that the process does not wait for a reader
	return tail
}

func look(pid int, store string) sample { return sample{readProcess(pid), diskBytes(store)} }

// join makes a process one of the control group, as soon as it runs: what it has by then is little.
func (d *Driver) join(pid int) error {
	if d.Group == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(d.Group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}
