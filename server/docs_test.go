package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestDocs_NumbersOfTheServerThatAreNamedAreThere(t *testing.T) {
	page := newSite(t, nil).get("/metrics").want(200, "").body
	named := 0
	for _, name := range []string{"OPERATIONS.md", "API.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range regexp.MustCompile(`\btinykv_server_[a-z_]+`).FindAllString(string(text), -1) {
			named++
			if !strings.Contains(page, "\n# TYPE "+metric+" ") {
				t.Errorf("docs/%s names %s, which is not there", name, metric)
			}
		}
	}
	if named == 0 {
		t.Error("no number of the server is named")
	}
}
