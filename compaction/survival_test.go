package compaction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// parseKeys reads keys in notation, separated by spaces.
func parseKeys(t *testing.T, text string) (keys []key.Internal) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		k, _, err := key.ParseInternal(word)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

// kept returns the entries that a rule keeps, in notation.
func kept(rule *survival, entries []key.Internal) string {
	var words []string
	for _, k := range entries {
		if rule.keep(k.Stored, k.Trailer) {
			words = append(words, k.String())
		}
	}
	return strings.Join(words, " ")
}

// levels makes levels of tables from texts such as "1[a-c]1 2[f-h]1".
func levels(t *testing.T, texts ...string) (levels [][]*manifest.Table) {
	t.Helper()
	for _, text := range texts {
		var tables []*manifest.Table
		for _, word := range strings.Fields(text) {
			tables = append(tables, parseTable(t, word))
		}
		levels = append(levels, tables)
	}
	return levels
}

func TestSurvival_DropsWhatNoReaderCanSee(t *testing.T) {
	for _, c := range []struct {
		what, entries string
		snapshots     []key.SeqNum
		deeper        []string
		want          string
	}{
		{"nothing to drop", "a#1,SET b#2,SET", nil, nil, "a#1,SET b#2,SET"},
		{"older versions", "a#3,SET a#2,SET a#1,SET b#1,SET", nil, nil, "a#3,SET b#1,SET"},
		{"a version that a snapshot sees stays", "a#3,SET a#2,SET a#1,SET", []key.SeqNum{2}, nil, "a#3,SET a#2,SET"},
		{"a snapshot sees what was written at it", "a#3,SET a#2,SET a#1,SET", []key.SeqNum{3}, nil, "a#3,SET"},
		{"a snapshot before all versions keeps none", "a#9,SET a#8,SET", []key.SeqNum{5}, nil, "a#9,SET"},
		{"each snapshot keeps one", "a#9,SET a#7,SET a#5,SET a#3,SET", []key.SeqNum{4, 6, 8}, nil, "a#9,SET a#7,SET a#5,SET a#3,SET"},
		{"two snapshots that see the same keep one", "a#9,SET a#3,SET a#2,SET", []key.SeqNum{5, 6}, nil, "a#9,SET a#3,SET"},
		{"the same snapshot twice", "a#9,SET a#3,SET a#2,SET", []key.SeqNum{5, 5}, nil, "a#9,SET a#3,SET"},
		{"a tombstone and what it hides", "a#3,DEL a#2,SET a#1,SET b#1,SET", nil, nil, "b#1,SET"},
		{"a tombstone above a deeper table stays", "a#3,DEL a#2,SET", nil, []string{"1[a-c]1"}, "a#3,DEL"},
		{"a tombstone at the bound of a deeper table stays", "a#3,DEL c#3,DEL d#3,DEL", nil, []string{"1[a-c]1"}, "a#3,DEL c#3,DEL"},
		{"a tombstone between deeper tables goes", "b#3,DEL e#3,DEL h#3,DEL", nil, []string{"1[a-c]1 2[f-g]1"}, "b#3,DEL"},
		{"any deeper level counts", "b#3,DEL e#3,DEL h#3,DEL", nil, []string{"1[a-c]1", "2[a-a]1 3[h-h]1"}, "b#3,DEL h#3,DEL"},
		{"a tombstone that a snapshot does not see stays", "a#9,DEL a#3,SET", []key.SeqNum{5}, nil, "a#9,DEL a#3,SET"},
		{"a tombstone that all snapshots see goes", "a#3,DEL a#2,SET", []key.SeqNum{5, 7}, nil, ""},
		{"a dropped tombstone still hides", "a#4,DEL a#3,SET a#2,DEL a#1,SET", []key.SeqNum{9}, nil, ""},
		{"a tombstone under a newer version goes", "a#9,SET a#3,DEL a#2,SET", nil, []string{"1[a-z]1"}, "a#9,SET"},
		{"keys that are prefixes are apart", "a#3,SET aa#2,SET aa#1,SET", nil, nil, "a#3,SET aa#2,SET"},
		{"the empty key", "#3,SET #2,SET", nil, nil, "#3,SET"},
	} {
		rule := newSurvival(Rules{Snapshots: c.snapshots}, levels(t, c.deeper...))
		if got := kept(rule, parseKeys(t, c.entries)); got != c.want {
			t.Errorf("%s: %q keeps %q, want %q", c.what, c.entries, got, c.want)
		}
	}
}

func TestShadowing_KeepsEveryTombstoneThatIsNotShadowed(t *testing.T) {
	got := kept(newShadowing(Rules{Snapshots: []key.SeqNum{5}}), parseKeys(t, "a#9,DEL a#8,SET a#4,DEL a#3,SET b#2,DEL b#1,DEL"))
	if want := "a#9,DEL a#4,DEL b#2,DEL"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSurvival_LeavesTheVersionAsItWas(t *testing.T) {
	v := parseTree(t, "L6 1[a-b]1 2[c-d]1 3[e-f]1")
	job := &Job{Version: v, Plan: &Plan{Output: 5, Upper: levels(t, "9[a-z]1")[0]}}
	rule := newSurvival(Rules{Snapshots: nil}, job.deeper())
	kept(rule, parseKeys(t, "a#1,DEL d#1,DEL g#1,DEL"))
	if got, want := v.String(), parseTree(t, "L6 1[a-b]1 2[c-d]1 3[e-f]1").String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// world is entries of a few keys, some in the inputs of a compaction and older ones deeper.
type world struct {
	entries   []key.Internal // the inputs, in order
	deep      []key.Internal // what lies deeper
	deeper    [][]*manifest.Table
	snapshots []key.SeqNum
}

func randomWorld(t *testing.T, rng *rand.Rand) *world {
	w := &world{}
	const seqs = 40
	for seq := key.SeqNum(seqs); seq >= 1; seq-- {
		kind := key.KindSet
		if rng.IntN(3) == 0 {
			kind = key.KindDelete
		}
		k := key.Internal{Stored: stored(string(rune('a' + rng.IntN(5)))), Trailer: key.MakeTrailer(seq, kind)}
		if seq > 12 {
			w.entries = append(w.entries, k)
		} else if rng.IntN(2) == 0 {
			w.deep = append(w.deep, k)
		}
	}
	slices.SortFunc(w.entries, key.Compare)
	for seq := key.SeqNum(1); seq <= seqs+2; seq++ {
		if rng.IntN(8) == 0 {
			w.snapshots = append(w.snapshots, seq)
		}
	}
	// Deeper tables cover at least what is deeper, in one level or in two.
	var texts [2]string
	for i, k := range slices.SortedFunc(slices.Values(w.deep), key.Compare) {
		user := string(k.Stored[1:])
		if text := fmt.Sprintf("%d[%s-%s]1 ", i+1, user, user); !strings.Contains(texts[0]+texts[1], "["+user+"-") {
			texts[rng.IntN(2)] += text
		}
	}
	w.deeper = levels(t, texts[0], texts[1])
	return w
}

// read returns the entry of a user key that a reader at a sequence number gets, tombstones being none.
func read(entries []key.Internal, user string, seq key.SeqNum) string {
	best := key.Internal{}
	for _, k := range entries {
		if string(k.Stored[1:]) == user && k.Trailer.Seq() <= seq && k.Trailer > best.Trailer {
			best = k
		}
	}
	if best.Trailer == 0 || best.Trailer.Kind() == key.KindDelete {
		return "none"
	}
	return best.String()
}

// views are the sequence numbers at which there may be readers.
func (w *world) views() []key.SeqNum { return append(slices.Clone(w.snapshots), key.MaxSeqNum) }

func TestSurvival_EveryReaderSeesTheSameBeforeAndAfter(t *testing.T) {
	for seed := range uint64(3000) {
		w := randomWorld(t, rand.New(rand.NewPCG(seed, 0)))
		rule := newSurvival(Rules{Snapshots: w.snapshots}, slices.Clone(w.deeper))
		after := parseKeys(t, kept(rule, w.entries))
		for _, user := range []string{"a", "b", "c", "d", "e"} {
			for _, seq := range w.views() {
				before := read(slices.Concat(w.entries, w.deep), user, seq)
				if got := read(slices.Concat(after, w.deep), user, seq); got != before {
					t.Fatalf("seed %d: %s at %d: %s, was %s\nsnapshots %v\nin %v\nout %v\ndeeper %v",
						seed, user, seq, got, before, w.snapshots, w.entries, after, w.deep)
				}
			}
		}
	}
}

func TestSurvival_KeepsNothingThatItsTwoRulesDrop(t *testing.T) {
	for seed := range uint64(3000) {
		w := randomWorld(t, rand.New(rand.NewPCG(seed, 1)))
		var want []string
		for i, k := range w.entries {
			sameStripe := func(other key.Internal) bool {
				return string(other.Stored) == string(k.Stored) && !slices.ContainsFunc(w.snapshots, func(s key.SeqNum) bool {
					return k.Trailer.Seq() <= s && s < other.Trailer.Seq()
				})
			}
			shadowed := slices.ContainsFunc(w.entries[:i], sameStripe)
			oldest := !slices.ContainsFunc(w.snapshots, func(s key.SeqNum) bool { return s < k.Trailer.Seq() })
			covered := slices.ContainsFunc(slices.Concat(w.deeper...), func(c *manifest.Table) bool { return c.Covers(k.Stored) })
			if !shadowed && (k.Trailer.Kind() != key.KindDelete || !oldest || covered) {
				want = append(want, k.String())
			}
		}
		if got := kept(newSurvival(Rules{Snapshots: w.snapshots}, slices.Clone(w.deeper)), w.entries); got != strings.Join(want, " ") {
			t.Fatalf("seed %d: kept %s, want %s\nsnapshots %v\nin %v", seed, got, want, w.snapshots, w.entries)
		}
	}
}

func TestSurvival_DroppingAnyKeptValueWouldBeSeen(t *testing.T) {
	for seed := range uint64(300) {
		w := randomWorld(t, rand.New(rand.NewPCG(seed, 2)))
		after := parseKeys(t, kept(newSurvival(Rules{Snapshots: w.snapshots}, slices.Clone(w.deeper)), w.entries))
		for i, k := range after {
			if k.Trailer.Kind() == key.KindDelete {
				continue
			}
			without := slices.Concat(after[:i], after[i+1:], w.deep)
			user := string(k.Stored[1:])
			if !slices.ContainsFunc(w.views(), func(seq key.SeqNum) bool {
				return read(without, user, seq) != read(slices.Concat(after, w.deep), user, seq)
			}) {
				t.Fatalf("seed %d: nobody needs %v\nsnapshots %v\nkept %v", seed, k, w.snapshots, after)
			}
		}
	}
}

// Of range tombstones that lie on each other only the newest of each stripe is looked at: entries and
// tombstones stay as if all of them were.
func TestSurvival_NewestOfEachStripeStandsForAllRangeTombstones(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var snapshots, seqs []key.SeqNum
		for seq := range key.SeqNum(30) {
			if rng.IntN(8) == 0 {
				snapshots = append(snapshots, seq)
			}
			if rng.IntN(3) == 0 {
				seqs = append([]key.SeqNum{seq + 1}, seqs...)
			}
		}
		if len(seqs) == 0 {
			continue
		}
		rule := newSurvival(Rules{Snapshots: snapshots}, nil)
		kept := rule.newest(seqs)
		stripes := map[int]bool{}
		for _, seq := range kept {
			stripes[rule.stripe(seq)] = true
		}
		if len(stripes) != len(kept) {
			t.Fatalf("seed %d: %v of %v with snapshots %v", seed, kept, seqs, snapshots)
		}
		all, few := rangedel.Span{Seqs: seqs}, rangedel.Span{Seqs: kept}
		for _, at := range append(snapshots, key.MaxSeqNum) {
			if got, want := few.Newest(at), all.Newest(at); got != want {
				t.Fatalf("seed %d: newest at %d is %d, want %d: %v of %v with snapshots %v", seed, at, got, want, kept, seqs, snapshots)
			}
		}
	}
}
