package interchange

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// csvRows reads rows that are records under names.
type csvRows struct {
	csv   *csvReader
	names []string // of the columns; empty for those that are ignored
	shape shape

	// Where the columns of an item stand; -1 for those that are not there.
	key, keyHex, value, valueHex, expiresAt int

	fields  []int // where the fields of the template stand
	numbers bool
	json    []byte // of the last row
}

// newCSVRows reads the header, if there is one.
func newCSVRows(in *input, o *ImportOptions) (*csvRows, error) {
	c := &csvRows{csv: newCSVReader(in, o.Comma), names: o.Columns, shape: o.shape(), numbers: o.Numbers}
	if c.names == nil {
		if err := c.header(); err != nil {
			return nil, err
		}
	}
	for i, name := range c.names {
		if name != "" && slices.Contains(c.names[:i], name) {
			return nil, c.wrong(fmt.Errorf("there are two columns %s; name the columns yourself, and none twice", quoted([]byte(name))))
		}
	}
	if c.shape.key == nil {
		return c, c.wrong(c.itemColumns())
	}
	return c, c.wrong(c.templateColumns())
}

// header takes the first record for the names of the columns.
func (c *csvRows) header() error {
	err := c.csv.next()
	if errors.Is(err, io.EOF) {
		return errors.New("the input is empty; the first row of CSV names the columns")
	}
	if errors.Is(err, errStream) {
		return err
	}
	if err != nil {
		return c.wrong(err)
	}
	for _, field := range c.csv.fields {
		if strings.Contains(string(field), "\r") {
			return c.wrong(errors.New("lines end in CR alone; save the file with LF or CRLF"))
		}
		c.names = append(c.names, string(field))
	}
	return nil
}

// wrong says that an error is about the header, where there is one.
func (c *csvRows) wrong(err error) error {
	if err == nil || c.csv.record == 0 {
		return err
	}
	return rowError(c.csv.record, c.csv.line, err)
}

// The columns of items.
const (
	columnKey       = "key"
	columnKeyHex    = "key_hex"
	columnValue     = "value"
	columnValueHex  = "value_hex"
	columnExpiresAt = "expires_at"
)

// itemColumns finds the columns of items, which must be the only ones.
func (c *csvRows) itemColumns() error {
	places := map[string]*int{columnKey: &c.key, columnKeyHex: &c.keyHex, columnValue: &c.value, columnValueHex: &c.valueHex, columnExpiresAt: &c.expiresAt}
	for _, at := range places {
		*at = -1
	}
	for i, name := range c.names {
		at := places[name]
		if at == nil && name != "" {
			return fmt.Errorf("the column %s is none of an item, which are key, key_hex, value, value_hex and expires_at; say which columns make the key (--key user/{id}), or ignore the column (--columns key,,value)", quoted([]byte(name)))
		}
		if at != nil {
			*at = i
		}
	}
	switch {
	case c.key < 0 && c.keyHex < 0:
		return errors.New("there is no column key or key_hex; name the columns (--columns key,value), or say which make the key (--key user/{id})")
	case c.value < 0 && c.valueHex < 0:
		return errors.New("there is no column value or value_hex; name the columns (--columns key,value)")
	}
	return nil
}

// templateColumns finds the columns that the template names, and the one of the value.
func (c *csvRows) templateColumns() error {
	find := func(name string) (int, error) {
		i := slices.Index(c.names, name)
		if i < 0 {
			return i, fmt.Errorf("there is no column %s; there are %s", quoted([]byte(name)), strings.Join(c.names, ", "))
		}
		return i, nil
	}
	for _, name := range c.shape.key.fields() {
		i, err := find(name)
		if err != nil {
			return err
		}
		c.fields = append(c.fields, i)
	}
	if c.shape.value == "" {
		return nil
	}
	var err error
	c.value, err = find(c.shape.value)
	return err
}

func (c *csvRows) read() int64 { return c.csv.in.taken }

func (c *csvRows) next(r *row) error {
	err := c.csv.next()
	if err == nil {
		err = c.row(r)
	} else if err == io.EOF || errors.Is(err, errStream) {
		return err
	}
	if err != nil {
		return rowError(c.csv.record, c.csv.line, err)
	}
	return nil
}

func (c *csvRows) row(r *row) (err error) {
	*r = row{number: c.csv.record}
	if have, want := len(c.csv.fields), len(c.names); have != want {
		return fmt.Errorf("%s where there are %d columns", fields(have), want)
	}
	if c.shape.key != nil {
		return c.templateRow(r)
	}
	if r.key, err = c.either(c.key, c.keyHex, columnKey); err != nil {
		return err
	}
	if r.value, err = c.either(c.value, c.valueHex, columnValue); err != nil {
		return err
	}
	if at := c.field(c.expiresAt); len(at) > 0 {
		r.expiresAt, err = parseTime(string(at))
	}
	return err
}

// field returns a field, nil for one that is not there.
func (c *csvRows) field(i int) []byte {
	if i < 0 {
		return nil
	}
	return c.csv.fields[i]
}

// either returns bytes that stand as text in one column, or as digits in another. If both are empty, so are they.
func (c *csvRows) either(text, digits int, name string) ([]byte, error) {
	b, d := c.field(text), c.field(digits)
	if len(d) == 0 {
		return b, nil
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%s and %s_hex are both given; leave one empty", name, name)
	}
	b, err := fromHex(d)
	if err != nil {
		return nil, fmt.Errorf("%s_hex: %w", name, err)
	}
	return b, nil
}

func (c *csvRows) templateRow(r *row) (err error) {
	c.shape.buf, err = c.shape.key.appendKey(c.shape.buf[:0], func(i int) ([]byte, error) {
		return c.csv.fields[c.fields[i]], nil
	})
	if err != nil {
		return err
	}
	r.key = c.shape.buf
	if c.shape.value != "" {
		r.value = c.csv.fields[c.value]
		return nil
	}
	r.value, err = c.object()
	return err
}

// object returns the row as a JSON object.
func (c *csvRows) object() ([]byte, error) {
	b := append(c.json[:0], '{')
	for i, field := range c.csv.fields {
		name := c.names[i]
		if name == "" {
			continue
		}
		if !utf8.Valid(field) {
			return nil, fmt.Errorf("%s is not UTF-8, which JSON must be; convert the file, or take the column alone as the value", quoted([]byte(name)))
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(AppendText(b, []byte(name)), ':')
		if c.numbers && isNumber(field) {
			b = append(b, field...)
		} else {
			b = AppendText(b, field)
		}
	}
	c.json = append(b, '}')
	return c.json, nil
}

// isNumber tells whether text is a number as JSON writes it, which 007 and +1 are not.
func isNumber(b []byte) bool {
	s := scanner{data: b}
	return len(b) > 0 && s.number() == nil && s.off == len(b)
}

func fields(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}
