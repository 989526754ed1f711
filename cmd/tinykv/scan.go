package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
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
		if form == "" || form == "raw" {
			return c.lines(e, items, form == "raw")
		}
		l := newList(e, form, c.columns()...)
		return l.end(c.list(e, items, l))
	})
}

// lines writes a key and its value on each line, as text or as they are.
func (c *scanCommand) lines(e *environment, items iter.Seq2[tinykv.Item, error], raw bool) error {
	write := c.write
	if raw {
		write = func(w *bufio.Writer, b []byte) { _, _ = w.Write(b) }
	}
	for item, err := range items {
		if err == nil {
			err = context.Cause(e.ctx)
		}
		if err != nil {
			return err
		}
		write(e.out, item.Key)
		if !c.KeysOnly {
			_ = e.out.WriteByte('\t')
			write(e.out, item.Value)
		}
		if err := e.out.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// list writes items in a form that tells their columns.
func (c *scanCommand) list(e *environment, items iter.Seq2[tinykv.Item, error], l *list) error {
	for item, err := range items {
		if err == nil {
			err = context.Cause(e.ctx)
		}
		switch {
		case err != nil:
		case l.form == "json" || l.form == "jsonl":
			err = l.row(c.json(&item))
		default:
			err = l.row(nil, c.cells(&item, l.form)...)
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

// mostOfCell is how much of a value a table shows.
const mostOfCell = 4 << 10

// cells are the columns of an item. A table cuts a value that is long, and says how long it is.
func (c *scanCommand) cells(item *tinykv.Item, form string) []string {
	cells := []string{c.text(item.Key)}
	if c.KeysOnly {
		return cells
	}
	value, rest := item.Value, ""
	if form == "table" && len(value) > mostOfCell {
		value, rest = value[:mostOfCell], fmt.Sprintf("… (%d bytes)", len(value))
	}
	return append(cells, c.text(value)+rest, expiryText(item.ExpiresAt))
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
