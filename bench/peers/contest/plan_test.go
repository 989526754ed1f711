package contest

import (
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/bench/peers/record"
)

func TestSpecs_MeasureEveryRowByEveryNumberOfThreadsItScalesBy(t *testing.T) {
	specs, err := Specs(nil, []int{1, 2, 8})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Spec{
		{"fillseq", 8, record.StateEmpty},
		{"fillsync", 2, record.StateEmpty},
		{"overwrite", 8, record.StateSettled},
		{"deleterandom", 2, record.StateSettled},
		{"readrandom", 1, record.StateFilled},
		{"readrandom", 8, record.StateSettled},
		{"readmissing", 2, record.StateSettled},
		{"readhot", 8, record.StateSettled},
		{"seekrandom", 1, record.StateFilled},
		{"readwhilewriting", 1, record.StateSettled},
		{"ycsbf", 1, record.StateSettled},
		{"kill", 1, record.StateSettled},
	} {
		if !slices.Contains(specs, want) {
			t.Errorf("no %v", want)
		}
	}
	if slices.Contains(specs, Spec{"readseq", 2, record.StateSettled}) {
		t.Error("readseq is measured by two threads, though it does not scale")
	}
}

func TestSpecs_TakeANumberOfThreadsForOneRow(t *testing.T) {
	specs, err := Specs([]string{"ycsba:4", "readseq"}, []int{1, 2})
	want := []Spec{{"readseq", 1, record.StateSettled}, {"ycsba", 4, record.StateSettled}}
	if err != nil || !slices.Equal(specs, want) {
		t.Errorf("%v, %v, want %v", specs, err, want)
	}
}

func TestSpecs_MeasureARowOnceThatIsNamedTwice(t *testing.T) {
	specs, err := Specs([]string{"readrandom", "readrandom:1", "open", "open:9"}, []int{1})
	want := []Spec{{"readrandom", 1, record.StateFilled}, {"readrandom", 1, record.StateSettled}, {"open", 1, record.StateSettled}}
	if err != nil || !slices.Equal(specs, want) {
		t.Errorf("%v, %v, want %v", specs, err, want)
	}
}

func TestSpecs_RefuseWhatIsNoRow(t *testing.T) {
	for _, row := range []string{"fillslow", "readseq:0", "readseq:x", "readseq:1000"} {
		if _, err := Specs([]string{row}, []int{1}); err == nil || !strings.Contains(err.Error(), "row") {
			t.Errorf("%s: %v", row, err)
		}
	}
}

// What deletes comes behind what reads, and each row that writes is followed by rest.
func TestGroups_KeepRowsApartThatWouldDisturbOneAnother(t *testing.T) {
	specs, err := Specs([]string{"deleterandom", "readrandom", "overwrite", "fillseq", "kill", "open"}, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	var done []string
	for _, g := range groups(specs) {
		for _, s := range g.steps() {
			done = append(done, strings.TrimRight(s.Do+" "+s.Row+" "+s.State, " "))
		}
		done = append(done, "|")
	}
	want := []string{
		"open", "measure fillseq empty", "close", "|",
		"open", "load", "measure readrandom filled", "close", "open open settled", "settle", "warm", "measure readrandom settled",
		"measure overwrite settled", "settle", "measure deleterandom settled", "settle", "close", "|",
		"open openkilled settled", "count kill settled", "close", "|",
	}
	// The row openkilled was not asked for, but the store must be opened to count.
	if !slices.Equal(done, want) {
		t.Errorf("steps\n%s\nwant\n%s", strings.Join(done, "\n"), strings.Join(want, "\n"))
	}
}
