package tidy

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "copy the golden files into docs/FORMAT.md")

// goldenBlock is a marker in docs/FORMAT.md and, if it was filled in, the file behind it.
var goldenBlock = regexp.MustCompile("<!-- golden (\\S+) -->\n(?:\n```text\n(?s:.*?)```\n)?")

// The dumps in docs/FORMAT.md are the files that the formats' own tests compare.
func TestFormat_ShowsTheGoldenFiles(t *testing.T) {
	top := filepath.Join("..", "..")
	page := filepath.Join(top, "docs", "FORMAT.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	want := goldenBlock.ReplaceAllStringFunc(string(text), func(block string) string {
		shown++
		name := goldenBlock.FindStringSubmatch(block)[1]
		golden, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return "<!-- golden " + name + " -->\n\n```text\n" + strings.TrimRight(string(golden), "\n") + "\n```\n"
	})
	if shown != 6 {
		t.Errorf("%d golden files, want those of CURRENT, segment, edit, table and two compressed blocks", shown)
	}
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("docs/FORMAT.md shows other bytes than the golden tests; run: go test ./internal/tidy -update")
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
