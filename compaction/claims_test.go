package compaction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// paperStore is a store on paper, whose keys are letters and whose tables remember which entries they
// hold. Any number of plans may be under way at once, and end in any order.
type paperStore struct {
	*testing.T
	rng  *rand.Rand
	opts Options

	version *manifest.Version
	holds   map[manifest.FileNum]map[byte]key.SeqNum // letter to newest entry
	newest  map[byte]key.SeqNum                      // what a read must find
	claims  Claims
	running []*Plan
	num     manifest.FileNum
	seq     key.SeqNum
}

func newPaperStore(t *testing.T, seed uint64) *paperStore {
	rng := rand.New(rand.NewPCG(seed, 0))
	return &paperStore{
		T: t, rng: rng,
		opts: Options{
			L0Tables: 1 + rng.IntN(5), BaseBytes: 10 + rng.Int64N(200), Multiplier: 2 + rng.IntN(9),
			TableBytes: 5 + rng.Int64N(50), Settled: key.SeqNum(rng.IntN(2)) * key.MaxSeqNum,
		},
		version: &manifest.Version{}, holds: map[manifest.FileNum]map[byte]key.SeqNum{}, newest: map[byte]key.SeqNum{},
	}
}

// table makes a table of some entries; nil of none.
func (s *paperStore) table(entries map[byte]key.SeqNum) *manifest.Table {
	if len(entries) == 0 {
		return nil
	}
	s.num++
	s.holds[s.num] = entries
	out := &manifest.Table{Num: s.num, SmallestSeq: key.MaxSeqNum, Entries: uint64(len(entries)), Deletes: uint64(s.rng.IntN(3)) / 2}
	for letter, seq := range entries {
		k := key.Internal{Stored: stored(string(letter)), Trailer: key.MakeTrailer(seq, key.KindSet)}
		if out.Size == 0 || key.Compare(k, out.Smallest) < 0 {
			out.Smallest = k
		}
		if out.Size == 0 || key.Compare(k, out.Largest) > 0 {
			out.Largest = k
		}
		out.SmallestSeq, out.LargestSeq = min(out.SmallestSeq, seq), max(out.LargestSeq, seq)
		out.Size += 10
	}
	return out
}

func (s *paperStore) flush() {
	entries := map[byte]key.SeqNum{}
	from, width := s.rng.IntN(26), 1+s.rng.IntN(26)
	for range 1 + s.rng.IntN(8) {
		letter := byte('a' + min(from+s.rng.IntN(width), 25))
		s.seq++
		entries[letter], s.newest[letter] = s.seq, s.seq
	}
	s.apply(&manifest.Edit{Added: []manifest.AddedTable{{Table: s.table(entries)}}})
}

func (s *paperStore) apply(e *manifest.Edit) {
	s.Helper()
	next, err := s.version.Apply(e)
	if err != nil {
		s.Fatal(err)
	}
	s.version = next
}

// begin starts the plan that is due most, if there is one.
func (s *paperStore) begin() bool {
	s.Helper()
	p := Pick(s.version, s.opts, &s.claims)
	if p == nil {
		return false
	}
	for _, other := range s.running {
		if slices.ContainsFunc(p.Inputs(), func(t *manifest.Table) bool { return slices.Contains(other.Inputs(), t) }) {
			s.Fatalf("%v and %v share a table", p, other)
		}
		meets := string(p.smallest) <= string(other.largest) && string(other.smallest) <= string(p.largest)
		if p.Output == other.Output && meets {
			s.Fatalf("the outputs of %v and %v may overlap", p, other)
		}
	}
	s.claims.Add(p)
	s.running = append(s.running, p)
	return true
}

// end carries out one of the plans under way.
func (s *paperStore) end(i int) {
	s.Helper()
	p := s.running[i]
	s.running = slices.Delete(s.running, i, i+1)
	s.claims.Remove(p)
	if p.Move {
		s.apply(p.Edit(nil))
		return
	}
	merged := map[byte]key.SeqNum{}
	for _, t := range p.Inputs() {
		for letter, seq := range s.holds[t.Num] {
			merged[letter] = max(merged[letter], seq)
		}
	}
	var outputs []*manifest.Table
	out := map[byte]key.SeqNum{}
	for letter := byte('a'); letter <= 'z'; letter++ {
		if seq := merged[letter]; seq > 0 {
			out[letter] = seq
		}
		if len(out) > s.rng.IntN(8) || letter == 'z' {
			if t := s.table(out); t != nil {
				t.Deletes *= uint64(min(bottom-p.Output, 1)) // what reached the bottom is clean
				if p.Start == p.Output {
					t.Deletes = 0
				}
				outputs = append(outputs, t)
			}
			out = map[byte]key.SeqNum{}
		}
	}
	s.apply(p.Edit(outputs))
}

// check reads every letter from the top down: what is found first is the newest.
func (s *paperStore) check() {
	s.Helper()
	for letter, want := range s.newest {
		got := key.SeqNum(0)
		for _, tables := range s.version.Levels {
			for _, t := range tables {
				if seq, ok := s.holds[t.Num][letter]; ok && got == 0 {
					got = seq
				}
			}
		}
		if got != want {
			s.Fatalf("%c: found %d, want %d, in\n%v", letter, got, want, s.version)
		}
	}
}

func TestPick_OfManyJobsAtOnceKeepsTheirClaimsAndSettles(t *testing.T) {
	most := 0
	for seed := range uint64(400) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newPaperStore(t, seed)
			slots := 1 + s.rng.IntN(6)
			for range 300 {
				switch {
				case s.rng.IntN(3) == 0:
					s.flush()
				case len(s.running) > 0 && s.rng.IntN(2) == 0:
					s.end(s.rng.IntN(len(s.running)))
				case len(s.running) < slots:
					s.begin()
				}
				most = max(most, len(s.running))
				s.check()
			}
			for steps := 0; len(s.running) > 0 || s.begin(); steps++ {
				if steps > 1000 {
					t.Fatalf("does not settle:\n%v", s.version)
				}
				for len(s.running) < slots && s.begin() {
				}
				s.end(s.rng.IntN(len(s.running)))
				s.check()
			}
			if n := len(s.version.Levels[0]); n >= s.opts.L0Tables {
				t.Errorf("settled with %d tables in level 0", n)
			}
		})
	}
	if most < 4 {
		t.Errorf("never more than %d jobs at once: nothing was tested", most)
	}
}

// While level 0 waits for tables of the base, nobody else may begin to take these.
func TestPick_DoesNotStarveLevel0(t *testing.T) {
	opts := Options{L0Tables: 2, BaseBytes: 30, Multiplier: 4, TableBytes: 10}
	v := parseTree(t, "L0 9[a-z]10 8[a-z]10 7[a-z]10 6[a-z]10\nL5 3[a-c]15 4[d-f]15 5[g-i]15\nL6 1[a-c]40 2[d-z]40")
	claims := &Claims{}
	claims.Add(newPlan(v, 5, 6, v.Levels[5][:1], Options{}))
	if p := Pick(v, opts, claims); p != nil {
		t.Errorf("%v takes what level 0 waits for", p)
	}
	claims = &Claims{}
	if p := Pick(v, opts, claims); p == nil || p.Start != 0 {
		t.Errorf("%v, want a plan for level 0", p)
	}
}

// Older entries on their way to a level must not arrive above newer ones that overtook them: the base
// may move between two plans.
func TestClaims_NoPlanOvertakesAnother(t *testing.T) {
	v := parseTree(t, "L0 9[a-c]1 8[b-f]1 7[x-z]1")
	older, newer, apart := newPlan(v, 0, 5, v.Levels[0][1:2], Options{}), newPlan(v, 0, 6, v.Levels[0][:1], Options{}), newPlan(v, 0, 6, v.Levels[0][2:], Options{})
	claims := &Claims{}
	claims.Add(older)
	if !claims.Conflict(newer) {
		t.Error("a plan may pass the level that another one with the same keys writes to")
	}
	if claims.Conflict(apart) {
		t.Error("plans that have nothing to do with each other are kept apart")
	}
	claims.Remove(older)
	if claims.Conflict(newer) {
		t.Error("a plan that ended still has claims")
	}
}
