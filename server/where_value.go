package server

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonText is a value of valid JSON as it is stored, without space around it; empty for a value that is none. A where looks for fields in the
// text: as a tree in memory, JSON may be a hundred times as large.
type jsonText []byte

// jsonTextOf returns a stored value for tests.
func jsonTextOf(value []byte) jsonText {
	if !json.Valid(value) {
		return nil
	}
	return value[skipSpace(value, 0):]
}

// compound stands for an object or a list where a single value is asked for: it equals nothing.
type compound struct{}

// scalar returns what a text stands for: nil, a bool, a json.Number, a string or compound.
func (v jsonText) scalar() any {
	switch {
	case len(v) == 0:
		return compound{}
	case v[0] == '{' || v[0] == '[':
		return compound{}
	case v[0] == '"':
		return unquote(v[:skipString(v, 0)])
	case v[0] == 't' || v[0] == 'f':
		return v[0] == 't'
	case v[0] == 'n':
		return nil
	default:
		return json.Number(v[:skipScalar(v, 0)])
	}
}

// member returns what an object or a list has under a name: of several, the last.
func (v jsonText) member(name string) (found jsonText, ok bool) {
	switch {
	case len(v) == 0:
		return nil, false
	case v[0] == '{':
		v.each(func(_ int, key, value jsonText) {
			if isString(key, name) {
				found, ok = value, true
			}
		})
	case v[0] == '[':
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 {
			return nil, false
		}
		v.each(func(i int, _, value jsonText) {
			if i == n {
				found, ok = value, true
			}
		})
	}
	return found, ok
}

// contains tells whether a string has a part, or a list an element.
func (v jsonText) contains(part any) (found bool) {
	switch {
	case len(v) == 0:
		return false
	case v[0] == '"':
		p, ok := part.(string)
		return ok && strings.Contains(unquote(v[:skipString(v, 0)]), p)
	case v[0] == '[':
		v.each(func(_ int, _, value jsonText) {
			if !found {
				order, ok := compare(value.scalar(), part)
				found = ok && order == 0
			}
		})
	}
	return found
}

// each calls fn with what an object or a list holds; the keys of a list are empty.
func (v jsonText) each(fn func(i int, key, value jsonText)) {
	at, end := skipSpace(v, 1), byte('}')
	if v[0] == '[' {
		end = ']'
	}
	for i := 0; v[at] != end; i++ {
		var key jsonText
		if end == '}' {
			begin := at
			at = skipString(v, at)
			key = v[begin:at]
			at = skipSpace(v, skipSpace(v, at)+1) // the colon
		}
		begin := at
		at = skipValue(v, at)
		fn(i, key, v[begin:at])
		if at = skipSpace(v, at); v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
}

// The functions below return where something ends that begins at a place in valid JSON.

func skipSpace(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\t' || b[at] == '\r' || b[at] == '\n') {
		at++
	}
	return at
}

func skipString(b []byte, at int) int {
	for at++; b[at] != '"'; at++ {
		if b[at] == '\\' {
			at++
		}
	}
	return at + 1
}

func skipScalar(b []byte, at int) int {
	for at < len(b) && strings.IndexByte(" \t\r\n,:]}", b[at]) < 0 {
		at++
	}
	return at
}

func skipValue(b []byte, at int) int {
	for depth := 0; ; {
		switch b[at] {
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		case '"':
			at = skipString(b, at)
		case ' ', '\t', '\r', '\n', ',', ':':
			at++
			continue
		default:
			at = skipScalar(b, at)
		}
		if depth == 0 {
			return at
		}
	}
}

// isString tells whether a string of JSON is a text.
func isString(quoted []byte, text string) bool {
	if isPlain(quoted) {
		return string(quoted[1:len(quoted)-1]) == text
	}
	return unquote(quoted) == text
}

// unquote returns the text of a string of JSON.
func unquote(quoted []byte) (text string) {
	if isPlain(quoted) {
		return string(quoted[1 : len(quoted)-1])
	}
	_ = json.Unmarshal(quoted, &text) // it is valid
	return text
}

// isPlain tells whether a string of JSON stands there as it is.
func isPlain(quoted []byte) bool {
	for _, c := range quoted {
		if c == '\\' {
			return false
		}
	}
	return utf8.Valid(quoted)
}
