package interchange

import (
	"errors"
	"fmt"
	"strings"
)

// Template makes keys of the fields of rows: in "user/{id}" the field id takes the place of {id}. In JSON, {owner.id} is the field id of the
// object in the field owner. Braces that are meant as such are written twice. A Template does not change.
type Template struct {
	// parts are texts and names of fields in turn, a text first and last; texts may be empty.
	parts []string
}

// ParseTemplate reads a template. It must name a field, or all rows would have one key.
func ParseTemplate(s string) (*Template, error) {
	t, text := &Template{}, strings.Builder{}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c != '{' && c != '}':
			text.WriteByte(c)
		case i+1 < len(s) && s[i+1] == c:
			text.WriteByte(c)
			i++
		case c == '}':
			return nil, fmt.Errorf("key template %s: a '}' without a '{'; one that is meant is written twice", quoted([]byte(s)))
		default:
			name, _, ok := strings.Cut(s[i+1:], "}")
			if !ok || name == "" || strings.Contains(name, "{") {
				return nil, fmt.Errorf("key template %s: a '{' wants the name of a field and a '}'; one that is meant is written twice", quoted([]byte(s)))
			}
			t.parts = append(t.parts, text.String(), name)
			text.Reset()
			i += len(name) + 1
		}
	}
	if len(t.parts) == 0 {
		return nil, errors.New("the key template names no field; write it as user/{id}")
	}
	t.parts = append(t.parts, text.String())
	return t, nil
}

// fields returns the names of the fields, in order.
func (t *Template) fields() (names []string) {
	for i := 1; i < len(t.parts); i += 2 {
		names = append(names, t.parts[i])
	}
	return names
}

// appendKey appends the key to dst. It asks for the fields by their place among them.
func (t *Template) appendKey(dst []byte, field func(i int) ([]byte, error)) ([]byte, error) {
	for i, part := range t.parts {
		if i%2 == 0 {
			dst = append(dst, part...)
			continue
		}
		value, err := field(i / 2)
		if err != nil {
			return dst, fmt.Errorf("{%s}: %w", part, err)
		}
		dst = append(dst, value...)
	}
	return dst, nil
}
