package shell

import (
	"strings"
	"testing"
)

// Whatever is typed, the answer is bounded and says what is wrong; and the session goes on.
func FuzzSession(f *testing.F) {
	for _, w := range words() {
		if w.name != "compact" && w.name != "verify" { // they only take time
			f.Add(w.name + " a b ; c --limit 1 --ttl 1h")
		}
	}
	f.Add("batch put a 1 ; get a ; del a ; put \"\\xff\" '' --ttl 1h")
	f.Add("begin\nput a b\nscan --reverse\ncommit\nuse x\nexpire a 1h\nttl a")
	s := newSession(f)
	f.Fuzz(func(t *testing.T, lines string) {
		for line := range strings.Lines(lines) {
			line = strings.TrimSuffix(line, "\n")
			r := s.Do(t.Context(), line)
			if len(r.Out) > MaxOutput+1<<10 || strings.Count(r.Out, "\n") > MaxLines+1 || (r.Err == "") != (r.Code == "") || strings.Contains(r.Err, "\n") && !strings.Contains(line, "\n") {
				t.Fatalf("%q: %+v", line, r)
			}
			if r.Err != "" && r.Code == "internal" {
				t.Fatalf("%q: %+v", line, r)
			}
			for _, c := range s.Complete(line) {
				if _, err := split(c); err != nil {
					t.Fatalf("%q completes to %q: %v", line, c, err)
				}
			}
		}
		s.Do(t.Context(), "clear --yes")
	})
}
