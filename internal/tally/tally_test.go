package tally

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecord_AppendsRowsThatAreAddedUp(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rows")
	t.Setenv(OutEnv, name)
	for range 2 {
		t.Run("suite", func(t *testing.T) {
			Row{
				ID: "A10", Suite: "flips", Load: "a store", Faults: 1200, Unit: "flips",
				Counts: []Count{{"reported", 900}}, Exceptions: []Count{{"last records", 1}},
			}.Record(t)
			Row{ID: "A2", Suite: "crashes", Load: "a store", Faults: 3, Unit: "images", Seed: 7}.Record(t)
		})
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteTable(&b, rows); err != nil {
		t.Fatal(err)
	}
	want := `| | suite | load | faults | further counts | violations | commit |
| --- | --- | --- | ---: | --- | ---: | --- |
| A2 | crashes | a store | 6 images |  | 0 |  |
| A10 | flips | a store | 2,400 flips | 1,800 reported; excepted: 2 last records | 0 |  |
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if got := rows[0].String(); got != "A2 crashes: a store, 6 images, 0 violations, seed 7" {
		t.Error(got)
	}
}

func TestReplace_TakesTheNewRowsOfSuitesThatRanAgain(t *testing.T) {
	kept := []Row{{ID: "A2", Suite: "crashes", Faults: 1, Commit: "old"}, {ID: "A10", Suite: "flips", Faults: 2, Commit: "old"}}
	rows := Replace(kept, []Row{{ID: "A10", Suite: "flips", Faults: 3, Commit: "new"}, {ID: "A3", Suite: "faults", Commit: "new"}})
	var b strings.Builder
	if err := WriteLines(&b, rows); err != nil {
		t.Fatal(err)
	}
	again, err := Read(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range again {
		got = append(got, fmt.Sprint(r.ID, r.Faults, r.Commit))
	}
	if text := strings.Join(got, " "); text != "A21old A30new A103new" {
		t.Error(text)
	}
}

func TestRead_TellsWhichRowIsNone(t *testing.T) {
	if _, err := Read(strings.NewReader("{}\n{torn")); err == nil || !strings.Contains(err.Error(), "row 2") {
		t.Error(err)
	}
}

// failing is a test that has failed.
type failing struct {
	testing.TB
	end []func()
}

func (f *failing) Cleanup(fn func()) { f.end = append(f.end, fn) }
func (f *failing) Failed() bool      { return true }

func TestRecord_OfAFailedTestCountsAViolation(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rows")
	t.Setenv(OutEnv, name)
	f := &failing{TB: t}
	Row{ID: "A1"}.Record(f)
	f.end[0]()
	data, err := os.ReadFile(name)
	if err != nil || !bytes.Contains(data, []byte(`"violations":1`)) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestEnvironment_SaysHowMuchAndWhere(t *testing.T) {
	for env, want := range map[string]int{"": 1, "ci": 2, "full": 3, "nonsense": 1} {
		t.Setenv(AmountEnv, env)
		if got := Pick(1, 2, 3); got != want {
			t.Errorf("%q: %d", env, got)
		}
	}
	for env, want := range map[string]uint64{"": 1, "99": 99, "x": 1} {
		t.Setenv(SeedEnv, env)
		if got := Seed(); got != want {
			t.Errorf("%q: %d", env, got)
		}
	}
}
