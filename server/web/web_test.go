package web_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/server/web"
)

// files returns the page's files by name.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(web.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all[name], err = fs.ReadFile(web.Files, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPage_IsUnder150KBGzipped(t *testing.T) {
	sum := 0
	for name, text := range files(t) {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(text)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path.Base(name), "LICENSE") && path.Base(name) != "NOTICE" {
			sum += b.Len()
		}
	}
	t.Logf("%d bytes gzipped", sum)
	if sum > 150_000 {
		t.Errorf("%d bytes gzipped", sum)
	}
}

// A browser that learned of each module from the one before would wait for the network five times in a row.
func TestPage_AsksForAllItsModulesAtOnce(t *testing.T) {
	index := string(files(t)["index.html"])
	for name := range files(t) {
		if path.Ext(name) != ".js" || strings.Contains(index, `<script src="`+name+`"`) {
			continue
		}
		if !strings.Contains(index, `<link rel="modulepreload" href="`+name+`">`) {
			t.Errorf("index.html does not preload %s", name)
		}
	}
	for _, link := range regexp.MustCompile(`rel="modulepreload" href="([^"]+)"`).FindAllStringSubmatch(index, -1) {
		if files(t)[link[1]] == nil {
			t.Errorf("index.html preloads %s, which is not there", link[1])
		}
	}
}

// address finds what a browser could take for an address on another machine.
var address = regexp.MustCompile(`(?i)\b(https?|wss?):/{2}[^\s"'<>)]+|["'(]//[a-z]`)

func TestPage_NamesNoOtherAddress(t *testing.T) {
	harmless := []string{
		"http://www.w3.org/2000/svg",        // a name, never fetched
		"https://github.com/leeoniya/uPlot", // in a comment of the library
	}
	for name, text := range files(t) {
		if strings.HasPrefix(path.Base(name), "LICENSE") {
			continue
		}
		for _, found := range address.FindAllString(string(text), -1) {
			if !slices.Contains(harmless, found) {
				t.Errorf("%s names %s", name, found)
			}
		}
	}
}

// The content security policy forbids both; a browser would refuse them, and only say so in its console.
func TestPage_HasNoInlineScriptOrStyle(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script>|<script [^>]*>[^<]|<style|\sstyle=["']|\son[a-z]+=["']|javascript:|\beval\(|new Function`)
	for name, text := range files(t) {
		if !strings.HasPrefix(name, "vendor/") && inline.Match(text) {
			t.Errorf("%s: %s", name, inline.Find(text))
		}
	}
}

func TestVendor_IsWhatTheNoticeSays(t *testing.T) {
	all := files(t)
	notice := string(all["vendor/NOTICE"])
	for name, text := range all {
		base, ok := strings.CutPrefix(name, "vendor/")
		if !ok || base == "NOTICE" || strings.HasPrefix(base, "LICENSE-") {
			continue
		}
		_, rest, ok := strings.Cut(notice, "\n"+base+"  ")
		lines := strings.Split(rest, "\n")
		sum := sha256.Sum256(text)
		if !ok || len(lines) < 2 || lines[1] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is not in NOTICE with its checksum %x", name, sum)
		}
	}
}
