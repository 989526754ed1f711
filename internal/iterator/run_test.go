package iterator

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

// part is a source of a Run.
type part struct {
	entries []entry
	largest key.Internal
	shut    bool  // cannot be opened
	stuck   error // returned when it is closed
}

// parts implements Sources, and counts what is open.
type parts struct {
	all  []part
	open []*slice // every one that was opened
}

func (p *parts) Len() int { return len(p.all) }

func (p *parts) Smallest(i int) key.Internal {
	if len(p.all[i].entries) == 0 {
		return p.all[i].largest
	}
	return p.all[i].entries[0].key
}

func (p *parts) Largest(i int) key.Internal { return p.all[i].largest }

func (p *parts) Open(i int) (Iterator, error) {
	if p.all[i].shut {
		return nil, errOpen
	}
	s := newSlice(p.all[i].entries)
	s.closeErr = p.all[i].stuck
	p.open = append(p.open, s)
	return s, nil
}

// leaked tells how many iterators were opened and not closed exactly once.
func (p *parts) leaked() (n int) {
	for _, s := range p.open {
		if s.closed != 1 {
			n++
		}
	}
	return n
}

// sequence makes sources from texts, as parse reads them; "shut" and the largest key make one that
// cannot be opened.
func sequence(t *testing.T, sources ...string) *parts {
	t.Helper()
	p := &parts{}
	for _, text := range sources {
		text, shut := strings.CutPrefix(text, "shut ")
		entries := parse(t, text)
		p.all = append(p.all, part{entries: entries, largest: entries[len(entries)-1].key, shut: shut})
	}
	return p
}

func TestRun_GoesFromSourceToSource(t *testing.T) {
	it := NewRun(sequence(t, "a#1,SET:1 b#1,SET:2", "c#1,SET:3", "d#2,SET:4 d#1,SET:5"))
	same(t, run(t, it, "first next next next next next"), "a#1,SET:1 b#1,SET:2 c#1,SET:3 d#2,SET:4 d#1,SET:5 end")
	same(t, run(t, it, "prev prev prev prev prev prev"), "d#1,SET:5 d#2,SET:4 c#1,SET:3 b#1,SET:2 a#1,SET:1 end")
	same(t, run(t, it, "next"), "a#1,SET:1")
}

func TestRun_NotPositionedYetBeginsWithNext(t *testing.T) {
	same(t, run(t, NewRun(sequence(t, "a#1,SET:1")), "next"), "a#1,SET:1")
}

func TestRun_OfNoSourcesIsEmpty(t *testing.T) {
	same(t, run(t, NewRun(&parts{}), "first next prev last prev next ge:a#1,SET lt:a#1,SET"),
		"end end end end end end end end")
}

func TestRun_SeekEndsInTheNextSourceWhenItsBoundLiesBehindItsEntries(t *testing.T) {
	p := sequence(t, "a#5,SET:1", "m#5,SET:2", "z#5,SET:3")
	p.all[0].largest = parse(t, "f#1,SET")[0].key
	same(t, run(t, NewRun(p), "ge:c#1,SET lt:c#1,SET lt:m#9,SET ge:g#1,SET lt:g#1,SET"),
		"m#5,SET:2 a#5,SET:1 a#5,SET:1 m#5,SET:2 a#5,SET:1")
}

func TestRun_OpensOneSourceAtATimeAndOnlyWhenReached(t *testing.T) {
	p := sequence(t, "a#1,SET:1", "b#1,SET:2", "c#1,SET:3")
	it := NewRun(p)
	same(t, run(t, it, "ge:b#1,SET"), "b#1,SET:2")
	if len(p.open) != 1 {
		t.Errorf("%d sources were opened to find one entry", len(p.open))
	}
	run(t, it, "next")
	if p.open[0].closed != 1 {
		t.Error("a source stays open behind the iterator")
	}
}

func TestRun_SeekWithinASourceOpensNothing(t *testing.T) {
	p := sequence(t, "a#1,SET:1 b#1,SET:2 c#1,SET:3", "x#1,SET:4")
	run(t, NewRun(p), "ge:a#1,SET ge:c#1,SET lt:c#1,SET first")
	if len(p.open) != 1 {
		t.Errorf("%d sources were opened", len(p.open))
	}
}

// Damage to one table must leave the keys of its neighbours readable.
func TestRun_SeekLTOpensNoSourceThatBeginsAtOrBehindItsBound(t *testing.T) {
	it := NewRun(sequence(t, "a#1,SET:1 b#1,SET:2", "shut d#2,SET:3 d#1,SET:4"))
	same(t, run(t, it, "lt:c#1,SET"), "b#1,SET:2")
	same(t, run(t, it, "lt:d#2,SET"), "b#1,SET:2")
	same(t, run(t, it, "lt:a#1,SET next"), "end a#1,SET:1")
	if run(t, it, "lt:d#1,SET"); it.Err() == nil {
		t.Error("what lies in the source that cannot be opened was passed over")
	}
}

func TestRun_SourceThatCannotBeOpenedFailsUntilTheNextAbsoluteMove(t *testing.T) {
	it := NewRun(sequence(t, "a#1,SET:1", "shut b#1,SET:2", "c#1,SET:3"))
	shut := "error: " + errOpen.Error()
	same(t, run(t, it, "first next next prev ge:c#1,SET prev next first ge:b#1,SET lt:c#1,SET lt:b#0,SET last"),
		strings.Join([]string{"a#1,SET:1", shut, shut, shut, "c#1,SET:3", shut, shut, "a#1,SET:1", shut, shut, shut, "c#1,SET:3"}, " "))
}

func TestRun_FailureOfASourceIsNotTakenForItsEnd(t *testing.T) {
	it := NewRun(sequence(t, "a#1,SET:1 b#1,SET:2!", "c#1,SET:3"))
	bad := "error: " + errBad.Error()
	same(t, run(t, it, "first next next prev last prev prev"),
		strings.Join([]string{"a#1,SET:1", bad, bad, bad, "c#1,SET:3", bad, bad}, " "))
}

func TestRun_OpensASourceAnewAfterItFailed(t *testing.T) {
	p := sequence(t, "shut a#1,SET:1")
	it := NewRun(p)
	same(t, run(t, it, "first"), "error: "+errOpen.Error())
	p.all[0].shut = false
	same(t, run(t, it, "first"), "a#1,SET:1")
}

func TestRun_FailureToCloseASourceIsReported(t *testing.T) {
	// Files are closed on the way, and what Close says of them must not be lost.
	p := sequence(t, "a#1,SET:1", "b#1,SET:2")
	p.all[0].stuck = errClose
	it := NewRun(p)
	moves := run(t, it, "first next next")
	if err := errors.Join(it.Err(), it.Close()); !errors.Is(err, errClose) {
		t.Errorf("moves arrived at %s, and no failure was reported", moves)
	}
}

func TestRun_CloseIsIdempotentAndLeaksNothing(t *testing.T) {
	p := sequence(t, "a#1,SET:1", "b#1,SET:2", "c#1,SET:3")
	it := NewRun(p)
	run(t, it, "first next next prev last lt:b#1,SET ge:b#1,SET")
	for range 2 {
		if err := it.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := p.leaked(); n != 0 {
		t.Errorf("%d of %d sources were not closed once", n, len(p.open))
	}
}

func TestRun_CloseReturnsTheFailureToCloseOnce(t *testing.T) {
	p := sequence(t, "a#1,SET:1")
	p.all[0].stuck = errClose
	it := NewRun(p)
	it.First()
	if first, second := it.Close(), it.Close(); !errors.Is(first, errClose) || second != nil {
		t.Errorf("first Close: %v, second: %v", first, second)
	}
}

func TestRun_EqualsASortedSliceUnderRandomMoves(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		all := randomEntries(rng, rng.IntN(30))
		for i := range all {
			all[i].bad = seed%3 == 1 && rng.IntN(12) == 0
		}
		p := randomParts(rng, all)
		if seed%3 == 2 {
			for i := range p.all {
				p.all[i].shut = rng.IntN(5) == 0
			}
		}
		it := NewRun(p)
		w := &twin{all: all, at: -1, fails: p.fails(all)}
		targets := randomTargets(rng, all)
		it.First()
		w.arrive(0, 1, nil)
		for i := range 300 {
			if move, got, want := w.step(rng, it, targets); got != want {
				t.Fatalf("seed %d, move %d, %s: got %s, want %s\nsources %v", seed, i, move, got, want, p.all)
			}
		}
		_ = it.Close()
		if n := p.leaked(); n != 0 {
			t.Fatalf("seed %d: %d of %d sources were not closed once", seed, n, len(p.open))
		}
	}
}

// randomParts cuts entries into sources, some of them empty, never between entries of one key. The
// bound of each lies at its last entry or somewhere before the next source.
func randomParts(rng *rand.Rand, all []entry) *parts {
	p := &parts{}
	from := 0
	for i := 1; i <= len(all); i++ {
		between := i == len(all) || !slices.Equal(all[i].key.Stored, all[i-1].key.Stored)
		if !between || i < len(all) && rng.IntN(3) > 0 {
			continue
		}
		bound := all[i-1].key
		if rng.IntN(2) == 0 {
			bound.Trailer = key.MinTrailer
		}
		p.all = append(p.all, part{entries: all[from:i], largest: bound})
		if from = i; rng.IntN(4) == 0 {
			p.all = append(p.all, part{largest: key.Internal{Stored: append(slices.Clone(bound.Stored), 0), Trailer: key.MaxTrailer}})
			if i < len(all) && key.Compare(p.all[len(p.all)-1].largest, all[i].key) >= 0 {
				p.all = p.all[:len(p.all)-1]
			}
		}
	}
	return p
}

// fails says when a move of a Run fails: it arrives at a bad entry, or on the way there it meets a
// source that cannot be opened.
func (p *parts) fails(all []entry) func(to, way int, seek *key.Internal) bool {
	at := 0 // source that the iterator stands in
	return func(to, way int, seek *key.Internal) bool {
		from := at
		switch {
		case seek != nil && way > 0:
			from = 0
			for from < len(p.all) && key.Compare(p.all[from].largest, *seek) < 0 {
				from++
			}
		case seek != nil:
			from = len(p.all) - 1
			for from >= 0 && key.Compare(p.Smallest(from), *seek) >= 0 {
				from--
			}
		case way > 0 && to == 0:
			from = 0
		case way < 0 && to == len(all)-1:
			from = len(p.all) - 1
		}
		for at = from; at >= 0 && at < len(p.all); at += way {
			if p.all[at].shut {
				return true
			}
			if to >= 0 && to < len(all) && slices.ContainsFunc(p.all[at].entries, func(e entry) bool { return key.Compare(e.key, all[to].key) == 0 }) {
				return all[to].bad
			}
		}
		return false
	}
}
