package tidy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The program that README.md shows is the Example that is compiled and run.
func TestReadme_ShowsTheExample(t *testing.T) {
	top := filepath.Join("..", "..")
	body := cut(t, read(t, filepath.Join(top, "example_readme_test.go")), "func Example() {\n", "\t// Output:")
	shown := cut(t, read(t, filepath.Join(top, "README.md")), "```go\n", "```\n")
	if want := strings.ReplaceAll("\n"+body, "\n\t", "\n")[1:]; shown != want {
		t.Errorf("README.md shows\n%s\nexample_readme_test.go has\n%s", shown, want)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// cut returns what lies between the first begin and the end after it.
func cut(t *testing.T, text, begin, end string) string {
	t.Helper()
	_, rest, ok1 := strings.Cut(text, begin)
	part, _, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("nothing between %q and %q", begin, end)
	}
	return part
}
