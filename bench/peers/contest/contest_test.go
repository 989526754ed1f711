package contest

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv/bench/peers/child"
	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/engines/badger"
	"github.com/tinykv/tinykv/bench/peers/engines/bbolt"
	"github.com/tinykv/tinykv/bench/peers/engines/goleveldb"
	"github.com/tinykv/tinykv/bench/peers/engines/pebble"
	"github.com/tinykv/tinykv/bench/peers/engines/tinykv"
	"github.com/tinykv/tinykv/bench/peers/record"
)

func everyEngine() []engine.Engine {
	return []engine.Engine{tinykv.New(), pebble.New(), badger.New(), goleveldb.New(), bbolt.New(), broken(), forgetful()}
}

// forgetful is an engine that acknowledges writes and drops one in a hundred.
func forgetful() engine.Engine {
	e := bbolt.New()
	open := e.Open
	e.Name = "forgetful"
	e.Open = func(dir string, c engine.Config) (engine.Store, error) {
		s, err := open(dir, c)
		return forgetfulStore{s}, err
	}
	return e
}

type forgetfulStore struct{ engine.Store }

func (s forgetfulStore) NewSession(writers int) (engine.Session, error) {
	session, err := s.Store.NewSession(writers)
	return &forgetfulSession{Session: session}, err
}

type forgetfulSession struct {
	engine.Session
	puts int
}

func (s *forgetfulSession) Put(key, value []byte) error {
	if s.puts++; s.puts%100 == 0 {
		return nil
	}
	return s.Session.Put(key, value)
}

// broken is an engine that panics when it is opened.
func broken() engine.Engine {
	return engine.Engine{Name: "broken", Open: func(string, engine.Config) (engine.Store, error) { panic("broken on purpose") }}
}

// The test program is its own child, as the benchmark is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		if err := runAsChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runAsChild() error {
	return child.Main(context.Background(), os.Stdin, everyEngine(), os.Stdout)
}

// run runs a small contest and returns its rows.
func run(t *testing.T, engines []engine.Engine, rows ...string) []record.Row {
	t.Helper()
	specs, err := Specs(rows, []int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	var all []record.Row
	c := &Contest{
		Engines: engines, Specs: specs, Profile: engine.Equal, Entries: 2000, ValueBytes: 100, Reps: 1, Seed: 1,
		WriteLimit: time.Minute, ReadTime: time.Millisecond, Rest: 10 * time.Millisecond, Dir: t.TempDir(), Progress: io.Discard,
		Report: func(line record.Line) error { all = append(all, *line.Row); return nil },
	}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(all) != len(specs)*len(engines) {
		t.Errorf("%d rows, want each of %d by each of %d engines", len(all), len(specs), len(engines))
	}
	return all
}

func TestContest_MeasuresEveryRowOfEveryEngine(t *testing.T) {
	for _, r := range run(t, everyEngine()[:5]) {
		if r.Err != "" {
			t.Errorf("%s %s:%d %s: %s", r.Engine, r.Name, r.Threads, r.State, r.Err)
			continue
		}
		if r.Name == RowKill {
			if r.Acknowledged == 0 {
				t.Errorf("%s %s: nothing was acknowledged", r.Engine, r.Name)
			}
			continue
		}
		if r.Ops == 0 || r.Seconds <= 0 || r.Mean <= 0 || r.DiskBytes == 0 {
			t.Errorf("%s %s:%d: %+v", r.Engine, r.Name, r.Threads, r)
		}
	}
}

// What one engine does wrong is told in its rows; the others go on.
func TestContest_GoesOnWhenAnEngineDies(t *testing.T) {
	for _, r := range run(t, []engine.Engine{broken(), tinykv.New()}, "fillseq:1", "readseq", "kill") {
		if r.Engine == "broken" && !strings.Contains(r.Err, "broken on purpose") {
			t.Errorf("%s says %q, want the reason", r.Name, r.Err)
		}
		if r.Engine == "tinykv" && r.Err != "" {
			t.Errorf("%s of tinykv: %s", r.Name, r.Err)
		}
	}
}

// tinykv acknowledges what a killed process keeps.
func TestContest_KillTakesNothingOfTinykv(t *testing.T) {
	for _, r := range run(t, []engine.Engine{tinykv.New()}, "kill") {
		if r.Lost != 0 || r.Acknowledged < 100 {
			t.Errorf("%d of %d acknowledged writes are lost", r.Lost, r.Acknowledged)
		}
	}
}

func TestContest_FindsAFillThatIsNotThere(t *testing.T) {
	for _, r := range run(t, []engine.Engine{forgetful()}, "fillseq:1", "fillrandom:2") {
		if !strings.Contains(r.Err, "after the fill") {
			t.Errorf("%s: %q, want an error", r.Name, r.Err)
		}
	}
}

// Nobody works on for a parent that was killed.
func TestChild_EndsWithItsParent(t *testing.T) {
	s := &child.Script{
		Engine: "tinykv", Profile: engine.Equal, Dir: t.TempDir(), Entries: 2000, ValueBytes: 100,
		Steps: []child.Step{{Do: child.Open}, {Do: child.Acks}},
	}
	r, err := start(t.Context(), s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.alive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.end(); err == nil {
		t.Error("the child ended as if it had nothing left to do")
	}
}

// A program that is a reference takes part in the first repetition, and what it does not report is told.
func TestContest_RunsAProgramOnce(t *testing.T) {
	specs, err := Specs([]string{"fillseq:1", "readseq"}, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	var asked []Spec
	program := Native{Name: "program", Run: func(_ context.Context, _, _ string, _ int, specs []Spec) ([]record.Row, error) {
		asked = append(asked, specs...)
		return []record.Row{{Name: "fillseq", Threads: 1, State: record.StateEmpty, Ops: 1, Seconds: 1}}, nil
	}}
	var rows []record.Row
	c := &Contest{
		Natives: []Native{program}, Specs: specs, Reps: 3, Dir: t.TempDir(), Progress: io.Discard,
		Report: func(line record.Line) error { rows = append(rows, *line.Row); return nil },
	}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(asked, specs) || len(rows) != 2 || rows[0].Err != "" || rows[1].Err != "program reported nothing" {
		t.Errorf("asked for %v, want %v once; reported %+v", asked, specs, rows)
	}
}
