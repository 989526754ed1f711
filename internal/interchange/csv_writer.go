package interchange

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

// csvWriter writes items as records of CSV.
type csvWriter struct {
	comma      byte
	columns    []string
	key, value csvBytes
}

// csvBytes says which columns there are for bytes.
type csvBytes struct{ text, digits bool }

func newCSVWriter(columns []string, comma byte) (*csvWriter, error) {
	c := &csvWriter{comma: comma, columns: columns}
	if !canSeparate(comma) {
		return nil, fmt.Errorf("%w: fields cannot be separated by %q", ErrOption, comma)
	}
	for i, name := range columns {
		if slices.Contains(columns[:i], name) {
			return nil, fmt.Errorf("%w: two columns %s", ErrOption, name)
		}
		switch name {
		case columnKey:
			c.key.text = true
		case columnKeyHex:
			c.key.digits = true
		case columnValue:
			c.value.text = true
		case columnValueHex:
			c.value.digits = true
		case columnExpiresAt:
		default:
			return nil, fmt.Errorf("%w: there is no column %s; there are key, value, expires_at, key_hex and value_hex", ErrOption, quoted([]byte(name)))
		}
	}
	return c, nil
}

// canSeparate tells whether a byte may stand between fields.
func canSeparate(comma byte) bool {
	return comma != '"' && comma != '\n' && comma != '\r' && comma < utf8.RuneSelf
}

func (c *csvWriter) header() (dst []byte) {
	for i, name := range c.columns {
		if i > 0 {
			dst = append(dst, c.comma)
		}
		dst = append(dst, name...)
	}
	return append(dst, '\n')
}

// appendItem appends a record, with its newline.
func (c *csvWriter) appendItem(dst []byte, item *tinykv.Item) ([]byte, error) {
	keyForm, valueForm := c.key.form(item.Key), c.value.form(item.Value)
	if keyForm == formNone || valueForm == formNone {
		return dst, noPlace(item, keyForm)
	}
	begin := len(dst)
	for i, name := range c.columns {
		if i > 0 {
			dst = append(dst, c.comma)
		}
		switch {
		case name == columnKey && keyForm == formText:
			dst = c.text(dst, item.Key)
		case name == columnKeyHex && keyForm == formDigits:
			dst = hex.AppendEncode(dst, item.Key)
		case name == columnValue && valueForm == formText:
			dst = c.text(dst, item.Value)
		case name == columnValueHex && valueForm == formDigits:
			dst = hex.AppendEncode(dst, item.Value)
		case name == columnExpiresAt && !item.ExpiresAt.IsZero():
			dst = item.ExpiresAt.UTC().AppendFormat(dst, time.RFC3339Nano)
		}
	}
	if len(dst) == begin { // an empty line would be no record
		dst = append(dst, `""`...)
	}
	return append(dst, '\n'), nil
}

func noPlace(item *tinykv.Item, keyForm form) error {
	what, column := "the value of", columnValueHex
	if keyForm == formNone {
		what, column = "the key", columnKeyHex
	}
	return fmt.Errorf("%w: %s %s is no text that CSV can hold; add the column %s, or leave the choice of columns out", ErrOption, what, quoted(item.Key), column)
}

// form is how bytes are written.
type form int

const (
	formText   form = iota
	formDigits      // hexadecimal
	formAbsent      // nobody asks for them
	formNone        // they have no place
)

func (b csvBytes) form(bytes []byte) form {
	switch {
	case b.text && isText(bytes):
		return formText
	case b.digits:
		return formDigits
	case b.text:
		return formNone
	default:
		return formAbsent
	}
}

// isText tells whether bytes come back from any program that reads and writes CSV.
func isText(b []byte) bool {
	return bytes.IndexByte(b, '\r') < 0 && bytes.IndexByte(b, 0) < 0 && utf8.Valid(b)
}

// text appends a field, in quotes where it needs them. Space at its ends is one such reason: some readers trim it.
func (c *csvWriter) text(dst, b []byte) []byte {
	if !c.needsQuotes(b) {
		return append(dst, b...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			dst = append(dst, b...)
			return append(dst, '"')
		}
		dst = append(dst, b[:i+1]...)
		dst = append(dst, '"')
		b = b[i+1:]
	}
}

func (c *csvWriter) needsQuotes(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	isBlank := func(c byte) bool { return c == ' ' || c == '\t' }
	return isBlank(b[0]) || isBlank(b[len(b)-1]) ||
		bytes.IndexByte(b, c.comma) >= 0 || bytes.IndexByte(b, '"') >= 0 || bytes.IndexByte(b, '\n') >= 0
}
