package tinykv_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func TestDocs_OperationsTellsOfEveryOptionAndOfNoOther(t *testing.T) {
	text := document(t, "OPERATIONS.md")
	_, table, _ := strings.Cut(text, "## Every option\n")
	table, _, _ = strings.Cut(table, "\n## ")
	typ := reflect.TypeFor[tinykv.Options]()
	for i := range typ.NumField() {
		if f := typ.Field(i); f.IsExported() && !strings.Contains(table, "`"+f.Name+"`") {
			t.Errorf("OPERATIONS.md does not tell of Options.%s", f.Name)
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(row[1], -1) {
			if _, ok := typ.FieldByName(name[1]); !ok {
				t.Errorf("OPERATIONS.md tells of Options.%s, which is not there", name[1])
			}
		}
	}
}

func TestDocs_NumbersThatAreNamedAreThere(t *testing.T) {
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var page bytes.Buffer
	if err := db.Metrics().WritePrometheus(&page); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"OPERATIONS.md", "API.md", "CONCEPTS.md"} {
		for _, metric := range regexp.MustCompile(`\btinykv_[a-z_]+`).FindAllString(document(t, name), -1) {
			if strings.HasPrefix(metric, "tinykv_server_") {
				continue // a test of package server sees to them
			}
			if !strings.Contains(page.String(), "\n# TYPE "+metric+" ") {
				t.Errorf("docs/%s names %s, which is not there", name, metric)
			}
		}
	}
}

// Links from one document to another, and to a heading, lead somewhere.
func TestDocs_LinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "docs/OPERATIONS.md", "docs/CONCEPTS.md", "docs/API.md", "docs/GUARANTEES.md"} {
		text := readText(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := name
			if m[1] != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), m[1]))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[0])
				continue
			}
			if m[2] != "" && !hasHeading(readText(t, target), m[2]) {
				t.Errorf("%s: %s has no such heading", name, m[0])
			}
		}
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hasHeading tells whether a text has a heading of that anchor.
func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		heading := strings.TrimLeft(strings.TrimSpace(line), "#")
		if heading == line || !strings.HasPrefix(line, "#") {
			continue
		}
		heading = strings.ToLower(strings.TrimSpace(heading))
		heading = regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(heading, "")
		if strings.ReplaceAll(heading, " ", "-") == anchor {
			return true
		}
	}
	return false
}
