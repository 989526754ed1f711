package shell

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

func newSession(t testing.TB) *Session {
	t.Helper()
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	s := New(db)
	t.Cleanup(func() {
		s.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Each file of testdata is what two people type, and what they are told: a line that begins with > is of the one, one with >> of the
// other. Errors begin with !.
func TestSession_DoesAsItsScriptsSay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range a.Files {
				t.Run(f.Name, func(t *testing.T) { replay(t, string(f.Data)) })
			}
		})
	}
}

// replay types the lines of a script and compares the whole.
func replay(t *testing.T, script string) {
	one := newSession(t)
	two := New(one.db)
	defer two.Close()
	var got strings.Builder
	for line := range strings.Lines(script) {
		who, text := two, strings.TrimPrefix(line, ">> ")
		if text == line {
			if who, text = one, strings.TrimPrefix(line, "> "); text == line {
				continue
			}
		}
		got.WriteString(line)
		r := who.Do(t.Context(), strings.TrimSuffix(text, "\n"))
		got.WriteString(r.Out)
		if r.Err != "" {
			fmt.Fprintf(&got, "! %s\n", r.Err)
		}
	}
	if got.String() != strings.TrimSpace(script)+"\n" {
		t.Errorf("got\n%s\nwant\n%s", got.String(), script)
	}
}

func TestSplit_DividesLikeAShell(t *testing.T) {
	for line, want := range map[string]string{
		``:                        ``,
		`  get   fig `:            `get|fig`,
		`put a "b c"`:             `put|a|b c`,
		`put 'a b' '\n"'`:         `put|a b|\n"`,
		`put "\xff\x00" "\n\t\\"`: "put|\xff\x00|\n\t\\",
		`put k {"a":1}`:           `put|k|{"a":1}`,
		`put k it's`:              `put|k|it's`,
		`get ""`:                  `get|`,
		"get\tfig":                `get|fig`,
		`get "\u00e9é"`:           `get|éé`,
	} {
		words, err := split(line)
		var got []string
		for _, w := range words {
			got = append(got, w.text)
		}
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

func TestUnfinished_TellsThatTheNextLineBelongsToThisOne(t *testing.T) {
	for line, want := range map[string]bool{
		`put a "b`: true, `put a 'b "`: true, `put a "b\`: true, `put a "b\"`: true,
		`put a "b"`: false, `put a b"`: false, `put a "\q`: false, ``: false,
	} {
		if got := Unfinished(line); got != want {
			t.Errorf("%s: %t", line, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, line := range []string{`put a "b c"`, `'x' "\xff`, `get fig ; del "" #`, `"\u00e9`, "\\", `"a"b`} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if words, err := split(line); err == nil && (len(words) == 0) != (strings.TrimSpace(line) == "") {
			t.Fatalf("%d words", len(words))
		}
		word := Quote([]byte(line))
		back, err := split("get " + word)
		if err != nil || len(back) != 2 || back[1].text != line {
			t.Fatalf("%q came back from %s as %v, %v", line, word, back, err)
		}
	})
}

func TestScan_OfMoreThanIsShownSaysHowToGoOn(t *testing.T) {
	s := newSession(t)
	b := s.db.NewBatch()
	for i := range 2500 {
		if err := b.Put(fmt.Appendf(nil, "k %04d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Apply(b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"scan --limit 2000", "scan --limit 70 --reverse", "scan --keys-only"} {
		seen := map[string]bool{}
		for next := line; next != ""; {
			r := s.Do(t.Context(), next)
			if strings.Count(r.Out, "\n") > MaxLines || r.Err != "" {
				t.Fatalf("%s: %d lines, %s", next, strings.Count(r.Out, "\n"), r.Err)
			}
			next = ""
			for l := range strings.Lines(r.Out) {
				if _, more, ok := strings.Cut(l, "there are more: scan"); ok {
					next = line + strings.TrimSuffix(more, "\n")
					continue
				}
				seen[l] = true
			}
		}
		if len(seen) != 2500 {
			t.Errorf("%s: %d keys", line, len(seen))
		}
	}
}

func TestQuote_MakesOneWordOfWhateverWouldMeanMore(t *testing.T) {
	s := newSession(t)
	for _, k := range []string{"--reverse", ";", "#1", "'", "a b", "", "\xff", "ok"} {
		w := Quote([]byte(k))
		for _, line := range []string{"put " + w + " x", "batch get " + w + " ; get " + w, "get " + w, "scan " + w, "del " + w} {
			if r := s.Do(t.Context(), line); r.Err != "" {
				t.Errorf("%s: %s", line, r.Err)
			}
		}
	}
}

func TestOutput_IsBounded(t *testing.T) {
	s := newSession(t)
	if err := s.db.Put([]byte("big"), make([]byte, MaxOutput)); err != nil {
		t.Fatal(err)
	}
	if r := s.Do(t.Context(), "get big"); r.Out != "" || !strings.Contains(r.Err, "tinykv get --raw") {
		t.Errorf("%d bytes, %s", len(r.Out), r.Err)
	}
	if r := s.Do(t.Context(), "scan"); len(r.Out) > 5*maxShown || !strings.Contains(r.Out, "1048576 bytes") {
		t.Errorf("%d bytes", len(r.Out))
	}
}

func TestDo_EndsWithItsContext(t *testing.T) {
	s := newSession(t)
	s.Do(t.Context(), "put a b")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, line := range []string{"scan", "count", "compact", "verify"} {
		if r := s.Do(ctx, line); r.Err != "interrupted" {
			t.Errorf("%s: %+v", line, r)
		}
	}
}

func TestPrompt_TellsBucketAndTransaction(t *testing.T) {
	s := newSession(t)
	for _, step := range []struct{ line, want string }{
		{"", "tinykv> "},
		{"use fruit", "tinykv:fruit> "},
		{"begin", "tinykv:fruit (transaction)> "},
		{"use", "tinykv (transaction)> "},
		{"rollback", "tinykv> "},
	} {
		if r := s.Do(t.Context(), step.line); r.Prompt != step.want || r.Err != "" {
			t.Errorf("%s: %+v", step.line, r)
		}
	}
	if r := s.Do(t.Context(), "quit"); !r.Quit || r.Err != "" {
		t.Errorf("%+v", r)
	}
}

func TestComplete_KnowsWordsOptionsBucketsAndKeys(t *testing.T) {
	s := newSession(t)
	for _, line := range []string{"put fig 1", `put "fig tree" 2`, "put kiwi 3", "use roots", "put beet red", "use"} {
		if r := s.Do(t.Context(), line); r.Err != "" {
			t.Fatal(r.Err)
		}
	}
	for line, want := range map[string][]string{
		"co":             {"count", "commit", "compact"},
		"get fi":         {"get fig", `get "fig tree"`},
		`get "fig t`:     {`get "fig tree"`},
		"get fig ki":     {"get fig kiwi"},
		"put fig ":       nil,
		"use ":           {"use roots"},
		"scan --r":       {"scan --reverse"},
		"scan --lower k": {"scan --lower kiwi"},
		"help pu":        {"help put"},
		"frob ":          nil,
		`get "\q`:        nil,
	} {
		if got := s.Complete(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestComplete_ReadsNothingIntoTheTransaction(t *testing.T) {
	s := newSession(t)
	s.Do(t.Context(), "begin")
	s.Do(t.Context(), "put mine 1")
	s.Complete("get ")
	if err := s.db.Put([]byte("other"), nil); err != nil {
		t.Fatal(err)
	}
	if r := s.Do(t.Context(), "commit"); r.Err != "" {
		t.Error(r.Err)
	}
}

func TestHelp_FitsInEightyColumns(t *testing.T) {
	s := newSession(t)
	for _, line := range append([]string{"help", "levels", "info", "stats"}, names()...) {
		if w, err := find(line); err == nil && len(w.line()) > 0 {
			line = "help " + line
		}
		for l := range strings.Lines(s.Do(t.Context(), line).Out) {
			if len(l) > 81 {
				t.Errorf("%s: %s", line, l)
			}
		}
	}
}
