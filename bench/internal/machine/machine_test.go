package machine

import (
	"os"
	"testing"
)

func TestMeasure_LeavesNoFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second or two")
	}
	dir := t.TempDir()
	found := map[string]string{}
	if err := Measure(t.Context(), dir, func(name, text string) { found[name] = text }); err != nil {
		t.Fatal(err)
	}
	for _, p := range probes() {
		if found[p.name] == "" {
			t.Errorf("no %s in %v", p.name, found)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
