package main

import (
	"context"
	"encoding/hex"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

type scanCommand struct {
	hexFlag
	bucketFlag
	rangeFlags
	formatFlag
	Limit    int  `short:"n" placeholder:"N" help:"Print at most so many."`
	Reverse  bool `help:"From the last one to the first."`
	KeysOnly bool `short:"k" help:"Print no values."`
}

// Run prints a key on each line and, behind a tab, its value, or a list in a format.
func (c *scanCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usageError{"--limit wants a positive number"}
	}
	return e.look(func(s site) error {
		l := newList(e, c.form("jsonl", ""), c.columns()...)
		return l.end(c.list(e, s.bucket(c.Bucket).scan(r, scanning{limit: c.Limit, reverse: c.Reverse, keysOnly: c.KeysOnly}), l))
	})
}

func (c *scanCommand) list(e *environment, items iter.Seq2[tinykv.Item, error], l *list) error {
	for item, err := range items {
		if err == nil {
			err = context.Cause(e.ctx)
		}
		if err == nil {
			err = l.row(c.json(&item), c.cells(&item, l.form)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *scanCommand) columns() []column {
	if c.KeysOnly {
		return []column{"key"}
	}
	return []column{"key", "value", "expires_at"}
}

// cells are the columns of an item; without a format, and raw, there is no expiry.
func (c *scanCommand) cells(item *tinykv.Item, form string) []string {
	text := c.text
	switch form {
	case "raw":
		text = func(b []byte) string { return string(b) }
	case "csv":
		text = c.csvText
	}
	cells := []string{text(item.Key)}
	if c.KeysOnly {
		return cells
	}
	cells = append(cells, text(item.Value))
	if form != "table" && form != "csv" {
		return cells
	}
	return append(cells, expiryText(item.ExpiresAt))
}

// csvText is bytes in a cell: as they are where they are UTF-8, and as a Go string in quotes where they are not, or begin like one.
func (f hexFlag) csvText(b []byte) string {
	if f.Hex || !utf8.Valid(b) || len(b) > 0 && b[0] == '"' {
		return f.text(b)
	}
	return string(b)
}

func expiryText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// jsonItem has text where bytes are UTF-8, and hexadecimal digits where not or where they were asked for.
type jsonItem struct {
	Key      *string `json:"key,omitempty"`
	KeyHex   *string `json:"key_hex,omitempty"`
	Value    *string `json:"value,omitempty"`
	ValueHex *string `json:"value_hex,omitempty"`

	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func (c *scanCommand) json(item *tinykv.Item) jsonItem { return c.jsonItem(item, !c.KeysOnly) }

// jsonItem returns an item as JSON tells it.
func (f hexFlag) jsonItem(item *tinykv.Item, withValue bool) (j jsonItem) {
	j.Key, j.KeyHex = f.jsonText(item.Key)
	if withValue {
		j.Value, j.ValueHex = f.jsonText(item.Value)
	}
	if !item.ExpiresAt.IsZero() {
		j.ExpiresAt = item.ExpiresAt.UTC()
	}
	return j
}

func (f hexFlag) jsonText(b []byte) (text, digits *string) {
	if f.Hex || !utf8.Valid(b) {
		s := hex.EncodeToString(b)
		return nil, &s
	}
	s := string(b)
	return &s, nil
}

type countCommand struct {
	hexFlag
	bucketFlag
	rangeFlags
	JSON bool `name:"json" help:"As JSON."`
}

// Run prints the exact number of keys.
func (c *countCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	return e.look(func(s site) error {
		n, err := s.bucket(c.Bucket).count(e.ctx, r)
		if err != nil {
			return err
		}
		if c.JSON {
			return e.json(map[string]uint64{"count": n})
		}
		e.printf("%d\n", n)
		return nil
	})
}
