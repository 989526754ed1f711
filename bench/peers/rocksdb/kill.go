package rocksdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// db_bench reports to a file once a second how many operations were done in that second, from the start of the last benchmark on.
const reportEvery = time.Second

func reportName(store string) string { return store + ".csv" }

func reportFlags(store string) []string {
	return []string{flag("report_interval_seconds", int(reportEvery.Seconds())), "-report_file=" + reportName(store)}
}

// readReport returns how many operations a report has, and in how many seconds.
func readReport(name string) (ops uint64, seconds float64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		at, did, ok := strings.Cut(lines.Text(), ",")
		if n := number(at); ok && n > 0 { // not the heading
			ops, seconds = ops+count(did), n
		}
	}
	return ops, seconds, lines.Err()
}

// A process is killed once it has reported half as many writes as there are entries, or after a while.
const (
	killPoll  = 10 * time.Millisecond
	killAfter = 4 * time.Second
)

// keySpace is so large that random keys are all different, and what is there can be counted.
const keySpace = 1 << 60

// killed kills a process that writes random keys, opens the store again and counts. Acknowledged is what db_bench had reported,
// once a second, and so less than what had returned: Lost may be too low by up to one second of writes, and says that none was lost
// if as many are there as were reported.
func (d *Driver) killed(ctx context.Context, p parts) (rows []record.Row, err error) {
	if len(p.killed) == 0 {
		return nil, nil
	}
	store := d.store("killed")
	acknowledged, err := d.writeUntilKilled(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("kill: %w", err)
	}
	out, err := d.run(ctx, command{
		store: store, exists: true, benchmarks: []string{"readseq"},
		flags: []string{"-report_open_timing=true", flag("reads", keySpace)},
	}, noLimit)
	if err != nil {
		return nil, fmt.Errorf("after kill: %w", err)
	}
	for _, s := range p.killed {
		if s.Name == rowOpenKilled {
			rows = append(rows, d.opened(s, out, store))
			continue
		}
		rows = append(rows, d.lost(s, out, acknowledged))
	}
	return rows, nil
}

func (d *Driver) lost(s Spec, out *outcome, acknowledged uint64) record.Row {
	there := out.measured("readseq", 1)
	if there == nil {
		return d.failed(s, fmt.Errorf("%s printed no result of readseq", program))
	}
	r := d.newRow(s)
	r.Acknowledged = acknowledged
	if n := there[0].ops; n < acknowledged {
		r.Lost = acknowledged - n
	}
	return r
}

// writeUntilKilled returns how many writes were reported before the process was killed.
func (d *Driver) writeUntilKilled(ctx context.Context, store string) (acknowledged uint64, err error) {
	ctx, kill := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		kill(waitForReport(ctx, reportName(store), uint64(d.Entries/2)))
	}()
	defer func() { kill(nil); <-watched }()
	_, err = d.run(ctx, command{
		store: store, benchmarks: []string{"fillrandom"},
		flags: append(reportFlags(store), flag("num", keySpace), flag("writes", keySpace)),
	}, noLimit)
	if err != nil || context.Cause(ctx) != errEnough {
		return 0, errors.Join(errors.New("it ended before it was killed"), err)
	}
	acknowledged, _, err = readReport(reportName(store))
	return acknowledged, err
}

// waitForReport returns errEnough once so many writes are reported, or any after a while.
func waitForReport(ctx context.Context, name string, n uint64) error {
	poll := time.NewTicker(killPoll)
	defer poll.Stop()
	for begun := time.Now(); ; {
		ops, _, err := readReport(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if ops > 0 && (ops >= n || time.Since(begun) > killAfter) {
			return errEnough
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
		}
	}
}
