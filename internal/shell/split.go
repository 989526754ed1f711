package shell

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word of a line.
type token struct {
	text  string // its bytes, without quotes and escapes
	quote byte   // what it stood in, or 0
	start int    // where it begins in the line, its quote included
}

// bare tells whether the word stood in no quotes; only such ones are options, separators and comments.
func (t token) bare() bool { return t.quote == 0 }

func (t token) is(text string) bool { return t.bare() && t.text == text }

// errOpen reports a line that ends within quotes.
const errOpen = Mistake("the line ends within quotes")

// split divides a line into words. Of a line that ends within quotes it returns all words, the last as far as it goes, and errOpen.
func split(line string) (words []token, err error) {
	for i := 0; ; {
		i += len(line[i:]) - len(strings.TrimLeftFunc(line[i:], unicode.IsSpace))
		if i == len(line) {
			return words, nil
		}
		var t token
		var n int
		switch line[i] {
		case '"':
			t.text, n, err = quoted(line[i:])
		case '\'':
			t.text, n, err = literal(line[i:])
		default:
			if n = strings.IndexFunc(line[i:], unicode.IsSpace); n < 0 {
				n = len(line) - i
			}
			words = append(words, token{text: line[i : i+n], start: i})
			i += n
			continue
		}
		t.quote, t.start = line[i], i
		words = append(words, t)
		if err != nil {
			return words, err
		}
		if i += n; i < len(line) {
			if r, _ := utf8.DecodeRuneInString(line[i:]); !unicode.IsSpace(r) {
				return words, mistakef("put a space behind the closing quote in front of %q", firstRunes(line[i:], 10))
			}
		}
	}
}

func open(quote string) error { return fmt.Errorf("%w: add a closing %s", errOpen, quote) }

// quoted reads a word in double quotes, and returns how long it is with them.
func quoted(s string) (text string, n int, err error) {
	var b strings.Builder
	rest := s[1:]
	for {
		if rest == "" || rest == `\` {
			return b.String(), len(s), open(`"`)
		}
		switch c := rest[0]; {
		case c == '"':
			return b.String(), len(s) - len(rest) + 1, nil
		case c != '\\':
			b.WriteByte(c)
			rest = rest[1:]
			continue
		}
		r, wide, tail, err := strconv.UnquoteChar(rest, '"')
		if err != nil {
			return b.String(), len(s), mistakef(`%q is no escape; write \\ for a backslash, \xff for a byte`, firstRunes(rest, 4))
		}
		if wide {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		rest = tail
	}
}

// literal reads a word in single quotes.
func literal(s string) (text string, n int, err error) {
	if n := strings.IndexByte(s[1:], '\''); n >= 0 {
		return s[1 : 1+n], n + 2, nil
	}
	return s[1:], len(s), open("'")
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// Unfinished tells whether a line ends within quotes, so that the next one belongs to it.
func Unfinished(line string) bool {
	_, err := split(line)
	return errors.Is(err, errOpen)
}

// Quote returns bytes as a word of a line: as they are where they print, otherwise in double quotes. A session that reads the word
// gets the bytes back.
func Quote(b []byte) string {
	s := string(b)
	if !Prints(b) || s[0] == '\'' || s[0] == '-' || s[0] == '#' || s == ";" || strings.ContainsFunc(s, unicode.IsSpace) {
		return strconv.Quote(s)
	}
	return s
}

// Prints tells whether bytes can be shown as they are and are not taken for anything else: they are not empty, valid UTF-8, all
// printable, and do not begin with a double quote.
func Prints(b []byte) bool {
	if len(b) == 0 || b[0] == '"' {
		return false
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			return false
		}
		b = b[n:]
	}
	return true
}

// show returns bytes for a reader: spaces need no quotes.
func show(b []byte) string {
	if Prints(b) {
		return string(b)
	}
	return strconv.Quote(string(b))
}
