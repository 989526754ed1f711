package iterator

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

func merged(t *testing.T, sources ...string) Iterator {
	t.Helper()
	var all []Iterator
	for _, text := range sources {
		all = append(all, newSlice(parse(t, text)))
	}
	return Merge(all...)
}

func TestMerging_GoesThroughTheUnionInOrder(t *testing.T) {
	it := merged(t, "a#1,SET:1 d#1,SET:2", "b#2,SET:3 b#1,DEL", "", "c#9,SET:4")
	same(t, run(t, it, "first next next next next next"),
		"a#1,SET:1 b#2,SET:3 b#1,DEL: c#9,SET:4 d#1,SET:2 end")
	same(t, run(t, it, "last prev prev prev prev prev"),
		"d#1,SET:2 c#9,SET:4 b#1,DEL: b#2,SET:3 a#1,SET:1 end")
}

func TestMerging_VersionsOfOneKeyComeNewestFirstWhereverTheyLie(t *testing.T) {
	it := merged(t, "k#5,SET:5 k#1,SET:1", "k#4,DEL k#2,SET:2", "k#3,SET:3")
	same(t, run(t, it, "first next next next next"), "k#5,SET:5 k#4,DEL: k#3,SET:3 k#2,SET:2 k#1,SET:1")
}

func TestMerging_TurnsRoundAtEveryEntry(t *testing.T) {
	it := merged(t, "a#1,SET:1 c#1,SET:3", "b#1,SET:2 d#1,SET:4")
	same(t, run(t, it, "first next prev next next prev prev next next next prev"),
		"a#1,SET:1 b#1,SET:2 a#1,SET:1 b#1,SET:2 c#1,SET:3 b#1,SET:2 a#1,SET:1 b#1,SET:2 c#1,SET:3 d#1,SET:4 c#1,SET:3")
}

func TestMerging_ComesBackFromBothEnds(t *testing.T) {
	it := merged(t, "a#1,SET:1", "b#1,SET:2")
	same(t, run(t, it, "last next prev prev prev next"), "b#1,SET:2 end b#1,SET:2 a#1,SET:1 end a#1,SET:1")
}

func TestMerging_SeeksBetweenEntries(t *testing.T) {
	it := merged(t, "a#5,SET:1 c#5,SET:2", "a#3,SET:3")
	same(t, run(t, it, "ge:a#4,SET lt:a#4,SET ge:b#1,SET lt:b#1,SET ge:d#1,SET lt:a#9,SET"),
		"a#3,SET:3 a#5,SET:1 c#5,SET:2 a#3,SET:3 end end")
}

func TestMerging_OfNothingIsEmpty(t *testing.T) {
	same(t, run(t, Merge(), "first last next prev ge:a#1,SET lt:a#1,SET"), "end end end end end end")
	same(t, run(t, merged(t, "", ""), "first prev last next"), "end end end end")
}

func TestMerge_OfOneSourceIsThatSource(t *testing.T) {
	s := newSlice(nil)
	if Merge(s) != Iterator(s) {
		t.Error("a single source was wrapped")
	}
}

func TestMerging_FailureSticksUntilTheNextAbsoluteMove(t *testing.T) {
	it := merged(t, "a#1,SET:1 c#1,SET:3! e#1,SET:5", "b#1,SET:2 d#1,SET:4")
	bad := "error: " + errBad.Error()
	same(t, run(t, it, "first next next prev next ge:d#1,SET next prev next lt:b#1,SET last"),
		strings.Join([]string{"a#1,SET:1", bad, bad, bad, bad, "d#1,SET:4", "e#1,SET:5", bad, bad, "a#1,SET:1", "e#1,SET:5"}, " "))
}

func TestMerging_FailsRatherThanSkipASource(t *testing.T) {
	// The second source may hold entries before x, so none can be returned.
	it := merged(t, "x#1,SET:1", "a#1,SET:2!")
	same(t, run(t, it, "first"), "error: "+errBad.Error())
}

func TestMerging_ClosesEverySourceOnce(t *testing.T) {
	a, b := newSlice(nil), newSlice(nil)
	a.closeErr = errClose
	it := Merge(a, b)
	if err := it.Close(); !errors.Is(err, errClose) {
		t.Errorf("first Close: %v", err)
	}
	if err := it.Close(); err != nil || a.closed != 1 || b.closed != 1 {
		t.Errorf("second Close: %v; sources were closed %d and %d times", err, a.closed, b.closed)
	}
}

func TestMerging_InitStartsAnewWithOtherSources(t *testing.T) {
	var m Merging
	m.Init([]Iterator{newSlice(parse(t, "a#1,SET:1!")), newSlice(nil)})
	same(t, run(t, &m, "first"), "error: "+errBad.Error())
	m.Init([]Iterator{newSlice(parse(t, "b#1,SET:1")), newSlice(parse(t, "c#1,SET:2"))})
	same(t, run(t, &m, "first next next"), "b#1,SET:1 c#1,SET:2 end")
}

func TestMerging_EqualsASortedSliceUnderRandomMoves(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 0))
		all := randomEntries(rng, rng.IntN(30))
		if seed%2 == 1 {
			for i := range all {
				all[i].bad = rng.IntN(12) == 0
			}
		}
		sources := make([][]entry, 2+rng.IntN(4))
		for _, e := range all {
			i := rng.IntN(len(sources))
			sources[i] = append(sources[i], e)
		}
		var its []Iterator
		for _, s := range sources {
			its = append(its, newSlice(s))
		}
		it := Merge(its...)
		w := &twin{all: all, at: -1, fails: func(to, way int, _ *key.Internal) bool { return anyLandsBad(all, sources, to, way) }}
		targets := randomTargets(rng, all)
		it.First()
		w.arrive(0, 1, nil)
		for i := range 300 {
			if move, got, want := w.step(rng, it, targets); got != want {
				t.Fatalf("seed %d, move %d, %s: got %s, want %s\nsources %v", seed, i, move, got, want, sources)
			}
		}
	}
}

// anyLandsBad tells whether, when the union is at place to, some source stands at a bad entry: each
// one stands at its first entry from there on, in the direction of the move.
func anyLandsBad(all []entry, sources [][]entry, to, way int) bool {
	for _, s := range sources {
		for i := to; i >= 0 && i < len(all); i += way {
			if slices.ContainsFunc(s, func(e entry) bool { return key.Compare(e.key, all[i].key) == 0 }) {
				if all[i].bad {
					return true
				}
				break
			}
		}
	}
	return false
}

// bounded is a slice that knows where its bad entry is.
type bounded struct{ *slice }

func (b bounded) FailedAt(bool) (key.Internal, bool) { return b.entries[b.at].key, true }

func TestMerging_DamageHidesNoEntryBeforeIt(t *testing.T) {
	it := Merge(bounded{newSlice(parse(t, "a#1,SET:1 c#1,SET:3! e#1,SET:5"))}, newSlice(parse(t, "b#1,SET:2 d#1,SET:4")))
	bad := "error: " + errBad.Error()
	same(t, run(t, it, "first next next next ge:c#0,SET next next last prev prev prev lt:c#1,SET prev"),
		strings.Join([]string{
			"a#1,SET:1", "b#1,SET:2", bad, bad, "d#1,SET:4", "e#1,SET:5", "end",
			"e#1,SET:5", "d#1,SET:4", bad, bad, "b#1,SET:2", "a#1,SET:1",
		}, " "))
}

func TestMerging_OfBoundedSourcesFailsOnlyAtTheBadEntry(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		all := randomEntries(rng, rng.IntN(30))
		for i := range all {
			all[i].bad = rng.IntN(8) == 0
		}
		sources := make([][]entry, 2+rng.IntN(4))
		for _, e := range all {
			i := rng.IntN(len(sources))
			sources[i] = append(sources[i], e)
		}
		var its []Iterator
		for _, s := range sources {
			its = append(its, bounded{newSlice(s)})
		}
		it := Merge(its...)
		w := &twin{all: all, at: -1, fails: func(to, _ int, _ *key.Internal) bool { return to >= 0 && to < len(all) && all[to].bad }}
		targets := randomTargets(rng, all)
		it.First()
		w.arrive(0, 1, nil)
		for i := range 300 {
			if move, got, want := w.step(rng, it, targets); got != want {
				t.Fatalf("seed %d, move %d, %s: got %s, want %s\nsources %v", seed, i, move, got, want, sources)
			}
		}
	}
}

// Sources that are before the goal go there by one seek each; those that are not stay.
func TestMerging_AdvanceFromJumpsTheOlderEntriesOfAKey(t *testing.T) {
	many := newSlice(parse(t, "a#9,SET: b#9,SET: b#8,SET: b#7,SET: b#6,SET: c#9,SET:"))
	other := newSlice(parse(t, "b#5,SET: d#9,SET:"))
	b := parse(t, "b#1,SET:")[0].key.Stored
	for _, c := range []struct {
		from    int
		trailer key.Trailer
		want    string
	}{
		{0, key.MinTrailer, "c#9,SET"},
		{0, key.SeekTrailer(7), "b#7,SET"},
		{0, key.SeekTrailer(5), "b#5,SET"},
		{0, key.MaxTrailer, "b#9,SET"},
		{1, key.MinTrailer, "b#9,SET"},
	} {
		var m Merging
		m.Init([]Iterator{many, other})
		m.SeekGE(b, key.MaxTrailer)
		if got := m.AdvanceFrom(c.from, b, c.trailer).Key().String(); got != c.want {
			t.Errorf("from %d to b at %x: %s, want %s", c.from, uint64(c.trailer), got, c.want)
		}
	}
}
