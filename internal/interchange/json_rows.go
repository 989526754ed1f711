package interchange

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// jsonRows reads rows that are objects: items, or any that a template makes keys of.
type jsonRows struct {
	source objectSource
	shape  shape
}

// objectSource lends the text of one object after the other.
type objectSource interface {
	// next returns a text, in which nothing is checked yet, and its number. Errors are as those of rows.
	next() (text []byte, number int64, err error)
	read() int64
}

func (j *jsonRows) read() int64 { return j.source.read() }

func (j *jsonRows) next(r *row) error {
	text, number, err := j.source.next()
	if err != nil {
		return err
	}
	*r = row{number: number}
	if err = j.shape.json(r, text); err != nil {
		return rowError(number, 0, err)
	}
	return nil
}

// json makes a row of the text of an object.
func (s *shape) json(r *row, object []byte) error {
	if s.key == nil {
		item, bucket, err := lendItem(object, s.buckets)
		r.key, r.value, r.expiresAt, r.bucket = item.Key, item.Value, item.ExpiresAt, bucket
		return err
	}
	fields := s.key.fields()
	k, err := s.key.appendKey(s.buf[:0], func(i int) ([]byte, error) {
		raw, err := lookup(object, fields[i])
		if err != nil {
			return nil, err
		}
		return scalar(raw)
	})
	s.buf = k
	if err != nil {
		return err
	}
	r.key, r.value = k, object
	if s.value == "" {
		return nil
	}
	raw, err := lookup(object, s.value)
	if err == nil && raw[0] == '"' {
		raw, err = text(raw)
	}
	if r.value = raw; err != nil {
		return fmt.Errorf("the value, %s: %w", s.value, err)
	}
	return nil
}

// lookup finds a field of an object by its name, or by names with a dot between them in the objects within it. It checks the whole object.
func lookup(object []byte, path string) (raw []byte, err error) {
	name, within, isPath := strings.Cut(path, ".")
	err = members(object, func(n, value []byte) error {
		if string(n) != name {
			return nil
		}
		if raw != nil {
			return fmt.Errorf("%s is given twice", quoted(n))
		}
		raw = value
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case raw == nil:
		return nil, fmt.Errorf("there is no field %s", quoted([]byte(name)))
	case !isPath:
		return raw, nil
	case raw[0] != '{':
		return nil, fmt.Errorf("%s is no object", quoted([]byte(name)))
	default:
		return lookup(raw, within)
	}
}

// scalar returns the text that a value is in a key.
func scalar(raw []byte) ([]byte, error) {
	switch raw[0] {
	case '"':
		return text(raw)
	case '{', '[', 'n':
		return nil, errors.New("want a string, a number or a truth value")
	default:
		return raw, nil
	}
}

// lineSource has an object on each line. Empty lines count, and are passed.
type lineSource struct {
	in   *input
	line int64
}

func (s *lineSource) read() int64 { return s.in.taken }

func (s *lineSource) next() ([]byte, int64, error) {
	for {
		text, err := s.in.row(lineFinder{})
		s.line++
		var long errTooLong
		if errors.As(err, &long) {
			return nil, s.line, rowError(s.line, 0, long)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 && (err == nil || err == io.EOF) {
			return text, s.line, nil
		}
		if err != nil {
			return nil, s.line, err
		}
	}
}

// arraySource has objects in one array.
type arraySource struct {
	in      *input
	find    elementFinder
	element int64
	begun   bool
}

var (
	errNoArray   = errors.New("a JSON file is one array, as [{\"key\":\"fig\",\"value\":\"ripe\"}]; where each line has an object of its own, the format is jsonl")
	errArrayEnds = errors.New("the array does not end; the input is cut off")
	errBehind    = errors.New("something follows on the array; a JSON file is one array")
	errNoElement = errors.New("there is nothing between two commas, or a comma and a bracket")
)

func (s *arraySource) read() int64 { return s.in.taken }

func (s *arraySource) next() ([]byte, int64, error) {
	if !s.begun {
		if err := s.begin(); err != nil {
			return nil, 0, err
		}
	}
	if s.find.isLast {
		return nil, s.element, s.end()
	}
	text, err := s.in.row(&s.find)
	s.element++
	var long errTooLong
	if errors.As(err, &long) {
		return nil, s.element, rowError(s.element, 0, long)
	}
	if err == io.EOF {
		err = errArrayEnds
	}
	if err != nil {
		return nil, s.element, err
	}
	if text = bytes.TrimSpace(text); len(text) > 0 {
		return text, s.element, nil
	}
	if s.find.isLast && s.element == 1 { // []
		return nil, 0, s.end()
	}
	return nil, s.element, rowError(s.element, 0, errNoElement)
}

// begin passes the bracket.
func (s *arraySource) begin() error {
	c, err := s.in.visible()
	if errors.Is(err, errStream) {
		return err
	}
	if c != '[' {
		return errNoArray
	}
	s.in.take(1)
	s.begun = true
	return nil
}

// end returns io.EOF, or what is wrong behind the array.
func (s *arraySource) end() error {
	if _, err := s.in.visible(); err != nil {
		return err
	}
	return errBehind
}

// elementFinder ends the elements of an array at commas and at its bracket.
type elementFinder struct {
	depth            int
	inString, escape bool
	isLast           bool // it was the bracket
}

func (f *elementFinder) end(data []byte) (n, size int) {
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case f.escape:
			f.escape = false
		case f.inString:
			f.inString, f.escape = c != '"', c == '\\'
		case c == '"':
			f.inString = true
		case c == '{' || c == '[':
			f.depth++
		case f.depth == 0 && (c == ',' || c == ']'):
			f.isLast = c == ']'
			return i, 1
		case c == '}' || c == ']':
			f.depth = max(f.depth-1, 0)
		}
	}
	return 0, 0
}
