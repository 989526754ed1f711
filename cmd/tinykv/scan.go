package main

import (
	"context"
	"encoding/hex"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
)

type scanCommand struct {
	hexFlag
	bucketFlag
	rangeFlags
	formatFlag
	Limit    positive `short:"n" placeholder:"N" help:"Print at most so many."`
	Reverse  bool     `help:"From the last one to the first."`
	KeysOnly bool     `short:"k" help:"Print no values."`
	Seq      bool     `help:"Print the number of the write that made each, in JSON."`
}

// Run prints a key on each line and, behind a tab, its value, or a list in a format.
func (c *scanCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	return e.look(func(s site) error {
		in, err := c.in(s)
		if err != nil {
			return err
		}
		items := in.scan(r, scanning{limit: int(c.Limit), reverse: c.Reverse, keysOnly: c.KeysOnly})
		form := c.form("jsonl", "")
		if f, err := interchange.ParseFormat(form); err == nil && !c.Hex { // as export writes it, so that import reads it
			_, err := interchange.Export(e.ctx, e.out, items, &interchange.ExportOptions{Format: f, KeysOnly: c.KeysOnly, Seq: c.Seq})
			return err
		}
		l := newList(e, form, c.columns()...)
		return l.end(c.list(e, items, l))
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
	if form == "raw" {
		text = func(b []byte) string { return string(b) }
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
	Seq       uint64    `json:"seq,omitempty"`
}

func (c *scanCommand) json(item *tinykv.Item) jsonItem {
	j := c.jsonItem(item, !c.KeysOnly)
	if c.Seq {
		j.Seq = item.Seq
	}
	return j
}

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
		in, err := c.in(s)
		if err != nil {
			return err
		}
		n, err := in.count(e.ctx, r)
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
