package machine

import (
	"strings"
	"testing"
)

func TestValueOf_IsThatOfTheFirstLineOfTheName(t *testing.T) {
	const info = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nprocessor\t: 1\nmodel name\t: Another\n"
	if got := valueOf([]byte(info), "model name"); got != "Some CPU @ 2 GHz" {
		t.Errorf("%q", got)
	}
	if got := valueOf([]byte("Processor\t: ARM\n"), "model name"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestFacts_EachHasANameAndAText(t *testing.T) {
	found := map[string]string{}
	Facts(t.TempDir(), func(name, text string) { found[name] = text })
	for _, name := range []string{"processor", "system", "file system"} {
		if found[name] == "" {
			t.Errorf("no %s in %v", name, found)
		}
	}
	if !strings.Contains(found["system"], "go") {
		t.Errorf("no version of Go in %v", found)
	}
}
