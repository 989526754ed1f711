package manifest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

func TestApply_AddsDeletesAndMovesTables(t *testing.T) {
	v := version(t, "+L0:1[a#1,SET-c#2,SET] +L1:2[a#1,SET-b#1,SET]")
	for _, c := range []struct{ edit, want string }{
		{"", "L0: 1[a#1,SET-c#2,SET] L1: 2[a#1,SET-b#1,SET]"},
		{"-L1:2", "L0: 1[a#1,SET-c#2,SET]"},
		{"-L0:1 -L1:2 +L1:3[a#1,SET-c#2,SET]", "L1: 3[a#1,SET-c#2,SET]"},
		{"-L0:1 +L2:1[a#1,SET-c#2,SET]", "L1: 2[a#1,SET-b#1,SET] L2: 1[a#1,SET-c#2,SET]"},
	} {
		next, err := v.Apply(edit(t, c.edit))
		must(t, err)
		same(t, lines(next), c.want)
	}
	same(t, lines(v), "L0: 1[a#1,SET-c#2,SET] L1: 2[a#1,SET-b#1,SET]") // as before
}

func TestApply_OrdersLevel0NewestFirstAndTheOthersByKey(t *testing.T) {
	v := version(t, "+L0:1[a#1,SET-c#2,SET] +L0:3[x#9,SET-y#9,SET] +L0:2[a#3,SET-b#5,SET] +L3:5[m#1,SET-n#1,SET] +L3:6[a#1,SET-b#1,SET] +L3:4[p#1,SET-p#1,SET]")
	same(t, lines(v), "L0: 3[x#9,SET-y#9,SET] 2[a#3,SET-b#5,SET] 1[a#1,SET-c#2,SET] L3: 6[a#1,SET-b#1,SET] 5[m#1,SET-n#1,SET] 4[p#1,SET-p#1,SET]")
}

func TestApply_LevelThatDoesNotChangeStaysTheSameSlice(t *testing.T) {
	v := version(t, "+L1:1[a#1,SET-b#1,SET] +L2:2[a#1,SET-b#1,SET]")
	next, err := v.Apply(edit(t, "-L2:2"))
	must(t, err)
	if &next.Levels[1][0] != &v.Levels[1][0] {
		t.Error("level 1 was copied")
	}
}

func TestApply_RefusesWhatBreaksAnInvariant(t *testing.T) {
	v := version(t, "+L0:1[a#10,SET-c#20,SET] +L1:2[d#1,SET-h#1,SET]")
	for _, c := range []struct{ edit, want string }{
		{"-L1:1", "deletes table 1, which is not in level 1"},
		{"-L0:9", "deletes table 9, which is not in level 0"},
		{"+L2:1[a#1,SET-b#1,SET]", "table 1 is there twice"},
		{"+L1:2[x#1,SET-y#1,SET]", "table 2 is there twice"},
		{"+L2:3[b#1,SET-a#1,SET]", "table 3 reaches from b#1,SET to a#1,SET"},
		{"+L2:3[a#1,SET-a#2,SET]", "table 3 reaches from a#1,SET to a#2,SET"},
		{"+L0:3[x#20,SET-y#30,SET]", "tables 3 and 1 of level 0 share sequence numbers"},
		{"+L0:3[x#12,SET-y#15,SET]", "tables 1 and 3 of level 0 share sequence numbers"},
		{"+L0:3[x#1,SET-y#10,SET]", "tables 1 and 3 of level 0 share sequence numbers"},
		{"+L1:3[a#1,SET-d#9,SET]", "tables 3 and 2 of level 1 overlap"},
		{"+L1:3[h#0,SET-k#1,SET]", "tables 2 and 3 of level 1 overlap"},
		{"+L1:3[e#1,SET-f#1,SET]", "tables 2 and 3 of level 1 overlap"},
		{"+L1:3[a#1,SET-z#1,SET]", "tables 3 and 2 of level 1 overlap"},
	} {
		next, err := v.Apply(edit(t, c.edit))
		var e *corrupt.Error
		if !errors.As(err, &e) || e.Detail != c.want {
			t.Errorf("%s: %v, %v; want %s", c.edit, next, err, c.want)
		}
	}
}

func TestApply_TakesTablesThatMerelyTouch(t *testing.T) {
	for _, text := range []string{
		"+L0:1[a#1,SET-c#2,SET] +L0:2[a#3,SET-c#4,SET]",
		"+L1:1[a#1,SET-b#1,SET] +L1:2[b\x00#1,SET-c#1,SET]",
		"+L1:1[a#5,SET-a#1,SET] +L2:2[a#0,SET-a#0,SET]",
	} {
		version(t, text)
	}
}

func TestOverlaps_EqualsTheNaiveOne(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		level := Level(rng.IntN(3))
		v := &Version{}
		at := rng.IntN(3)
		for i := range rng.IntN(8) {
			from, to := at+1+rng.IntN(3), 0
			to = from + rng.IntN(3)
			at = to
			if level == 0 {
				from = rng.IntN(20)
				to = from + rng.IntN(5)
			}
			v.Levels[level] = append(v.Levels[level], table(t, fmt.Sprintf("%d[%c#1,SET-%c#1,SET]", i+1, 'a'+from, 'a'+to)))
		}
		bound := func() []byte {
			if rng.IntN(5) == 0 {
				return nil
			}
			return key.AppendStored(nil, 0, []byte{byte('a' + rng.IntN(26))})
		}
		lower, upper := bound(), bound()
		var want []*Table
		for _, c := range v.Levels[level] {
			if (lower == nil || slices.Compare(c.Largest.Stored, lower) >= 0) && (upper == nil || slices.Compare(c.Smallest.Stored, upper) <= 0) {
				want = append(want, c)
			}
		}
		if lower != nil && upper != nil && slices.Compare(lower, upper) > 0 {
			continue // no range
		}
		if got := v.Overlaps(level, lower, upper); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %q to %q in %v: %d tables, want %d", seed, lower, upper, v, len(got), len(want))
		}
	}
}

func TestOverlaps_OfABackwardRangeIsNoPanic(t *testing.T) {
	v := version(t, "+L1:1[a#1,SET-b#1,SET] +L1:2[c#1,SET-d#1,SET] +L1:3[e#1,SET-f#1,SET]")
	if got := v.Overlaps(1, []byte("\x00f"), []byte("\x00a")); len(got) > 0 {
		t.Errorf("%d tables", len(got))
	}
}

func TestTable_CoversItsBoundsAndWhatLiesBetween(t *testing.T) {
	c := table(t, "1[b#5,SET-d#1,SET]")
	for user, want := range map[string]bool{"a": false, "b": true, "c": true, "d": true, "d\x00": false, "a\xff": false} {
		if got := c.Covers(key.AppendStored(nil, 0, []byte(user))); got != want {
			t.Errorf("%q: %v", user, got)
		}
	}
}

func TestBytes_SumsUpALevel(t *testing.T) {
	v := version(t, "+L1:1[a#1,SET-b#1,SET] +L1:2[c#1,SET-d#1,SET] +L2:5[c#1,SET-d#1,SET]")
	same(t, []int64{v.Bytes(0), v.Bytes(1), v.Bytes(2)}, []int64{0, 300, 500})
}

func TestVersion_StringListsLevelsThatHoldTables(t *testing.T) {
	v := version(t, "+L0:1[a#1,SET-c#2,SET] +L6:5[m#1,SET-n#1,DEL]")
	same(t, strings.TrimSpace(v.String()), "L0: 1[a#1,SET-c#2,SET]\nL6: 5[m#1,SET-n#1,DEL]")
}

func TestState_ApplyTakesTheGreaterNumbersAndTheNewerLog(t *testing.T) {
	s := State{Store: 1, NextFile: 10, LastSeq: 100, Log: LogState{First: 5, Exists: true}, Version: &Version{}}
	for _, c := range []struct {
		edit Edit
		want string
	}{
		{Edit{}, "store 1 next 10 last 100 log {First:5 Exists:true} "},
		{Edit{NextFile: 9, LastSeq: 99}, "store 1 next 10 last 100 log {First:5 Exists:true} "},
		{Edit{NextFile: 11, LastSeq: 101}, "store 1 next 11 last 101 log {First:5 Exists:true} "},
		{Edit{Log: &LogState{First: 7}}, "store 1 next 10 last 100 log {First:7 Exists:false} "},
	} {
		next, err := s.Apply(&c.edit)
		must(t, err)
		same(t, describe(next), c.want)
	}
}

func TestState_SnapshotYieldsTheState(t *testing.T) {
	s := State{
		NextFile: 10, LastSeq: 100, Log: LogState{First: 5, Exists: true},
		Version: version(t, "+L0:1[a#1,SET-c#2,SET] +L0:2[a#3,SET-c#4,SET] +L1:3[a#1,SET-b#1,SET] +L6:5[m#1,SET-n#1,DEL]"),
	}
	e, err := DecodeEdit(s.snapshot().Encode())
	must(t, err)
	got, err := State{Version: &Version{}}.Apply(e)
	must(t, err)
	same(t, describe(got), describe(s))
}
