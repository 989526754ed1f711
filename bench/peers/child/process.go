package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/record"
	"github.com/tinykv/tinykv/bench/peers/workload"
)

// process is a running script.
type process struct {
	*Script
	engine engine.Engine
	out    *json.Encoder

	store engine.Store // nil when closed
	bench *workload.Bench
}

// Main does the script that in begins with. in stays open for as long as the parent lives: its end is the end of this process, so that
// nobody works for a parent that was killed.
func Main(ctx context.Context, in io.Reader, engines []engine.Engine, out io.Writer) error {
	var s Script
	d := json.NewDecoder(in)
	if err := d.Decode(&s); err != nil {
		return fmt.Errorf("script of a child: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(1)
	}()
	return Run(ctx, &s, engines, out)
}

// Run does the steps of a script by one of the engines, and writes rows to out.
func Run(ctx context.Context, s *Script, engines []engine.Engine, out io.Writer) (err error) {
	p := &process{Script: s, out: json.NewEncoder(out)}
	if p.engine, err = find(engines, s.Engine); err != nil {
		return err
	}
	if err := join(s.Group); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for _, step := range s.Steps {
		if err := p.do(ctx, step); err != nil {
			return fmt.Errorf("%s %s: %w", step.Do, step.Row, err)
		}
	}
	return nil
}

func find(engines []engine.Engine, name string) (engine.Engine, error) {
	for _, e := range engines {
		if e.Name == name {
			return e, nil
		}
	}
	return engine.Engine{}, fmt.Errorf("there is no engine %q in this program", name)
}

// join makes the process one of a control group.
func join(group string) error {
	if group == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

func (p *process) do(ctx context.Context, s Step) error {
	switch s.Do {
	case Open:
		return p.open(s)
	case Close:
		return p.closeTimed(s)
	case Settle:
		_, err := p.settle(ctx)
		return err
	case Load:
		return p.bench.Load()
	case Warm:
		return p.bench.Warm(ctx)
	case Measure:
		return p.measure(ctx, s)
	case Acks:
		return p.writeUntilKilled(ctx)
	case Count:
		return p.countAcknowledged(s)
	}
	return fmt.Errorf("there is no step %q", s.Do)
}

// open opens the store. The time of that is reported when the step has a row.
func (p *process) open(s Step) error {
	begun := time.Now()
	store, err := p.engine.Open(p.Dir, engine.Config{Profile: p.Profile, Sync: p.Sync, MemoryLimit: p.MemoryLimit})
	if err != nil {
		return err
	}
	took := time.Since(begun)
	p.store = store
	p.bench = workload.New(store, p.Entries, p.ValueBytes, p.Seed, workload.Limits{Writes: p.WriteLimit, Reads: p.ReadTime})
	return p.reportTime(s, took)
}

// reportTime reports how long a single call took, if the step has a row.
func (p *process) reportTime(s Step, took time.Duration) error {
	if s.Row == "" {
		return nil
	}
	r := p.newRow(s)
	r.Ops, r.Seconds, r.Mean = 1, took.Seconds(), float64(took)/float64(time.Microsecond)
	if err := p.setSpace(r); err != nil {
		return err
	}
	return p.report(r)
}

// closeTimed closes the store. The time of that is reported when the step has a row.
func (p *process) closeTimed(s Step) error {
	begun := time.Now()
	if err := p.close(); err != nil {
		return err
	}
	return p.reportTime(s, time.Since(begun))
}

func (p *process) close() error {
	if p.store == nil {
		return nil
	}
	store := p.store
	p.store, p.bench = nil, nil
	return store.Close()
}

func (p *process) report(r *record.Row) error { return p.out.Encode(record.Line{Row: r}) }
