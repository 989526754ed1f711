package manifest

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// spacesAfter returns what several edits make of no keyspaces.
func spacesAfter(edits ...*Edit) (s *Spaces, err error) {
	for _, e := range edits {
		if s, err = s.apply(e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func adds(id key.Space, name string) *Edit { return &Edit{NewSpaces: []NamedSpace{{id, name}}} }

func drops(ids ...key.Space) *Edit { return &Edit{DroppedSpaces: ids} }

func TestSpaces_OfNilAreNone(t *testing.T) {
	var s *Spaces
	_, named := s.Name(0)
	_, found := s.Find("")
	same(t, fmt.Sprint(named, found, s.Last(), s.Len(), s.All()), "false false 0 0 []")
}

func TestSpaces_IdsAreNeverGivenAgain(t *testing.T) {
	s, err := spacesAfter(adds(1, "a"), adds(2, "b"), drops(2), adds(3, "b"))
	must(t, err)
	id, ok := s.Find("b")
	_, old := s.Name(2)
	same(t, fmt.Sprint(id, ok, old, s.Last(), s.All()), "3 true false 3 [{1 a} {3 b}]")
	_, err = s.apply(adds(2, "c"))
	if !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("an id that was given before: %v", err)
	}
}

func TestSpaces_EditsThatContradictAreCorruption(t *testing.T) {
	for name, edits := range map[string][]*Edit{
		"an id twice":               {adds(1, "a"), adds(1, "b")},
		"an id below the last":      {adds(5, "a"), adds(4, "b")},
		"a name twice":              {adds(1, "a"), adds(2, "a")},
		"a name twice in one edit":  {{NewSpaces: []NamedSpace{{1, "a"}, {2, "a"}}}},
		"a drop of what is gone":    {adds(1, "a"), drops(1), drops(1)},
		"a drop twice in one edit":  {adds(1, "a"), drops(1, 1)},
		"a drop of what never was":  {adds(5, "a"), drops(4)},
		"an id that went with none": {drops(7), adds(7, "a")},
	} {
		if s, err := spacesAfter(edits...); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%s: %v, %v", name, s.All(), err)
		}
	}
}

func TestSpaces_AChangeLeavesThoseBeforeAsTheyWere(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	model := map[string]key.Space{}
	var s *Spaces
	type moment struct {
		s    *Spaces
		want string
	}
	var moments []moment
	for step := range 1500 {
		name := fmt.Sprint(random.Intn(300))
		e := adds(s.Last()+1, name)
		if id, ok := model[name]; ok {
			e = drops(id)
			delete(model, name)
		} else {
			model[name] = s.Last() + 1
		}
		next, err := s.apply(e)
		must(t, err)
		s = next
		if step%50 == 0 {
			moments = append(moments, moment{s, fmt.Sprint(s.Len(), s.All())})
		}
		for name, id := range model {
			got, _ := s.Find(name)
			back, _ := s.Name(id)
			if got != id || back != name || s.Len() != len(model) {
				t.Fatalf("step %d: %q is %d, want %d; of %d, want %d", step, back, got, id, s.Len(), len(model))
			}
		}
	}
	for i, m := range moments {
		same(t, fmt.Sprint(i, m.s.Len(), m.s.All()), fmt.Sprint(i, " ", m.want))
	}
}

func TestState_OneEditMakesTheKeyspacesAnewWithTheLastId(t *testing.T) {
	for name, edits := range map[string][]*Edit{
		"none":                  {},
		"all there":             {adds(1, "b"), adds(2, "a"), adds(3, strings.Repeat("x", MaxSpaceName))},
		"one between gone":      {adds(1, "b"), adds(2, "a"), adds(3, "c"), drops(2)},
		"the last one gone":     {adds(1, "b"), adds(2, "a"), drops(2)},
		"all gone":              {adds(1, "b"), drops(1)},
		"gone before the first": {drops(9)},
	} {
		t.Run(name, func(t *testing.T) {
			s := empty()
			var err error
			s.Spaces, err = spacesAfter(edits...)
			must(t, err)
			e, err := DecodeEdit(s.snapshot().Encode())
			must(t, err)
			again, err := State{Version: &Version{}}.Apply(e)
			must(t, err)
			same(t, fmt.Sprint(again.Spaces.Last(), again.Spaces.Len(), again.Spaces.All()), fmt.Sprint(s.Spaces.Last(), s.Spaces.Len(), s.Spaces.All()))
		})
	}
}

func TestLoad_KeyspacesSurviveReopeningAndRenewal(t *testing.T) {
	s := lived(t)
	must(t, s.append(adds(1, "one")))
	must(t, s.append(adds(2, "two")))
	must(t, s.append(drops(2)))
	for _, renewed := range []bool{false, true} {
		if renewed {
			must(t, s.renew(9))
		}
		loaded, err := Load(options(s.sim))
		must(t, err)
		same(t, fmt.Sprint(loaded.Spaces.All(), loaded.Spaces.Last()), "[{1 one}] 2")
		salvaged, err := Salvage(options(s.sim), []FileNum{2}, func(error) {})
		must(t, err)
		same(t, fmt.Sprint(salvaged.Known.Spaces.All()), "[{1 one}]")
	}
}

func TestLoad_TableOfAKeyspaceThatWasNeverMadeIsCorruption(t *testing.T) {
	for name, c := range map[string]struct {
		smallest, largest key.Space
		largestTrailer    key.Trailer
		want              string
	}{
		"the last one":               {2, 2, key.MakeTrailer(1, key.KindSet), ""},
		"up to the end of the last":  {2, 3, key.MaxTrailer, ""},
		"from one that never was":    {3, 4, key.MaxTrailer, "corrupt: "},
		"up to one that never was":   {0, 3, key.MakeTrailer(1, key.KindSet), "corrupt: "},
		"one of two bytes":           {0, 300, key.MakeTrailer(1, key.KindSet), "corrupt: "},
		"one that was dropped since": {1, 1, key.MakeTrailer(1, key.KindSet), ""},
	} {
		s := lived(t)
		must(t, s.append(adds(1, "a")))
		must(t, s.append(adds(2, "b")))
		must(t, s.append(drops(1)))
		table := table(t, "99[fig#1,SET-kiwi#1,DEL]")
		table.Smallest.Stored = key.AppendStored(nil, c.smallest, nil)
		table.Largest = key.Internal{Stored: key.AppendStored(nil, c.largest, nil), Trailer: c.largestTrailer}
		must(t, s.m.Append(&Edit{Added: []AddedTable{{6, table}}, Deleted: everything(s.m.State().Version)}))
		if got := load(s.sim); !strings.HasPrefix(got, c.want) || c.want == "" && strings.HasPrefix(got, "corrupt") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func everything(v *Version) (all []DeletedTable) {
	for level, tables := range v.Levels {
		for _, t := range tables {
			all = append(all, DeletedTable{Level(level), t.Num})
		}
	}
	return all
}

func TestSalvage_NamesOfKeyspacesThatCanBeReadAreKept(t *testing.T) {
	s := lived(t)
	must(t, s.append(adds(1, "one")))
	must(t, s.append(adds(2, "two")))
	size := s.m.log.Size()
	must(t, s.append(adds(3, "lost")))
	must(t, s.append(adds(4, "four")))
	change(t, s.sim, "MANIFEST-000002", func(data []byte) []byte { data[size+20] ^= 1; return data })
	salvaged, err := Salvage(options(s.sim), []FileNum{2}, func(error) {})
	must(t, err)
	same(t, fmt.Sprint(salvaged.Known == nil, salvaged.Spaces.All()), "true [{4 four} {1 one} {2 two}]")
}
