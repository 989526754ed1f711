package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// ErrWrong is matched by the errors of checks that found something else than what must be there; others are of the store.
var ErrWrong = errors.New("the store is wrong")

// Oracle knows what a store must hold.
type Oracle struct {
	config Config
	states []state // of each writer
}

// state is what the first commits of a writer made.
type state struct {
	commits uint64
	model   *enginetest.Model
}

// NewOracle returns an oracle for the stores that children of a configuration leave.
func NewOracle(c Config) *Oracle {
	o := &Oracle{config: c, states: make([]state, c.writers())}
	for w := range o.states {
		o.states[w].model = &enginetest.Model{}
	}
	return o
}

// after returns what commits 1 to n of a writer made.
func (o *Oracle) after(w int, n uint64) *enginetest.Model {
	s := &o.states[w]
	if n < s.commits {
		*s = state{model: &enginetest.Model{}}
	}
	for ; s.commits < n; s.commits++ {
		s.model.Apply(o.config.Batch(w, s.commits+1))
	}
	return s.model
}

// Check opens the store and wants what CheckOpen wants, no damage, a Close that returns nil, no file left that nobody needs, and
// the same once more after it was opened again. It returns how many commits of each writer are there.
func (o *Oracle) Check(least, most []uint64) (found []uint64, err error) {
	for life := range 2 {
		if found, err = o.checkLife(least, most); err != nil {
			return found, fmt.Errorf("opening %d: %w", life+1, err)
		}
		least, most = found, found // what was there once is there for ever
	}
	report, err := tinykv.Verify(context.Background(), o.config.Dir, nil)
	if err != nil {
		return found, fmt.Errorf("verify: %w", err)
	}
	if len(report.Unreferenced) > 0 {
		return found, fmt.Errorf("%w: after closing there are files that nobody needs: %q", ErrWrong, report.Unreferenced)
	}
	return found, report.Err()
}

func (o *Oracle) checkLife(least, most []uint64) (found []uint64, err error) {
	db, err := tinykv.Open(o.config.Dir, o.config.Options())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if found, err = o.CheckOpen(db, least, most); err != nil {
		return found, err
	}
	report, err := db.Verify(context.Background(), nil)
	if err != nil {
		return found, fmt.Errorf("verify: %w", err)
	}
	return found, report.Err()
}

// CheckOpen wants an open store to hold, of each writer, at least and at most so many commits, and to show exactly what these
// made: to scans in both directions and to Get, whether a key is there or not.
func (o *Oracle) CheckOpen(db *tinykv.DB, least, most []uint64) (found []uint64, err error) {
	var want []enginetest.Entry
	for w := range o.states {
		n, err := commitsIn(db, w)
		if err != nil {
			return found, err
		}
		found = append(found, n)
		if n < least[w] || n > most[w] {
			return found, fmt.Errorf("%w: writer %d: there are %d commits, want %d to %d", ErrWrong, w, n, least[w], most[w])
		}
		want = append(want, o.after(w, n).Entries(tinykv.All())...)
	}
	if err := showsExactly(db, want); err != nil {
		return found, fmt.Errorf("after %d commits: %w", found, err)
	}
	return found, o.answers(db)
}

// commitsIn returns the counter of a writer.
func commitsIn(db *tinykv.DB, w int) (uint64, error) {
	v, err := db.Get(counterKey(w))
	if errors.Is(err, tinykv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("counter of writer %d: %w", w, err)
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("%w: counter of writer %d: %q", ErrWrong, w, v)
	}
	return binary.BigEndian.Uint64(v), nil
}

// showsExactly compares scans with what must be there.
func showsExactly(db *tinykv.DB, want []enginetest.Entry) error {
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	if err != nil {
		return err
	}
	back, err := enginetest.Collect(db.Scan(tinykv.All(), tinykv.Reverse))
	if err != nil {
		return fmt.Errorf("backwards: %w", err)
	}
	slices.Reverse(back)
	for i, entries := range [][]enginetest.Entry{got, back} {
		if !slices.Equal(entries, want) {
			return fmt.Errorf("%w: scan %d: %s", ErrWrong, i+1, difference(entries, want))
		}
	}
	return nil
}

// difference tells of the first place where two lists of entries differ.
func difference(got, want []enginetest.Entry) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d entries, want %d; entry %d is %q: %.16x..., want %q: %.16x...",
				len(got), len(want), i, got[i].Key, got[i].Value, want[i].Key, want[i].Value)
		}
	}
	return fmt.Sprintf("%d entries, want %d, the shorter list is where the other begins", len(got), len(want))
}

// answers compares Get of every key with the models, which CheckOpen has brought to where the store is.
func (o *Oracle) answers(db *tinykv.DB) error {
	for w, s := range o.states {
		for i := range keysPerWriter {
			k := keyOf(w, i)
			v, err := db.Get(k)
			if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
				return fmt.Errorf("get %s: %w", k, err)
			}
			want, ok := s.model.Get(string(k))
			if ok != (err == nil) || !bytes.Equal(v, []byte(want)) {
				return fmt.Errorf("%w: get %s: %.16x, %v; want %.16x, %v", ErrWrong, k, v, err, want, ok)
			}
		}
	}
	return nil
}
