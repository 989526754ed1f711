package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/draw"
	"github.com/tinykv/tinykv/bench/internal/machine"
	"github.com/tinykv/tinykv/bench/internal/memory"
	"github.com/tinykv/tinykv/bench/internal/values"
)

// errInterrupted ends a session that was told to stop.
var errInterrupted = errors.New("interrupted")

// session is one run of the program: a directory, the store in it, and the benchmarks in turn.
type session struct {
	config   *config
	report   report
	progress *progress
	pool     []byte // values are cut from it

	temporary string // directory to remove at the end, or empty
	dir       string // of the store
	db        *tinykv.DB
	empty     bool // nothing was written to the store yet
	inserts   *draw.Inserts
	streams   uint64 // random streams that threads were given so far
	memory    *memory.AnonPeak
}

func newSession(c *config, stdout, stderr io.Writer) *session {
	return &session{
		config:   c,
		report:   newReport(stdout, c),
		progress: newProgress(stderr, c),
		pool:     values.NewPool(c.valueSize, c.compressionRatio, c.seed),
	}
}

// run does what the command line asks for.
func (s *session) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.begin(); err != nil {
		return err
	}
	s.report.header(s.config, header(s.config, s.dir))
	if s.config.machine {
		if err := machine.Measure(ctx, s.dir, s.report.limit); err != nil {
			return fmt.Errorf("measure the machine: %w", err)
		}
	}
	stopProfile, err := startProfile(s.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	if s.config.memoryBudget > 0 {
		s.memory = memory.Watch()
		defer s.memory.End()
	}
	s.report.begin()
	for i := range s.config.benchmarks {
		if ctx.Err() != nil {
			return s.interrupted(s.config.benchmarks[i:])
		}
		if err := s.benchmark(ctx, &s.config.benchmarks[i]); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return s.interrupted(nil)
	}
	return nil
}

// begin finds a directory and opens the store.
func (s *session) begin() error {
	if s.dir = s.config.db; s.dir == "" {
		var err error
		if s.temporary, err = os.MkdirTemp("", "tinykv-bench-"); err != nil {
			return err
		}
		s.dir = filepath.Join(s.temporary, "db")
	}
	if !s.config.useExistingDB {
		if err := checkUnused(s.dir); err != nil {
			return err
		}
	}
	return s.open()
}

// checkUnused returns an error for a directory with anything in it: a benchmark removes the store
// that it finds, and what is removed must be its own.
func checkUnused(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%s is not empty: use what is there with -use_existing_db, or remove it first", dir)
}

func (s *session) open() error {
	db, err := tinykv.Open(s.dir, s.config.options())
	if errors.Is(err, tinykv.ErrInvalidOption) {
		return usagef("%s", inFlags(err.Error()))
	}
	if err != nil {
		return err
	}
	s.db, s.empty = db, !s.config.useExistingDB
	s.inserts = draw.NewInserts(uint64(s.config.num))
	return nil
}

// reopen closes the store and opens it again.
func (s *session) reopen() error {
	if err := s.db.Close(); err != nil {
		return err
	}
	s.db = nil
	db, err := tinykv.Open(s.dir, s.config.options())
	if err != nil {
		return err
	}
	s.db = db
	return nil
}

// newValues returns what a thread writes.
func (s *session) newValues(b *benchmark) values.Values {
	return values.Values{Pool: s.pool, Size: cmp.Or(b.valueSize, s.config.valueSize)}
}

// end closes the store, and removes it unless it is to be kept.
func (s *session) end() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	if s.temporary != "" {
		err = errors.Join(err, os.RemoveAll(s.temporary))
	}
	return err
}

// renew replaces the store by an empty one. It is called only for a store that this session made.
func (s *session) renew() error {
	if s.empty {
		return nil
	}
	if err := s.db.Close(); err != nil {
		return err
	}
	s.db = nil
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
			return err
		}
	}
	return s.open()
}

// benchmark runs one and reports what it measured.
func (s *session) benchmark(ctx context.Context, b *benchmark) error {
	if b.info != nil {
		return s.inform(b)
	}
	if b.fresh && s.config.useExistingDB {
		s.report.skipped(b.name, "-use_existing_db")
		return nil
	}
	if err := s.prepare(b); err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	r, err := s.measure(ctx, b)
	if err != nil {
		return fmt.Errorf("%s: after %d operations: %w", b.name, r.ops, err)
	}
	r.interrupted = ctx.Err() != nil && !r.isDone(b.limit(s.config))
	s.report.result(b.name, r, b.remarks(r))
	if s.memory != nil {
		s.report.info(b.name+" memory", &ownMemory{Peak: s.memory.Take(), Budget: float64(s.config.memoryBudget)})
	}
	return nil
}

func (s *session) inform(b *benchmark) error {
	i, err := b.info(s)
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	s.report.info(b.name, i)
	return nil
}

// prepare gives a benchmark the store that it begins with.
func (s *session) prepare(b *benchmark) error {
	if b.fresh {
		if err := s.renew(); err != nil {
			return fmt.Errorf("empty the store: %w", err)
		}
	}
	s.empty = false
	if b.reopen {
		if err := s.reopen(); err != nil {
			return fmt.Errorf("open the store anew: %w", err)
		}
	}
	return nil
}

// interrupted says what was not done.
func (s *session) interrupted(left []benchmark) error {
	var names []string
	for _, b := range left {
		names = append(names, b.name)
	}
	if len(names) > 0 {
		s.report.notRun(names)
	}
	return errInterrupted
}
