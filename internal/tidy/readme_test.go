package tidy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The programs that README.md shows are the Examples that are compiled and run.
func TestReadme_ShowsTheExamples(t *testing.T) {
	top := filepath.Join("..", "..")
	source, readme := read(t, filepath.Join(top, "example_readme_test.go")), read(t, filepath.Join(top, "README.md"))
	for _, example := range []string{"Example", "Example_more"} {
		body := cut(t, source, "func "+example+"() {\n", "\t// Output:")
		if want := "```go\n" + strings.ReplaceAll("\n"+body, "\n\t", "\n")[1:] + "```\n"; !strings.Contains(readme, want) {
			t.Errorf("README.md does not show the body of %s:\n%s", example, want)
		}
	}
}

// So are the options that docs/OPERATIONS.md shows.
func TestOperations_ShowsOptionsThatOpen(t *testing.T) {
	top := filepath.Join("..", "..")
	source := read(t, filepath.Join(top, "example_profiles_test.go"))
	body := cut(t, source, "func Example_profiles() {\n", "\tfor _, o := range")
	if want := "```go\n" + strings.ReplaceAll("\n"+body, "\n\t", "\n")[1:] + "```\n"; !strings.Contains(read(t, filepath.Join(top, "docs", "OPERATIONS.md")), want) {
		t.Errorf("OPERATIONS.md does not show the options of Example_profiles:\n%s", want)
	}
}

// So are the programs of docs/API.md.
func TestAPI_ShowsPartsOfExamples(t *testing.T) {
	top := filepath.Join("..", "..")
	source := read(t, filepath.Join(top, "example_api_test.go"))
	blocks := strings.Split(read(t, filepath.Join(top, "docs", "API.md")), "```go\n")[1:]
	if len(blocks) < 4 {
		t.Errorf("%d programs: they are not where they were", len(blocks))
	}
	for _, block := range blocks {
		program, _, _ := strings.Cut(block, "```")
		indented := strings.ReplaceAll("\n"+strings.TrimSuffix(program, "\n"), "\n", "\n\t")
		if indented = strings.ReplaceAll(indented, "\t\n", "\n"); !strings.Contains(source, indented+"\n") {
			t.Errorf("API.md shows what is in no example:\n%s", program)
		}
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
