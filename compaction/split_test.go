package compaction

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/manifest"
)

func TestSplit_CoversEveryKeyOnceInPartsOfAboutEqualWork(t *testing.T) {
	v := parseTree(t, "L0 9[a-z]100 8[c-x]100\nL6 1[a-b]50 2[c-d]50 3[e-k]50 4[l-m]50 5[n-p]50 6[q-z]50")
	p := newPlan(v, 0, 6, v.Levels[0], Options{})
	for n, want := range map[int]string{
		1: "[-]", 2: "[-l] [l-]", 3: "[-e] [e-n] [n-]", 6: "[-c] [c-e] [e-l] [l-n] [n-q] [q-]", 20: "[-c] [c-e] [e-l] [l-n] [n-q] [q-]",
	} {
		var got []string
		for _, s := range Split(p, n) {
			got = append(got, fmt.Sprintf("[%s-%s]", strings.TrimPrefix(string(s.Lower), "\x00"), strings.TrimPrefix(string(s.Upper), "\x00")))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d parts: %v, want %s", n, got, want)
		}
	}
}

func TestSplit_OfAPlanWithoutTablesBelowIsOne(t *testing.T) {
	v := parseTree(t, "L0 9[a-z]100 8[c-x]100")
	if spans := Split(newPlan(v, 0, 6, v.Levels[0], Options{}), 4); len(spans) != 1 {
		t.Errorf("%d parts", len(spans))
	}
}

// Parts that are merged apart give what the plan gives as a whole.
func TestRun_InPartsIsTheSame(t *testing.T) {
	for seed := range uint64(20) {
		l := newLab(t)
		rng := rand.New(rand.NewPCG(seed, 0))
		var upper, lower []string
		for i := range 4 {
			text := ""
			for letter := 'a'; letter <= 'z'; letter++ {
				if rng.IntN(3) > 0 {
					text += fmt.Sprintf("%c#%d,%s ", letter, 90-20*i+rng.IntN(10), []string{"SET:x", "DEL"}[rng.IntN(2)])
				}
			}
			upper = append(upper, text)
		}
		for letter := 'a'; letter < 'z'; letter += 3 {
			lower = append(lower, fmt.Sprintf("%c#3,SET:%d %c#2,SET:y", letter, rng.IntN(10), letter+2))
		}
		job := l.job(l.tables(upper...), l.tables(lower...))
		whole, _, err := Run(t.Context(), job)
		must(t, err)
		var parts []*manifest.Table
		for _, span := range Split(job.Plan, 1+rng.IntN(6)) {
			part := *job
			part.Span, part.Outputs = span, NewOutputs(l, l.opts)
			tables, _, err := Run(t.Context(), &part)
			must(t, err)
			parts = append(parts, tables...)
		}
		same(t, l.contents(parts...), l.contents(whole...))
		if _, err := job.Version.Apply(job.Plan.Edit(parts)); err != nil {
			t.Error(err)
		}
		same(t, l.open, 0)
	}
}

// Whatever lies below, tables have from half to twice the size that is wanted.
func TestRun_TablesEndWhereTablesBelowDo(t *testing.T) {
	const size = 10_000
	for seed := range uint64(30) {
		l := newLab(t)
		rng := rand.New(rand.NewPCG(seed, 0))
		job := l.job([]*manifest.Table{l.table(ascending(400+rng.IntN(600), 1))}, nil)
		job.Options.TableBytes = size
		every, ends := 10+rng.IntN(60), map[string]bool{}
		for i := 0; i+every < 1000; i += every {
			below := parseTable(t, fmt.Sprintf("%d[key%05d-key%05d]%d", 100+i, i, i+every-1, size*int64(every)/80))
			job.Plan.Grandparents = append(job.Plan.Grandparents, below)
			ends[string(below.Largest.Stored)] = true
		}
		tables, _, err := Run(t.Context(), job)
		must(t, err)
		aligned := 0
		for i, out := range tables {
			if out.Size < size/2 || out.Size > 2*size {
				t.Errorf("seed %d: table %d of %d has %d bytes", seed, i, len(tables), out.Size)
			}
			if ends[string(out.Largest.Stored)] {
				aligned++
			}
		}
		if aligned < len(tables)/2 {
			t.Errorf("seed %d: %d of %d tables end where one below does, which come every %d keys", seed, aligned, len(tables), every)
		}
	}
}
