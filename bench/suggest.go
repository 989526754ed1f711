package main

import (
	"fmt"
	"strings"
)

// unknownError says that a name is not known, which ones are, and which may have been meant.
func unknownError(what, name string, known []string) error {
	meant := ""
	if s := nearest(name, known); s != "" {
		meant = fmt.Sprintf(" (did you mean %s?)", s)
	}
	return usagef("unknown %s %q%s; valid are: %s", what, name, meant, strings.Join(known, " "))
}

// nearest returns the known name that differs least from name, or nothing when all differ by more
// than half.
func nearest(name string, known []string) string {
	best, least := "", (len(name)+1)/2+1
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many bytes must be inserted, deleted or replaced to make b of a (Levenshtein 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // row[j] is the distance of a[:i] and b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0] // the distance of a[:i] and b[:j]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
