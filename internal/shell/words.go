package shell

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// word is one of those that a line may begin with.
type word struct {
	name  string
	usage string // what may follow it
	help  string
	min   int // arguments
	max   int // -1: any number

	// options that take an argument, and those that do not.
	values, flags []string

	keys bool // arguments are keys, for completion: the first one, or all where there may be any number
	do   func(*Session, *call) error
}

// words are all there are, in the order of help.
func words() []word {
	const rangeUsage = "[PREFIX] [--lower KEY] [--upper KEY]"
	bounds := []string{"lower", "upper"}
	return []word{
		{name: "get", usage: "KEY...", help: "Show the value of keys.", min: 1, max: -1, keys: true, do: (*Session).get},
		{name: "put", usage: "KEY VALUE [--ttl 30s]", help: "Give a key a value.", min: 2, max: 2, values: []string{"ttl"}, keys: true, do: (*Session).put},
		{name: "del", usage: "KEY... | --range FROM TO | --prefix P", help: "Delete keys.", max: -1, values: []string{"prefix"}, flags: []string{"range"}, keys: true, do: (*Session).del},
		{
			name: "scan", usage: "[PREFIX] [--lower K --upper K --after K] [--limit N --reverse --keys-only]", help: "List keys in order.", max: 1, keys: true,
			values: append(bounds, "after", "limit"), flags: []string{"reverse", "keys-only"}, do: (*Session).scan,
		},
		{name: "count", usage: rangeUsage, help: "Count keys.", max: 1, values: bounds, keys: true, do: (*Session).count},
		{name: "ttl", usage: "KEY", help: "Show how long a value lives.", min: 1, max: 1, keys: true, do: (*Session).ttl},
		{name: "expire", usage: "KEY 30s", help: "Let a value expire.", min: 2, max: 2, keys: true, do: (*Session).expire},
		{name: "persist", usage: "KEY", help: "Let a value stay.", min: 1, max: 1, keys: true, do: (*Session).persist},
		{name: "batch", usage: "put K V ; del K ; get K ...", help: "Do all of it at once, or none.", min: 1, max: -1, do: (*Session).batch},
		{name: "begin", usage: "[--read-only]", help: "Begin a transaction.", flags: []string{"read-only"}, do: (*Session).begin},
		{name: "commit", help: "Make what it wrote take effect.", do: (*Session).commit},
		{name: "rollback", help: "End it without effect.", do: (*Session).rollback},
		{name: "buckets", help: "List the buckets, which hold keys of their own.", do: (*Session).buckets},
		{name: "use", usage: "[BUCKET]", help: "Work in a bucket; without a name, outside of all.", max: 1, do: (*Session).use},
		{name: "info", help: "Tell what there is and how large it is.", do: (*Session).info},
		{name: "stats", help: "Show the numbers of the store.", do: (*Session).stats},
		{name: "levels", help: "Show the levels of the tree.", do: (*Session).levels},
		{name: "explain", usage: "KEY", help: "Tell how a key is found.", min: 1, max: 1, keys: true, do: (*Session).explain},
		{name: "flush", help: "Write what is in memory to tables.", do: (*Session).flush},
		{name: "sync", help: "Wait until all that was written is on stable storage.", do: (*Session).sync},
		{name: "resume", help: "Make a store that has failed take writes again.", do: (*Session).resume},
		{name: "compact", usage: rangeUsage, help: "Merge tables, which drops what was overwritten or deleted.", max: 1, values: bounds, keys: true, do: (*Session).compact},
		{name: "verify", help: "Check every table against its checksums.", do: (*Session).verify},
		{name: "clear", usage: "--yes", help: "Delete every key of the bucket in use.", flags: []string{"yes"}, do: (*Session).clear},
		{name: "help", usage: "[WORD]", help: "List the words, or tell of one.", max: 1, do: (*Session).help},
		{name: "quit", help: "Leave.", do: (*Session).quit},
	}
}

// find returns the word of a name, or a mistake that tells the nearest one.
func find(name string) (word, error) {
	all := words()
	for _, w := range all {
		if w.name == name || w.name == "quit" && name == "exit" {
			return w, nil
		}
	}
	if near := nearest(name, all); near != "" {
		return word{}, mistakef("there is no word %q; did you mean %s?", firstRunes(name, 40), near)
	}
	return word{}, mistakef("there is no word %q; help lists them", firstRunes(name, 40))
}

func nearest(name string, all []word) (near string) {
	best := 3
	for _, w := range all {
		if d := distance(strings.ToLower(name), w.name); d < best && d < len(w.name) {
			best, near = d, w.name
		}
	}
	return near
}

// distance is how many letters must be changed, added, left out or swapped with their neighbour to make b of a: the optimal string
// alignment distance. Names that are far from a word are not compared to the end.
func distance(a, b string) int {
	if len(a) > len(b)+3 {
		return len(a)
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// arguments are what follows a word.
type arguments struct {
	word    string
	plain   []token
	options map[string]string // those that were given; those without an argument are empty
}

// parse sorts what follows the word into options and the rest. An option stands anywhere, as --limit 5 or --limit=5; what is in
// quotes is none.
func (w word) parse(tokens []token) (a arguments, err error) {
	a = arguments{word: w.name, options: map[string]string{}}
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		name, isOption := strings.CutPrefix(t.text, "--")
		if !isOption || !t.bare() || name == "" || w.name == "batch" {
			a.plain = append(a.plain, t)
			continue
		}
		name, value, given := strings.Cut(name, "=")
		switch {
		case slices.Contains(w.flags, name) && !given:
		case slices.Contains(w.values, name) && given:
		case slices.Contains(w.values, name) && i+1 < len(tokens):
			i++
			value = tokens[i].text
		case slices.Contains(w.values, name):
			return a, mistakef("--%s wants a value; usage: %s", name, w.line())
		default:
			return a, mistakef("%s does not know %s; put it in quotes if it is no option; usage: %s", w.name, firstRunes(t.text, 40), w.line())
		}
		a.options[name] = value
	}
	if n := len(a.plain); n < w.min || w.max >= 0 && n > w.max {
		return a, mistakef("%s; usage: %s", tooMany(n, w.min), w.line())
	}
	return a, nil
}

func tooMany(n, least int) string {
	if n < least {
		return "something is missing"
	}
	return "that is too much; what holds spaces stands in quotes"
}

// line is the word with what may follow it.
func (w word) line() string { return strings.TrimSpace(w.name + " " + w.usage) }

// key returns an argument as bytes.
func (a arguments) key(i int) []byte { return []byte(a.plain[i].text) }

func (a arguments) has(option string) bool {
	_, ok := a.options[option]
	return ok
}

// Lifetime reads a positive time, as 30s or 1h30m; a bare number is seconds. What is no such time is a Mistake.
func Lifetime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		if n, numErr := strconv.ParseUint(text, 10, 31); numErr == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
	}
	if err != nil || d <= 0 {
		return 0, mistakef("%q is no time to live; write 30s, 5m or 24h", firstRunes(text, 40))
	}
	return d, nil
}
