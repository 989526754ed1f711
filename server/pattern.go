package server

import (
	"regexp"
	"regexp/syntax"
)

// Bounds of a regular expression: how long it is, and how many steps each byte of a key may take. (a{9}){9} is larger than it looks.
const (
	maxPatternBytes = 1 << 10
	maxPatternSize  = 1000
)

// compilePattern reads a regular expression that takes bounded time for each byte, and to be compiled.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPatternBytes {
		return nil, badRequest("key_regex is longer than %d bytes", maxPatternBytes)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, badRequest("key_regex is not a regular expression as Go's regexp package reads it")
	}
	if patternSize(tree) > maxPatternSize {
		return nil, badRequest("key_regex repeats too much; its repetitions written out may have %d parts", maxPatternSize)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, badRequest("key_regex is not a regular expression as Go's regexp package reads it")
	}
	return re, nil
}

// patternSize is about how many instructions an expression becomes, at most a little more than maxPatternSize.
func patternSize(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	if re.Op == syntax.OpCharClass { // its ranges are one instruction
		n = 1
	}
	for _, sub := range re.Sub {
		n = min(n+patternSize(sub), maxPatternSize+1)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, maxPatternSize+1)
}
