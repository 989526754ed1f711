package compaction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
)

var none *Claims

func TestShapeOf_TargetsGrowByNoMoreThanTheMultiplierAndEndAtTheBottom(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		opts := Options{L0Tables: 4, BaseBytes: 1 + rng.Int64N(1<<20), Multiplier: 2 + rng.IntN(15), TableBytes: 100}
		v := &manifest.Version{}
		for level := range v.Levels {
			if rng.IntN(2) == 0 && level > 0 {
				v.Levels[level] = []*manifest.Table{{Num: 1, Size: 1 + rng.Int64N(1<<rng.IntN(40))}}
			}
		}
		s := ShapeOf(v, opts)
		if s.Base < 1 || s.Base > bottom {
			t.Fatalf("seed %d: base %d", seed, s.Base)
		}
		if s.Target[s.Base] > opts.BaseBytes {
			t.Fatalf("seed %d: base of %d bytes, want at most %d", seed, s.Target[s.Base], opts.BaseBytes)
		}
		for level := manifest.Level(1); level <= bottom; level++ {
			if level < s.Base && (v.Bytes(level) > 0 || s.Target[level] != 0) {
				t.Fatalf("seed %d: level %d above base %d holds %d bytes of %d", seed, level, s.Base, v.Bytes(level), s.Target[level])
			}
			if level > s.Base && s.Base > 1 {
				if ratio := float64(s.Target[level]) / float64(max(s.Target[level-1], 1)); ratio < 0.99 || ratio > float64(opts.Multiplier)*1.01+1 {
					t.Fatalf("seed %d: level %d is %.2f times level %d", seed, level, ratio, level-1)
				}
			}
		}
	}
}

func TestPick_OfAnyTreeSettlesAndBreaksNoInvariant(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 0))
		opts := Options{L0Tables: 1 + rng.IntN(5), BaseBytes: 50 + rng.Int64N(2000), Multiplier: 2 + rng.IntN(9), TableBytes: 20 + rng.Int64N(300)}
		for level := 1 + rng.IntN(7); level < len(opts.Compression); level++ {
			opts.Compression[level] = sstable.S2
		}
		v := &manifest.Version{}
		num := manifest.FileNum(1)
		for range 60 {
			a, b := 'a'+rng.IntN(26), 'a'+rng.IntN(26)
			flushed := parseTable(t, fmt.Sprintf("%d[%c-%c]%d", num, min(a, b), max(a, b), 1+rng.IntN(200)))
			num++
			next, err := v.Apply(&manifest.Edit{Added: []manifest.AddedTable{{Table: flushed}}})
			if err != nil {
				t.Fatal(err)
			}
			v = next
			for steps := 0; ; steps++ {
				p := Pick(v, opts, none)
				if p == nil {
					break
				}
				if steps > 500 {
					t.Fatalf("seed %d: does not settle:\n%v", seed, v)
				}
				checkPlan(t, v, p, seed)
				v = carryOut(t, v, p, 1000+num*1000+manifest.FileNum(steps), opts)
			}
			for level, tables := range v.Levels {
				for _, table := range tables {
					if opts.misfit(table, manifest.Level(level)) {
						t.Fatalf("seed %d: table %d got to level %d with compression %d", seed, table.Num, level, table.Compression)
					}
				}
			}
			if len(v.Levels[0]) >= opts.L0Tables {
				t.Fatalf("seed %d: settled with %d tables in level 0", seed, len(v.Levels[0]))
			}
		}
	}
}

// checkPlan wants a plan to take along everything that its result would overlap.
func checkPlan(t *testing.T, v *manifest.Version, p *Plan, seed uint64) {
	t.Helper()
	lower, upper := bounds(p.Upper)
	if want := v.Overlaps(p.Output, lower, upper); !slices.Equal(p.Lower, want) && p.Start != p.Output {
		t.Fatalf("seed %d: %v: takes %d tables of the output level, overlaps %d", seed, p, len(p.Lower), len(want))
	}
	if p.Start == 0 {
		for _, old := range v.Levels[0] {
			if slices.Contains(p.Upper, old) {
				continue
			}
			for _, taken := range p.Upper {
				if taken.LargestSeq > old.SmallestSeq && old.Overlaps(taken.Smallest.Stored, taken.Largest.Stored) {
					t.Fatalf("seed %d: %v: leaves table %d, which is older than table %d and overlaps it", seed, p, old.Num, taken.Num)
				}
			}
		}
	}
	for level := p.Start + 1; level < p.Output; level++ {
		if len(v.Overlaps(level, lower, upper)) > 0 {
			t.Fatalf("seed %d: %v: passes tables of level %d", seed, p, level)
		}
	}
	if p.Move && (len(p.Lower) > 0 || len(p.Upper) != 1) {
		t.Fatalf("seed %d: %v is no move", seed, p)
	}
}

func TestPick_NeverTouchesABusyTable(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		v := randomTree(t, rng)
		opts := Options{L0Tables: 1 + rng.IntN(3), BaseBytes: 1 + rng.Int64N(300), Multiplier: 2 + rng.IntN(6), TableBytes: 50}
		busy := func(t *manifest.Table) bool { return (uint64(t.Num)+seed)%3 == 0 }
		if p := Pick(v, opts, claimed(v, busy)); p != nil && slices.ContainsFunc(p.Inputs(), busy) {
			t.Fatalf("seed %d: %v", seed, p)
		}
	}
}

// claimed returns the claims of plans that rewrite some tables where they are.
func claimed(v *manifest.Version, busy func(*manifest.Table) bool) *Claims {
	claims := &Claims{}
	for level, tables := range v.Levels {
		for _, t := range tables {
			if busy(t) {
				claims.Add(rewrite(manifest.Level(level), t))
			}
		}
	}
	return claims
}

// randomTree returns a tree of tables with keys of one letter.
func randomTree(t *testing.T, rng *rand.Rand) *manifest.Version {
	t.Helper()
	var b strings.Builder
	num := 50
	for level := range manifest.NumLevels {
		fmt.Fprintf(&b, "L%d", level)
		for at := rng.IntN(5); at < 26 && rng.IntN(6) > 0; num-- {
			from, to := at, min(at+rng.IntN(5), 25)
			if at = to + 1 + rng.IntN(3); level == 0 {
				from, to = rng.IntN(13), 13+rng.IntN(13)
			}
			if num == 0 {
				break
			}
			fmt.Fprintf(&b, " %d[%c-%c]%d", num, 'a'+from, 'a'+to, 1+rng.IntN(100))
		}
		b.WriteByte('\n')
	}
	return parseTree(t, b.String())
}

func TestPickRange_BringsEveryRangeDownToItsDeepestLevel(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 0))
		v := randomTree(t, rng)
		opts := Options{L0Tables: 4, BaseBytes: 1 + rng.Int64N(300), Multiplier: 2 + rng.IntN(6), TableBytes: 50}
		from, to := 'a'+rng.IntN(26), 'a'+rng.IntN(26)
		lower, upper := stored(string(rune(min(from, to)))), stored(string(rune(max(from, to))))
		num := manifest.FileNum(1000)
		for level := manifest.Level(0); level <= Deepest(v, lower, upper); level++ {
			for steps := 0; ; steps++ {
				p := PickRange(v, level, Deepest(v, lower, upper), lower, upper, opts)
				if p == nil || p.Start == p.Output {
					break
				}
				if steps > 50 {
					t.Fatalf("seed %d: level %d is never done", seed, level)
				}
				checkPlan(t, v, p, seed)
				v = carryOut(t, v, p, num, opts)
				num++
			}
		}
		deepest := Deepest(v, lower, upper)
		for level := range deepest {
			if n := len(v.Overlaps(level, lower, upper)); n > 0 {
				t.Fatalf("seed %d: %d tables of the range are left in level %d above %d:\n%v", seed, n, level, deepest, v)
			}
		}
	}
}

func TestCloseOver_TakesWhatOverlapsWhatItTakes(t *testing.T) {
	for _, c := range []struct{ level0, from, want string }{
		{"9[a-b]1 8[c-d]1 7[e-f]1", "9", "[9]"},
		{"9[a-b]1 8[b-d]1 7[d-f]1", "9", "[9 8 7]"},
		{"9[a-b]1 8[b-d]1 7[d-f]1", "8", "[9 8 7]"},
		{"9[a-b]1 8[c-d]1 7[a-z]1", "8", "[9 8 7]"},
		{"9[a-c]1 8[e-f]1 7[b-e]1 6[x-z]1", "9", "[9 8 7]"},
		{"9[a-c]1 8[e-f]1 7[m-n]1", "9 7", "[9 8 7]"}, // tables in a gap come along
	} {
		v := parseTree(t, "L0 "+c.level0)
		var from []*manifest.Table
		for _, table := range v.Levels[0] {
			if slices.Contains(strings.Fields(c.from), fmt.Sprint(table.Num)) {
				from = append(from, table)
			}
		}
		var got []manifest.FileNum
		for _, table := range closeOver(v.Levels[0], from) {
			got = append(got, table.Num)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s of %s: %v, want %s", c.from, c.level0, got, c.want)
		}
	}
}

func TestPlan_EditReplacesInputsByOutputs(t *testing.T) {
	v := parseTree(t, "L0 9[a-c]1 8[b-d]1\nL6 1[a-z]1")
	p := newPlan(v, 0, 6, v.Levels[0], Options{})
	next, err := v.Apply(p.Edit([]*manifest.Table{parseTable(t, "10[a-k]1"), parseTable(t, "11[l-z]1")}))
	if err != nil || next.String() != "L6: 10[a#109,SET-k#100,SET] 11[l#119,SET-z#110,SET]\n" {
		t.Errorf("%v, %v", next, err)
	}
}

func TestPlan_EditOfAMoveTakesTheTableAlong(t *testing.T) {
	v := parseTree(t, "L0 9[a-c]1\nL6 1[d-z]1")
	p := newPlan(v, 0, 6, v.Levels[0], Options{})
	next, err := v.Apply(p.Edit(nil))
	if err != nil || next.String() != "L6: 9[a#99,SET-c#90,SET] 1[d#19,SET-z#10,SET]\n" {
		t.Errorf("%v, %v", next, err)
	}
}

func TestPlan_InputsShareNothingWithTheVersion(t *testing.T) {
	v := parseTree(t, "L5 1[a-b]1 2[c-d]1\nL6 3[a-b]1 4[c-d]1")
	p := newPlan(v, 5, 6, v.Levels[5][:1], Options{})
	_ = append(p.Inputs(), nil, nil)
	if v.Levels[5][1].Num != 2 || v.Levels[6][1].Num != 4 {
		t.Error("appending to the inputs changed the version")
	}
}
