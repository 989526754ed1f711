package interchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep objects and arrays may be nested, so that reading one takes little stack.
const maxDepth = 128

var (
	errEnds    = errors.New("the JSON ends too early")
	errNotUTF8 = errors.New("not UTF-8; give such bytes as hexadecimal digits, in the field that ends in _hex")
	errTooBig  = fmt.Errorf("nested more than %d deep", maxDepth)
)

// scanner reads JSON (RFC 8259) from memory. It is strict: what it has passed is JSON, if the bytes are UTF-8.
type scanner struct {
	data []byte
	off  int
}

// members calls fn with each member of an object, which must be all that data holds: its name, and its value as it stands there.
func members(data []byte, fn func(name, raw []byte) error) error {
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	s := scanner{data: data}
	s.space()
	if s.peek() != '{' {
		return errNotObject
	}
	if err := s.object(1, fn); err != nil {
		return err
	}
	s.space()
	if s.off < len(data) {
		return s.unexpected("the end")
	}
	return nil
}

func (s *scanner) space() {
	for s.off < len(s.data) && isSpace(s.data[s.off]) {
		s.off++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.off < len(s.data) {
		return s.data[s.off]
	}
	return 0
}

func (s *scanner) unexpected(want string) error {
	if s.off >= len(s.data) {
		return errEnds
	}
	return fmt.Errorf("byte %d: %q where %s should be", s.off+1, s.data[s.off], want)
}

// value passes a value; depth counts what it is nested in.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		return s.string()
	case c == '{':
		return s.object(depth+1, nil)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	default:
		return s.word()
	}
}

// object passes an object, whose brace is next. fn may be nil.
func (s *scanner) object(depth int, fn func(name, raw []byte) error) error {
	return s.list(depth, '}', func() error {
		from := s.off
		if s.peek() != '"' {
			return s.unexpected("a name in quotes")
		}
		if err := s.string(); err != nil {
			return err
		}
		name := s.data[from:s.off]
		s.space()
		if s.peek() != ':' {
			return s.unexpected("':'")
		}
		s.off++
		s.space()
		from = s.off
		if err := s.value(depth); err != nil || fn == nil {
			return err
		}
		if name = name[1 : len(name)-1]; bytes.IndexByte(name, '\\') >= 0 {
			var err error
			if name, err = unquote([]byte(`"` + string(name) + `"`)); err != nil {
				return err
			}
		}
		return fn(name, s.data[from:s.off])
	})
}

// array passes an array, whose bracket is next.
func (s *scanner) array(depth int) error {
	return s.list(depth, ']', func() error { return s.value(depth) })
}

// list passes what stands between brackets, with commas in between.
func (s *scanner) list(depth int, end byte, element func() error) error {
	if depth > maxDepth {
		return errTooBig
	}
	s.off++
	s.space()
	if s.peek() == end {
		s.off++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.off++
			s.space()
		case end:
			s.off++
			return nil
		default:
			return s.unexpected(fmt.Sprintf("',' or '%c'", end))
		}
	}
}

// string passes a string, whose quote is next.
func (s *scanner) string() error {
	for s.off++; s.off < len(s.data); s.off++ {
		switch c := s.data[s.off]; {
		case c == '"':
			s.off++
			return nil
		case c == '\\':
			size, err := escapeSize(s.data[s.off:])
			if err != nil {
				return err
			}
			s.off += size - 1
		case c < ' ':
			return fmt.Errorf("byte %d: %q in a string; write it as an escape", s.off+1, c)
		}
	}
	return errEnds
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.off++
	}
	if s.peek() == '0' {
		s.off++
	} else if !s.someDigits() {
		return s.unexpected("a digit")
	}
	if s.peek() == '.' {
		s.off++
		if !s.someDigits() {
			return s.unexpected("a digit")
		}
	}
	if c := s.peek(); c != 'e' && c != 'E' {
		return nil
	}
	s.off++
	if c := s.peek(); c == '+' || c == '-' {
		s.off++
	}
	if !s.someDigits() {
		return s.unexpected("a digit")
	}
	return nil
}

func (s *scanner) someDigits() bool {
	from := s.off
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.off++
	}
	return s.off > from
}

func (s *scanner) word() error {
	for _, w := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.off:], []byte(w)) {
			s.off += len(w)
			return nil
		}
	}
	return s.unexpected("a value")
}

// escapeSize returns how many bytes an escape at the begin of in takes.
func escapeSize(in []byte) (int, error) {
	switch {
	case len(in) < 2:
		return 0, errEnds
	case in[1] != 'u' && bytes.IndexByte([]byte(escapes), in[1]) < 0:
		return 0, fmt.Errorf("%q is no escape of JSON", in[:2])
	case in[1] != 'u':
		return 2, nil
	}
	if _, ok := hexRune(in); !ok {
		return 0, fmt.Errorf(`%q: \u wants four hexadecimal digits`, in[:min(len(in), 6)])
	}
	return 6, nil
}

// The letters of escapes, and what they stand for.
const (
	escapes = `"\/bfnrt`
	escaped = "\"\\/\b\f\n\r\t"
)

// unquote returns what a string that a scanner has passed stands for, in new memory, not nil. Half of a surrogate pair is an error: it
// is no character, and could not be told apart from what it would have to be replaced by.
func unquote(quoted []byte) ([]byte, error) {
	in := quoted[1 : len(quoted)-1]
	out := make([]byte, 0, len(in))
	for {
		n := bytes.IndexByte(in, '\\')
		if n < 0 {
			return append(out, in...), nil
		}
		out = append(out, in[:n]...)
		r, size, err := escape(in[n:])
		if err != nil {
			return nil, err
		}
		out = utf8.AppendRune(out, r)
		in = in[n+size:]
	}
}

// escape reads an escape, or two that are a surrogate pair, at the begin of in, and returns how many bytes it takes.
func escape(in []byte) (r rune, size int, err error) {
	if in[1] != 'u' {
		return rune(escaped[bytes.IndexByte([]byte(escapes), in[1])]), 2, nil
	}
	r, _ = hexRune(in)
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	if low, ok := hexRune(in[6:]); ok {
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			return both, 12, nil
		}
	}
	return 0, 0, fmt.Errorf("%q is half of a surrogate pair, which is no character", in[:6])
}

// hexRune reads \u and four digits.
func hexRune(in []byte) (rune, bool) {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return 0, false
	}
	var b [2]byte
	if _, err := hex.Decode(b[:], in[2:6]); err != nil {
		return 0, false
	}
	return rune(b[0])<<8 | rune(b[1]), true
}
