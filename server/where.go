package server

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A where tells values apart by what is in their JSON:
//
//	where  = and { "or" and }
//	and    = one { "and" one }
//	one    = "not" one | "(" where ")" | field test
//	field  = name { "." name }             a name is a word, a number that counts from 0 in a list, or a string
//	test   = "exists" | "contains" literal | ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) literal
//	literal = JSON number, JSON string, true, false, null
//
// Numbers compare as numbers and strings bytewise; values of two kinds are different, and neither is less. Contains looks for a part of a string, or
// for an element of a list. A value that is no JSON, or has no such field, fulfils no test (but "not" holds of it).
type where interface {
	holds(value jsonText) bool
}

// Bounds of a where.
const (
	maxWhereBytes   = 1 << 10
	maxWhereNesting = 16
)

type (
	either   struct{ a, b where }
	both     struct{ a, b where }
	negation struct{ a where }
	test     struct {
		field   []string
		op      string
		literal any // nil, bool, json.Number or string
	}
)

func (e either) holds(v jsonText) bool   { return e.a.holds(v) || e.b.holds(v) }
func (b both) holds(v jsonText) bool     { return b.a.holds(v) && b.b.holds(v) }
func (n negation) holds(v jsonText) bool { return !n.a.holds(v) }

func (t test) holds(v jsonText) bool {
	for _, name := range t.field {
		var ok bool
		if v, ok = v.member(name); !ok {
			return false
		}
	}
	switch t.op {
	case "exists":
		return true
	case "contains":
		return v.contains(t.literal)
	case "!=":
		order, ok := compare(v.scalar(), t.literal)
		return !ok || order != 0
	}
	order, ok := compare(v.scalar(), t.literal)
	if !ok {
		return false
	}
	switch t.op {
	case "=":
		return order == 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// compare tells the order of two values of one kind, and whether they are that.
func compare(a, b any) (int, bool) {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return compareNumbers(a, b), ok
	case string:
		b, ok := b.(string)
		return strings.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		switch {
		case a == b:
			return 0, ok
		case b:
			return -1, ok
		default:
			return 1, ok
		}
	case nil:
		return 0, b == nil
	default:
		return 0, false
	}
}

// compareNumbers is exact for integers of 64 bits.
func compareNumbers(a, b json.Number) int {
	i, err := a.Int64()
	j, err2 := b.Int64()
	if err == nil && err2 == nil {
		switch {
		case i < j:
			return -1
		case i > j:
			return 1
		default:
			return 0
		}
	}
	x, _ := a.Float64() // what is too large for it is infinite
	y, _ := b.Float64()
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	default:
		return 0
	}
}

// holdsOf tells whether a where holds of a value as it is stored.
func holdsOf(w where, value []byte) bool { return w.holds(jsonTextOf(value)) }

// parseWhere reads a where.
func parseWhere(text string) (where, error) {
	if len(text) > maxWhereBytes {
		return nil, badRequest("where is longer than %d bytes", maxWhereBytes)
	}
	if !utf8.ValidString(text) {
		return nil, badRequest("where is no UTF-8")
	}
	p := &whereParser{text: text}
	p.next()
	w, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.token != "" {
		return nil, p.unexpected("and, or, or the end")
	}
	return w, nil
}

// whereParser goes over the words of a where. The token is the present one, empty at the end.
type whereParser struct {
	text  string
	at    int // where token begins
	token string
	depth int
}

// next takes the next token: a string, a word or number, or a sign.
func (p *whereParser) next() {
	rest := strings.TrimLeft(p.text[p.at+len(p.token):], " \t\r\n")
	p.at = len(p.text) - len(rest)
	p.token = rest[:tokenLen(rest)]
}

func tokenLen(s string) int {
	switch {
	case s == "":
		return 0
	case s[0] == '"':
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(s)
	case wordByte(s[0]):
		n := 1
		for n < len(s) && wordByte(s[n]) {
			n++
		}
		return n
	case len(s) > 1 && strings.IndexByte("<>!=", s[0]) >= 0 && s[1] == '=':
		return 2
	default:
		_, n := utf8.DecodeRuneInString(s)
		return n
	}
}

// wordByte tells what words consist of.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '$' || c >= 0x80
}

func (p *whereParser) unexpected(want string) error {
	return badRequest("where: at byte %d there should be %s", p.at, want)
}

func (p *whereParser) or() (where, error) {
	a, err := p.and()
	for err == nil && p.token == "or" {
		p.next()
		var b where
		b, err = p.and()
		a = either{a, b}
	}
	return a, err
}

func (p *whereParser) and() (where, error) {
	a, err := p.one()
	for err == nil && p.token == "and" {
		p.next()
		var b where
		b, err = p.one()
		a = both{a, b}
	}
	return a, err
}

func (p *whereParser) one() (where, error) {
	if p.depth++; p.depth > maxWhereNesting {
		return nil, badRequest("where is nested more than %d deep", maxWhereNesting)
	}
	defer func() { p.depth-- }()
	switch p.token {
	case "not":
		p.next()
		a, err := p.one()
		return negation{a}, err
	case "(":
		p.next()
		a, err := p.or()
		if err == nil && p.token != ")" {
			err = p.unexpected("a closing parenthesis")
		}
		p.next()
		return a, err
	default:
		return p.test()
	}
}

func (p *whereParser) test() (where, error) {
	field, err := p.field()
	if err != nil {
		return nil, err
	}
	t := test{field: field, op: p.token}
	switch p.token {
	case "==":
		t.op = "="
	case "=", "!=", "<", "<=", ">", ">=", "contains":
	case "exists":
		p.next()
		return t, nil
	default:
		return nil, p.unexpected("a test: =, !=, <, <=, >, >=, contains or exists")
	}
	p.next()
	t.literal, err = p.literal()
	return t, err
}

// field reads names with dots in between.
func (p *whereParser) field() (names []string, err error) {
	for {
		name := p.token
		switch {
		case strings.HasPrefix(name, `"`):
			if json.Unmarshal([]byte(p.token), &name) != nil {
				return nil, p.unexpected("a string that ends")
			}
		case name == "" || !wordByte(name[0]):
			return nil, p.unexpected("the name of a field")
		}
		names = append(names, name)
		p.next()
		if p.token != "." {
			return names, nil
		}
		p.next()
	}
}

// literal reads a value. A number is no word: it has a point, perhaps.
func (p *whereParser) literal() (v any, err error) {
	if p.token != "" && strings.Contains("-0123456789", p.token[:1]) {
		rest := strings.TrimLeft(p.text[p.at:], "-+.0123456789eE")
		p.token = p.text[p.at : len(p.text)-len(rest)]
	}
	d := json.NewDecoder(strings.NewReader(p.token))
	d.UseNumber()
	if p.token == "" || strings.Contains("{[", p.token[:1]) || d.Decode(&v) != nil || d.InputOffset() != int64(len(p.token)) {
		return nil, p.unexpected("a number, a string in double quotes, true, false or null")
	}
	p.next()
	return v, nil
}
