package rangedel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

// tomb is a tombstone as it was written.
type tomb struct {
	lower, upper string
	seq          key.SeqNum
}

func list(tombs ...tomb) List {
	var lists []List
	for _, t := range tombs {
		lists = append(lists, List{{Lower: []byte(t.lower), Upper: []byte(t.upper), Seqs: []key.SeqNum{t.seq}}})
	}
	return Merge(KeepAll, lists...)
}

func text(l List) string {
	var parts []string
	for _, s := range l {
		parts = append(parts, fmt.Sprintf("[%s,%s)%v", s.Lower, s.Upper, s.Seqs))
	}
	return strings.Join(parts, " ")
}

func TestMerge_CutsTombstonesWhereOthersBeginOrEnd(t *testing.T) {
	for _, c := range []struct {
		what  string
		tombs []tomb
		want  string
	}{
		{"nothing", nil, ""},
		{"one", []tomb{{"a", "c", 1}}, "[a,c)[1]"},
		{"apart", []tomb{{"e", "g", 2}, {"a", "c", 1}}, "[a,c)[1] [e,g)[2]"},
		{"touching", []tomb{{"a", "c", 1}, {"c", "e", 2}}, "[a,c)[1] [c,e)[2]"},
		{"overlapping", []tomb{{"a", "m", 5}, {"f", "z", 9}}, "[a,f)[5] [f,m)[9 5] [m,z)[9]"},
		{"inside", []tomb{{"a", "z", 1}, {"f", "m", 2}}, "[a,f)[1] [f,m)[2 1] [m,z)[1]"},
		{"the same", []tomb{{"a", "c", 1}, {"a", "c", 3}, {"a", "c", 2}}, "[a,c)[3 2 1]"},
		{"same start", []tomb{{"a", "c", 1}, {"a", "e", 2}}, "[a,c)[2 1] [c,e)[2]"},
		{"same end", []tomb{{"a", "e", 1}, {"c", "e", 2}}, "[a,c)[1] [c,e)[2 1]"},
		{"one over many", []tomb{{"b", "c", 1}, {"d", "e", 2}, {"a", "f", 3}}, "[a,b)[3] [b,c)[3 1] [c,d)[3] [d,e)[3 2] [e,f)[3]"},
		{"two parts of one", []tomb{{"a", "c", 1}, {"c", "e", 1}}, "[a,e)[1]"},
	} {
		if got := text(list(c.tombs...)); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestTruncate_CutsTheSpansAtTheBounds(t *testing.T) {
	l := list(tomb{"b", "d", 1}, tomb{"f", "h", 2})
	for _, c := range []struct{ lower, upper, want string }{
		{"", "", "[b,d)[1] [f,h)[2]"},
		{"c", "", "[c,d)[1] [f,h)[2]"},
		{"", "g", "[b,d)[1] [f,g)[2]"},
		{"c", "g", "[c,d)[1] [f,g)[2]"},
		{"b", "d", "[b,d)[1]"},
		{"d", "f", ""},
		{"c", "cc", "[c,cc)[1]"},
		{"h", "", ""},
		{"", "b", ""},
	} {
		bound := func(s string) []byte {
			if s == "" {
				return nil
			}
			return []byte(s)
		}
		if got := text(l.Truncate(bound(c.lower), bound(c.upper))); got != c.want {
			t.Errorf("from %q to %q: %s, want %s", c.lower, c.upper, got, c.want)
		}
	}
	if got := text(l); got != "[b,d)[1] [f,h)[2]" {
		t.Errorf("the list itself became %s", got)
	}
}

// Against the plainest twin: look at every tombstone.
func TestList_AnswersAsAllTombstonesTogether(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 0))
		word := func() string { return strings.Repeat("x", rng.IntN(2)) + string(rune('a'+rng.IntN(12))) }
		var tombs []tomb
		for i := range rng.IntN(30) {
			if a, b := word(), word(); a < b {
				tombs = append(tombs, tomb{a, b, key.SeqNum(i + 1)})
			}
		}
		l := list(tombs...)
		for i := range l {
			if bytes.Compare(l[i].Lower, l[i].Upper) >= 0 || i > 0 && bytes.Compare(l[i-1].Upper, l[i].Lower) > 0 {
				t.Fatalf("seed %d: %s", seed, text(l))
			}
		}
		for range 100 {
			k, at := word(), key.SeqNum(rng.IntN(32))
			want := key.SeqNum(0)
			for _, x := range tombs {
				if x.lower <= k && k < x.upper && x.seq <= at {
					want = max(want, x.seq)
				}
			}
			if got := l.Newest([]byte(k), at); got != want {
				t.Fatalf("seed %d: newest on %s at %d is %d, want %d: %s", seed, k, at, got, want, text(l))
			}
		}
	}
}

// What a Keep leaves answers those readers as before who see all tombstones or none.
func TestCut_OfTombstonesThatAreSeenTogether(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		word := func() []byte { return []byte(strings.Repeat("x", rng.IntN(2)) + string(rune('a'+rng.IntN(12)))) }
		var tombs []Span
		for i := range rng.IntN(30) {
			if a, b := word(), word(); bytes.Compare(a, b) < 0 {
				tombs = append(tombs, Span{Lower: a, Upper: b, Seqs: []key.SeqNum{key.SeqNum(i + 1)}})
			}
		}
		rng.Shuffle(len(tombs), func(i, j int) { tombs[i], tombs[j] = tombs[j], tombs[i] })
		all, newest := Cut(KeepAll, tombs), Cut(KeepNewest, tombs)
		for range 100 {
			k := word()
			if got, want := newest.Newest(k, key.MaxSeqNum), all.Newest(k, key.MaxSeqNum); got != want {
				t.Fatalf("seed %d: newest on %s is %d, want %d: %s", seed, k, got, want, text(newest))
			}
		}
		for i := range newest {
			if len(newest[i].Seqs) != 1 {
				t.Fatalf("seed %d: %s", seed, text(newest))
			}
		}
		if bound := MergedBytes(all, newest); Merge(KeepAll, all, newest).Bytes() > bound {
			t.Fatalf("seed %d: a union takes more than %d bytes", seed, bound)
		}
	}
}

func TestMerge_DropsAtOnceWhatIsNotKept(t *testing.T) {
	l := Merge(KeepNewest, list(tomb{"a", "m", 5}, tomb{"f", "z", 9}), list(tomb{"b", "c", 7}, tomb{"y", "zz", 1}))
	if got := text(l); got != "[a,b)[5] [b,c)[7] [c,f)[5] [f,z)[9] [z,zz)[1]" {
		t.Error(got)
	}
	if got := text(Merge(KeepNewest, list(tomb{"a", "m", 5}, tomb{"f", "z", 9}))); got != "[a,f)[5] [f,z)[9]" {
		t.Error("of one list: ", got)
	}
}

func TestThin_JoinsWhatBecomesAlike(t *testing.T) {
	l := list(tomb{"a", "z", 1}, tomb{"f", "m", 2}, tomb{"p", "q", 3})
	oldest := func(s *Span) []key.SeqNum { return s.Seqs[len(s.Seqs)-1:] }
	if got := text(l.Thin(oldest)); got != "[a,z)[1]" {
		t.Error(got)
	}
	if got := text(l.Thin(func(*Span) []key.SeqNum { return nil })); got != "" {
		t.Error(got)
	}
}
