package shell

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
)

// MaxCompletions is how many lines Complete returns at most.
const MaxCompletions = 50

// Complete returns whole lines that begin as this one does, but for quotes: with words, options, buckets and keys that are there, in their order, at
// most MaxCompletions. It reads at most so many keys, and no values.
func (s *Session) Complete(line string) []string {
	tokens, err := split(line)
	if err != nil && !errors.Is(err, errOpen) {
		return nil
	}
	last := token{start: len(line)}
	if n := len(tokens); n > 0 && (err != nil || !strings.HasSuffix(line, " ")) {
		last, tokens = tokens[n-1], tokens[:n-1]
	}
	var found []string
	for _, c := range s.candidates(tokens, last) {
		found = append(found, line[:last.start]+c)
	}
	return found
}

// candidates returns what the last word may become, given those before it.
func (s *Session) candidates(before []token, last token) []string {
	if len(before) == 0 {
		return begins(names(), last)
	}
	w, err := find(before[0].text)
	if err != nil {
		return nil
	}
	if last.bare() && strings.HasPrefix(last.text, "-") {
		return begins(w.optionNames(), last)
	}
	switch w.name {
	case "help":
		return begins(names(), last)
	case "use":
		buckets, _ := s.db.Buckets()
		for i, name := range buckets {
			buckets[i] = Quote([]byte(name))
		}
		return begins(buckets, last)
	}
	option := strings.TrimPrefix(before[len(before)-1].text, "--")
	isKey := slices.Contains([]string{"lower", "upper", "after", "prefix"}, option) || w.keys && (len(before) == 1 || w.max < 0)
	if !isKey || option == "limit" || option == "ttl" {
		return nil
	}
	return s.keys([]byte(last.text))
}

func names() (all []string) {
	for _, w := range words() {
		all = append(all, w.name)
	}
	return all
}

func (w word) optionNames() (all []string) {
	for _, o := range slices.Concat(w.values, w.flags) {
		all = append(all, "--"+o)
	}
	return all
}

// begins returns those that begin with what is there of a word.
func begins(all []string, t token) (found []string) {
	for _, s := range all {
		if strings.HasPrefix(s, t.text) && len(found) < MaxCompletions {
			found = append(found, s)
		}
	}
	return found
}

// keys returns the first keys with a prefix, as words. They come from the store, not from the transaction, which would take them
// for something that it has read.
func (s *Session) keys(prefix []byte) (found []string) {
	scan := s.db.Scan
	if s.bucket != "" {
		scan = s.db.Bucket(s.bucket).Scan
	}
	for i, err := range scan(tinykv.Prefix(bytes.Clone(prefix)), tinykv.KeysOnly, tinykv.Limit(MaxCompletions)) {
		if err != nil {
			break // completing is a courtesy; the line itself will tell
		}
		found = append(found, Quote(i.Key))
	}
	return found
}
